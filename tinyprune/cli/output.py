"""Results on stdout: each kind of record, or rows of text, as a table, JSON or CSV."""

import csv
import io
import json
import textwrap
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tinyprune.artifacts.network import TensorSparsity
    from tinyprune.artifacts.output_error import OutputError
    from tinyprune.artifacts.quality import Quality
    from tinyprune.compress.offline import OfflineResult
    from tinyprune.sparsity.plan import FactorPlan, LayerPlan, PruningPlan

Row = list[str]
Qualities = Sequence[tuple[str, "Quality"]]

_WIDTH = 100
_LONGEST_NAME = 50
_PLAN_HEADER = ["kernel", "shape", "structure", "groups", "sparsity", "note"]
_TENSOR_HEADER = ["tensor", "weights", "pruned", "zeros", "note"]
_RANKED = {
    "global": "kernels of one structure and sparsity ranked together",
    "layer": "each kernel ranked alone",
}


# --- prunings
# --------------------------------------------------------------------------------------------------


def plan(record: "PruningPlan", output_format: str) -> None:
    """Print a row per kernel that is pruned, then a row per layer that is not, with the reason."""
    printers = {"json": as_json, "csv": _plan_csv, "table": _plan_table}
    printers[output_format](record)


def _plan_csv(record: "PruningPlan") -> None:
    """Print a row per kernel that is pruned, then a row per layer that is not."""
    skipped = _skipped_rows(record.skipped, len(_PLAN_HEADER))
    rows(_PLAN_HEADER, _plan_rows(record) + skipped, "csv")


def _plan_table(record: "PruningPlan") -> None:
    """Print a row per kernel that is pruned, then the other layers by reason, and the schedule."""
    rows(_PLAN_HEADER, _plan_rows(record), "table")
    _show_skipped(record.skipped)
    for cell in record.cells:
        click.echo(f"\n{cell.layer}: {cell.sentence}")
    if record.factors:
        click.echo(f"\nranks by variance lost per weight, {_RANKED[record.scope]}")
    if record.layers:
        click.echo(f"\n{record.layers[0].method} ({record.importance}), {_RANKED[record.scope]};")
        click.echo(f"{record.schedule} from {_moment(record.begin)} to {_moment(record.end)}")


def _plan_rows(record: "PruningPlan") -> list[Row]:
    """Return a row per kernel that is pruned, and per kernel that becomes two."""
    factors = [_factor_row(item) for item in record.factors]
    return [*factors, *(_plan_row(layer) for layer in record.layers)]


def _factor_row(item: "FactorPlan") -> Row:
    """Return the cells of one kernel that becomes two."""
    shape = "x".join(map(str, item.shape))
    return [item.key, shape, "low-rank", "1", f"{item.sparsity:.2f}", item.sentence]


def _plan_row(layer: "LayerPlan") -> Row:
    """Return the cells of one kernel."""
    shape = "x".join(map(str, layer.shape))
    sparsity = f"{layer.final_sparsity:.2f}"
    return [layer.key, shape, layer.structure.label, str(layer.groups), sparsity, layer.note]


def _skipped_rows(reasons: Mapping[str, str], columns: int) -> list[Row]:
    """Return a row per thing that is left alone, with the reason in its last column."""
    empty = [""] * (columns - 2)
    return [[name, *empty, f"skipped: {reason}"] for name, reason in reasons.items()]


def _show_skipped(reasons: Mapping[str, str]) -> None:
    """Print what is left alone, one paragraph per reason."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    for reason, skipped in names.items():
        text = f"skipped {', '.join(skipped)}: {reason}"
        click.echo("\n" + textwrap.fill(text, _WIDTH, subsequent_indent="  "))


def _moment(value: float) -> str:
    """Return a moment of the training in words."""
    if value <= 1:
        return f"{value:.0%} of the training"
    return f"step {value:.0f}"


def offline(result: "Qualities | OfflineResult", output_format: str) -> None:
    """Print the quality of a variant of the offline control, or the zeros of a file."""
    if isinstance(result, list):
        qualities(result, output_format)
        return
    record = typing.cast("OfflineResult", result)
    printers = {"json": as_json, "csv": _offline_csv, "table": _offline_table}
    printers[output_format](record)


def _offline_csv(record: "OfflineResult") -> None:
    """Print a row per pruned tensor, then a row per tensor that is not."""
    lines = [_tensor_row(tensor) for tensor in record.tensors]
    if record.error:
        lines.append(["outputs", "", "", "", _error_in_words(record.error)])
    rows(_TENSOR_HEADER, lines + _skipped_rows(record.skipped, len(_TENSOR_HEADER)), "csv")


def _offline_table(record: "OfflineResult") -> None:
    """Print a row per pruned tensor, then the others by reason, and the sparsity of the file."""
    lines = []
    for tensor in record.tensors:
        name, *cells = _tensor_row(tensor)
        lines.append([_shortened(name), *cells])
    rows(_TENSOR_HEADER, lines, "table")
    _show_skipped({_shortened(name): reason for name, reason in record.skipped.items()})
    click.echo(f"\n{record.path}: {record.sparsity:.3f} of its weights are zero")
    if record.error:
        click.echo(f"outputs against the original: {_error_in_words(record.error)}")


def _error_in_words(error: "OutputError") -> str:
    """Return the output error as one line."""
    parts = ["no difference" if error.sqnr_db is None else f"SQNR {error.sqnr_db:.1f} dB"]
    if error.output:
        parts[0] += f" (of '{error.output}', the worst output)"
    if error.agreement is not None:
        parts.append(f"the same highest output for {error.agreement:.3f}")
    if error.accuracy is not None:
        parts.append(f"accuracy {error.accuracy:.3f}, before {error.original_accuracy:.3f}")
    inputs = f"on {error.inputs} inputs of {error.source}"
    if not error.source:
        inputs = f"on {error.inputs} inputs of noise, as there is no --data"
    return f"{', '.join(parts)}, {inputs}"


def _tensor_row(tensor: "TensorSparsity") -> Row:
    """Return the cells of one pruned tensor; nothing gets through one without weights."""
    pruned = f"{tensor.masked / tensor.size:.2f}"
    zeros = f"{tensor.zeros / tensor.size:.2f}"
    note = ""
    if tensor.zeros == tensor.size:
        note = "nothing is left of it"
    return [tensor.name, str(tensor.size), pruned, zeros, note]


def _shortened(name: str) -> str:
    """Return a converter's name of a tensor, which may be that of everything that went into it."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2 - 2
    return f"{name[:half]}...{name[-half:]}"


# --- qualities
# --------------------------------------------------------------------------------------------------


def qualities(pairs: Qualities, output_format: str) -> None:
    """Print the quality of (variant, quality) pairs.

    As a table the first metric per input SNR stands below; as CSV all metrics have a row per SNR.
    """
    printers = {"json": _qualities_json, "csv": _qualities_csv, "table": _quality_tables}
    printers[output_format](pairs)


def _metrics(pairs: Qualities) -> list[str]:
    """Return the metrics that any of the qualities has, in their order."""
    metrics: dict[str, None] = {}
    for _, quality in pairs:
        metrics.update(dict.fromkeys(quality.metrics))
    return list(metrics)


def _qualities_json(pairs: Qualities) -> None:
    """Print qualities as JSON."""
    from tinyprune.storage.records import to_jsonable

    as_json([{"variant": name, **to_jsonable(quality)} for name, quality in pairs])


def _qualities_csv(pairs: Qualities) -> None:
    """Print a row per quality, and one per SNR, which counts no utterances of its own."""
    metrics = _metrics(pairs)
    header = ["variant", "form", "split", "snr_db", "utterances", "undefined", *metrics]
    lines = []
    for name, quality in pairs:
        start = [name, quality.form, quality.split]
        counts = [str(quality.utterances), str(quality.undefined)]
        lines.append([*start, "all", *counts, *_numbers(quality.metrics, metrics)])
        for snr, values in quality.by_snr.items():
            lines.append([*start, snr, "", "", *_numbers(values, metrics)])
    rows(header, lines, "csv")


def _quality_tables(pairs: Qualities) -> None:
    """Print a row per quality, then the first metric of each at every input SNR."""
    metrics = _metrics(pairs)
    header = ["variant", "form", "split", "utterances", "undefined", *metrics]
    lines = []
    snrs: set[str] = set()
    for name, quality in pairs:
        counts = [str(quality.utterances), str(quality.undefined)]
        numbers = _numbers(quality.metrics, metrics)
        lines.append([name, quality.form, quality.split, *counts, *numbers])
        snrs.update(quality.by_snr)
    rows(header, lines, "table")
    if snrs:
        click.echo()
        _snr_table(pairs, metrics[0], sorted(snrs, key=float))


def _snr_table(pairs: Qualities, metric: str, snrs: Sequence[str]) -> None:
    """Print a row per quality: a metric at each input SNR; empty where it is missing."""
    header = ["variant", "form", f"{metric} at"] + [f"{snr} dB" for snr in snrs]
    lines = []
    for name, quality in pairs:
        line = [name, quality.form, ""]
        for snr in snrs:
            line += _numbers(quality.by_snr.get(snr, {}), [metric])
        lines.append(line)
    rows(header, lines, "table")


def _numbers(values: Mapping[str, float], metrics: Sequence[str]) -> Row:
    """Return the cells of all metrics; empty where one is missing."""
    return [f"{values[metric]:.3f}" if metric in values else "" for metric in metrics]


# --- rows of text
# --------------------------------------------------------------------------------------------------


def rows(header: Sequence[str], lines: Sequence[Row], output_format: str) -> None:
    """Print rows of text under a header."""
    if output_format == "json":
        as_json([dict(zip(header, line, strict=True)) for line in lines])
    elif output_format == "csv":
        click.echo(_csv([header, *lines]))
    else:
        click.echo(_aligned([header, *lines]))


def as_json(record: Any) -> None:
    """Print a record as JSON."""
    from tinyprune.storage.records import to_jsonable

    click.echo(json.dumps(to_jsonable(record), indent=2))


def _csv(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as CSV."""
    from tinyprune.storage.cells import harmless_row

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(harmless_row, lines))
    return text.getvalue().rstrip("\n")


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells in columns, never cut: a name can be copied into the next command.

    Texts in the last column go on below where a line would be too long.
    """
    columns = zip(*(line[:-1] for line in lines), strict=True)
    widths = [max(map(len, column)) for column in columns]
    indent = sum(widths) + 2 * len(widths)
    wrapper = textwrap.TextWrapper(
        max(_WIDTH - indent, _WIDTH // 3), break_long_words=False, break_on_hyphens=False
    )
    aligned = []
    for *cells, last in lines:
        first, *rest = wrapper.wrap(last) or [""]
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        aligned.append("  ".join([*padded, first]))
        for part in rest:
            aligned.append(" " * indent + part)
    return "\n".join(line.rstrip() for line in aligned)
