"""Bytes and cycles of one network: model, layer, operator; each table adds up to the one above."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.resources import (
    CompiledArtifact,
    Cycles,
    LayerCost,
    OperatorCost,
    ResourceReport,
    ratio,
)
from tinyprune.report.model import layer_costs, predictions
from tinyprune.report.model.number_text import shown_factor, shown_milliseconds, shown_number
from tinyprune.report.render.terminal import columns, wrapped
from tinyprune.units import format_bytes, format_count

_NAME_WIDTH, _OUTPUT_WIDTH = 24, 32
#: Both kinds of flash are one column, for no target has both.
_CYCLE_HEADS = ("cycles", "share", "NPU", "SRAM", "DRAM", "flash")


def format_compiled(artifact: CompiledArtifact) -> RenderableType:
    """Return one compiled network: its cost line by line, what flash holds, then its layers."""
    report = artifact.report
    title = f"{artifact.path.name} on {report.target.description}, by Vela {report.vela_version}"
    return Group(Text(title, style="bold"), format_model(report))


def format_model(report: ResourceReport) -> RenderableType:
    """Return the cost of a network line by line, what flash holds, then its layers."""
    table = columns("", left="")
    table.show_header = False
    for name, value in _cost_lines(report):
        table.add_row(name, value)
    return Group(table, Text(), format_flash(report), Text(), format_layers(report))


def format_flash(report: ResourceReport) -> RenderableType:
    """Return the parts of flash, their shares, what shrinks each, what else is in the file."""
    table = columns("flash", "bytes", "share", left="what shrinks it")
    for name, count, advice in layer_costs.flash_parts(report):
        table.add_row(name, format_bytes(count), f"{count / report.flash_bytes:.1%}", advice)
    table.add_row("total", format_bytes(report.flash_bytes), "", "")

    beside = [f"{name} {format_bytes(count)}" for name, count in layer_costs.beside_flash(report)]
    if not beside:
        return table
    return Group(table, Text(f"beside it in the compiled file: {', '.join(beside)}"))


def format_layers(report: ResourceReport) -> RenderableType:
    """Return a row per layer in the order of the network, and their sum.

    ``<`` marks where SRAM peaks.
    """
    note = (
        "cycles: of units that work at the same time; Vela counts about the largest of them. "
        "<: peak SRAM."
    )
    return Group(_size_table(report), Text(), _cycle_table(report), Text(note))


def format_operators(report: ResourceReport) -> RenderableType:
    """Return a row per operator of the compiled network, in order of execution."""
    table = columns("operator", *_CYCLE_HEADS, "encoded", left="output")
    for operator in report.operators:
        table.add_row(
            operator.operator if operator.on_npu else f"{operator.operator} (CPU)",
            *_cycle_cells(operator, report.cycles),
            _size(operator.encoded_weight_bytes),
            wrapped(operator.name, _OUTPUT_WIDTH),
        )
    return table


def _size_table(report: ResourceReport) -> Table:
    table = columns(
        "layer", "weights", "zeros", "encoded", "ratio", "scales", "MACs", left="kernels"
    )
    for layer in report.layers:
        table.add_row(
            wrapped(layer.name, _NAME_WIDTH),
            _count(layer.weights),
            shown_number(layer.sparsity, "{:.2f}".format),
            _size(layer.encoded_weight_bytes),
            shown_factor(layer.compression),
            _size(layer.scale_bytes),
            _count(layer.macs),
            _kernels(layer),
        )
    return table


def _cycle_table(report: ResourceReport) -> Table:
    table = columns("layer", *_CYCLE_HEADS, "SRAM in use", left="bound by")
    peak = layer_costs.peak_layers(report)
    for layer in report.layers:
        mark = ""
        if layer.name in peak:
            mark = " <"
        table.add_row(
            wrapped(layer.name, _NAME_WIDTH),
            *_cycle_cells(layer, report.cycles),
            format_bytes(layer.sram_bytes) + mark,
            _bound_by(layer),
        )
    table.add_row(
        "all",
        format_count(report.cycles),
        "",
        *map(format_count, _by_column(report)),
        format_bytes(report.sram_bytes),
        report.bound_by,
    )
    return table


def _bound_by(layer: LayerCost) -> str:
    if layer.processor == "NPU":
        return layer.bound_by
    return f"{layer.bound_by} ({layer.processor})".strip()


def _cycle_cells(cost: LayerCost | OperatorCost, total: float) -> list[str]:
    share = shown_number(ratio(cost.cycles, total), "{:.1%}".format)
    return [format_count(cost.cycles), share, *map(_count, _by_column(cost))]


def _by_column(cost: Cycles) -> Sequence[float]:
    """Cycles of the NPU and of the memories, as the columns have them."""
    return cost.cycles_npu, cost.cycles_sram, cost.cycles_dram, cost.cycles_flash


def _kernels(layer: LayerCost) -> str:
    """``8 of 256x128`` for the matrices of an LSTM; the operators of a layer without kernels."""
    if not layer.kernels:
        return ", ".join(dict.fromkeys(layer.operators)).lower()
    shapes = Counter("x".join(map(str, kernel.shape)) for kernel in layer.kernels)
    texts = []
    for shape, count in shapes.items():
        several = ""
        if count > 1:
            several = f"{count} of "
        texts.append(several + shape)
    return ", ".join(texts)


def _count(count: float) -> str:
    return shown_number(count or None, format_count)


def _size(count: float) -> str:
    return shown_number(count or None, format_bytes)


def _cost_lines(report: ResourceReport) -> Iterator[tuple[str, str]]:
    yield "encoded weights", format_bytes(report.encoded_weight_bytes)
    flash = format_bytes(report.flash_bytes)
    yield "flash", f"{flash} (encoded weights, biases, scales; without command stream)"
    yield "peak SRAM", f"{format_bytes(report.sram_bytes)}{_peak(report)}"
    if report.dram_bytes:
        yield "DRAM", format_bytes(report.dram_bytes)
    yield "multiply-accumulates", format_count(report.macs)
    yield "time", _time(report)
    for part, cycles in report.parts.items():
        if cycles:
            mark = ""
            if part == report.bound_by:
                mark = "  <- bound by"
            yield f"  {part} cycles", format_count(cycles) + mark
    predicted = predictions.predicted_values(report)
    if predicted:
        yield "predicted", ", ".join(map(_predicted, predicted))
    cpu = ", ".join(report.cpu_operators)
    yield "CPU operators", f"{cpu} (not in cycles and time)" if cpu else "none"
    if report.lowered:
        yield "computed in parts", f"{', '.join(report.lowered)} (blocks of zeros)"
    if report.end_conversions:
        yield "float ends", f"{', '.join(report.end_conversions)} on the CPU"


def _time(report: ResourceReport) -> str:
    milliseconds = shown_milliseconds(report.inference_seconds)
    clock = f"{report.clock_hz / 1e6:.0f} MHz"
    return f"{milliseconds} ms, {format_count(report.cycles)} cycles at {clock}"


def _predicted(value: predictions.PredictedValue) -> str:
    number, _, error = value.cells
    return f"{value.quantity.label} {number} ({error})"


def _peak(report: ResourceReport) -> str:
    """The layers where SRAM peaks, in words."""
    names = layer_costs.peak_layers(report)
    if not names:
        return ""
    more = ""
    if len(names) > 3:
        more = " ..."
    return f" (in {', '.join(names[:3])}{more})"
