"""The report of a run in every format: for a terminal, as JSON, CSV, Markdown, or a page of HTML."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tinyprune.errors import UsageError, unknown_name
from tinyprune.report.model import budget_history, layer_costs, predictions, target_matrix
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.report.render import table
from tinyprune.report.render.terminal import NONE, columns
from tinyprune.storage.records import to_jsonable


def format_report(report: RunReport) -> RenderableType:
    """Quality and cost on the target that was compiled for last, targets side by side, advice, what is missing."""
    parts: list[RenderableType] = []
    if report.summaries:
        parts.append(table.format_table(report.summaries[0]))
    else:
        parts.append(_unfinished(report.variants))
    if len(report.summaries) > 1:
        parts += [Text(), target_matrix.format_matrix(report.summaries)]
    if (predicted := predictions.format_predictions(report.summaries)) is not None:
        parts += [Text(), predicted]
    for name, lines in report.advice.items():
        parts += [
            Text(),
            Text(name, style="bold"),
            *(Padding(Text(line), (0, 0, 0, 2)) for line in lines),
        ]
    for note in report.notes:
        parts += [Text(), Text(note)]
    return Group(*parts)


def format_variants(report: RunReport, names: Sequence[str], operators: bool) -> RenderableType:
    """Where bytes and cycles of some variants go: by layer or by operator, on the target that was compiled for last.

    Of a variant that was pruned to a budget also that, even if it is not compiled, unless operators
    are asked for. Raises UsageError for any other variant that is not compiled.
    """
    compiled = {v.name: v.report for v in report.summaries[0].variants} if report.summaries else {}
    budgets = {} if operators else {v.name: v.budget for v in report.variants if v.budget}
    parts: list[RenderableType] = []
    for name in names:
        parts += [Text()] if parts else []
        if name in compiled:
            cost = compiled[name]
            title = Text(f"{name} on {cost.target.name}, by Vela {cost.vela_version}", style="bold")
            parts += [
                title,
                layer_costs.format_operators(cost) if operators else layer_costs.format_model(cost),
            ]
            parts += (
                [Text(), budget_history.format_budget(budgets[name])] if name in budgets else []
            )
        elif name in budgets:
            parts += [Text(name, style="bold"), budget_history.format_budget(budgets[name])]
            parts += [Text("Its layers are not known yet: run `tinyprune compile`.")]
        elif compiled:
            raise unknown_name("compiled variant", name, compiled)
        else:
            raise UsageError(f"nothing of {report.run} is compiled yet: run `tinyprune compile`")
    return Group(*parts)


def to_format(report: RunReport, folder: Path, output_format: str) -> str:
    """The report as "json", "csv" (one row per variant and target), "markdown" or "html" (``folder``: of the run)."""
    if output_format == "json":
        return json.dumps(to_jsonable(report), indent=2) + "\n"
    if output_format == "csv":
        return "".join(_csv(report))
    if output_format == "markdown":
        from tinyprune.report.render import markdown

        return markdown.run_report(report)
    from tinyprune.report.render import html

    return html.page(report, folder)


def _csv(report: RunReport) -> Iterator[str]:
    """The summaries of all targets under one header."""
    for index, summary in enumerate(report.summaries):
        yield from table.to_csv(summary).splitlines(keepends=True)[index > 0 :]


def _unfinished(variants: Sequence[VariantRecord]) -> RenderableType:
    """What is there before anything is compiled."""
    found = columns("variant", "epochs", "parameters", "sparsity", left="finished")
    for variant in variants:
        sparsity = NONE if variant.sparsity is None else f"{variant.sparsity:.2f}"
        count = NONE if variant.parameters is None else str(variant.parameters)
        found.add_row(
            variant.name, str(len(variant.history)), count, sparsity, variant.state or "nothing"
        )
    return found
