"""The report of a run as tables for a terminal: all of it, or some variants layer by layer."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tinyprune.artifacts.resources import ResourceReport
from tinyprune.errors import UsageError, unknown_name
from tinyprune.report.model import budget_history, layer_costs, predictions, target_matrix
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.report.render import table
from tinyprune.report.render.terminal import NONE, columns

Parts = list[RenderableType]


def format_report(report: RunReport) -> RenderableType:
    """Quality and cost of every variant, targets side by side, predictions, advice and notes.

    The costs are those on the target that was compiled for last.
    """
    parts: Parts = []
    if report.summaries:
        parts.append(table.format_table(report.summaries[0]))
    else:
        parts.append(_unfinished(report.variants))
    if len(report.summaries) > 1:
        parts += [Text(), target_matrix.format_matrix(report.summaries)]
    predicted = predictions.format_predictions(report.summaries)
    if predicted is not None:
        parts += [Text(), predicted]
    for name, lines in report.advice.items():
        parts += [Text(), Text(name, style="bold")]
        parts += [Padding(Text(line), (0, 0, 0, 2)) for line in lines]
    for note in report.notes:
        parts += [Text(), Text(note)]
    return Group(*parts)


def format_variants(report: RunReport, names: Sequence[str], operators: bool) -> RenderableType:
    """The bytes and cycles of some variants by layer, on the target that was compiled for last.

    Args:
        report: of the run.
        names: of the variants.
        operators: by operator instead, and without budgets.

    Of a variant that was pruned to a budget the way to that budget is shown too, even if it is not
    compiled. Raises UsageError for any other variant that is not compiled.
    """
    parts: Parts = []
    for name in names:
        if parts:
            parts.append(Text())
        parts += _variant_parts(report, name, operators)
    return Group(*parts)


def _variant_parts(report: RunReport, name: str, operators: bool) -> Parts:
    costs = _costs(report)
    budget = None if operators else _budget(report, name)
    if name in costs:
        cost = costs[name]
        title = f"{name} on {cost.target.name}, by Vela {cost.vela_version}"
        by_part = layer_costs.format_operators if operators else layer_costs.format_model
        parts: Parts = [Text(title, style="bold"), by_part(cost)]
        if budget is not None:
            parts += [Text(), budget]
        return parts
    if budget is not None:
        missing = "Its layers are not known yet: run `tinyprune compile`."
        return [Text(name, style="bold"), budget, Text(missing)]
    if costs:
        raise unknown_name("compiled variant", name, costs)
    raise UsageError(f"nothing of {report.run} is compiled yet: run `tinyprune compile`")


def _costs(report: RunReport) -> dict[str, ResourceReport]:
    """Cost of every variant on the target that was compiled for last."""
    if not report.summaries:
        return {}
    return {variant.name: variant.report for variant in report.summaries[0].variants}


def _budget(report: RunReport, name: str) -> RenderableType | None:
    """The way of a variant to its budget; None where it has none."""
    for variant in report.variants:
        if variant.name == name and variant.budget:
            return budget_history.format_budget(variant.budget)
    return None


def _unfinished(variants: Sequence[VariantRecord]) -> RenderableType:
    """The variants before anything is compiled."""
    table = columns("variant", "epochs", "parameters", "sparsity", left="finished")
    for variant in variants:
        table.add_row(
            variant.name,
            str(len(variant.history)),
            NONE if variant.parameters is None else str(variant.parameters),
            NONE if variant.sparsity is None else f"{variant.sparsity:.2f}",
            variant.state or "nothing",
        )
    return table
