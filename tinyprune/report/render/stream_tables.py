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
    return [
        format_count(counts.cycles),
        _count(counts.macs),
        "-" if counts.filled_macs is None else _count(counts.filled_macs),
        _count(counts.decoded_weights),
        _size(counts.weight_bytes),
        _size(counts.transfer_bytes),
        f"{counts.array_use:.1%}" if counts.macs else "-",
    ]


def _count(count: int) -> str:
    return format_count(count) if count else "-"


def _size(count: int) -> str:
    return format_bytes(count) if count else "-"
