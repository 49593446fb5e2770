"""The parts of a kernel with blocks of zeros: outputs in a row, and the inputs that they read.

An NPU computes what is there, zeros too. So the outputs are divided so that each part reads few
inputs, and the parts are few: every operator costs something of its own.
"""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import BoolArray, Float32Array, Float64Array, Int8Array, IntArray

#: Inputs and outputs are looked at in steps: an Ethos-U computes in multiples of 8.
STEP = 8
#: Inputs that a product is rounded up to.
_INPUTS = 32

Run = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """Outputs of a kernel.

    Attributes:
        outputs: first, and the one behind the last.
        inputs: runs of inputs that it reads, each as (first, behind the last), in order; of a part
            without weights one run, whose weights are zero: the bias is left.
    """

    outputs: Run
    inputs: tuple[Run, ...]

    @property
    def input_count(self) -> int:
        """Number of inputs that it reads."""
        return sum(last - first for first, last in self.inputs)

    @property
    def output_count(self) -> int:
        """Number of outputs."""
        first, last = self.outputs
        return last - first


@dataclass(frozen=True)
class Costs:
    """The expected cycles of operators, which choose parts before Vela is asked.

    Attributes:
        operator: of every operator.
        weight: of a weight that is read.
        product: of a multiply-accumulate.
        copied: of an element that is copied beside others.
    """

    operator: float
    weight: float
    product: float
    copied: float


@dataclass(frozen=True)
class Work:
    """The work of an operator beside its kernel.

    Attributes:
        positions: that it makes; 1 for a frame.
        read_positions: that it reads.
        window: positions of its kernel.
    """

    positions: int = 1
    read_positions: int = 1
    window: int = 1


@dataclass(frozen=True)
class _Estimate:
    """The expected cycles of parts of one operator."""

    costs: Costs
    work: Work

    def of(self, outputs: int, inputs: int, runs: int) -> float:
        """Return the cycles of outputs that read inputs in so many runs."""
        costs, work = self.costs, self.work
        weights = outputs * -(-inputs // _INPUTS) * _INPUTS * work.window
        cycles = costs.operator + weights * (costs.weight + work.positions * costs.product)
        if runs > 1:
            cycles += costs.copied * inputs * work.read_positions + costs.operator * runs / 4
        return cycles


def parts_of(kernel: Int8Array | Float32Array, costs: Costs, work: Work) -> tuple[Part, ...]:
    """Return the parts of a kernel that are expected to cost least; one where none saves anything.

    Args:
        kernel: weights (spatial..., inputs, outputs).
        costs: of operators.
        work: of the operator.
    """
    live = _live(kernel)
    _, last = _least_costs(live, _Estimate(costs, work))
    return _parts(live, last, kernel.shape[-2], kernel.shape[-1])


def expected_cycles(kernel: Int8Array | Float32Array, costs: Costs, work: Work) -> float:
    """Return what the cheapest parts of a kernel are expected to cost.

    Arguments as of :func:`parts_of`.
    """
    best, _ = _least_costs(_live(kernel), _Estimate(costs, work))
    return float(best[-1])


def _least_costs(live: BoolArray, estimate: _Estimate) -> tuple[Float64Array, IntArray]:
    """Divide the steps of outputs by dynamic programming.

    Args:
        live: tiles with a weight, (steps of inputs, steps of outputs).
        estimate: of the cost of a part.

    Returns for every number of first steps, from 0 on, their least cost, and the step at which
    their last part begins.
    """
    count = live.shape[1]
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    last = np.zeros(count + 1, np.int64)
    for end in range(1, count + 1):
        union = np.zeros(live.shape[0], bool)
        for begin in range(end - 1, -1, -1):
            union |= live[:, begin]
            runs = int(union[0]) + int(np.count_nonzero(union[1:] & ~union[:-1]))
            inputs = max(STEP, STEP * int(np.count_nonzero(union)))
            cost = best[begin] + estimate.of(STEP * (end - begin), inputs, max(1, runs))
            if cost < best[end]:
                best[end] = cost
                last[end] = begin
    return best, last


def has_blocks(kernel: Int8Array | Float32Array, least: float = 0.2) -> bool:
    """Return whether a share of the small tiles of a kernel is empty, so that parts may pay."""
    return bool((~_live(kernel)).mean() >= least)


def _live(kernel: Int8Array | Float32Array) -> BoolArray:
    """Mark the tiles of STEP x STEP with a weight, (steps of inputs, steps of outputs)."""
    inputs, outputs = kernel.shape[-2:]
    is_weight = (kernel.reshape(-1, inputs, outputs) != 0).any(axis=0)
    padded = np.pad(is_weight, ((0, -inputs % STEP), (0, -outputs % STEP)))
    tiles = padded.reshape(padded.shape[0] // STEP, STEP, padded.shape[1] // STEP, STEP)
    return np.asarray(tiles.any(axis=(1, 3)), bool)


def _parts(live: BoolArray, last: IntArray, inputs: int, outputs: int) -> tuple[Part, ...]:
    """Return the parts that end where ``last`` says, first to last."""
    parts = []
    end = live.shape[1]
    while end:
        begin = int(last[end])
        is_read = np.asarray(live[:, begin:end].any(axis=1), bool)
        runs = _runs(is_read, inputs)
        parts.append(Part((begin * STEP, min(end * STEP, outputs)), runs))
        end = begin
    return tuple(reversed(parts))


def _runs(live: BoolArray, inputs: int) -> tuple[Run, ...]:
    """Return the runs of marked steps; the first step where none is marked."""
    if not live.any():
        return ((0, min(_INPUTS, inputs)),)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], live, [False]]).astype(np.int8)))
    runs = []
    for first, end in edges.reshape(-1, 2).tolist():
        runs.append((first * STEP, min(end * STEP, inputs)))
    return tuple(runs)
