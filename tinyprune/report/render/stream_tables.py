"""Tables of what a command stream makes an NPU do."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.stream_counts import LayerWork
from tinyprune.report.model.stream_work import busy_with, remedies
from tinyprune.report.render.terminal import columns, wrapped
from tinyprune.units import format_bytes, format_count

WORK_HEADS = ("cycles", "products", "filled", "decoded", "read", "DMA", "array")
BUSY_HEAD = "busy with"
_NAME_WIDTH = 20


@dataclass(frozen=True)
class WorkCell:
    """A number of a table. Attributes: value: that it is sorted by; text: what stands there."""

    value: float
    text: str


def format_layer_work(layers: Sequence[LayerWork]) -> RenderableType:
    """Return a row per layer: what it makes the NPU do; below, what would use it better."""
    table = columns("layer", *WORK_HEADS, left=BUSY_HEAD)
    for layer in layers:
        texts = [cell.text for cell in work_cells(layer)]
        table.add_row(wrapped(layer.name, _NAME_WIDTH), *texts, busy_with(layer).what)
    notes = [Text(f"{what}: {remedy}") for what, remedy in remedies(layers).items()]
    return Group(table, *notes)


def work_cells(layer: LayerWork) -> list[WorkCell]:
    """Return the cells of a layer under ``WORK_HEADS``."""
    counts = layer.counts
    filled = counts.filled_macs or 0
    cells = [
        WorkCell(counts.cycles, format_count(counts.cycles)),
        WorkCell(counts.macs, format_count(counts.macs)),
        WorkCell(filled, format_count(filled)),
        WorkCell(counts.decoded_weights, format_count(counts.decoded_weights)),
        WorkCell(counts.weight_bytes, format_bytes(counts.weight_bytes)),
        WorkCell(counts.transfer_bytes, format_bytes(counts.transfer_bytes)),
        WorkCell(counts.array_use, f"{counts.array_use:.1%}"),
    ]
    return [cell if cell.value else WorkCell(0, "-") for cell in cells]
