"""Run summaries for a terminal, a pipe, CSV and JSON.

Cells with a factor read "124 kB 6.8x": the value of the variant, and baseline / variant.
"""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.cycles import Cycles
from tinyprune.artifacts.quality import Quality, by_engine
from tinyprune.artifacts.quantity import (
    CPU_OPERATORS,
    ENCODED_WEIGHTS,
    FLASH,
    NUMBER_OF_PARAMETERS,
    SRAM,
    TFLITE,
    TOTAL_CYCLES,
    Quantity,
)
from tinyprune.artifacts.summary import RunSummary
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model.number_text import (
    NONE,
    shown_factor,
    shown_milliseconds,
    shown_number,
)
from tinyprune.report.model.summary import Row, metric_names, summary_rows
from tinyprune.report.model.wording import listed
from tinyprune.report.render.plain_data import csv_text, json_text
from tinyprune.report.render.terminal import Fitting, columns, wrapped
from tinyprune.units import format_bytes, format_count

_HEADLINE_METRICS = 2
_NAME_WIDTH = 14
#: A memory has a column if it takes at least this share of the cycles of some variant.
_SHOWN_SHARE = 10


def format_table(summary: RunSummary, changed: frozenset[str] = frozenset()) -> RenderableType:
    """Every variant beside the baseline; after the name of a ``changed`` one comes that word.

    The first table has on one line what was lost and gained, those below it other metrics, sizes
    and cycles.
    """
    rows = summary_rows(summary)
    for row in rows:
        if row["variant"] in changed:
            row["variant"] += " changed"
    metrics = metric_names(summary)
    wide = _tables(summary, rows, metrics, _HEADLINE_METRICS)
    narrow = _narrow_tables(summary, rows, metrics)
    notes = [Text(note) for note in _notes(summary, rows)]
    return Group(_title(summary), Fitting(wide, narrow), Text(), *notes)


def _tables(
    summary: RunSummary, rows: Sequence[Row], metrics: Sequence[str], headline: int
) -> RenderableType:
    """The tables of a terminal with room; the first ``headline`` metrics are in the first one."""
    parts: list[RenderableType] = [_headline(summary, rows, metrics[:headline])]
    if metrics[headline:]:
        parts += [Text(), _metrics_table(summary, rows, metrics[headline:])]
    return Group(*parts, Text(), _details(rows))


def _narrow_tables(
    summary: RunSummary, rows: Sequence[Row], metrics: Sequence[str]
) -> RenderableType:
    """The same in 80 columns: one metric in the first table, sizes and cycles apart."""
    named = [{**row, "bound_by": row["bound_by"].removesuffix(" flash")} for row in rows]
    parts: list[RenderableType] = [_headline(summary, named, metrics[:1], "spar-\nsity")]
    if metrics[1:]:
        parts += [Text(), _metrics_table(summary, rows, metrics[1:])]
    return Group(*parts, Text(), _sizes(rows), Text(), _cycles(rows))


def to_csv(summary: RunSummary) -> str:
    """:func:`summary_rows` as CSV with a header; an empty cell is a value that does not exist."""
    return csv_text(summary_rows(summary))


def summaries_csv(summaries: Sequence[RunSummary]) -> str:
    """The rows of several targets under the header of the first."""
    headers: list[str] = []
    rows: list[str] = []
    for summary in summaries:
        header, *variants = to_csv(summary).splitlines(keepends=True)
        headers.append(header)
        rows += variants
    return "".join(headers[:1] + rows)


def to_json(summary: RunSummary) -> str:
    """The whole record as JSON."""
    return json_text(summary)


def scored_items(summary: RunSummary) -> str:
    """The name of what a split is made of: only speech has an unprocessed input."""
    if summary.noisy:
        return "utterances"
    return "examples"


def cpu_notes(rows: Sequence[Row]) -> list[str]:
    """A line per variant that leaves operators to the CPU."""
    notes = []
    for row in rows:
        if row["cpu_operators"]:
            notes.append(f"{row['variant']} leaves to the CPU: {row['cpu_operators']}")
    return notes


def dense_notes(summary: RunSummary) -> list[str]:
    """A line per variant with weights that cannot be pruned."""
    notes = []
    for variant in summary.variants:
        names = ", ".join(dict.fromkeys(tensor.name for tensor in variant.tflite.dense))
        if names:
            share = variant.tflite.dense_share
            notes.append(
                f"{variant.name} leaves dense {share:.0%} of its bytes of weights: {names}"
            )
    return notes


def cell_notes(summary: RunSummary) -> list[str]:
    """A line per set of recurrent layers that are explicit cells, with the variants that have them.

    The state of such a layer goes in and comes out of every call, under the name of the layer.
    """
    variants: dict[str, list[str]] = {}
    for variant in summary.variants:
        layers = [context.layer.partition("/") for context in variant.tflite.contexts]
        names = ", ".join(dict.fromkeys(layer for layer, slash, _ in layers if slash))
        if names:
            variants.setdefault(names, []).append(variant.name)
    return [f"explicit cells: {layers} of {listed(names)}" for layers, names in variants.items()]


def _title(summary: RunSummary) -> Text:
    version = summary.variants[0].report.vela_version
    text = f"{summary.target.description}, estimated by Vela {version}"
    return Text(text, style="bold")


def _headline(
    summary: RunSummary, rows: Sequence[Row], metrics: Sequence[str], sparsity: str = "sparsity"
) -> Table:
    """Losses and gains. ``sparsity``: the head of that column."""
    time = "ms"
    if summary.hop_seconds:
        time = "ms per\nframe"
    costs = [sparsity, "flash", "cycles", time]
    table = columns("", *_headings(metrics), *costs, left="bound by")
    if summary.noisy:
        nothing = [NONE] * 5
        table.add_row("noisy input", *_noisy_cells(summary.noisy, metrics), *nothing)
    flash = _with_ratios(rows, FLASH)
    cycles = _with_ratios(rows, TOTAL_CYCLES)
    for index, row in enumerate(rows):
        table.add_row(
            _name(row),
            *_metric_cells(row, metrics),
            f"{row['sparsity']:.2f}",
            flash[index],
            cycles[index],
            shown_milliseconds(row["seconds_per_frame"]),
            row["bound_by"],
        )
    return table


def _metrics_table(summary: RunSummary, rows: Sequence[Row], metrics: Sequence[str]) -> Table:
    table = columns("", *_headings(metrics))
    if summary.noisy:
        table.add_row("noisy input", *_noisy_cells(summary.noisy, metrics))
    for row in rows:
        table.add_row(_name(row), *_metric_cells(row, metrics))
    return table


_SIZE_HEADS = (
    "para-\nmeters",
    ".tflite\nfile",
    "encoded\nweights",
    "float32\n/ flash",
    "peak\nSRAM",
)


def _details(rows: Sequence[Row]) -> Table:
    """Sizes and cycles side by side."""
    parts = _shown_parts(rows)
    table = columns("", *_SIZE_HEADS, *_cycle_heads(parts))
    encoded = _with_ratios(rows, ENCODED_WEIGHTS)
    for row, encoded_cell in zip(rows, encoded, strict=True):
        table.add_row(_name(row), *_size_cells(row, encoded_cell), *_cycle_cells(row, parts))
    return table


def _sizes(rows: Sequence[Row]) -> Table:
    table = columns("", *_SIZE_HEADS)
    encoded = _with_ratios(rows, ENCODED_WEIGHTS)
    for row, encoded_cell in zip(rows, encoded, strict=True):
        table.add_row(_name(row), *_size_cells(row, encoded_cell))
    return table


def _cycles(rows: Sequence[Row]) -> Table:
    parts = _shown_parts(rows)
    table = columns("", *_cycle_heads(parts))
    for row in rows:
        table.add_row(_name(row), *_cycle_cells(row, parts))
    return table


def _cycle_heads(parts: Sequence[str]) -> list[str]:
    heads = [f"{part.removesuffix(' flash')}\ncycles" for part in parts]
    return [*heads, "NPU\nbusy", "CPU\nops"]


def _size_cells(row: Row, encoded: str) -> list[str]:
    return [
        _cell(row, NUMBER_OF_PARAMETERS),
        _cell(row, TFLITE),
        encoded,
        shown_factor(row["float32_over_flash"]),
        _cell(row, SRAM),
    ]


def _cycle_cells(row: Row, parts: Sequence[str]) -> list[RenderableType]:
    return [
        *_part_cells(row, parts),
        shown_number(row["hop_share"], "{:.1%}".format),
        _cpu_cell(row[CPU_OPERATORS.name]),
    ]


def _shown_parts(rows: Sequence[Row]) -> list[str]:
    """The NPU, and the memories that take part in the cycles; CSV and JSON have them all."""
    parts = []
    for part, field in Cycles.PARTS.items():
        matters = any(_SHOWN_SHARE * row[field] >= row["cycles"] for row in rows)
        if part == "NPU" or matters:
            parts.append(part)
    return parts


def _part_cells(row: Row, parts: Sequence[str]) -> list[str]:
    return [format_count(row[Cycles.PARTS[part]]) for part in parts]


def _cpu_cell(count: int) -> Text:
    return Text(str(count), style="red" if count else "")


def _notes(summary: RunSummary, rows: Sequence[Row]) -> list[str]:
    quality = summary.variants[0].quality
    form = "" if quality.form == "int8" else f" {quality.form}"
    model = f"int8{form} model{by_engine(quality.engine)}"
    float32 = format_bytes(4 * rows[0]["parameters"])
    notes = [
        f"{quality.split} split, {quality.utterances} {scored_items(summary)}, {model}; "
        "changes and factors (x) are against the baseline.",
        "flash: encoded weights, biases and scales, without the command stream. "
        f"float32 / flash: the baseline's parameters in float32, {float32}, "
        "over the flash of the variant.",
    ]
    if summary.hop_seconds:
        hop_ms = 1000 * summary.hop_seconds
        notes.append(f"NPU busy: share of the {hop_ms:g} ms between two frames.")
    notes += dense_notes(summary)
    notes += cell_notes(summary)
    on_cpu = cpu_notes(rows)
    if on_cpu:
        notes += [*on_cpu, "Cycles and time leave out what runs on the CPU."]
    return notes


def _headings(metrics: Sequence[str]) -> list[str]:
    return [metric_of(name).heading for name in metrics]


def _name(row: Row) -> str:
    return wrapped(row["variant"], _NAME_WIDTH)


def _cell(row: Row, quantity: Quantity) -> str:
    return quantity.format(row[quantity.name])


def _noisy_cells(noisy: Quality, metrics: Sequence[str]) -> list[str]:
    """The values of the unprocessed input, with blanks where the others have their change."""
    cells = []
    for name in metrics:
        metric = metric_of(name)
        blanks = " " * len(f" {metric.format(0, '+')}")
        cell = NONE
        if name in noisy.metrics:
            cell = metric.format(noisy.metrics[name]) + blanks
        cells.append(cell)
    return cells


def _metric_cells(row: Row, metrics: Sequence[str]) -> list[str]:
    return [_metric_cell(row, name) for name in metrics]


def _metric_cell(row: Row, name: str) -> str:
    """``9.31 -0.12``: the value and its change; blanks in place of the baseline's own change."""
    if row[name] is None:
        return NONE
    metric = metric_of(name)
    change = row[f"{name}_change"]
    shown = ""
    if change:
        shown = metric.format(change, "+")
    return f"{metric.format(row[name])} {shown:>{metric.digits + 3}}"


def _with_ratios(rows: Sequence[Row], quantity: Quantity) -> list[str]:
    """``124 kB 6.8x`` for every row, the factors in line; none for the baseline itself."""
    factors = [""]
    for row in rows[1:]:
        factors.append(shown_factor(row[f"{quantity.name}_ratio"]))
    width = max(map(len, factors))
    cells = []
    for row, factor in zip(rows, factors, strict=True):
        cells.append(f"{_cell(row, quantity)} {factor:>{width}}")
    return cells
