"""Advice that follows from numbers: what would help each variant next, each line with the figure that it comes from.

A rule is silent where the figures do not say. The thresholds come from what Vela 5.2 makes of four
networks (TinyLSTM, DS-CNN, ResNet-8, CRN) at 0 to 95 % zeros, with 2:4 and with half their units,
on U55, U65 and U85.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, prod

from tinyprune.artifacts.resources import Kernel, LayerCost, OperatorCost, ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.npu.cost_constants import MOST_FAST
from tinyprune.report.model.summary import seconds_per_frame
from tinyprune.units import format_bytes, format_count, format_seconds

#: Lines per variant: more than a few are not read.
MOST_LINES = 4

#: Below a tenth, what is won is lost in the error of an estimate.
_WORTH_CYCLES = 0.1
#: A quarter of flash is what TinyLSTM has at 95 % zeros (43 of 115 kB), where more zeros hardly
#: count.
_LARGE_METADATA = 0.25
#: A layer with half of everything is worth a pruning of its own; of two layers, one always has
#: half.
_DOMINANT, _FEWEST_LAYERS = 0.5, 3
#: At 50 to 95 % zeros large layers take 1.2 to 1.8 bytes per weight that is left; those with few
#: channels up to 6.
_POOR_ENCODING, _SPARSE, _WORTH_FLASH = 1.5, 0.5, 0.05
#: A kernel that nobody pruned has 2 % zeros.
_SOME = 0.1
#: One operator needs a third more SRAM than any other: worth changing that one.
_LONELY_PEAK = 0.75
#: DRAM moves feature maps too, and small transfers only cost latency: zeros paid where weights were
#: 4x all else.
_MOSTLY_WEIGHTS = 4
#: 2:4 is half of the weights; what is sparser is either 2:4 already or would lose zeros to it.
_TWO_OF_FOUR, _RUN = 0.5, 4
#: Outputs are computed 8 at a time on these: 52 channels cost the cycles of 56, 57 those of 64.
#: (U55-32 does 4.)
_OUTPUT_STEP, _STEPPED_NPUS = 8, ("ethos-u55-128", "ethos-u55-256", "ethos-u65-256")

_DENSE_OPERATORS = ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM")
_CONVOLUTIONS = ("CONV_2D", "TRANSPOSE_CONV")
_FLASH = ("off-chip flash", "on-chip flash")


@dataclass(frozen=True)
class _Line:
    """One line of advice. Attributes: text; weight: the share that is at stake, above 1 for what makes it unusable."""

    text: str
    weight: float


def advice(summary: RunSummary) -> dict[str, tuple[str, ...]]:
    """Variant -> what would help it on this target, what matters most first; at most four lines, often fewer."""
    found = {}
    for variant in summary.variants:
        lines = [line for rule in _RULES for line in rule(variant, summary.hop_seconds)]
        lines.sort(key=lambda line: -line.weight)
        found[variant.name] = tuple(line.text for line in lines[:MOST_LINES])
    return found


def weights_in_sram(report: ResourceReport) -> bool:
    """Whether weights are kept in SRAM (Sram_Only), so that ``sram_bytes`` has them too: no other memory is read."""
    other = (report.cycles_dram, report.cycles_on_chip_flash, report.cycles_off_chip_flash)
    return not any(other) and report.sram_bytes >= report.flash_bytes > 0


def _real_time(variant: VariantSummary, hop_seconds: float | None) -> Iterator[_Line]:
    seconds = seconds_per_frame(variant)
    if hop_seconds and seconds > hop_seconds:
        factor = seconds / hop_seconds
        times = (
            f"a frame takes {format_seconds(seconds)} and comes every {format_seconds(hop_seconds)}"
        )
        yield _Line(f"not real time: {times}; it needs {factor:.1f}x fewer cycles", 2 + factor)


def _cpu(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    names, report = variant.report.cpu_operators, variant.report
    if names:
        kinds = ", ".join(f"{names.count(name)}x {name}" for name in dict.fromkeys(names))
        places = ", ".join(layer.name for layer in report.layers if "CPU" in layer.processor)
        where = f" in {places}" if places else ""
        yield _Line(
            f"CPU: {kinds}{where} is not in the {_cycles(report)} cycles: use operators that the NPU has",
            2,
        )


def _waits_for_weights(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    waiting, unit = _waiting(report)
    share = _share(waiting, report.cycles)
    if share >= _WORTH_CYCLES:
        least = (
            f", to about {format_count(report.cycles - waiting)} cycles" if unit in _FLASH else ""
        )
        more = "more " if variant.sparsity else ""
        text = f"{share:.0%} of {_cycles(report)} cycles wait for {unit}: {more}weight sparsity will pay"
        yield _Line(text + least, share)


def _computes(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    share = _share(_waiting(report)[0], report.cycles)
    if report.bound_by != "NPU" or share >= _WORTH_CYCLES or not report.cycles:
        return
    text = f"NPU bound, {format_count(report.cycles_npu)} of {_cycles(report)} cycles: removing units saves cycles"
    if _is_deaf_to_zeros(report):
        text += f", weight sparsity {f'about {share:.0%}' if share >= 0.01 else 'hardly any'}"
    yield _Line(text, _share(report.cycles_npu, report.cycles))


def _moves_feature_maps(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    if report.bound_by == "SRAM" and not weights_in_sram(report):
        text = f"SRAM bound, {format_count(report.cycles_sram)} of {_cycles(report)} cycles move feature maps"
        help_ = "fewer units or smaller inputs help, zeros do not"
        yield _Line(f"{text}: {help_}", _share(report.cycles_sram, report.cycles))


def _metadata(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    scales, flash = variant.report.scale_bytes, variant.report.flash_bytes
    share = _share(scales, flash)
    if share >= _LARGE_METADATA:
        sizes = f"{format_bytes(scales)} of {format_bytes(flash)} flash"
        yield _Line(
            f"{sizes} is per-channel metadata (bias and scale): only fewer units shrink it", share
        )


def _two_of_four(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    if not _is_u85(report):
        return
    layers = [layer for layer in report.layers if _takes_two_of_four(layer)]
    saved = sum(
        layer.cycles - max(layer.cycles_npu / 2, layer.cycles_without("NPU")) for layer in layers
    )
    share = _share(saved, report.cycles)
    if share >= _WORTH_CYCLES:
        computing = format_count(sum(layer.cycles_npu for layer in layers))
        small = (
            " (1x1 convolutions gain less)"
            if any(_is_1x1(kernel) for kernel in _kernels(report))
            else ""
        )
        what = f"it up to halves the {computing} of {_cycles(report)} cycles that {len(layers)} layers compute"
        yield _Line(f"2:4 would pay on this target: {what}{small}", share)


def _dominant(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    if len(report.layers) < _FEWEST_LAYERS:
        return
    for layer in report.layers:
        shares = _share(layer.cycles, report.cycles), _share(layer.flash_bytes, report.flash_bytes)
        if max(shares) >= _DOMINANT:
            what = " and ".join(
                f"{share:.0%} of the {name}"
                for share, name in zip(shares, ("cycles", "flash"), strict=True)
                if share >= _DOMINANT
            )
            then = (
                "prune it first"
                if layer.weights
                else "it has no weights to prune, only smaller inputs help"
            )
            yield _Line(f"{layer.name} has {what}: {then}", max(shares) / 2)


def _poorly_encoded(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    if _is_u85(report):  # Vela stores its weights for speed there, not for size
        return
    layers = [layer for layer in report.layers if layer.weights and layer.encoded_weight_bytes]
    for layer in layers:
        own, others = (
            _bytes_per_weight([layer]),
            _bytes_per_weight([one for one in layers if one is not layer]),
        )
        share, sparsity = (
            _share(layer.encoded_weight_bytes, report.flash_bytes),
            layer.sparsity or 0,
        )
        if sparsity >= _SPARSE and share >= _WORTH_FLASH and own >= _POOR_ENCODING * others > 0:
            text = f"{layer.name}, {sparsity:.0%} zeros, takes {own:.1f} bytes per weight that is left, the other layers"
            yield _Line(f"{text} {others:.1f}: zeros pay better there", share)


def _uncompressed(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    if not (_is_u85(report) and weights_in_sram(report)):
        return
    layers = [
        layer
        for layer in report.layers
        if layer.weights and layer.encoded_weight_bytes >= layer.weights
    ]
    layers = [layer for layer in layers if (layer.sparsity or 0) >= _SOME]
    share = _share(sum(layer.encoded_weight_bytes for layer in layers), report.flash_bytes)
    if share >= _WORTH_FLASH:
        names = ", ".join(layer.name for layer in layers[:3]) + (", ..." if len(layers) > 3 else "")
        text = f"the zeros of {names} save nothing, in {share:.0%} of the flash: with weights in SRAM, Vela compresses"
        yield _Line(
            f"{text} on Ethos-U85 only what becomes {MOST_FAST:g}x smaller, with about 70% zeros",
            share,
        )


def _unfilled_steps(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    report = variant.report
    if report.target.npu not in _STEPPED_NPUS:
        return
    saved, names = 0.0, []
    # What the last layer with weights puts out is what the network is for.
    for layer in [layer for layer in report.layers if layer.weights][:-1]:
        outputs = {_outputs(kernel) for kernel in layer.kernels}
        odd = max(
            (count for count in outputs if count % _OUTPUT_STEP and count > _OUTPUT_STEP), default=0
        )
        if odd and layer.bound_by == "NPU" and _is_stepped(layer):
            names.append(f"{layer.name} ({odd})")
            saved += layer.cycles_npu / ceil(odd / _OUTPUT_STEP)
    share = _share(saved, report.cycles)
    if share >= _WORTH_CYCLES / 2:
        text = f"units of {', '.join(names[:3])} are no multiple of {_OUTPUT_STEP}: the multiple below saves about"
        yield _Line(
            f"{text} {share:.0%} of {_cycles(report)} cycles (--round-to {_OUTPUT_STEP})", share
        )


def _lonely_peak(variant: VariantSummary, _: float | None) -> Iterator[_Line]:
    layers = sorted(variant.report.layers, key=lambda layer: -layer.sram_bytes)
    if len(layers) < _FEWEST_LAYERS or layers[1].sram_bytes > _LONELY_PEAK * layers[0].sram_bytes:
        return
    peak, second = format_bytes(layers[0].sram_bytes), format_bytes(layers[1].sram_bytes)
    text = f"SRAM peaks at {layers[0].name} with {peak}, the others need {second} at most"
    yield _Line(f"{text}: shrink this layer", 0.2)


_RULES: tuple[Callable[[VariantSummary, float | None], Iterator[_Line]], ...] = (
    _real_time,
    _cpu,
    _waits_for_weights,
    _computes,
    _moves_feature_maps,
    _metadata,
    _two_of_four,
    _dominant,
    _poorly_encoded,
    _uncompressed,
    _unfilled_steps,
    _lonely_peak,
)


def _waiting(report: ResourceReport) -> tuple[float, str]:
    """Cycles that fewer encoded weights would save, operator by operator, and the memory that is waited for.

    An operator bound by its weights' memory would take what the slowest of the other units takes,
    but not less than that memory needs for biases and scales.
    """
    costs = report.operators or report.layers
    saved = {unit: sum(_saved(cost, unit) for cost in costs) for unit in _weight_memories(report)}
    unit = max(saved, key=lambda unit: saved[unit])
    return saved[unit], unit


def _weight_memories(report: ResourceReport) -> tuple[str, ...]:
    """Memories whose traffic is weights: flash is only read; DRAM, where nothing else of that size can be in it."""
    feature_maps = report.dram_bytes + report.sram_bytes
    weights = report.encoded_weight_bytes
    return (
        (*_FLASH, "DRAM")
        if weights >= _MOSTLY_WEIGHTS * (feature_maps + report.scale_bytes)
        else _FLASH
    )


def _saved(cost: LayerCost | OperatorCost, unit: str) -> float:
    stored = cost.flash_bytes
    if cost.slowest_part != unit:
        return 0.0
    scales = cost.parts[unit] * (cost.scale_bytes / stored if stored else 0)
    return max(0.0, cost.cycles - max(cost.cycles_without(unit), scales))


def _is_deaf_to_zeros(report: ResourceReport) -> bool:
    """Whether the NPU's own cycles do not depend on zeros; they do with a cache for DRAM, and on U85 by chance 2:4."""
    return not report.cycles_dram and not _is_u85(report)


def _is_u85(report: ResourceReport) -> bool:
    return report.target.npu.startswith("ethos-u85")


def _bytes_per_weight(layers: list[LayerCost]) -> float:
    """Encoded bytes per weight that is not 0."""
    left = sum(kernel.size - kernel.zeros for layer in layers for kernel in layer.kernels)
    return _share(sum(layer.encoded_weight_bytes for layer in layers), left)


def _takes_two_of_four(layer: LayerCost) -> bool:
    if layer.bound_by != "NPU" or layer.sparsity is None or layer.sparsity >= _TWO_OF_FOUR:
        return False
    known = any(name in (*_DENSE_OPERATORS, *_CONVOLUTIONS) for name in layer.operators)
    return known and all(
        kernel.shape[-1] >= _RUN and not _is_1x1(kernel) for kernel in layer.kernels
    )


def _is_1x1(kernel: Kernel) -> bool:
    return len(kernel.shape) > 2 and prod(kernel.shape[1:-1]) == 1


def _is_stepped(layer: LayerCost) -> bool:
    """Depthwise and 1x1 convolutions have no steps of 8."""
    known = any(name in (*_DENSE_OPERATORS, *_CONVOLUTIONS) for name in layer.operators)
    return known and not any(_is_1x1(kernel) for kernel in layer.kernels)


def _outputs(kernel: Kernel) -> int:
    return kernel.shape[0]


def _kernels(report: ResourceReport) -> list[Kernel]:
    return [kernel for layer in report.layers for kernel in layer.kernels]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _cycles(report: ResourceReport) -> str:
    return format_count(report.cycles)
