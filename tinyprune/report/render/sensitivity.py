"""The sensitivity of a network as a table of 80 columns and as a picture."""

import csv
import io
import math
from pathlib import Path
from typing import Any

from tinyprune.artifacts.sensitivity import Sensitivity
from tinyprune.metrics.metric import metric_of
from tinyprune.storage.cells import harmless_row
from tinyprune.storage.writing import writing

PICTURES = (".png", ".svg", ".pdf")
_LONGEST_NAME = 32
_Change = float | None


def as_table(record: Sensitivity) -> str:
    """Return a row per layer and structure, a column per sparsity."""
    levels = _levels(record)
    metric = metric_of(record.metric)
    lines = [["layer", "structure", *(f"{level:.0%}" for level in levels)]]
    for (name, structure), changes in _rows(record).items():
        cells = [_cell(record, changes[level]) if level in changes else "" for level in levels]
        lines.append([_shortened(name), structure, *cells])
    whole = metric.in_words(record.dense or 0.0)
    title = f"{record.variant}: {whole} on dev; change with one layer pruned, not trained"
    return "\n".join([title, "", *_aligned(lines), *_reasons(record)])


def as_csv(record: Sensitivity) -> str:
    """Return a row per point; layers that share units are joined by blanks."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["layers", "structure", "sparsity", record.metric, "change"])
    for point in record.points:
        row = [" ".join(point.layers), point.structure, f"{point.sparsity:g}"]
        for value in (point.value, record.change(point)):
            row.append("" if value is None else f"{value:.6g}")
        writer.writerow(harmless_row(row))
    return text.getvalue().rstrip("\n")


def draw(record: Sensitivity, path: Path) -> None:
    """Write a picture: a panel per structure, layers down, sparsities across, the change in each.

    The darker, the more it costs. Raises OSError where it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    structures = list(dict.fromkeys(point.structure for point in record.points))
    rows = len(dict.fromkeys(name for name, _ in _rows(record)))
    size = (2.5 + 3.2 * len(structures), 1.6 + 0.32 * rows)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(structures), squeeze=False)[0]
    worst = _worst_loss(record)
    for panel, structure in zip(panels, structures, strict=True):
        _draw_structure(panel, record, structure, worst)
    heading = metric_of(record.metric).heading
    figure.suptitle(f"{record.variant}: change of {heading}, one layer pruned alone", fontsize=11)
    with writing(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower())


def _draw_structure(panel: Any, record: Sensitivity, structure: str, worst: float) -> None:
    """Draw the panel of a structure."""
    rows = _rows_of(record, structure)
    levels = _levels(record)
    losses = []
    for row in rows.values():
        losses.append([_loss(record, row.get(level)) for level in levels])
    panel.imshow(losses, aspect="auto", cmap="Reds", vmin=0, vmax=worst)
    for down, row in enumerate(rows.values()):
        _write_changes(panel, record, down, [row.get(level) for level in levels], worst)
    panel.set_xticks(range(len(levels)), [f"{level:.0%}" for level in levels])
    panel.set_yticks(range(len(rows)), [_shortened(name) for name in rows], fontsize=8)
    panel.set_title(structure, loc="left", fontsize=10)


def _write_changes(
    panel: Any, record: Sensitivity, down: int, changes: list[_Change], worst: float
) -> None:
    """Write the changes of a layer into its row of a panel, white where the ground is dark."""
    for across, change in enumerate(changes):
        is_dark = _loss(record, change) > 0.6 * worst
        colour = "white" if is_dark else "black"
        text = _cell(record, change)
        panel.text(across, down, text, ha="center", va="center", fontsize=8, color=colour)


def _rows(record: Sensitivity) -> dict[tuple[str, str], dict[float, _Change]]:
    """Return (layer, structure) -> sparsity -> change, layers in the order of the network."""
    order = {name: number for number, name in enumerate(_names(record))}
    rows: dict[tuple[str, str], dict[float, _Change]] = {}
    for point in sorted(record.points, key=lambda point: order[point.name]):
        row = rows.setdefault((point.name, point.structure), {})
        row[point.sparsity] = record.change(point)
    return rows


def _rows_of(record: Sensitivity, structure: str) -> dict[str, dict[float, _Change]]:
    """Return layer -> sparsity -> change, of one structure."""
    rows = {}
    for (name, of), row in _rows(record).items():
        if of == structure:
            rows[name] = row
    return rows


def _names(record: Sensitivity) -> list[str]:
    """Return the names of rows, those of one first layer together."""
    first = dict.fromkeys(point.layers[0] for point in record.points)
    names: list[str] = []
    for layer in first:
        of_layer = [point.name for point in record.points if point.layers[0] == layer]
        names += dict.fromkeys(of_layer)
    return names


def _levels(record: Sensitivity) -> list[float]:
    """Return all sparsities, in order."""
    return sorted({point.sparsity for point in record.points})


def _loss(record: Sensitivity, change: _Change) -> float:
    """Return how much worse it is; NaN where nobody knows, 0 where it is better."""
    if change is None:
        return math.nan
    return max(0.0, metric_of(record.metric).loss_sign * change)


def _worst_loss(record: Sensitivity) -> float:
    """Return the largest loss of any point, but no less than an axis of the metric has."""
    losses = [_loss(record, record.change(point)) for point in record.points]
    known = [loss for loss in losses if not math.isnan(loss)]
    least = metric_of(record.metric).least_range(record.dense or 0.0)
    return max([*known, least]) or 1.0


def _cell(record: Sensitivity, change: _Change) -> str:
    """Return a change for a cell."""
    if change is None:
        return "none"
    return metric_of(record.metric).format(change, "+")


def _reasons(record: Sensitivity) -> list[str]:
    """Return a line per structure that some layers do not have."""
    lines = []
    for structure, reasons in record.skipped.items():
        if reasons:
            [(layer, reason), *others] = reasons.items()
            more = f" (and {len(others)} more)" if others else ""
            lines.append(f"without {structure}: {_shortened(layer)}{more}: {reason}")
    if lines:
        lines.insert(0, "")
    return lines


def _shortened(name: str) -> str:
    """Return a name that fits its column."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2 - 2
    return f"{name[:half]}...{name[-half:]}"


def _aligned(lines: list[list[str]]) -> list[str]:
    """Return lines of cells in columns, texts to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = []
    for line in lines:
        cells = []
        for number, (cell, width) in enumerate(zip(line, widths, strict=True)):
            cells.append(cell.ljust(width) if number < 2 else cell.rjust(width))
        aligned.append("  ".join(cells).rstrip())
    return aligned
