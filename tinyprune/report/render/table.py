"""Run summaries for a terminal, a pipe, CSV and JSON.

Cells with a factor read "124 kB 6.8x": the value of the variant, and baseline / variant.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.resources import Cycles, NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model.summary import metric_names, summary_rows
from tinyprune.report.render.terminal import (
    NONE,
    columns,
    shown_factor,
    shown_milliseconds,
    wrapped,
)
from tinyprune.storage.records import to_jsonable
from tinyprune.units import format_bytes, format_count

_HEADLINE_METRICS, _NAME_WIDTH = 2, 14


def format_table(summary: RunSummary) -> RenderableType:
    """Every variant beside the baseline: what was lost and gained on one line, then where sizes and cycles are."""
    rows, metrics = summary_rows(summary), metric_names(summary)
    first, more = metrics[:_HEADLINE_METRICS], metrics[_HEADLINE_METRICS:]
    parts: list[RenderableType] = [_title(summary), _headline(summary, rows, first)]
    if more:
        parts += [Text(), _metrics_table(summary, rows, more)]
    parts += [Text(), _details(rows), Text(), *(Text(note) for note in _notes(summary, rows))]
    return Group(*parts)


def to_csv(summary: RunSummary) -> str:
    """:func:`summary_rows` as CSV with a header; an empty cell is a value that does not exist."""
    rows = summary_rows(summary)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_json(summary: RunSummary) -> str:
    """The whole record as JSON."""
    return json.dumps(to_jsonable(summary), indent=2) + "\n"


def _title(summary: RunSummary) -> Text:
    text = f"{_target_text(summary.target)}, estimated by Vela {summary.variants[0].report.vela_version}"
    return Text(text, style="bold")


def _target_text(target: NpuTarget) -> str:
    return f"{target.npu}, {target.system_config}, {target.memory_mode}"


def _headline(summary: RunSummary, rows: list[dict[str, Any]], metrics: Sequence[str]) -> Table:
    numbers = [
        *(metric_of(name).heading for name in metrics),
        "sparsity",
        "flash",
        "cycles",
        "ms per\nframe" if summary.hop_seconds else "ms",
    ]
    table = columns("", *numbers, left="bound by")
    if summary.noisy:
        table.add_row("noisy input", *_noisy_cells(summary, metrics), *[NONE] * 5)
    flash, cycles = (
        _with_ratios(rows, "flash_bytes", format_bytes),
        _with_ratios(rows, "cycles", format_count),
    )
    for index, row in enumerate(rows):
        quality = [_metric(row, name) for name in metrics]
        costs = [
            f"{row['sparsity']:.2f}",
            flash[index],
            cycles[index],
            shown_milliseconds(row["seconds_per_frame"]),
        ]
        table.add_row(_name(row), *quality, *costs, row["bound_by"])
    return table


def _metrics_table(
    summary: RunSummary, rows: list[dict[str, Any]], metrics: Sequence[str]
) -> Table:
    table = columns("", *(metric_of(name).heading for name in metrics))
    if summary.noisy:
        table.add_row("noisy input", *_noisy_cells(summary, metrics))
    for row in rows:
        table.add_row(_name(row), *(_metric(row, name) for name in metrics))
    return table


def _details(rows: list[dict[str, Any]]) -> Table:
    units = _units_that_matter(rows)
    sizes = ["para-\nmeters", ".tflite\nfile", "encoded\nweights", "float32\n/ flash", "peak\nSRAM"]
    cycles = [f"{unit.removesuffix(' flash')}\ncycles" for unit in units]
    table = columns("", *sizes, *cycles, "NPU\nbusy", "CPU\nops")
    encoded = _with_ratios(rows, "encoded_weight_bytes", format_bytes)
    for index, row in enumerate(rows):
        file, sram = format_bytes(row["tflite_bytes"]), format_bytes(row["sram_bytes"])
        counts = [format_count(row[Cycles.PARTS[unit]]) for unit in units]
        busy = NONE if row["hop_share"] is None else f"{row['hop_share']:.1%}"
        cpu = Text(str(row["cpu_operator_count"]), style="red" if row["cpu_operator_count"] else "")
        shown = [
            format_count(row["parameters"]),
            file,
            encoded[index],
            shown_factor(row["float32_over_flash"]),
            sram,
        ]
        table.add_row(_name(row), *shown, *counts, busy, cpu)
    return table


def _units_that_matter(rows: list[dict[str, Any]]) -> list[str]:
    """The NPU, and memories with at least a tenth of the cycles of some variant; CSV and JSON have them all."""
    return [
        unit
        for unit, key in Cycles.PARTS.items()
        if unit == "NPU" or any(10 * row[key] >= row["cycles"] for row in rows)
    ]


def _notes(summary: RunSummary, rows: list[dict[str, Any]]) -> list[str]:
    quality, float32 = summary.variants[0].quality, format_bytes(4 * rows[0]["parameters"])
    notes = [
        f"{quality.split} split, {quality.utterances} {_counted(summary)}, int8{_form(quality.form)} model; "
        "changes and factors (x) "
        "are against the baseline.",
        "flash: encoded weights, biases and scales, without the command stream. float32 / flash: the baseline's "
        f"parameters in float32, {float32}, over the flash of the variant.",
    ]
    if summary.hop_seconds:
        notes.append(
            f"NPU busy: share of the {1000 * summary.hop_seconds:g} ms between two frames."
        )
    notes += [
        f"{row['variant']} leaves to the CPU: {row['cpu_operators']}"
        for row in rows
        if row["cpu_operators"]
    ]
    if any(row["cpu_operators"] for row in rows):
        notes.append("Cycles and time leave out what runs on the CPU.")
    return notes


def _counted(summary: RunSummary) -> str:
    """What a split is made of: only speech has an unprocessed input."""
    return "utterances" if summary.noisy else "examples"


def _form(name: str) -> str:
    return "" if name == "int8" else f" {name}"


def _name(row: dict[str, Any]) -> str:
    return wrapped(row["variant"], _NAME_WIDTH)


def _noisy_cells(summary: RunSummary, metrics: Sequence[str]) -> list[str]:
    found = summary.noisy.metrics if summary.noisy else {}
    return [_noisy_cell(name, found.get(name)) for name in metrics]


def _noisy_cell(name: str, value: float | None) -> str:
    """A value, with blanks where the others have their change."""
    if value is None:
        return NONE
    metric = metric_of(name)
    return metric.format(value) + " " * len(f" {metric.format(0, '+')}")


def _metric(row: dict[str, Any], name: str) -> str:
    """``9.31 -0.12``: the value and its change; blanks in place of the baseline's own change."""
    if row[name] is None:
        return NONE
    change, metric = row[f"{name}_change"], metric_of(name)
    shown = metric.format(change, "+") if change else ""
    return f"{metric.format(row[name])} {shown:>{metric.digits + 3}}"


def _with_ratios(rows: list[dict[str, Any]], cost: str, form: Any) -> list[str]:
    """``124 kB 6.8x`` for every row, the factors in line; none for the baseline itself."""
    factors = ["", *(shown_factor(row[f"{cost}_ratio"]) for row in rows[1:])]
    width = max(map(len, factors))
    return [
        f"{form(row[cost])} {factor:>{width}}" for row, factor in zip(rows, factors, strict=True)
    ]
