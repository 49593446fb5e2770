"""Advice that follows from numbers: the next step for each variant, with the figure that says so.

A rule is silent where the figures do not say. The thresholds come from what Vela 5.2 makes of four
networks (TinyLSTM, DS-CNN, ResNet-8, CRN) at 0 to 95 % zeros, with 2:4 and with half their units,
on U55, U65 and U85.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

from tinyprune.artifacts.resources import LayerCost, OperatorCost, ResourceReport
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
_FULL_OPERATORS = frozenset(
    ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM", "CONV_2D", "TRANSPOSE_CONV")
)
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


def _everywhere(_: ResourceReport) -> bool:
    return True


@dataclass(frozen=True)
class _Rule:
    """One reason to advise something.

    Attributes:
        lines: of a variant, with the time between two inferences in streaming use.
        least: the weight that a line must have to be worth saying.
        applies: True for the networks that the rule is about.
    """

    lines: Callable[[VariantSummary, float | None], Lines]
    least: float = 0.0
    applies: Callable[[ResourceReport], bool] = _everywhere


def advice(summary: RunSummary) -> dict[str, tuple[str, ...]]:
    """Return variant -> what would help it on this target, what matters most first.

    At most four lines, often fewer.
    """
    texts = {}
    for variant in summary.variants:
        lines = _worth_saying(variant, summary.hop_seconds)
        lines.sort(key=lambda line: -line.weight)
        texts[variant.name] = tuple(line.text for line in lines[:MOST_LINES])
    return texts


def _worth_saying(variant: VariantSummary, hop_seconds: float | None) -> list[AdviceLine]:
    """Every line of advice for a variant, in the order of the rules."""
    lines = []
    for rule in _RULES:
        if rule.applies(variant.report):
            candidates = rule.lines(variant, hop_seconds)
            lines += [line for line in candidates if line.weight >= rule.least]
    return lines


def _real_time(variant: VariantSummary, hop_seconds: float | None) -> Lines:
    seconds = variant.seconds_per_frame
    if not hop_seconds or seconds <= hop_seconds:
        return
    factor = seconds / hop_seconds
    frame = format_seconds(seconds)
    hop = format_seconds(hop_seconds)
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
    kinds = [f"{count}x {name}" for name, count in counts.items()]
    layers = [layer.name for layer in report.layers if "CPU" in layer.processor]
    where = ", ".join(kinds)
    if layers:
        where += f" in {', '.join(layers)}"
    yield AdviceLine(
        f"CPU: {where} is not in the {_cycles(report)} cycles: use operators that the NPU has",
        2,
    )


def _waits_for_weights(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    waiting, memory = _waiting(report)
    share = _share(waiting, report.cycles)
    more = ""
    if variant.sparsity:
        more = "more "
    text = (
        f"{share:.0%} of {_cycles(report)} cycles wait for {memory}: {more}weight sparsity will pay"
    )
    if memory in _FLASH:
        left = format_count(report.cycles - waiting)
        text += f", to about {left} cycles"
    yield AdviceLine(text, share)


def _computes(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    waiting, _memory = _waiting(report)
    share = _share(waiting, report.cycles)
    if share >= _WORTH_CYCLES:
        return
    computing = format_count(report.cycles_npu)
    text = f"NPU bound, {computing} of {_cycles(report)} cycles: removing units saves cycles"
    if not _computes_less_with_zeros(report):
        saved = "hardly any"
        if share >= 0.01:
            saved = f"about {share:.0%}"
        text += f", weight sparsity {saved}"
    yield AdviceLine(text, _share(report.cycles_npu, report.cycles))


def _moves_feature_maps(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    moving = format_count(report.cycles_sram)
    yield AdviceLine(
        f"SRAM bound, {moving} of {_cycles(report)} cycles move feature maps: "
        "fewer units or smaller inputs help, zeros do not",
        _share(report.cycles_sram, report.cycles),
    )


def _metadata(variant: VariantSummary, _: float | None) -> Lines:
    scales = variant.report.scale_bytes
    flash = variant.report.flash_bytes
    yield AdviceLine(
        f"{format_bytes(scales)} of {format_bytes(flash)} flash is per-channel metadata "
        "(bias and scale): only fewer units shrink it",
        _share(scales, flash),
    )


def _two_of_four(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    layers = list(filter(_takes_two_of_four, report.layers))
    computing = 0.0
    saved = 0.0
    for layer in layers:
        computing += layer.cycles_npu
        saved += _saved_by_two_of_four(layer)
    text = (
        f"2:4 would pay on this target: it up to halves the {format_count(computing)} of "
        f"{_cycles(report)} cycles that {len(layers)} layers compute"
    )
    if any(map(_has_1x1, report.layers)):
        text += " (1x1 convolutions gain less)"
    yield AdviceLine(text, _share(saved, report.cycles))


def _dominant(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    if len(report.layers) < _FEWEST_LAYERS:
        return
    for layer in report.layers:
        shares = {
            "cycles": _share(layer.cycles, report.cycles),
            "flash": _share(layer.flash_bytes, report.flash_bytes),
        }
        parts = []
        for name, share in shares.items():
            if share >= _DOMINANT:
                parts.append(f"{share:.0%} of the {name}")
        remedy = "it has no weights to prune, only smaller inputs help"
        if layer.weights:
            remedy = "prune it first"
        text = f"{layer.name} has {' and '.join(parts)}: {remedy}"
        yield AdviceLine(text, max(shares.values()) / 2)


def _poorly_encoded(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    layers = [layer for layer in report.layers if layer.compression]
    for layer in layers:
        sparsity = layer.zeros / layer.weights
        if sparsity < _SPARSE:
            continue
        own = _bytes_per_weight([layer])
        others = _bytes_per_weight([other for other in layers if other is not layer])
        if own >= _POOR_ENCODING * others > 0:
            yield AdviceLine(
                f"{layer.name}, {sparsity:.0%} zeros, takes {own:.1f} bytes per weight that is "
                f"left, the other layers {others:.1f}: zeros pay better there",
                _share(layer.encoded_weight_bytes, report.flash_bytes),
            )


def _uncompressed(variant: VariantSummary, _: float | None) -> Lines:
    report = variant.report
    layers = list(filter(_has_zeros_that_save_nothing, report.layers))
    encoded = sum(layer.encoded_weight_bytes for layer in layers)
    share = _share(encoded, report.flash_bytes)
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
    with_weights = [layer for layer in report.layers if layer.weights]
    saved = 0.0
    names = []
    # The outputs of the last layer with weights are the task's own.
    for layer in with_weights[:-1]:
        outputs = _unfilled_outputs(layer)
        if outputs:
            names.append(f"{layer.name} ({outputs})")
            saved += layer.cycles_npu / ceil(outputs / _OUTPUT_STEP)
    share = _share(saved, report.cycles)
    yield AdviceLine(
        f"units of {', '.join(names[:3])} are no multiple of {_OUTPUT_STEP}: the multiple "
        f"below saves about {share:.0%} of {_cycles(report)} cycles "
        f"(--round-to {_OUTPUT_STEP})",
        share,
    )


def _lonely_peak(variant: VariantSummary, _: float | None) -> Lines:
    layers = sorted(variant.report.layers, key=lambda layer: -layer.sram_bytes)
    if len(layers) < _FEWEST_LAYERS:
        return
    first, second = layers[:2]
    if second.sram_bytes > _LONELY_PEAK * first.sram_bytes:
        return
    peak = format_bytes(first.sram_bytes)
    others = format_bytes(second.sram_bytes)
    yield AdviceLine(
        f"SRAM peaks at {first.name} with {peak}, the others need {others} at most: "
        "shrink this layer",
        0.2,
    )


def _is_u85(report: ResourceReport) -> bool:
    return report.target.family == "ethos-u85"


def _is_encoded_for_size(report: ResourceReport) -> bool:
    """True where Vela stores weights for size; on U85 it does for speed."""
    return not _is_u85(report)


def _is_u85_with_weights_in_sram(report: ResourceReport) -> bool:
    return _is_u85(report) and report.has_weights_in_sram


def _has_output_steps(report: ResourceReport) -> bool:
    return report.target.npu in _STEPPED_NPUS


def _is_npu_bound(report: ResourceReport) -> bool:
    return report.bound_by == "NPU" and report.cycles > 0


def _is_bound_by_feature_maps(report: ResourceReport) -> bool:
    return report.bound_by == "SRAM" and not report.has_weights_in_sram


_RULES = (
    _Rule(_real_time),
    _Rule(_cpu),
    _Rule(_waits_for_weights, least=_WORTH_CYCLES),
    _Rule(_computes, applies=_is_npu_bound),
    _Rule(_moves_feature_maps, applies=_is_bound_by_feature_maps),
    _Rule(_metadata, least=_LARGE_METADATA),
    _Rule(_two_of_four, least=_WORTH_CYCLES, applies=_is_u85),
    _Rule(_dominant, least=_DOMINANT / 2),
    _Rule(_poorly_encoded, least=_WORTH_FLASH, applies=_is_encoded_for_size),
    _Rule(_uncompressed, least=_WORTH_FLASH, applies=_is_u85_with_weights_in_sram),
    _Rule(_unfilled_steps, least=_WORTH_CYCLES / 2, applies=_has_output_steps),
    _Rule(_lonely_peak),
)


def _waiting(report: ResourceReport) -> tuple[float, str]:
    """Cycles that fewer encoded weights would save, and the memory that is waited for.

    Summed operator by operator: one that is bound by its weights' memory would take what the
    slowest of the other parts takes, but not less than that memory needs for biases and scales.
    """
    costs = report.operators or report.layers
    saved = {}
    for memory in _weight_memories(report):
        saved[memory] = sum(_saved_by_fewer_weights(cost, memory) for cost in costs)
    slowest = max(saved, key=saved.__getitem__)
    return saved[slowest], slowest


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
    cycles_left = max(cost.cycles_without(memory), scales)
    return max(0.0, cost.cycles - cycles_left)


def _computes_less_with_zeros(report: ResourceReport) -> bool:
    """True where the NPU's own cycles depend on zeros.

    They do with a cache for DRAM, and on U85, where 2:4 comes by chance.
    """
    return bool(report.cycles_dram) or _is_u85(report)


def _bytes_per_weight(layers: list[LayerCost]) -> float:
    """Encoded bytes per weight that is not 0."""
    encoded = 0.0
    left = 0
    for layer in layers:
        encoded += layer.encoded_weight_bytes
        left += layer.weights - layer.zeros
    return _share(encoded, left)


def _has_zeros_that_save_nothing(layer: LayerCost) -> bool:
    is_uncompressed = 0 < layer.weights <= layer.encoded_weight_bytes
    return is_uncompressed and _share(layer.zeros, layer.weights) >= _SOME


def _unfilled_outputs(layer: LayerCost) -> int:
    """The largest number of outputs that fills no step of the NPU; 0 where that costs nothing.

    Depthwise and 1x1 convolutions have no steps.
    """
    if not _computes_full_kernels(layer):
        return 0
    outputs = {kernel.shape[0] for kernel in layer.kernels if kernel.shape[0] % _OUTPUT_STEP}
    largest = max(outputs, default=0)
    if largest > _OUTPUT_STEP:
        return largest
    return 0


def _takes_two_of_four(layer: LayerCost) -> bool:
    """True for a layer that computes, and whose kernels 2:4 would make sparser."""
    if not _computes_full_kernels(layer):
        return False
    is_denser = layer.zeros < _TWO_OF_FOUR * layer.weights
    has_runs = all(kernel.shape[-1] >= _RUN for kernel in layer.kernels)
    return is_denser and has_runs


def _saved_by_two_of_four(layer: LayerCost) -> float:
    return layer.cycles - max(layer.cycles_npu / 2, layer.cycles_without("NPU"))


def _computes_full_kernels(layer: LayerCost) -> bool:
    """True where computing takes longest, with matrices or windows over all inputs."""
    is_full = not _FULL_OPERATORS.isdisjoint(layer.operators)
    if not is_full or _has_1x1(layer):
        return False
    return layer.bound_by == "NPU"


def _has_1x1(layer: LayerCost) -> bool:
    """True for a convolution with windows of one point; a matrix has no window."""
    return any(set(kernel.shape[1:-1]) == {1} for kernel in layer.kernels)


def _share(part: float, total: float) -> float:
    if total:
        return part / total
    return 0.0


def _cycles(report: ResourceReport) -> str:
    return format_count(report.cycles)
