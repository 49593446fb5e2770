"""Results on stdout: each kind of record, or rows of text, as a table, JSON or CSV."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tinyprune.artifacts import CompiledArtifact, LayerPlan, PruningPlan, Quality, RunSummary

Row = list[str]


def summary(record: "RunSummary", output_format: str) -> None:
    """Print every variant of a run beside its baseline."""
    if output_format == "json":
        _json(record)
    else:
        summaries([record], output_format)


def summaries(records: "Sequence[RunSummary]", output_format: str) -> None:
    """Print the summaries of several targets, one after the other; as CSV under one header."""
    from tinyprune.report import table

    if output_format == "json":
        _json(records)
        return
    for index, record in enumerate(records):
        if output_format == "csv":
            click.echo("".join(table.to_csv(record).splitlines(keepends=True)[index > 0 :]), nl=False)
        else:
            click.echo("\n" if index else "", nl=False)
            table.show(table.format_table(record))


def compiled(artifact: "CompiledArtifact", output_format: str) -> None:
    """Print what one compiled network costs; CSV is one row without the single operators."""
    from tinyprune.artifacts import to_jsonable
    from tinyprune.report import table

    if output_format == "json":
        _json(artifact)
    elif output_format == "table":
        table.show(table.format_compiled(artifact))
    else:
        report = to_jsonable(artifact.report)
        del report["layers"]
        report["cpu_operators"] = " ".join(report["cpu_operators"])
        cells = {"path": artifact.path, **report.pop("target"), **report}
        rows([*cells], [[str(value) for value in cells.values()]], output_format)


def plan(record: "PruningPlan", output_format: str) -> None:
    """Print one row per kernel that is pruned, then one per layer that is not, with the reason."""
    if output_format == "json":
        _json(record)
        return
    header = ["kernel", "shape", "structure", "method", "groups", "sparsity", "note"]
    ranked = {"global": "ranked with all kernels", "layer": "ranked alone"}[record.scope]
    pruned = [_plan_row(layer, f"{record.schedule}, {ranked}") for layer in record.layers]
    skipped = [[name, *[""] * 5, f"skipped: {reason}"] for name, reason in record.skipped.items()]
    rows(header, pruned + skipped, output_format)


def _plan_row(layer: "LayerPlan", note: str) -> Row:
    """The cells of one kernel."""
    shape = "x".join(map(str, layer.shape))
    return [layer.key, shape, layer.structure, layer.method, str(layer.groups), f"{layer.final_sparsity:.2f}", note]


def qualities(pairs: "Sequence[tuple[str, Quality]]", output_format: str) -> None:
    """Print the quality of (variant, quality) pairs; per input SNR, as a table, the first metric, else all."""
    from tinyprune.artifacts import to_jsonable

    if output_format == "json":
        _json([{"variant": name, **to_jsonable(quality)} for name, quality in pairs])
        return
    metrics = list(dict.fromkeys(metric for _, quality in pairs for metric in quality.metrics))
    by_snr = output_format == "csv"
    header = ["variant", "form", "split", *(["snr_db"] if by_snr else []), "utterances", "undefined", *metrics]
    rows(header, [row for pair in pairs for row in _quality_rows(*pair, metrics, by_snr)], output_format)
    snrs = sorted({snr for _, quality in pairs for snr in quality.by_snr}, key=float)
    if snrs and not by_snr:
        click.echo()
        rows(
            ["variant", "form", f"{metrics[0]} at", *(f"{snr} dB" for snr in snrs)],
            _snr_rows(pairs, metrics[0], snrs),
            "table",
        )


def _snr_rows(pairs: "Sequence[tuple[str, Quality]]", metric: str, snrs: Sequence[str]) -> list[Row]:
    """One row per quality: a metric at each input SNR; empty where it is missing."""
    return [
        [name, quality.form, "", *(_numbers(quality.by_snr.get(snr, {}), [metric])[0] for snr in snrs)]
        for name, quality in pairs
    ]


def _quality_rows(name: str, quality: "Quality", metrics: Sequence[str], by_snr: bool) -> Iterator[Row]:
    """The row of one quality, and one per SNR, which counts no utterances of its own."""
    start = [name, quality.form, quality.split]
    counts = [str(quality.utterances), str(quality.undefined)]
    yield [*start, *(["all"] if by_snr else []), *counts, *_numbers(quality.metrics, metrics)]
    for snr, values in quality.by_snr.items() if by_snr else ():
        yield [*start, snr, "", "", *_numbers(values, metrics)]


def _numbers(values: dict[str, float], metrics: Sequence[str]) -> Row:
    """The cells of all metrics; empty where one is missing."""
    return [f"{values[metric]:.3f}" if metric in values else "" for metric in metrics]


def rows(header: Sequence[str], lines: Sequence[Row], output_format: str) -> None:
    """Print rows of text under a header."""
    if output_format == "json":
        _json([dict(zip(header, line, strict=True)) for line in lines])
    else:
        click.echo(_csv([header, *lines]) if output_format == "csv" else _aligned([header, *lines]))


def _json(record: Any) -> None:
    """Print a record as JSON."""
    from tinyprune.artifacts import to_jsonable

    click.echo(json.dumps(to_jsonable(record), indent=2))


def _csv(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().rstrip("\n")


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells in columns, never cut: what a list prints can be copied into the next command."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(cells).rstrip() for cells in padded)
