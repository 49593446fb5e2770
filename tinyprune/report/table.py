"""Run summaries and compiled networks for a terminal, a pipe, CSV and JSON.

Tables have no lines and fit into 100 columns, so that what is piped is plain text. Cells with a factor read
"124 kB 6.8x": the value of the variant, and baseline / variant.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts import CompiledArtifact, LayerCost, NpuTarget, ResourceReport, RunSummary, to_jsonable
from tinyprune.report.summary import metric_names, summary_rows
from tinyprune.units import format_bytes, format_count, metric_digits, metric_label

WIDTH = 100

_NONE = "-"
_HEADLINE_METRICS = 2
_UNITS = {
    "NPU": "cycles_npu",
    "SRAM": "cycles_sram",
    "DRAM": "cycles_dram",
    "on-chip flash": "cycles_on_chip_flash",
    "off-chip flash": "cycles_off_chip_flash",
}


def format_table(summary: RunSummary) -> RenderableType:
    """Every variant beside the baseline: what was lost and gained on one line, then where sizes and cycles are."""
    rows, metrics = summary_rows(summary), metric_names(summary)
    first, more = metrics[:_HEADLINE_METRICS], metrics[_HEADLINE_METRICS:]
    parts: list[RenderableType] = [_title(summary), _headline(summary, rows, first)]
    if more:
        parts += [Text(), _metrics_table(summary, rows, more)]
    parts += [Text(), _details(rows), Text(), *(Text(note) for note in _notes(summary, rows))]
    return Group(*parts)


def format_compiled(artifact: CompiledArtifact, top: int = 10) -> RenderableType:
    """One compiled network: its cost line by line, then the ``top`` operators with the most cycles."""
    report = artifact.report
    table = _table(None, left="")
    table.show_header = False
    for name, value in _cost_lines(report):
        table.add_row(name, value)
    layers = sorted(report.layers, key=lambda layer: -layer.cycles)[:top]
    title = Text(f"{artifact.path.name} on {_target_text(report.target)}, by Vela {report.vela_version}", style="bold")
    return Group(title, table, Text(), _layer_table(layers, report.cycles))


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


def show(renderable: RenderableType, file: TextIO | None = None) -> None:
    """Write to a terminal, in colour unless NO_COLOR is set, or plainly to anything else (default: stdout)."""
    stream = sys.stdout if file is None else file
    if not stream.isatty():
        stream.write(to_text(renderable))
        return
    _print(Console(file=stream, highlight=False, markup=False, emoji=False), renderable)


def to_text(renderable: RenderableType) -> str:
    """Plain text, 100 columns wide if that is enough: no colour, no lines, no blanks at the end of a line."""
    text = io.StringIO()
    _print(Console(file=text, width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False), renderable)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _print(console: Console, renderable: RenderableType) -> None:
    # Rich cuts cells without a word where they do not fit; lines that a narrow window wraps are the lesser evil.
    wide = console.options.update(max_width=10 * WIDTH)
    console.width = max(console.width, WIDTH, Measurement.get(console, wide, renderable).minimum)
    console.print(renderable)


def _title(summary: RunSummary) -> Text:
    text = f"{_target_text(summary.target)}, estimated by Vela {summary.variants[0].report.vela_version}"
    return Text(text, style="bold")


def _target_text(target: NpuTarget) -> str:
    return f"{target.npu}, {target.system_config}, {target.memory_mode}"


def _headline(summary: RunSummary, rows: list[dict[str, Any]], metrics: Sequence[str]) -> Table:
    numbers = [
        *map(metric_label, metrics),
        "sparsity",
        "flash",
        "cycles",
        "ms per\nframe" if summary.hop_seconds else "ms",
    ]
    table = _table(_name_width(rows), *numbers, left="bound by")
    if summary.noisy:
        table.add_row("noisy input", *_noisy_cells(summary, metrics), *[_NONE] * 5)
    flash, cycles = _with_ratios(rows, "flash_bytes", format_bytes), _with_ratios(rows, "cycles", format_count)
    for index, row in enumerate(rows):
        quality = [_metric(row, name) for name in metrics]
        costs = [f"{row['sparsity']:.2f}", flash[index], cycles[index], _milliseconds(row["seconds_per_frame"])]
        table.add_row(row["variant"], *quality, *costs, row["bound_by"])
    return table


def _metrics_table(summary: RunSummary, rows: list[dict[str, Any]], metrics: Sequence[str]) -> Table:
    table = _table(_name_width(rows), *map(metric_label, metrics))
    if summary.noisy:
        table.add_row("noisy input", *_noisy_cells(summary, metrics))
    for row in rows:
        table.add_row(row["variant"], *(_metric(row, name) for name in metrics))
    return table


def _details(rows: list[dict[str, Any]]) -> Table:
    units = _units_that_matter(rows)
    sizes = ["para-\nmeters", ".tflite\nfile", "encoded\nweights", "float32\n/ flash", "peak\nSRAM"]
    cycles = [f"{unit.removesuffix(' flash')}\ncycles" for unit in units]
    table = _table(_name_width(rows), *sizes, *cycles, "NPU\nbusy", "CPU\nops")
    encoded = _with_ratios(rows, "encoded_weight_bytes", format_bytes)
    for index, row in enumerate(rows):
        file, sram = format_bytes(row["tflite_bytes"]), format_bytes(row["sram_bytes"])
        counts = [format_count(row[_UNITS[unit]]) for unit in units]
        busy = _NONE if row["hop_share"] is None else f"{row['hop_share']:.1%}"
        cpu = Text(str(row["cpu_operator_count"]), style="red" if row["cpu_operator_count"] else "")
        shown = [format_count(row["parameters"]), file, encoded[index], _factor(row["float32_over_flash"]), sram]
        table.add_row(row["variant"], *shown, *counts, busy, cpu)
    return table


def _units_that_matter(rows: list[dict[str, Any]]) -> list[str]:
    """The NPU, and memories with at least a tenth of the cycles of some variant; CSV and JSON have them all."""
    return [
        unit for unit, key in _UNITS.items() if unit == "NPU" or any(10 * row[key] >= row["cycles"] for row in rows)
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
        notes.append(f"NPU busy: share of the {1000 * summary.hop_seconds:g} ms between two frames.")
    notes += [f"{row['variant']} leaves to the CPU: {row['cpu_operators']}" for row in rows if row["cpu_operators"]]
    if any(row["cpu_operators"] for row in rows):
        notes.append("Cycles and time leave out what runs on the CPU.")
    return notes


def _counted(summary: RunSummary) -> str:
    """What a split is made of: only speech has an unprocessed input."""
    return "utterances" if summary.noisy else "examples"


def _form(name: str) -> str:
    return "" if name == "int8" else f" {name}"


def _cost_lines(report: ResourceReport) -> Iterable[tuple[str, str]]:
    yield "encoded weights", format_bytes(report.encoded_weight_bytes)
    yield "flash", f"{format_bytes(report.flash_bytes)} (encoded weights, biases, scales; without command stream)"
    yield "peak SRAM", format_bytes(report.sram_bytes)
    yield "multiply-accumulates", format_count(report.macs)
    clock = f"at {report.clock_hz / 1e6:.0f} MHz"
    yield "time", f"{_milliseconds(report.inference_seconds)} ms, {format_count(report.cycles)} cycles {clock}"
    for unit, field in _UNITS.items():
        if cycles := getattr(report, field):
            yield f"  {unit} cycles", format_count(cycles) + ("  <- bound by" if unit == report.bound_by else "")
    cpu = ", ".join(report.cpu_operators)
    yield "CPU operators", f"{cpu} (not in cycles and time)" if cpu else "none"


def _layer_table(layers: Sequence[LayerCost], total: float) -> Table:
    table = _table(None, "cycles", "share", "NPU", "MACs", "SRAM", first="operator", left="output")
    for layer in layers:
        share = f"{layer.cycles / total:.1%}" if total else _NONE
        counts = [format_count(layer.cycles_npu), format_count(layer.macs), format_bytes(layer.sram_bytes)]
        table.add_row(layer.operator, format_count(layer.cycles), share, *counts, Text(layer.name))
    return table


def _table(first_width: int | None, *numbers: str, first: str = "", left: str | None = None) -> Table:
    """A table without lines: a first column of text, right-aligned numbers, maybe a last column of text."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold", width=first_width)
    for name in numbers:
        table.add_column(Text(name, justify="right"), justify="right", no_wrap=True)
    if left is not None:
        table.add_column(Text(left), overflow="fold")
    return table


def _name_width(rows: list[dict[str, Any]]) -> int:
    return min(14, max(len("noisy input"), *(len(row["variant"]) for row in rows)))


def _noisy_cells(summary: RunSummary, metrics: Sequence[str]) -> list[str]:
    found = summary.noisy.metrics if summary.noisy else {}
    return [_noisy_cell(name, found.get(name)) for name in metrics]


def _noisy_cell(name: str, value: float | None) -> str:
    """A value, with blanks where the others have their change."""
    digits = metric_digits(name)
    return _NONE if value is None else f"{value:.{digits}f}{' ' * len(f' {0:+.{digits}f}')}"


def _metric(row: dict[str, Any], name: str) -> str:
    """``9.31 -0.12``: the value and its change; blanks in place of the baseline's own change."""
    if row[name] is None:
        return _NONE
    change, digits = row[f"{name}_change"], metric_digits(name)
    shown = f"{change:+.{digits}f}" if change else ""
    return f"{row[name]:.{digits}f} {shown:>{digits + 3}}"


def _with_ratios(rows: list[dict[str, Any]], cost: str, form: Any) -> list[str]:
    """``124 kB 6.8x`` for every row, the factors in line; none for the baseline itself."""
    factors = ["", *(_factor(row[f"{cost}_ratio"]) for row in rows[1:])]
    width = max(map(len, factors))
    return [f"{form(row[cost])} {factor:>{width}}" for row, factor in zip(rows, factors, strict=True)]


def _factor(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.1f}x" if value < 9.95 else f"{value:.0f}x"


def _milliseconds(seconds: float) -> str:
    """Hundredths; below a tenth three significant digits, because a small network takes microseconds."""
    return f"{1000 * seconds:.2f}" if seconds >= 1e-4 else f"{1000 * seconds:.3g}"
