"""Vela's figures for a network as functions of how many units of each set stay.

Nothing is compiled.

The form is Vela's own (its ``npu_performance.py``); the constants are fitted to many compiled
operators (``benchmarks/npu/fit_npu.py``) and ship in ``cost_model.json``. For every operator, with
C channels in and K out::

    cycles  = max(compute, SRAM, slow)
    compute = a * max(steps, output_cycles * elements)
              + b * first + c * weight bytes + d * bursts + e * runs + r * products
    steps   = ceil(K / depth) * micro-blocks
              * min(4 taps ceil(C / 32), 4 ceil(taps / 4) ceil(C / 8))
    SRAM    = f * read bytes + g * made bytes + h * tiles * weight bytes + i * start
    slow    = j * encoded weights + k * tiles * scales + l * (read bytes + made bytes) + m

    encoded = n * weights + o * padding + p * weights * padding / (padding + 0.02 * weights) + q
    scales  = 10 bytes per output channel, rounded up to 16 for each operator

SRAM and slow are the traffic of that memory. With a share z of zeros, at least the 2 % that kernels
have which nobody pruned (z0), and h(z) the bits that tell zeros from the rest, weights take
``encoded * s + (h(z) - s * h(z0)) * weights / 8`` bytes with ``s = (1 - z) / (1 - z0)``: the same
bits for each weight that is left. Computing is no faster for zeros, only their traffic is less.

The NPU takes 32 input channels and one tap at a time, or 8 and four, for a micro-block of outputs:
weights are padded to that. ``first`` are the elements of the first block of outputs, whose writing
nothing hides; with several ``tiles`` of positions, weights are read several times; a position with
fewer than 8 channels is a burst of the memory by itself. A concatenation is a run for each of its
inputs, a sum takes as long as its channels rounded up to 16. ``products`` are those of an
attention's feature maps, which an NPU without an operator for them multiplies element by element;
its cycles are those of a head, times the heads. ``start`` is 1, and less for a few short rows of a
softmax.

The arena is the peak of the feature maps, their channels rounded up to 16, plus what Vela writes
out inside of an operator (:mod:`tinyprune.npu.written_out`) and the weights that it stages. All of
it is differentiable where ``ceil`` is (:class:`tinyprune.sparsity.resource_model.Arrays`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.resources import NpuTarget, Prediction
from tinyprune.npu.cost_constants import MOST_FAST, TERMS, Constants, constants_of
from tinyprune.npu.cost_features import (
    ALIGNMENT,
    BRICK,
    Features,
    above,
    stored,
    table_kinds,
)
from tinyprune.npu.fusion import fused
from tinyprune.npu.written_out import Scratch
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.sparsity.resource_model import NUMPY, Arrays, ChannelCounts, ResourceModel

_LEAST_SRAM = 16
_DENSE_ZEROS = 0.02  # of kernels that nobody pruned
_MIXED = 0.02  # padding over weights at which half of the mixing is felt
_FAST_HEAD = 32  # bytes before weights that are not compressed


class CostModel:
    """Flash, SRAM and cycles of a network on a target.

    Every function takes ``kept`` (sets,) and returns one number.

    Args:
        shape: of the network.
        target: accelerator, system config and memory mode.
        arrays: the array library that ``kept`` is of.
        constants: default: those that ship for the target.
        zeros: ``operator/kernel`` (of an LSTM ``operator/recurrent_kernel`` too) -> fraction of its
            weights that is zero; default: no more than kernels have that nobody pruned.
        few_values: the same -> encoded bytes per weight, of kernels whose weights are indices into
            a palette (:func:`tinyprune.npu.palettes.palette_bytes`), zeros included.

    Raises UsageError for a target without constants.
    """

    def __init__(
        self,
        shape: NetworkShape,
        target: NpuTarget,
        arrays: Arrays = NUMPY,
        constants: Constants | None = None,
        zeros: Mapping[str, float] | None = None,
        few_values: Mapping[str, float] | None = None,
    ) -> None:
        self.constants = constants or constants_of(target)
        self.arrays = arrays
        deployed = fused(shape)
        self.features = Features(deployed, self.constants.micro_blocks, arrays)
        self._memory = ResourceModel(deployed, arrays)
        self._bytes = _Arena(deployed, arrays)
        self._scratch = Scratch(self.features, target, arrays)
        self._zeros = None
        if zeros:
            fractions = [zeros.get(row.kernel, 0.0) for row in self.features.rows]
            self._zeros = _zero_factors(fractions)
        known = few_values or {}
        self._palette_bytes = np.array([known.get(row.kernel, 0.0) for row in self.features.rows])

        kinds = self.features.kinds
        self._terms = {}
        for term, size in TERMS.items():
            none = (0.0,) * size
            factors = [self.constants.kinds.get(kind, {}).get(term, none) for kind in kinds]
            self._terms[term] = np.array(factors).reshape(-1, size).T
        self._staged = np.array([self._staged_share(kind) for kind in kinds])
        self._tables = sum(self.constants.tables.get(kind, 0.0) for kind in table_kinds(shape))

    def _staged_share(self, kind: str) -> float:
        """Return the share of a row's weights that Vela has in SRAM at a time.

        Of an LSTM's eight matrices one is there at a time; they come in two rows.
        """
        return self.constants.staged.get(kind, 0.0) * (0.5 if kind == "gate" else 1.0)

    def encoded_weight_bytes(self, kept: Any) -> Any:
        """Return the bytes of weights as Vela encodes them."""
        features = self.features.at(kept)
        return self.arrays.total(features["repeats"] * self._encoded(features))

    def scale_bytes(self, kept: Any) -> Any:
        """Return the bytes of biases and scales."""
        features = self.features.at(kept)
        return self.arrays.total(features["repeats"] * features["scales"])

    def flash_bytes(self, kept: Any) -> Any:
        """Return the bytes of encoded weights, biases, scales, lookup tables and zeros to add."""
        return self.encoded_weight_bytes(kept) + self.scale_bytes(kept) + self.table_bytes(kept)

    def table_bytes(self, kept: Any) -> Any:
        """Return the bytes of lookup tables and of zeros to add."""
        return self._tables + self._scratch.constant_bytes(self.features.at(kept))

    def cycles(self, kept: Any) -> Any:
        """Return the cycles of one inference."""
        return self.arrays.total(self.operator_cycles(kept))

    def operator_cycles(self, kept: Any) -> Any:
        """Return the cycles of each row of :attr:`features`, (rows,)."""
        found = self.features.at(kept)
        terms = self._terms
        arrays = self.arrays
        columns = term_columns(
            found,
            self._stored(self._dense(found), found),
            self._encoded(found),
            self.features.tiles,
            self.constants.output_cycles,
            arrays,
        )
        compute = _weighted_sum(terms["compute"], columns["compute"])
        sram = _weighted_sum(terms["sram"], columns["sram"])
        slow = _weighted_sum(terms["slow"], columns["slow"])
        slow = arrays.maximum(slow, self.constants.scale_cycles * found["scale_fetches"])
        return found["repeats"] * arrays.maximum(compute, arrays.maximum(sram, slow))

    def sram_bytes(self, kept: Any) -> Any:
        """Return the peak bytes of SRAM: the arena; with weights in SRAM, those too.

        It is never more than the cache of a Dedicated_Sram mode.
        """
        found = self.features.at(kept)
        copied = self._staged * self._copied(self._encoded(found) + found["scales"])
        staged = self.arrays.matvec(self.features.step_of_row, copied)
        cell = self.arrays.matvec(
            self.features.step_of_row, self.constants.cell_bytes * found["units"]
        )
        # the weights of the next operator are on their way while one runs
        ahead = self.arrays.matvec(self.features.next_step, staged)
        scratch = self.arrays.matvec(self.features.step_of_row, self._scratch.sram_bytes(found))
        peak = self.arrays.largest(self._bytes.steps(kept) + cell + scratch + staged + ahead)
        peak = self.arrays.maximum(peak, float(_LEAST_SRAM))
        if self.constants.sram_bytes:
            peak = self.arrays.minimum(peak, self.constants.sram_bytes)
        if self.constants.weights_in_sram:
            return peak + self.flash_bytes(kept)
        return peak

    def _copied(self, weights: Any) -> Any:
        """Return bytes in SRAM for weights: all of them, or two buffers that take turns."""
        return self.arrays.minimum(
            weights, self.constants.buffer_part * weights + self.constants.buffer_bytes
        )

    def macs(self, kept: Any) -> Any:
        """Return the multiply-accumulates of one inference."""
        return self._memory.macs(kept)

    def _encoded(self, found: Mapping[str, Any]) -> Any:
        """Return the bytes of encoded weights, (rows,)."""
        encoded = self._dense(found)
        if self._zeros is not None:
            encoded = self._zeros[0] * encoded + self._zeros[1] * found["weights"]
        if self._palette_bytes.any():
            has_palette = self._palette_bytes > 0
            encoded = encoded + has_palette * (self._with_palette(found) - encoded)
        return self._stored(encoded, found)

    def _with_palette(self, found: Mapping[str, Any]) -> Any:
        """Return the bytes of encoded weights, (rows,), of rows whose palette is known.

        Weights and the zeros that pad them share a code, which is shorter by one factor. The head
        of a stream is in the encoder's bytes already.
        """
        weight, padding, mixed, _ = self._terms["encoding"]
        columns = packing_columns(found)[:3]
        dense = _weighted_sum(np.stack([weight, padding, mixed]), columns)
        return self._palette_bytes / np.maximum(weight, 1e-9) * dense

    def _stored(self, compressed: Any, found: Mapping[str, Any]) -> Any:
        if not self.constants.fast_weights:
            return compressed
        return stored_bytes(compressed, found, self.arrays)

    def _dense(self, found: Mapping[str, Any]) -> Any:
        """Return the bytes of compressed weights if nobody had pruned, (rows,)."""
        return _weighted_sum(self._terms["encoding"], packing_columns(found))


def _weighted_sum(factors: Float64Array, columns: Sequence[Any]) -> Any:
    """Return the sum of columns, each (rows,), times their factors."""
    return sum(factor * column for factor, column in zip(factors, columns, strict=True))


def _zero_factors(zeros: Sequence[float]) -> Float64Array:
    """Return the factors of dense encoded bytes and of weights in encoded bytes, (2, rows).

    They are (1, 0) where nothing was pruned.
    """
    share = np.maximum(np.asarray(zeros, np.float64), _DENSE_ZEROS)
    left = (1 - share) / (1 - _DENSE_ZEROS)
    return np.stack([left, (_entropy(share) - left * _entropy(np.float64(_DENSE_ZEROS))) / 8])


def _entropy(share: Float64Array | np.float64) -> Float64Array:
    """Return the bits that say of each weight if it is zero, where ``share`` of them are."""
    share, other = np.clip(share, 1e-12, 1.0), np.clip(1 - share, 1e-12, 1.0)
    return np.asarray(-share * np.log2(share) - other * np.log2(other))


def packing_columns(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the columns that the constants of encoded weights are multiplied with, each (rows,).

    The third are the weights once more, where they share the stream with zeros that pad them: the
    code fits them less.
    """
    weights = found["weights"]
    padding = found["padding"]
    mixed = weights * padding / (padding + _MIXED * weights + 1e-6)
    return weights, padding, mixed, 0.0 * weights + 1.0


def stored_bytes(compressed: Any, found: Mapping[str, Any], arrays: Arrays) -> Any:
    """Return bytes of weights that need not be compressed, (rows,).

    They stay as they are while that is not too many bytes.
    """
    fast = found["fast"] + _FAST_HEAD * above(found["fast"], arrays)
    is_fast = found["can_be_fast"] * above(MOST_FAST * compressed - fast, arrays)
    return compressed + is_fast * (fast - compressed)


def term_columns(
    found: Mapping[str, Any],
    dense: Any,
    encoded: Any,
    tiles: Float64Array,
    output_cycles: float,
    arrays: Arrays,
) -> dict[str, tuple[Any, ...]]:
    """Return term of cycles -> the columns that its constants are multiplied with, each (rows,).

    Args:
        found: features of the rows.
        dense: bytes of weights if none were pruned, because decoding is no faster for zeros.
        encoded: bytes of weights.
        tiles: how often weights are read.
        output_cycles: least cycles of computing for each element that is made.
        arrays: the array library.
    """
    one = 0.0 * encoded + 1.0
    weights = encoded + found["scales"]
    computing = arrays.maximum(found["steps"], output_cycles * found["elements"])
    decoded = dense + found["scales"]
    return {
        "compute": (
            computing,
            found["first"],
            decoded,
            found["bursts"],
            found["runs"],
            found["products"],
        ),
        "sram": (found["read"], found["made"], tiles * weights, found["start"]),
        "slow": (encoded, tiles * found["scales"], found["read"] + found["made"], one),
    }


class _Arena:
    """Feature maps in SRAM: channels in bricks of 16, those of the network's ends as they are.

    Bricks of a tensor with heads are those of each head.
    """

    def __init__(self, shape: NetworkShape, arrays: Arrays) -> None:
        self._arrays = arrays
        self._held = ChannelCounts([tensor.channels for tensor in shape.tensors], len(shape.sets))
        areas = [tensor.area * tensor.bytes_per_element for tensor in shape.tensors]
        self._area = np.array(areas, np.float64)

        self._plain = np.zeros(len(shape.tensors))  # 1 where channels are not in bricks
        for number, tensor in enumerate(shape.tensors):
            is_end = number in shape.inputs or number in shape.outputs
            self._plain[number] = is_end or tensor.area == 1

        self._joined = np.zeros(len(shape.tensors))  # 1 for what a concatenation makes
        for operator in shape.operators:
            if operator.kind == "concat":
                self._joined[list(operator.outputs)] = 1
        heads = np.array([tensor.head_channels for tensor in shape.tensors], np.float64)
        self._has_heads = (heads > 0).astype(np.float64)
        self._brick_per_channel = stored(heads, NUMPY) / np.maximum(heads, 1)
        self._live = shape.live().astype(np.float64)

    def steps(self, kept: Any) -> Any:
        """Return bytes of feature maps while each operator runs, (operators,)."""
        held = self._held(kept, self._arrays)
        plain = self._arrays.round_up(held * self._area, ALIGNMENT)
        bricks = self._joined * self._arrays.round_up(held, BRICK) + (1 - self._joined) * stored(
            held, self._arrays
        )
        by_head = held * self._brick_per_channel
        bricks = self._has_heads * by_head + (1 - self._has_heads) * bricks
        return self._arrays.matvec(
            self._live, self._plain * plain + (1 - self._plain) * bricks * self._area
        )


def predict(
    shape: NetworkShape,
    kept: Float64Array,
    target: NpuTarget,
    constants: Constants | None = None,
    zeros: Mapping[str, float] | None = None,
    few_values: Mapping[str, float] | None = None,
) -> Prediction:
    """Return what Vela is expected to say of a network with ``kept`` (sets,) units of each set.

    The other arguments are those of :class:`CostModel`. Raises UsageError for a target without
    constants.
    """
    model = CostModel(shape, target, NUMPY, constants, zeros, few_values)
    return Prediction(
        target=target,
        flash_bytes=float(model.flash_bytes(kept)),
        encoded_weight_bytes=float(model.encoded_weight_bytes(kept)),
        scale_bytes=float(model.scale_bytes(kept)),
        sram_bytes=float(model.sram_bytes(kept)),
        cycles=float(model.cycles(kept)),
        macs=float(model.macs(kept)),
    )
