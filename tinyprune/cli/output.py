"""Results on stdout: each kind of record, or rows of text, as a table, JSON or CSV."""

import csv
import io
import json
import textwrap
import typing
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tinyprune.artifacts.network import TensorSparsity
    from tinyprune.artifacts.quality import Quality
    from tinyprune.compress.offline import OfflineResult
    from tinyprune.sparsity.plan import LayerPlan, PruningPlan

Row = list[str]

_WIDTH = 100
_LONGEST_NAME = 50


def plan(record: "PruningPlan", output_format: str) -> None:
    """Print one row per kernel that is pruned, then one per layer that is not, with the reason."""
    if output_format == "json":
        as_json(record)
        return
    header = ["kernel", "shape", "structure", "groups", "sparsity", "note"]
    pruned = [_plan_row(layer) for layer in record.layers]
    if output_format == "csv":
        pruned += [
            [name, *[""] * 4, f"skipped: {reason}"] for name, reason in record.skipped.items()
        ]
    rows(header, pruned, output_format)
    if output_format == "table":
        _skipped(record.skipped)
        ranked = {
            "global": "kernels of one structure and sparsity ranked together",
            "layer": "each kernel ranked alone",
        }
        click.echo(
            f"\n{record.layers[0].method} ({record.importance}), {ranked[record.scope]};\n"
            f"{record.schedule} from {_moment(record.begin)} to {_moment(record.end)}"
        )


def _skipped(reasons: dict[str, str]) -> None:
    """Print what is left alone, one paragraph per reason."""
    for reason in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name, why in reasons.items() if why == reason)
        click.echo(
            "\n" + textwrap.fill(f"skipped {names}: {reason}", _WIDTH, subsequent_indent="  ")
        )


def _moment(value: float) -> str:
    """A moment of the training in words."""
    return f"{value:.0%} of the training" if value <= 1 else f"step {value:.0f}"


def _plan_row(layer: "LayerPlan") -> Row:
    """The cells of one kernel."""
    shape = "x".join(map(str, layer.shape))
    return [
        layer.key,
        shape,
        layer.structure.label,
        str(layer.groups),
        f"{layer.final_sparsity:.2f}",
        layer.note,
    ]


def offline(found: "Sequence[tuple[str, Quality]] | OfflineResult", output_format: str) -> None:
    """Print what a variant of the offline control can do, or the zeros of a file that was pruned on its own."""
    if isinstance(found, list):
        qualities(found, output_format)
        return
    record = typing.cast("OfflineResult", found)
    if output_format == "json":
        as_json(record)
        return
    pruned = [_tensor_row(tensor) for tensor in record.tensors]
    header = ["tensor", "weights", "pruned", "zeros", "note"]
    if output_format == "csv":
        skipped = [
            [name, "", "", "", f"skipped: {reason}"] for name, reason in record.skipped.items()
        ]
        rows(header, pruned + skipped, output_format)
        return
    rows(header, [[_shortened(name), *cells] for name, *cells in pruned], output_format)
    _skipped({_shortened(name): reason for name, reason in record.skipped.items()})
    click.echo(f"\n{record.path}: {record.sparsity:.3f} of its weights are zero")


def _tensor_row(tensor: "TensorSparsity") -> Row:
    """The cells of one pruned tensor; nothing gets through one without weights."""
    shares = [f"{count / tensor.size:.2f}" for count in (tensor.masked, tensor.zeros)]
    return [
        tensor.name,
        str(tensor.size),
        *shares,
        "nothing is left of it" if tensor.zeros == tensor.size else "",
    ]


def _shortened(name: str) -> str:
    """A converter's name for a tensor, which may be that of everything that went into it."""
    half = _LONGEST_NAME // 2 - 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}...{name[-half:]}"


def qualities(pairs: "Sequence[tuple[str, Quality]]", output_format: str) -> None:
    """Print the quality of (variant, quality) pairs; per input SNR, as a table, the first metric, else all."""
    from tinyprune.storage.records import to_jsonable

    if output_format == "json":
        as_json([{"variant": name, **to_jsonable(quality)} for name, quality in pairs])
        return
    metrics = list(dict.fromkeys(metric for _, quality in pairs for metric in quality.metrics))
    by_snr = output_format == "csv"
    header = [
        "variant",
        "form",
        "split",
        *(["snr_db"] if by_snr else []),
        "utterances",
        "undefined",
        *metrics,
    ]
    rows(
        header,
        [row for pair in pairs for row in _quality_rows(*pair, metrics, by_snr)],
        output_format,
    )
    snrs = sorted({snr for _, quality in pairs for snr in quality.by_snr}, key=float)
    if snrs and not by_snr:
        click.echo()
        rows(
            ["variant", "form", f"{metrics[0]} at", *(f"{snr} dB" for snr in snrs)],
            _snr_rows(pairs, metrics[0], snrs),
            "table",
        )


def _snr_rows(
    pairs: "Sequence[tuple[str, Quality]]", metric: str, snrs: Sequence[str]
) -> list[Row]:
    """One row per quality: a metric at each input SNR; empty where it is missing."""
    return [
        [
            name,
            quality.form,
            "",
            *(_numbers(quality.by_snr.get(snr, {}), [metric])[0] for snr in snrs),
        ]
        for name, quality in pairs
    ]


def _quality_rows(
    name: str, quality: "Quality", metrics: Sequence[str], by_snr: bool
) -> Iterator[Row]:
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
        as_json([dict(zip(header, line, strict=True)) for line in lines])
    else:
        click.echo(_csv([header, *lines]) if output_format == "csv" else _aligned([header, *lines]))


def as_json(record: Any) -> None:
    """Print a record as JSON."""
    from tinyprune.storage.records import to_jsonable

    click.echo(json.dumps(to_jsonable(record), indent=2))


def _csv(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().rstrip("\n")


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells in columns, never cut: what a list prints can be copied into the next command.

    Texts in the last column go on below where a line would be too long.
    """
    widths = [max(map(len, column)) for column in zip(*(line[:-1] for line in lines), strict=True)]
    indent = sum(widths) + 2 * len(widths)
    text = textwrap.TextWrapper(
        max(_WIDTH - indent, _WIDTH // 3), break_long_words=False, break_on_hyphens=False
    )
    padded = []
    for *cells, last in lines:
        first, *more = text.wrap(last) or [""]
        padded.append(
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), first]
            )
        )
        padded += [" " * indent + part for part in more]
    return "\n".join(line.rstrip() for line in padded)
