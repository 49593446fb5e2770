"""Tables of what a command stream makes an NPU do."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.stream_counts import LayerWork
from tinyprune.report.model.stream_work import busy_with
from tinyprune.report.render.terminal import columns, wrapped
from tinyprune.units import format_bytes, format_count

_NAME_WIDTH = 20
_HEADS = ("cycles", "products", "filled", "decoded", "read", "DMA", "array")


def format_layer_work(layers: Sequence[LayerWork]) -> RenderableType:
    """Return a row per layer: what it makes the NPU do; below, what would use it better."""
    table = columns("layer", *_HEADS, left="busy with")
    remedies: dict[str, str] = {}
    for layer in layers:
        busy = busy_with(layer)
        remedies[busy.what] = busy.remedy
        table.add_row(wrapped(layer.name, _NAME_WIDTH), *_cells(layer), busy.what)
    notes = [Text(f"{what}: {remedy}") for what, remedy in remedies.items()]
    return Group(table, *notes)


def _cells(layer: LayerWork) -> list[str]:
    counts = layer.counts
    texts = [
        (counts.cycles, format_count(counts.cycles)),
        (counts.macs, format_count(counts.macs)),
        (counts.filled_macs, format_count(counts.filled_macs or 0)),
        (counts.decoded_weights, format_count(counts.decoded_weights)),
        (counts.weight_bytes, format_bytes(counts.weight_bytes)),
        (counts.transfer_bytes, format_bytes(counts.transfer_bytes)),
        (counts.array_use, f"{counts.array_use:.1%}"),
    ]
    return [text if value else "-" for value, text in texts]
