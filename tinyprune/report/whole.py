"""The report of a run in every format: for a terminal, as JSON, CSV, Markdown, or a page of HTML."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tinyprune.errors import UsageError, unknown_name
from tinyprune.records import to_jsonable
from tinyprune.report import matrix, storeys, table
from tinyprune.report.advice import advice
from tinyprune.report.record import RunReport, VariantRecord
from tinyprune.report.terminal import NONE, columns


def format_report(report: RunReport) -> RenderableType:
    """Quality and cost on the target that was compiled for last, targets side by side, advice, what is missing."""
    parts: list[RenderableType] = []
    if report.summaries:
        parts.append(table.format_table(report.summaries[0]))
    else:
        parts.append(_unfinished(report.variants))
    if len(report.summaries) > 1:
        parts += [Text(), matrix.format_matrix(report.summaries)]
    for name, lines in advice_for(report).items():
        parts += [Text(), Text(name, style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)]
    for note in report.notes:
        parts += [Text(), Text(note)]
    return Group(*parts)


def format_variants(report: RunReport, names: Sequence[str], operators: bool) -> RenderableType:
    """Where bytes and cycles of some variants go: by layer or by operator, on the target that was compiled for last.

    Raises UsageError for a variant that is not compiled.
    """
    if not report.summaries:
        raise UsageError(f"nothing of {report.run} is compiled yet: run `tinyprune compile`")
    known = {variant.name: variant.report for variant in report.summaries[0].variants}
    parts: list[RenderableType] = []
    for name in names:
        if name not in known:
            raise unknown_name("compiled variant", name, known)
        cost = known[name]
        title = Text(f"{name} on {cost.target.name}, by Vela {cost.vela_version}", style="bold")
        parts += [Text()] if parts else []
        parts += [title, storeys.format_operators(cost) if operators else storeys.format_model(cost)]
    return Group(*parts)


def advice_for(report: RunReport) -> Mapping[str, Sequence[str]]:
    """Variant -> advice, on the target that was compiled for last; variants without any are left out."""
    found = advice(report.summaries[0]) if report.summaries else {}
    return {name: lines for name, lines in found.items() if lines}


def to_format(report: RunReport, folder: Path, output_format: str) -> str:
    """The report as "json", "csv" (one row per variant and target), "markdown" or "html" (``folder``: of the run)."""
    if output_format == "json":
        return json.dumps(to_jsonable(report), indent=2) + "\n"
    if output_format == "csv":
        return "".join(_csv(report))
    if output_format == "markdown":
        from tinyprune.report import markdown

        return markdown.run_report(report, advice_for(report))
    from tinyprune.report import html

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
        found.add_row(variant.name, str(len(variant.history)), count, sparsity, variant.state or "nothing")
    return found
