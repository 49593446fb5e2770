"""The resources that networks take, on stdout, and the limits that they are held to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli.output import as_json, rows
from tinyprune.errors import CheckFailed

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import CompiledArtifact
    from tinyprune.artifacts.summary import RunSummary
    from tinyprune.config.budget import Budget

_MOST_TABLES = 2  # more targets are shown side by side only


def summaries(records: "Sequence[RunSummary]", output_format: str) -> None:
    """Print every variant beside its baseline, target by target, then the targets side by side.

    As JSON the summary, or the list of several; as CSV all rows under one header.
    """
    from tinyprune.report.render import table

    if output_format == "json":
        _as_json(records)
    elif output_format == "csv":
        click.echo(table.summaries_csv(records), nl=False)
    else:
        _summary_tables(records)


def _as_json(records: Sequence[Any]) -> None:
    """Print a record, or the list of several, as JSON."""
    as_json(records[0] if len(records) == 1 else records)


def _summary_tables(records: "Sequence[RunSummary]") -> None:
    """Print a table per target where they are few, the targets side by side, and predictions."""
    from tinyprune.report.render import matrix_table, table, terminal

    tables = []
    if len(records) <= _MOST_TABLES:
        tables += [table.format_table(record) for record in records]
    if len(records) > 1:
        tables.append(matrix_table.format_matrix(records))

    first, *others = tables
    terminal.show(first)
    for renderable in others:
        click.echo()
        terminal.show(renderable)
    _predictions(records)


def compiled(artifacts: "Sequence[CompiledArtifact]", output_format: str) -> None:
    """Print the costs of a compiled file: model and layers, or several targets side by side.

    As CSV a row per target.
    """
    from tinyprune.report.model.summary import summary_of_file
    from tinyprune.report.render import cost_tables, matrix_table, terminal

    if output_format == "json":
        _as_json(artifacts)
    elif output_format == "csv":
        cells = [_flat(artifact) for artifact in artifacts]
        lines = [list(map(str, row.values())) for row in cells]
        rows(list(cells[0]), lines, output_format)
    elif len(artifacts) == 1:
        terminal.show(cost_tables.format_compiled(artifacts[0]))
    else:
        records = [summary_of_file(artifact) for artifact in artifacts]
        terminal.show(matrix_table.format_matrix(records))
        _predictions(records)


def _predictions(records: "Sequence[RunSummary]") -> None:
    """Print how far the cost model was off, where it says anything."""
    from tinyprune.report.model import predictions

    sentence = predictions.error_sentence(records)
    if sentence:
        click.echo(f"\n{predictions.TITLE}, {sentence}")


def _flat(artifact: "CompiledArtifact") -> dict[str, object]:
    """Return the row of a compiled file, without layers and operators."""
    from tinyprune.artifacts.quantity import PREDICTED
    from tinyprune.storage.records import to_jsonable

    report = to_jsonable(artifact.report)
    del report["layers"], report["operators"]
    predicted = report.pop("predicted") or {}
    for quantity in PREDICTED:
        report[f"predicted_{quantity.name}"] = predicted.get(quantity.name)
    for names in ("cpu_operators", "end_conversions"):
        report[names] = " ".join(report[names])
    first = ("vela_version", "sram_bytes", "flash_bytes", "encoded_weight_bytes")
    sizes = {name: report.pop(name) for name in first}
    return {"path": artifact.path, **report.pop("target"), **sizes, **report}


def gate(
    records: "Sequence[RunSummary]",
    limits: "Budget",
    variants: Sequence[str],
    output_format: str = "table",
) -> None:
    """Print which limits are kept, on stderr unless the results are a table.

    Nothing is printed where the only limit is that nothing runs on the CPU, and nothing does.
    Raises CheckFailed for limits that are not kept.
    """
    from tinyprune.artifacts.quantity import CPU_OPERATORS
    from tinyprune.report.model import budget_gate
    from tinyprune.report.render import budget_tables, terminal

    verdicts = budget_gate.check_all(records, limits, variants)
    failed = budget_gate.failure(verdicts)
    if budget_gate.matter(verdicts):
        is_beside = output_format != "table"
        click.echo(err=is_beside)
        text = terminal.to_text(budget_tables.format_verdicts(verdicts))
        click.echo(text, nl=False, err=is_beside)
    if not failed:
        return
    if any(verdict.quantity is CPU_OPERATORS and not verdict.holds for verdict in verdicts):
        failed = f"{failed}; accept operators on the CPU with --allow-cpu"
    raise CheckFailed(failed)
