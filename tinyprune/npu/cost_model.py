"""What Vela would say of a network, as a function of how many units of each set stay; nothing is compiled.

The form is Vela's own (its ``npu_performance.py``); the constants are fitted to many compiled operators
(``benchmarks/fit_npu.py``) and ship in ``cost_model.json``. For every operator, with C channels in and K out::

    cycles  = max(compute, traffic of SRAM, traffic of the slow memory)
    compute = a * max(steps, output_cycles * elements) + b * first + c * weight bytes + d * bursts + e
    steps   = ceil(K / depth) * micro-blocks * min(4 taps ceil(C / 32), 4 ceil(taps / 4) ceil(C / 8))
    SRAM    = f * read bytes + g * made bytes + h * tiles * weight bytes + i
    slow    = j * encoded weights + k * tiles * scales + l * (read bytes + made bytes) + m

    encoded = n * weights + o * padding + p * weights * padding / (padding + 0.02 * weights) + q
    scales  = 10 bytes per output channel, rounded up to 16 for each operator

The NPU takes 32 input channels and one tap at a time, or 8 and four, for a micro-block of outputs: weights are padded
to that. ``first`` are the elements of the first block of outputs, whose writing nothing hides; with several ``tiles``
of positions, weights are read several times; a position with fewer than 8 channels is a burst of the memory by itself.

The arena is the peak of the feature maps, their channels rounded up to 16, plus the weights that Vela stages. All of it
is differentiable where ``ceil`` is (:class:`tinyprune.sparsity.resource_model.Arrays`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyprune.npu.cost_constants import TERMS, Constants, constants_of
from tinyprune.npu.cost_features import ALIGNMENT, BRICK, Features, fused, stored, table_kinds
from tinyprune.resources import NpuTarget
from tinyprune.sparsity.network_shape import Floats, NetworkShape
from tinyprune.sparsity.resource_model import NUMPY, Arrays, ChannelCounts, ResourceModel

_LEAST_SRAM = 16
_MIXED = 0.02  # padding over weights at which half of the mixing is felt


@dataclass(frozen=True)
class Prediction:
    """What Vela is expected to say; the fields are called as in :class:`tinyprune.resources.ResourceReport`.

    Attributes:
        target: what for.
        flash_bytes: encoded weights, biases, scales and lookup tables.
        encoded_weight_bytes, scale_bytes: parts of it.
        sram_bytes: peak SRAM; with weights in SRAM, those too.
        cycles: per inference.
        macs: multiply-accumulates per inference.
    """

    target: NpuTarget
    flash_bytes: float
    encoded_weight_bytes: float
    scale_bytes: float
    sram_bytes: float
    cycles: float
    macs: float


class CostModel:
    """Flash, SRAM and cycles of a network on a target; every function takes ``kept`` (sets,) and gives one number.

    Args:
        shape: of the network.
        target: what for.
        arrays: the array library that ``kept`` is of.
        constants: default: those that ship for the target.

    Raises UsageError for a target without constants.
    """

    def __init__(
        self, shape: NetworkShape, target: NpuTarget, arrays: Arrays = NUMPY, constants: Constants | None = None
    ) -> None:
        self.constants, self.arrays = constants or constants_of(target), arrays
        deployed = fused(shape)
        self.features = Features(deployed, self.constants.micro_blocks, arrays)
        self._memory = ResourceModel(deployed, arrays)
        self._bytes = _Arena(deployed, arrays)
        kinds = self.features.kinds
        self._terms = {
            term: np.array([self.constants.kinds.get(kind, {}).get(term, (0.0,) * size) for kind in kinds])
            .reshape(-1, size)
            .T
            for term, size in TERMS.items()
        }
        # of an LSTM's eight matrices one is in SRAM at a time; they come in two rows
        self._staged = np.array([self.constants.staged.get(k, 0.0) * (0.5 if k == "gate" else 1.0) for k in kinds])
        self._tables = sum(self.constants.tables.get(kind, 0.0) for kind in table_kinds(shape))

    def encoded_weight_bytes(self, kept: Any) -> Any:
        """Weights as Vela encodes them."""
        features = self.features.at(kept)
        return self.arrays.total(self.features.repeats * self._encoded(features))

    def scale_bytes(self, kept: Any) -> Any:
        """Biases and scales."""
        return self.arrays.total(self.features.repeats * self.features.at(kept)["scales"])

    def flash_bytes(self, kept: Any) -> Any:
        """Encoded weights, biases, scales and lookup tables."""
        return self.encoded_weight_bytes(kept) + self.scale_bytes(kept) + self._tables

    def cycles(self, kept: Any) -> Any:
        """Cycles of one inference."""
        return self.arrays.total(self.operator_cycles(kept))

    def operator_cycles(self, kept: Any) -> Any:
        """Cycles of each row of :attr:`features`, (rows,)."""
        found = self.features.at(kept)
        terms, arrays = self._terms, self.arrays
        columns = term_columns(found, self._encoded(found), self.features.tiles, self.constants.output_cycles, arrays)
        compute, sram, slow = (
            sum(factor * column for factor, column in zip(terms[term], columns[term], strict=True)) for term in columns
        )
        slow = arrays.maximum(slow, self.constants.scale_cycles * found["scale_fetches"])
        return self.features.repeats * arrays.maximum(compute, arrays.maximum(sram, slow))

    def sram_bytes(self, kept: Any) -> Any:
        """Peak SRAM: the arena; with weights in SRAM, those too; never more than the cache of a Dedicated_Sram mode."""
        found = self.features.at(kept)
        copied = self._staged * self._copied(self._encoded(found) + found["scales"])
        staged = self.arrays.matvec(self.features.step_of_row, copied)
        cell = self.arrays.matvec(self.features.step_of_row, self.constants.cell_bytes * found["units"])
        # the weights of the next operator are on their way while one runs
        ahead = self.arrays.matvec(self.features.next_step, staged)
        peak = self.arrays.largest(self._bytes.steps(kept) + cell + staged + ahead)
        peak = self.arrays.maximum(peak, float(_LEAST_SRAM))
        if self.constants.sram_bytes:
            peak = self.arrays.minimum(peak, self.constants.sram_bytes)
        return peak + self.flash_bytes(kept) if self.constants.weights_in_sram else peak

    def _copied(self, weights: Any) -> Any:
        """Bytes in SRAM for weights: all of them, or two buffers that take turns."""
        return self.arrays.minimum(weights, self.constants.buffer_part * weights + self.constants.buffer_bytes)

    def macs(self, kept: Any) -> Any:
        """Multiply-accumulates of one inference."""
        return self._memory.macs(kept)

    def _encoded(self, found: Mapping[str, Any]) -> Any:
        factors = self._terms["encoding"]
        columns = packing_columns(found)
        return sum(factor * column for factor, column in zip(factors, columns, strict=True))


def packing_columns(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the constants of encoded weights are multiplied with, each (rows,).

    The third are the weights once more, where they share the stream with zeros that pad them: the code fits them less.
    """
    weights, padding = found["weights"], found["padding"]
    mixed = weights * padding / (padding + _MIXED * weights + 1e-6)
    return weights, padding, mixed, 0.0 * weights + 1.0


def term_columns(
    found: Mapping[str, Any], encoded: Any, tiles: Floats, output_cycles: float, arrays: Arrays
) -> dict[str, tuple[Any, ...]]:
    """Term of cycles -> what its constants are multiplied with, each (rows,). Encoded: bytes of weights."""
    one, weights = 0.0 * encoded + 1.0, encoded + found["scales"]
    return {
        "compute": (
            arrays.maximum(found["steps"], output_cycles * found["elements"]),
            *(found["first"], weights, found["bursts"], one),
        ),
        "sram": (found["read"], found["made"], tiles * weights, one),
        "slow": (encoded, tiles * found["scales"], found["read"] + found["made"], one),
    }


class _Arena:
    """Feature maps in SRAM: channels in bricks of 16, what goes in and out of the network as it is."""

    def __init__(self, shape: NetworkShape, arrays: Arrays) -> None:
        self._arrays = arrays
        self._held = ChannelCounts([tensor.channels for tensor in shape.tensors], len(shape.sets))
        self._area = np.array([tensor.area * tensor.bytes_per_element for tensor in shape.tensors], np.float64)
        ends = [number in (*shape.inputs, *shape.outputs) for number in range(len(shape.tensors))]
        self._plain = np.array(
            [end or tensor.area == 1 for end, tensor in zip(ends, shape.tensors, strict=True)], float
        )
        joined = {number for op in shape.operators if op.kind == "concat" for number in op.outputs}
        self._joined = np.array([number in joined for number in range(len(shape.tensors))], np.float64)
        self._live = shape.live().astype(np.float64)

    def steps(self, kept: Any) -> Any:
        """Bytes of feature maps while each operator runs, (operators,)."""
        held = self._held(kept, self._arrays)
        plain = self._arrays.round_up(held * self._area, ALIGNMENT)
        bricks = self._joined * self._arrays.round_up(held, BRICK) + (1 - self._joined) * stored(held, self._arrays)
        return self._arrays.matvec(self._live, self._plain * plain + (1 - self._plain) * bricks * self._area)


def predict(shape: NetworkShape, kept: Floats, target: NpuTarget, constants: Constants | None = None) -> Prediction:
    """What Vela is expected to say of a network with ``kept`` (sets,) units of each set.

    Raises UsageError for a target without constants.
    """
    model = CostModel(shape, target, NUMPY, constants)
    functions = ("flash_bytes", "encoded_weight_bytes", "scale_bytes", "sram_bytes", "cycles", "macs")
    return Prediction(target, **{name: float(getattr(model, name)(kept)) for name in functions})
