"""Which structure for which bottleneck: sentences whose every figure is that of a row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.paper.record import RowRecord
from benchmarks.paper.rows import DENSE_INT8, DENSE_TRAINED
from benchmarks.paper.tables import factor, kilobytes
from benchmarks.paper.view import SHARED, SRAM_ONLY, U85, View
from tinyprune.units import format_bytes, format_count

WEIGHT, UNIT, BLOCK, TWO_FOUR = "weight-0.90", "unit-0.70", "block-16x16-0.80", "2-4"
CHOSEN = ("differentiable-cycles-24k", "differentiable-cycles-24k-weight-0.50-longer")
SPARSE = "differentiable-cycles-36k-weight-0.77"
LONGER = f"{DENSE_TRAINED}-longer"
LONGEST = "differentiable-cycles-36k-weight-0.85"
FEWER = "differentiable-cycles-36k-weight-0.60"


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        title: the bottleneck. needs: rows whose figures it is made of. text: makes the sentences of
            those rows.
    """

    title: str
    needs: tuple[str, ...]
    text: Callable[..., str]


def lessons(view: View) -> Iterator[tuple[str, str]]:
    """Title and text of every lesson; where rows are missing, which."""
    for lesson in LESSONS:
        found = [view.of(name) for name in lesson.needs]
        missing = [
            f"`{name}`" for name, one in zip(lesson.needs, found, strict=True) if one is None
        ]
        yield (
            lesson.title,
            f"Not known yet: it needs {', '.join(missing)}."
            if missing
            else lesson.text(view, *found),
        )


def _flash(view: View, dense: RowRecord, weight: RowRecord, unit: RowRecord) -> str:
    floor, own, fewer = (
        kilobytes(found.costs[SHARED].scale_bytes) for found in (dense, weight, unit)
    )
    whole = kilobytes(weight.costs[SHARED].flash_bytes)
    return (
        f"Take units away, then prune weights. `{weight.row}` brings {_encoded(dense)} of encoded weights to "
        f"{_encoded(weight)} ({view.change(weight)}). What stays is 10 B of bias and scale per output channel of every "
        f"matrix: {own} of its {whole} of flash, and {floor} in the dense network. No zero touches that; removed units "
        f"do: {fewer} in `{unit.row}` ({view.change(unit)})."
    )


def _clusters(view: View, before: RowRecord, after: RowRecord) -> str:
    sizes = [kilobytes(found.costs[SHARED].flash_bytes) for found in (before, after)]
    return (
        f"`tinyprune prune --offline GRAPH.tflite --clusters {after.config['clusters']}`: the weights of a kernel "
        "share as many values, chosen without training, and Vela's encoder makes a palette of them. "
        f"`{before.row}`: {sizes[0]} ({view.change(before)}); `{after.row}`: {sizes[1]} ({view.change(after)}), "
        f"{factor(view.flash_ratio(after))} below float32, {_fewer(view, after, SHARED)} than dense int8 under "
        "Shared_Sram. The rows with clusters were thought of when the others had been scored on test already."
    )


def _streaming(view: View, weight: RowRecord, unit: RowRecord) -> str:
    cost = weight.costs[SHARED]
    return (
        "Where weights stream from slow memory (Shared_Sram), fewer bytes are fewer cycles, whatever made them fewer: "
        f"{_fewer(view, weight, SHARED)} with `{weight.row}` ({view.change(weight)}), {_fewer(view, unit, SHARED)} "
        f"with `{unit.row}` ({view.change(unit)}). Weight sparsity helps until only what the NPU itself needs is left, "
        f"{format_count(cost.cycles_npu)} cycles; `{weight.row}` has {format_count(cost.cycles)}, bound by "
        f"{cost.bound_by}."
    )


def _computing(view: View, weight: RowRecord, unit: RowRecord) -> str:
    return (
        "Where weights are in SRAM (Sram_Only), the NPU multiplies zeros like any other weight: "
        f"{_fewer(view, weight, SRAM_ONLY)} with `{weight.row}`, {_fewer(view, unit, SRAM_ONLY)} with `{unit.row}`. "
        "Remove units: that is the structure which pays in every memory mode."
    )


def _chosen(view: View, evenly: RowRecord, chosen: RowRecord, then: RowRecord) -> str:
    return (
        f"The same part of every layer, `{evenly.row}`: {_fewer(view, evenly, SRAM_ONLY)} under Sram_Only, "
        f"{view.change(evenly)}. Where the training finds out what to keep of a budget of cycles, `{chosen.row}`: "
        f"{_fewer(view, chosen, SRAM_ONLY)}, {view.change(chosen)}. With half of the weights that are left pruned, and "
        f"trained on, `{then.row}`: flash {factor(view.flash_ratio(then))} below float32, {view.change(then)}."
    )


def _sram(view: View, dense: RowRecord, weight: RowRecord, unit: RowRecord) -> str:
    sizes = [format_bytes(found.costs[SRAM_ONLY].sram_bytes) for found in (dense, weight, unit)]
    return (
        f"Under Sram_Only the encoded weights live in SRAM too: {sizes[0]} dense, {sizes[1]} with `{weight.row}`, "
        f"{sizes[2]} with `{unit.row}`. Under Shared_Sram it holds feature maps and buffers for weights only: "
        f"{format_bytes(dense.costs[SHARED].sram_bytes)} dense."
    )


def _n_of_m(view: View, two_four: RowRecord, weight: RowRecord) -> str:
    return (
        f"2:4 has {_fewer(view, two_four, U85)} there ({view.change(two_four)}); as many zeros without a pattern, "
        f"`{weight.row}`, {_fewer(view, weight, U85)} ({view.change(weight)}). Ethos-U55 has no such mode: "
        f"{_fewer(view, two_four, SRAM_ONLY)} under Sram_Only."
    )


def _blocks(view: View, block: RowRecord, weight: RowRecord) -> str:
    difference = view.loss(block) - view.loss(weight)
    return (
        "The paper has its speedup, 6.7x at 0.59 dB SDR, from block pruning. That does not carry over to Vela while "
        f"blocks are zeros inside a dense operator, as in these rows. `{block.row}`: {_fewer(view, block, SRAM_ONLY)} under Sram_Only, "
        f"{_fewer(view, block, SHARED)} under Shared_Sram, {_encoded(block)} of encoded weights. `{weight.row}`, with "
        f"as many zeros in any place: {_fewer(view, weight, SRAM_ONLY)}, {_fewer(view, weight, SHARED)}, "
        f"{_encoded(weight)}. In SDR the blocks are {abs(difference):.2f} dB {'below' if difference > 0 else 'above'} "
        "it. Vela cuts an operator by its shape and not by its values, and the NPU has no way to skip a tile: zeros of "
        "any kind only shorten the encoded stream. Blocks pay as operators of their own, small dense ones over the "
        "blocks that live. Vela does not make them; `tinyprune compile` does since these rows were made, with larger "
        "blocks and LSTMs as explicit operators: see [what was measured since](benchmarks.md#pruning-with-int8-learning-beside-tfmot)."
    )


def _training(view: View, joint: RowRecord, offline: RowRecord) -> str:
    return (
        f"The same zeros without any training (`{offline.row}`): {view.change(offline)}; with it (`{joint.row}`): "
        f"{view.change(joint)}."
    )


def _control(
    view: View, dense: RowRecord, longer: RowRecord, longest: RowRecord, sparse: RowRecord
) -> str:
    return (
        "The rows were trained on from the float32 baseline: part of what they change is training and not pruning. "
        f"The dense int8 network, trained on in the same way with nothing removed, for {dense.epochs} epochs "
        f"(`{dense.row}`): {view.change(dense)}; for {longer.epochs} more (`{longer.row}`): {view.change(longer)}; for "
        f"another {longest.epochs} (`{longest.row}`): {view.change(longest)}. "
        f"That is {view.epochs(longest)} epochs in all. After {view.epochs(sparse)}, `{sparse.row}`: "
        f"{view.change(sparse)}, {factor(view.flash_ratio(sparse))} less flash than float32."
    )


def _tried(view: View, *found: RowRecord) -> str:
    alone, evenly, fewer, clustered, chosen, longest = found

    def got(one: RowRecord) -> str:
        return f"`{one.row}` {factor(view.flash_ratio(one))}, {view.change(one)}"

    return (
        f"Weights alone, ranked over all layers, so that each has a sparsity of its own: {got(alone)}. The same part "
        f"of the units of every layer and then weights: {got(evenly)}. Units by a budget, which spares their 10 B per "
        f"channel, and then weights: {got(fewer)}; with few values: {got(clustered)}. More zeros and longer training, "
        f"{view.epochs(chosen)} and {view.epochs(longest)} epochs in all: {got(chosen)}; {got(longest)}. All of them "
        "learn from the float32 baseline too (distillation), whose learning rate was searched (design.md). On dev "
        f"`{chosen.row}` has {view.change(chosen, 'dev')}, `{fewer.row}` {view.change(fewer, 'dev')}: "
        "what is left is not flash, but how far a choice on so few mixtures carries. Not tried: another seed, another "
        "shape of the schedule, training along with few values."
    )


def _rival(view: View, tfmot: RowRecord, ours: RowRecord) -> str:
    return (
        f"TFMOT prunes the LSTMs in Keras 2 and has no int8 learning for them: `{tfmot.row}`, int8 after the training: "
        f"{view.change(tfmot)}. As many epochs of joint training, without a ladder (`{ours.row}`): {view.change(ours)}."
    )


def _fewer(view: View, found: RowRecord, target: str) -> str:
    """``4.3x fewer cycles``, or that there is no difference, which 1.0x would hide."""
    ratio = view.cycles_ratio(found, target) or 1.0
    if abs(ratio - 1) < 0.005:
        return "no fewer cycles"
    return f"{factor(ratio)} fewer cycles" if ratio > 1 else f"{factor(1 / ratio)} more cycles"


def _encoded(found: RowRecord) -> str:
    return kilobytes(found.costs[SHARED].encoded_weight_bytes)


LESSONS = (
    Lesson("Flash is too small", (DENSE_INT8, WEIGHT, UNIT), _flash),
    Lesson("Flash is still too small", (FEWER, f"{FEWER}-16-clusters"), _clusters),
    Lesson("Too slow, weights in flash", (WEIGHT, UNIT), _streaming),
    Lesson("Too slow, weights in SRAM", (WEIGHT, UNIT), _computing),
    Lesson("Which units to remove", ("unit-0.795", *CHOSEN), _chosen),
    Lesson("SRAM is too small", (DENSE_INT8, WEIGHT, UNIT), _sram),
    Lesson("The device is an Ethos-U85", (TWO_FOUR, "weight-0.50"), _n_of_m),
    Lesson(
        "What does not carry over: blocks inside a dense operator", (BLOCK, "weight-0.80"), _blocks
    ),
    Lesson(
        "What training alone does", (DENSE_TRAINED, LONGER, f"{LONGER}-longer", SPARSE), _control
    ),
    Lesson(
        "42x less flash for 0.1 dB: what was tried",
        ("weight-0.975", "unit-0.50-weight-0.85", FEWER, f"{FEWER}-16-clusters", SPARSE, LONGEST),
        _tried,
    ),
    Lesson("TFMOT", ("tfmot-weight-0.90", f"{WEIGHT}-at-once"), _rival),
    Lesson("Without training", (WEIGHT, f"offline-{WEIGHT}"), _training),
)
