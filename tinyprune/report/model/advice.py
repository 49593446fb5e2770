"""Advice that follows from numbers: the next step for each variant, with the figure that says so.

A rule is silent where the figures do not say. The thresholds come from what Vela 5.2 makes of four
networks (TinyLSTM, DS-CNN, ResNet-8, CRN) at 0 to 95 % zeros, with 2:4 and with half their units,
on U55, U65 and U85.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, prod

from tinyprune.artifacts.resources import Kernel, LayerCost, OperatorCost, ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.npu.cost_constants import MOST_FAST
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

#: Operators whose kernels are matrices or windows over all inputs: 2:4 and steps of outputs pay.
_FULL_OPERATORS = ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM", "CONV_2D", "TRANSPOSE_CONV")
_FLASH = ("off-chip flash", "on-chip flash")


@dataclass(frozen=True)
class AdviceLine:
    """One line of advice.

    Attributes:
        text: the line.
        weight: the share that is at stake, above 1 for what makes the network unusable.
    """

    text: str
    weight: float


Lines = Iterator[AdviceLine]


def advice(summary: RunSummary) -> dict[str, tuple[str, ...]]:
    """Return variant -> what would help it on this target, what matters most first.

    At most four lines, often fewer.
    """
    found = {}
    for variant in summary.variants:
        lines: list[AdviceLine] = []
        for rule in _RULES:
            lines += rule(variant, summary.hop_seconds)
        lines.sort(key=lambda line: -line.weight)
        found[variant.name] = tuple(line.text for line in lines[:MOST_LINES])
    return found


def _real_time(variant: VariantSummary, hop_seconds: float | None) -> Lines:
    seconds = variant.seconds_per_frame
    if not hop_seconds or seconds <= hop_seconds:
        return
    factor = seconds / hop_seconds
    frame, hop = format_seconds(seconds), format_seconds(hop_seconds)
    yield AdviceLine(
        f"not real time: a frame takes {frame} and comes every {hop}; "
        f"it needs {factor:.1f}x fewer cycles",
        2 + factor,
    )


def _cpu(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    counts = Counter(report.cpu_operators)
    if not counts:
        return
    kinds = ", ".join(f"{count}x {name}" for name, count in counts.items())
    layers = ", ".join(layer.name for layer in report.layers if "CPU" in layer.processor)
    where = f" in {layers}" if layers else ""
    yield AdviceLine(
        f"CPU: {kinds}{where} is not in the {_cycles(report)} cycles: "
        "use operators that the NPU has",
        2,
    )


def _waits_for_weights(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    waiting, memory = _waiting(report)
    share = _share(waiting, report.cycles)
    if share < _WORTH_CYCLES:
        return
    more = "more " if variant.sparsity else ""
    text = f"{share:.0%} of {_cycles(report)} cycles wait for {memory}: {more}weight sparsity"
    text += " will pay"
    if memory in _FLASH:
        text += f", to about {format_count(report.cycles - waiting)} cycles"
    yield AdviceLine(text, share)


def _computes(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    waiting, _memory = _waiting(report)
    share = _share(waiting, report.cycles)
    if report.bound_by != "NPU" or share >= _WORTH_CYCLES or not report.cycles:
        return
    computing = format_count(report.cycles_npu)
    text = f"NPU bound, {computing} of {_cycles(report)} cycles: removing units saves cycles"
    if not _computes_less_with_zeros(report):
        saved = f"about {share:.0%}" if share >= 0.01 else "hardly any"
        text += f", weight sparsity {saved}"
    yield AdviceLine(text, _share(report.cycles_npu, report.cycles))


def _moves_feature_maps(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if report.bound_by != "SRAM" or report.has_weights_in_sram:
        return
    moving = format_count(report.cycles_sram)
    yield AdviceLine(
        f"SRAM bound, {moving} of {_cycles(report)} cycles move feature maps: "
        "fewer units or smaller inputs help, zeros do not",
        _share(report.cycles_sram, report.cycles),
    )


def _metadata(variant: VariantSummary, _: float | None) -> Lines:
    scales, flash = variant.report.scale_bytes, variant.report.flash_bytes
    share = _share(scales, flash)
    if share >= _LARGE_METADATA:
        yield AdviceLine(
            f"{format_bytes(scales)} of {format_bytes(flash)} flash is per-channel metadata "
            "(bias and scale): only fewer units shrink it",
            share,
        )


def _two_of_four(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if not _is_u85(report):
        return
    layers = [layer for layer in report.layers if _takes_two_of_four(layer)]
    saved = sum(_saved_by_two_of_four(layer) for layer in layers)
    share = _share(saved, report.cycles)
    if share < _WORTH_CYCLES:
        return
    computing = format_count(sum(layer.cycles_npu for layer in layers))
    text = f"2:4 would pay on this target: it up to halves the {computing} of {_cycles(report)}"
    text += f" cycles that {len(layers)} layers compute"
    if any(_has_1x1(layer) for layer in report.layers):
        text += " (1x1 convolutions gain less)"
    yield AdviceLine(text, share)


def _dominant(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if len(report.layers) < _FEWEST_LAYERS:
        return
    for layer in report.layers:
        shares = {
            "cycles": _share(layer.cycles, report.cycles),
            "flash": _share(layer.flash_bytes, report.flash_bytes),
        }
        large = [
            f"{share:.0%} of the {name}" for name, share in shares.items() if share >= _DOMINANT
        ]
        if large:
            then = "it has no weights to prune, only smaller inputs help"
            if layer.weights:
                then = "prune it first"
            text = f"{layer.name} has {' and '.join(large)}: {then}"
            yield AdviceLine(text, max(shares.values()) / 2)


def _poorly_encoded(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if _is_u85(report):  # Vela stores its weights for speed there, not for size
        return
    layers = [layer for layer in report.layers if layer.compression]
    for layer in layers:
        own = _bytes_per_weight([layer])
        others = _bytes_per_weight([other for other in layers if other is not layer])
        share = _share(layer.encoded_weight_bytes, report.flash_bytes)
        sparsity = layer.zeros / layer.weights
        if sparsity < _SPARSE or share < _WORTH_FLASH:
            continue
        if own >= _POOR_ENCODING * others > 0:
            yield AdviceLine(
                f"{layer.name}, {sparsity:.0%} zeros, takes {own:.1f} bytes per weight that is "
                f"left, the other layers {others:.1f}: zeros pay better there",
                share,
            )


def _uncompressed(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if not _is_u85(report) or not report.has_weights_in_sram:
        return
    layers = [layer for layer in report.layers if _has_zeros_that_save_nothing(layer)]
    share = _share(sum(layer.encoded_weight_bytes for layer in layers), report.flash_bytes)
    if share < _WORTH_FLASH:
        return
    names = ", ".join(layer.name for layer in layers[:3])
    if len(layers) > 3:
        names += ", ..."
    yield AdviceLine(
        f"the zeros of {names} save nothing, in {share:.0%} of the flash: with weights in SRAM, "
        f"Vela compresses on Ethos-U85 only what becomes {MOST_FAST:g}x smaller, "
        "with about 70% zeros",
        share,
    )


def _unfilled_steps(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if report.target.npu not in _STEPPED_NPUS:
        return
    saved, names = 0.0, []
    # The outputs of the last layer with weights are the task's own.
    for layer in [layer for layer in report.layers if layer.weights][:-1]:
        outputs = _unfilled_outputs(layer)
        if outputs:
            names.append(f"{layer.name} ({outputs})")
            saved += layer.cycles_npu / ceil(outputs / _OUTPUT_STEP)
    share = _share(saved, report.cycles)
    if share >= _WORTH_CYCLES / 2:
        yield AdviceLine(
            f"units of {', '.join(names[:3])} are no multiple of {_OUTPUT_STEP}: the multiple "
            f"below saves about {share:.0%} of {_cycles(report)} cycles "
            f"(--round-to {_OUTPUT_STEP})",
            share,
        )


def _lonely_peak(variant: VariantSummary, _: float | None) -> Lines:
    layers = sorted(variant.report.layers, key=lambda layer: -layer.sram_bytes)
    if len(layers) < _FEWEST_LAYERS or layers[1].sram_bytes > _LONELY_PEAK * layers[0].sram_bytes:
        return
    peak, second = format_bytes(layers[0].sram_bytes), format_bytes(layers[1].sram_bytes)
    yield AdviceLine(
        f"SRAM peaks at {layers[0].name} with {peak}, the others need {second} at most: "
        "shrink this layer",
        0.2,
    )


_RULES: tuple[Callable[[VariantSummary, float | None], Lines], ...] = (
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
    """Cycles that fewer encoded weights would save, and the memory that is waited for.

    Summed operator by operator: one that is bound by its weights' memory would take what the
    slowest of the other parts takes, but not less than that memory needs for biases and scales.
    """
    costs = report.operators or report.layers
    saved = {
        memory: sum(_saved_by_fewer_weights(cost, memory) for cost in costs)
        for memory in _weight_memories(report)
    }
    memory = max(saved, key=lambda memory: saved[memory])
    return saved[memory], memory


def _weight_memories(report: ResourceReport) -> tuple[str, ...]:
    """Memories whose traffic is weights.

    Flash is only read. DRAM counts where nothing else of that size can be in it.
    """
    others = report.dram_bytes + report.sram_bytes + report.scale_bytes
    if report.encoded_weight_bytes >= _MOSTLY_WEIGHTS * others:
        return (*_FLASH, "DRAM")
    return _FLASH


def _saved_by_fewer_weights(cost: LayerCost | OperatorCost, memory: str) -> float:
    if cost.slowest_part != memory:
        return 0.0
    scales = cost.parts[memory] * _share(cost.scale_bytes, cost.flash_bytes)
    return max(0.0, cost.cycles - max(cost.cycles_without(memory), scales))


def _computes_less_with_zeros(report: ResourceReport) -> bool:
    """True where the NPU's own cycles depend on zeros.

    They do with a cache for DRAM, and on U85, where 2:4 comes by chance.
    """
    return bool(report.cycles_dram) or _is_u85(report)


def _is_u85(report: ResourceReport) -> bool:
    return report.target.family == "ethos-u85"


def _bytes_per_weight(layers: list[LayerCost]) -> float:
    """Encoded bytes per weight that is not 0."""
    left = sum(layer.weights - layer.zeros for layer in layers)
    return _share(sum(layer.encoded_weight_bytes for layer in layers), left)


def _has_zeros_that_save_nothing(layer: LayerCost) -> bool:
    is_uncompressed = 0 < layer.weights <= layer.encoded_weight_bytes
    return is_uncompressed and (layer.sparsity or 0) >= _SOME


def _unfilled_outputs(layer: LayerCost) -> int:
    """The largest number of outputs that fills no step of the NPU; 0 where that costs nothing.

    Depthwise and 1x1 convolutions have no steps.
    """
    if layer.bound_by != "NPU" or not _is_full(layer) or _has_1x1(layer):
        return 0
    outputs = [kernel.shape[0] for kernel in layer.kernels]
    unfilled = [count for count in outputs if count % _OUTPUT_STEP and count > _OUTPUT_STEP]
    return max(unfilled, default=0)


def _takes_two_of_four(layer: LayerCost) -> bool:
    """True for a layer that computes, and whose kernels 2:4 would make sparser."""
    if layer.bound_by != "NPU" or layer.sparsity is None or layer.sparsity >= _TWO_OF_FOUR:
        return False
    has_runs = all(kernel.shape[-1] >= _RUN for kernel in layer.kernels)
    return has_runs and _is_full(layer) and not _has_1x1(layer)


def _saved_by_two_of_four(layer: LayerCost) -> float:
    return layer.cycles - max(layer.cycles_npu / 2, layer.cycles_without("NPU"))


def _is_full(layer: LayerCost) -> bool:
    return any(name in _FULL_OPERATORS for name in layer.operators)


def _has_1x1(layer: LayerCost) -> bool:
    return any(_is_1x1(kernel) for kernel in layer.kernels)


def _is_1x1(kernel: Kernel) -> bool:
    return len(kernel.shape) > 2 and prod(kernel.shape[1:-1]) == 1


def _share(part: float, total: float) -> float:
    return part / total if total else 0.0


def _cycles(report: ResourceReport) -> str:
    return format_count(report.cycles)
