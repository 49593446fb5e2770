"""The findings of the check of compiled streams, as lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tinyprune.artifacts.stream_check import StreamCheck
    from tinyprune.artifacts.stream_counts import StreamCounts


def checks(found: "Sequence[StreamCheck]", output_format: str) -> None:
    """Print lines per check and a row per layer, on stderr unless the results are a table."""
    is_beside = output_format != "table"
    click.echo(err=is_beside)
    for check in found:
        click.echo(f"stream of {check.name} on {check.target}, {_inputs(check)}:", err=is_beside)
        for line in _findings(check):
            click.echo(f"  {line}", err=is_beside)
        if check.layers:
            click.echo(f"\n{_layers(check)}", err=is_beside)


def _layers(check: "StreamCheck") -> str:
    """Return the table of what the stream makes the NPU do for each layer."""
    from tinyprune.report.render.stream_tables import format_layer_work
    from tinyprune.report.render.terminal import to_text

    return to_text(format_layer_work(check.layers))


def _inputs(check: "StreamCheck") -> str:
    """Return what went through the stream."""
    if check.source == "dev":
        return f"{check.inferences:,} frames or examples of dev"
    return f"{check.inferences:,} inferences on noise"


def _findings(check: "StreamCheck") -> list[str]:
    """Return how many bytes differ, the metric, and why no more can be said."""
    lines = [f"{check.bytes_off:,} of {check.bytes:,} output bytes differ from {check.reference}"]
    if check.bytes_off:
        lines[0] += f": {check.percent_off:.2g} %"
        lines.append(f"by up to {check.largest:g}, first in inference {check.first_off}")
    if check.bytes_off and check.bytes_beyond is not None and check.is_step_free:
        lines.append(f"more than a step off, which alone counts: {check.bytes_beyond:,}")
    if check.value is not None and check.reference_value is not None:
        from tinyprune.metrics.metric import metric_of

        metric = metric_of(check.metric)
        lines.append(
            f"{metric.label}: {metric.with_unit(check.value)} by the stream, "
            f"{metric.with_unit(check.reference_value)} by {check.reference}"
        )
    if check.reason:
        lines.append(f"the reference is {check.reference}: {check.reason}")
    if check.counts is not None:
        lines += _work(check.counts)
    return lines


def _work(counts: "StreamCounts") -> list[str]:
    """Return what the stream makes the NPU do, and how much of its array that uses."""
    from tinyprune.units import counted, format_bytes, format_count

    kinds = [f"{number} {kind}" for kind, number in counts.operations.items()]
    asked = f"products: {format_count(counts.macs)} of the network"
    if counts.filled_macs is not None:
        asked += f", {format_count(counts.filled_macs)} with what fills groups"
    return [
        f"operations of the NPU: {', '.join(kinds)}",
        asked,
        f"weights: {format_count(counts.weights)}, {format_count(counts.decoded_weights)} decoded, "
        f"{format_bytes(counts.weight_bytes)} read for it",
        f"DMA: {format_bytes(counts.transfer_bytes)} in {counted(counts.transfers, 'transfer')}",
        f"array: {counts.array_use:.1%} of {counts.macs_per_cycle} products a cycle are used",
        f"decoder: {counts.weights_per_cycle:.2f} weights a cycle, "
        f"each of them used {counts.uses_of_a_weight:.1f} times",
    ]
