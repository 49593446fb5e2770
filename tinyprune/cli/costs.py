"""What networks cost, on stdout: run summaries and compiled files; and budgets as a gate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tinyprune.cli.output import as_json, rows
from tinyprune.errors import CheckFailed

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import CompiledArtifact
    from tinyprune.artifacts.summary import RunSummary
    from tinyprune.config.budget import Budget

_SHOWN_WHOLE = 2  # targets; more of them are shown side by side only


def summaries(records: "Sequence[RunSummary]", output_format: str) -> None:
    """Print every variant beside its baseline, target by target, then the targets side by side.

    As JSON the summary, or the list of several; as CSV all rows under one header.
    """
    from tinyprune.report.model import target_matrix
    from tinyprune.report.render import table, terminal

    if output_format == "json":
        as_json(records[0] if len(records) == 1 else records)
    elif output_format == "csv":
        click.echo(table.summaries_csv(records), nl=False)
    else:
        shown = [table.format_table(record) for record in records if len(records) <= _SHOWN_WHOLE]
        shown += [target_matrix.format_matrix(records)] if len(records) > 1 else []
        for index, renderable in enumerate(shown):
            click.echo("\n" if index else "", nl=False)
            terminal.show(renderable)
        _predicted(records)


def compiled(artifacts: "Sequence[CompiledArtifact]", output_format: str) -> None:
    """Print what a compiled file costs: model and layers, or several targets side by side; CSV is a row per target."""
    from tinyprune.report.model import layer_costs, target_matrix
    from tinyprune.report.model.summary import summary_of_file
    from tinyprune.report.render import terminal

    if output_format == "json":
        as_json(artifacts[0] if len(artifacts) == 1 else artifacts)
    elif output_format == "csv":
        cells = [_flat(artifact) for artifact in artifacts]
        rows([*cells[0]], [[str(value) for value in row.values()] for row in cells], output_format)
    elif len(artifacts) == 1:
        terminal.show(layer_costs.format_compiled(artifacts[0]))
    else:
        records = [summary_of_file(artifact) for artifact in artifacts]
        terminal.show(target_matrix.format_matrix(records))
        _predicted(records)


def _predicted(records: "Sequence[RunSummary]") -> None:
    """Print how far the cost model was off, where it says anything."""
    from tinyprune.report.model import predictions

    sentence = predictions.error_sentence(records)
    if sentence:
        click.echo(f"\n{predictions.TITLE}, {sentence}")


def _flat(artifact: "CompiledArtifact") -> dict[str, object]:
    """The row of a compiled file, without layers and operators."""
    from tinyprune.artifacts.quantity import PREDICTED
    from tinyprune.storage.records import to_jsonable

    report = to_jsonable(artifact.report)
    del report["layers"], report["operators"]
    expected = report.pop("predicted") or {}
    report |= {f"predicted_{quantity.name}": expected.get(quantity.name) for quantity in PREDICTED}
    report["cpu_operators"] = " ".join(report["cpu_operators"])
    first = ("vela_version", "sram_bytes", "flash_bytes", "encoded_weight_bytes")
    sizes = {name: report.pop(name) for name in first}
    return {"path": artifact.path, **report.pop("target"), **sizes, **report}


def gate(
    records: "Sequence[RunSummary]",
    limits: "Budget",
    variants: Sequence[str],
    output_format: str = "table",
) -> None:
    """Print what keeps which limit, on stderr unless the results are a table; raise CheckFailed for what does not.

    Nothing is printed where the only limit is that nothing runs on the CPU, and nothing does.
    """
    from tinyprune.report.model import budget_gate
    from tinyprune.report.render import terminal

    verdicts = budget_gate.check_all(records, limits, variants)
    failed = budget_gate.failure(verdicts)
    if failed or any(verdict.what != "CPU operators" for verdict in verdicts):
        is_table = output_format == "table"
        click.echo(err=not is_table)
        click.echo(
            terminal.to_text(budget_gate.format_verdicts(verdicts)), nl=False, err=not is_table
        )
    if failed:
        on_cpu = any(verdict.what == "CPU operators" and not verdict.holds for verdict in verdicts)
        raise CheckFailed(
            f"{failed}; accept operators on the CPU with --allow-cpu" if on_cpu else failed
        )
