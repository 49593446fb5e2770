"""Where the bytes and cycles of one network go: model, layer, operator; each table adds up to the one above it."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.resources import (
    CompiledArtifact,
    LayerCost,
    OperatorCost,
    ResourceReport,
)
from tinyprune.report.model import predictions
from tinyprune.report.render.terminal import (
    NONE,
    columns,
    shown_factor,
    shown_milliseconds,
    wrapped,
)
from tinyprune.units import format_bytes, format_count

_NAME_WIDTH, _OUTPUT_WIDTH = 24, 32


def format_compiled(artifact: CompiledArtifact) -> RenderableType:
    """One compiled network: its cost line by line, what flash holds, then its layers."""
    report = artifact.report
    target = ", ".join((report.target.npu, report.target.system_config, report.target.memory_mode))
    title = Text(f"{artifact.path.name} on {target}, by Vela {report.vela_version}", style="bold")
    return Group(title, format_model(report))


def format_model(report: ResourceReport) -> RenderableType:
    """The cost of a network line by line, what flash holds, then its layers."""
    table = columns("", left="")
    table.show_header = False
    for name, value in _cost_lines(report):
        table.add_row(name, value)
    return Group(table, Text(), format_flash(report), Text(), format_layers(report))


def flash_parts(report: ResourceReport) -> list[tuple[str, float, str]]:
    """What flash holds, and what lies beside it in the compiled file: (name, bytes, what shrinks it)."""
    parts = [
        ("encoded weights", report.encoded_weight_bytes, "weight sparsity, clusters, fewer units"),
        (
            "biases and scales",
            report.scale_bytes,
            "10 bytes per output channel and matrix: only fewer units",
        ),
        ("lookup tables and constants", report.table_bytes, "other activations"),
        ("weights of CPU operators", report.cpu_weight_bytes, "operators that the NPU can run"),
    ]
    return [part for part in parts if part[1]]


def beside_flash(report: ResourceReport) -> list[tuple[str, float]]:
    """What the compiled file holds beside flash_bytes: (name, bytes)."""
    rest = report.file_bytes - report.flash_bytes - report.command_stream_bytes
    return [
        part
        for part in (("command stream", report.command_stream_bytes), ("rest of the file", rest))
        if part[1] > 0
    ]


def peak_layers(report: ResourceReport) -> tuple[str, ...]:
    """The layers that use the most SRAM at a time; empty where no operator uses any."""
    peak = max((layer.sram_bytes for layer in report.layers), default=0.0)
    return tuple(layer.name for layer in report.layers if layer.sram_bytes == peak > 0)


def format_flash(report: ResourceReport) -> RenderableType:
    """The parts of flash, their shares, what shrinks each; then what else is in the compiled file."""
    table = columns("flash", "bytes", "share", left="what shrinks it")
    for name, count, advice in flash_parts(report):
        table.add_row(name, format_bytes(count), f"{count / report.flash_bytes:.1%}", advice)
    table.add_row("total", format_bytes(report.flash_bytes), "", "")
    beside = ", ".join(f"{name} {format_bytes(count)}" for name, count in beside_flash(report))
    return Group(table, *([Text(f"beside it in the compiled file: {beside}")] if beside else []))


def format_layers(report: ResourceReport) -> RenderableType:
    """One row per layer of the network, in its order, and their sum; ``<`` marks where SRAM peaks."""
    sizes = columns(
        "layer", "weights", "zeros", "encoded", "ratio", "scales", "MACs", left="kernels"
    )
    for layer in report.layers:
        zeros = NONE if layer.sparsity is None else f"{layer.sparsity:.2f}"
        cells = [
            *_counts(layer.weights),
            zeros,
            *_sizes(layer.encoded_weight_bytes),
            shown_factor(layer.compression),
        ]
        sizes.add_row(
            wrapped(layer.name, _NAME_WIDTH),
            *cells,
            *_sizes(layer.scale_bytes),
            *_counts(layer.macs),
            _kernels(layer),
        )
    cycles = columns(
        "layer", "cycles", "share", "NPU", "SRAM", "DRAM", "flash", "SRAM in use", left="bound by"
    )
    peak = peak_layers(report)
    for layer in report.layers:
        mark = " <" if layer.name in peak else ""
        where = (
            layer.bound_by
            if layer.processor == "NPU"
            else f"{layer.bound_by} ({layer.processor})".strip()
        )
        cycles.add_row(
            wrapped(layer.name, _NAME_WIDTH),
            *_cycles(layer, report.cycles),
            format_bytes(layer.sram_bytes) + mark,
            where,
        )
    total = [
        format_count(report.cycles),
        "",
        format_count(report.cycles_npu),
        format_count(report.cycles_sram),
    ]
    total += [format_count(report.cycles_dram), format_count(_flash_cycles(report))]
    cycles.add_row("all", *total, format_bytes(report.sram_bytes), report.bound_by)
    note = "cycles: of units that work at the same time; Vela counts about the largest of them. <: peak SRAM."
    return Group(sizes, Text(), cycles, Text(note))


def format_operators(report: ResourceReport) -> RenderableType:
    """One row per operator of the compiled network, in order of execution."""
    table = columns(
        "operator", "cycles", "share", "NPU", "SRAM", "DRAM", "flash", "encoded", left="output"
    )
    for operator in report.operators:
        name = operator.operator if operator.on_npu else f"{operator.operator} (CPU)"
        table.add_row(
            name,
            *_cycles(operator, report.cycles),
            *_sizes(operator.encoded_weight_bytes),
            wrapped(operator.name, _OUTPUT_WIDTH),
        )
    return table


def _cycles(cost: LayerCost | OperatorCost, total: float) -> Sequence[str]:
    """Cycles, their share, then cycles by unit; both kinds of flash in one column, for no target has both."""
    share = f"{cost.cycles / total:.1%}" if total else NONE
    units = (cost.cycles_npu, cost.cycles_sram, cost.cycles_dram, _flash_cycles(cost))
    return [format_count(cost.cycles), share, *(count for unit in units for count in _counts(unit))]


def _flash_cycles(cost: LayerCost | OperatorCost | ResourceReport) -> float:
    return cost.cycles_on_chip_flash + cost.cycles_off_chip_flash


def _kernels(layer: LayerCost) -> str:
    """``8 of 256x128`` for the matrices of an LSTM; the operators of a layer without kernels."""
    shapes = ["x".join(map(str, kernel.shape)) for kernel in layer.kernels]
    counted = [
        f"{shapes.count(shape)} of {shape}" if shapes.count(shape) > 1 else shape
        for shape in shapes
    ]
    return ", ".join(dict.fromkeys(counted)) or ", ".join(dict.fromkeys(layer.operators)).lower()


def _counts(count: float) -> Iterable[str]:
    yield format_count(count) if count else NONE


def _sizes(count: float) -> Iterable[str]:
    yield format_bytes(count) if count else NONE


def _cost_lines(report: ResourceReport) -> Iterable[tuple[str, str]]:
    yield "encoded weights", format_bytes(report.encoded_weight_bytes)
    yield (
        "flash",
        f"{format_bytes(report.flash_bytes)} (encoded weights, biases, scales; without command stream)",
    )
    yield "peak SRAM", f"{format_bytes(report.sram_bytes)}{_peak(report)}"
    if report.dram_bytes:
        yield "DRAM", format_bytes(report.dram_bytes)
    yield "multiply-accumulates", format_count(report.macs)
    clock = f"at {report.clock_hz / 1e6:.0f} MHz"
    yield (
        "time",
        f"{shown_milliseconds(report.inference_seconds)} ms, {format_count(report.cycles)} cycles {clock}",
    )
    for part, cycles in report.parts.items():
        if cycles:
            mark = "  <- bound by" if part == report.bound_by else ""
            yield f"  {part} cycles", format_count(cycles) + mark
    if found := predictions.pairs(report):
        told = (f"{one.name} {value} ({error})" for one in found for value, _, error in [one.cells])
        yield "predicted", ", ".join(told)
    cpu = ", ".join(report.cpu_operators)
    yield "CPU operators", f"{cpu} (not in cycles and time)" if cpu else "none"


def _peak(report: ResourceReport) -> str:
    """Where SRAM peaks, in words."""
    names = peak_layers(report)
    return f" (in {', '.join(names[:3])}{' ...' if len(names) > 3 else ''})" if names else ""
