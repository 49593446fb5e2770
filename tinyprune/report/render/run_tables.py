"""The report of a run as tables for a terminal: all of it, or some variants layer by layer."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tinyprune.artifacts.resources import ResourceReport
from tinyprune.errors import UsageError, check_name
from tinyprune.report.model.number_text import shown_number
from tinyprune.report.model.record import RunReport
from tinyprune.report.render import (
    budget_tables,
    cost_tables,
    matrix_table,
    prediction_tables,
    sweep_answer,
    table,
)
from tinyprune.report.render.terminal import columns

Parts = list[RenderableType]


def format_report(report: RunReport) -> RenderableType:
    """Quality and cost of every variant, targets side by side, predictions, advice and notes.

    The costs are those on the target that was compiled for last.
    """
    parts: Parts = []
    if report.summaries:
        parts.append(table.format_table(report.summaries[0], report.changed))
    else:
        parts.append(_unfinished(report))
    if len(report.summaries) > 1:
        matrix = matrix_table.format_matrix(report.summaries)
        parts += [Text(), matrix]
    predicted = prediction_tables.format_predictions(report.summaries)
    if predicted is not None:
        parts += [Text(), predicted]
    if report.sweep is not None:
        parts += [Text(), Text(sweep_answer.as_text(report.sweep))]
    for name, lines in report.advice.items():
        text = Text("\n".join(lines))
        parts += [Text(), Text(name, style="bold"), Padding(text, (0, 0, 0, 2))]
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
        parts += [Text(), *_variant_parts(report, name, operators)]
    return Group(*parts[1:])


def _variant_parts(report: RunReport, name: str, operators: bool) -> Parts:
    costs = _costs(report)
    if operators:
        cost = _compiled(report, name, costs)
        return [_title(name, cost), cost_tables.format_operators(cost)]

    budget = _budget(report, name)
    if budget is None:
        cost = _compiled(report, name, costs)
        return [_title(name, cost), cost_tables.format_model(cost)]
    if name in costs:
        cost = costs[name]
        return [_title(name, cost), cost_tables.format_model(cost), Text(), budget]
    missing = "Its layers are not known yet: run `tinyprune compile`."
    return [Text(name, style="bold"), budget, Text(missing)]


def _title(name: str, cost: ResourceReport) -> Text:
    title = f"{name} on {cost.target.name}, by Vela {cost.vela_version}"
    return Text(title, style="bold")


def _compiled(report: RunReport, name: str, costs: Mapping[str, ResourceReport]) -> ResourceReport:
    """The cost of a variant that has to be compiled."""
    if not costs:
        raise UsageError(f"nothing of {report.run} is compiled yet: run `tinyprune compile`")
    check_name("compiled variant", name, costs)
    return costs[name]


def _costs(report: RunReport) -> dict[str, ResourceReport]:
    """Cost of every variant on the target that was compiled for last."""
    if not report.summaries:
        return {}
    return {variant.name: variant.report for variant in report.summaries[0].variants}


def _budget(report: RunReport, name: str) -> RenderableType | None:
    """The way of a variant to its budget; None where it has none."""
    budgets = {variant.name: variant.budget for variant in report.variants}
    budget = budgets.get(name)
    if budget is None:
        return None
    return budget_tables.format_budget(budget)


def _unfinished(report: RunReport) -> RenderableType:
    """The variants before anything is compiled."""
    table = columns("variant", "epochs", "parameters", "sparsity", left="finished")
    for variant in report.variants:
        state = "changed" if variant.name in report.changed else variant.state
        table.add_row(
            variant.name,
            str(len(variant.history)),
            shown_number(variant.parameters, str),
            shown_number(variant.sparsity, "{:.2f}".format),
            state or "nothing",
        )
    return table
