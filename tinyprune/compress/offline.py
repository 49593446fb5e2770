"""The offline control: the int8 weights of a finished ``.tflite``, pruned by magnitude where they lie; no training.

Biases, scales and everything else of the file stay as they are, byte for byte. What remains of the
task after this is what a network loses that does not learn along, so it is the opponent of
training.

With it or alone goes weight clustering, which needs no training: few values for the weights that
    are left, of which the
NPU's encoder makes a palette.
"""

import hashlib
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinyprune.array_types import Float32Array, Float64Array, Int8Array
from tinyprune.artifacts.network import TensorSparsity
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.clusters import clustered
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.masks import masks
from tinyprune.storage.writing import writing
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.flatbuffer import Graph, Operator, Tensor

if TYPE_CHECKING:
    from tinyprune.sparsity.structure import Structure

#: Weights of an operator: input -> its axes in the order (spatial..., inputs, outputs) of
#: ``sparsity/layout.py``. TFLite has the outputs of a convolution first, and the channels of a
#: depthwise one last, behind a 1.
_WEIGHTS: dict[str, dict[int, tuple[int, ...]]] = {
    "CONV_2D": {1: (1, 2, 3, 0)},
    "DEPTHWISE_CONV_2D": {1: (1, 2, 0, 3)},
    "TRANSPOSE_CONV": {1: (1, 2, 3, 0)},
    "FULLY_CONNECTED": {1: (1, 0)},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": dict.fromkeys(
        range(1, 9), (1, 0)
    ),  # i, f, g, o of the input, then of h
}
#: Which input holds the activations, where it is not the first.
_ACTIVATIONS = {"TRANSPOSE_CONV": 2}
_EXPECTED = "expected Conv, DepthwiseConv, TransposeConv, FullyConnected, LSTM or BatchMatMul with int8 constants"


@dataclass(frozen=True)
class OfflineResult:
    """A ``.tflite`` whose weights were pruned without training.

    Attributes:
        path: the new file.
        sha256: of its content.
        file_bytes: its size, that of the file it was made from.
        tensors: zeros per pruned tensor, named as in the flatbuffer, in the order of execution.
        skipped: tensor name -> why this int8 constant, or these weights, were left as they are.
    """

    path: Path
    sha256: str
    file_bytes: int
    tensors: tuple[TensorSparsity, ...]
    skipped: dict[str, str]

    @property
    def sparsity(self) -> float:
        """Fraction of zeros over all pruned tensors, counted in the file."""
        return sum(tensor.zeros for tensor in self.tensors) / sum(
            tensor.size for tensor in self.tensors
        )


def default_output(
    path: Path, structure: "Structure", sparsity: float, clusters: int | None = None
) -> Path:
    """Where the pruned file goes if nobody says: beside ``path``, e.g. ``MODEL-offline-weight-0.80.tflite``."""
    label = structure.label.replace(" ", "-").replace(":", "-")
    level = sparsity if structure.fixed_sparsity is None else structure.fixed_sparsity
    parts = [label, f"{level:.2f}"] if level or not clusters else []
    parts += [f"{clusters}-clusters"] if clusters else []
    return path.with_name("-".join([path.stem, "offline", *parts]) + ".tflite")


def prune_file(
    path: Path,
    structure: "Structure",
    sparsity: float,
    scope: str,
    importance: str,
    output: Path,
    clusters: int | None = None,
) -> OfflineResult:
    """Prune the int8 weights of a ``.tflite`` by magnitude and write the result, whole or not at all.

    What a weight is worth is ``|scale * (int8 - zero_point)|``, so channels with different scales
    are compared as what they stand for; a pruned weight becomes the zero point. Weights that
    several operators share are pruned once.

    Args:
        path: any int8 ``.tflite``, not yet compiled by Vela.
        structure: weight, block or n:m; an LSTM gate is a matrix of its own (units, inputs).
        sparsity: fraction of the groups to prune, in [0, 1); n:m has its own.
        scope: "global" ranks the groups of all tensors together, "layer" those of each tensor
            alone.
        importance: name of a registered importance of groups that needs weights only
            (registry.IMPORTANCES).
        output: the new file; another one than ``path``.
        clusters: if given, at most so many values are left in a kernel, zero among them: those that
            are nearest to what was there (sparsity/clusters.py).

    Raises:
        UsageError: the file is not int8, or has nothing to prune that the structure fits.
        TinypruneError: the file cannot be written.
    """
    _check_request(path, structure, sparsity, importance, output)
    content = bytearray(flatbuffer.load(path))
    graph = flatbuffer.parse(path, content)
    flatbuffer.require_int8(path, graph)
    found, skipped = _find(path, graph)
    misfits = _misfits(found, structure)
    skipped |= misfits
    fitting = {name: weights for name, weights in found.items() if name not in misfits}
    chosen = _masks(fitting, structure, sparsity, scope, importance) if fitting else {}
    if structure.fixed_sparsity is not None:
        for name in [name for name, mask in chosen.items() if mask.all()]:
            del chosen[name]
            skipped[name] = f"keeps all of its weights as {structure.label}: too few inputs"
    if not chosen:
        first = [f"'{name}' {reason}" for name, reason in {**misfits, **skipped}.items()][:1]
        raise UsageError(
            f"{path} has no weights to prune: {'; '.join(first if misfits else [_EXPECTED, *first])}"
        )
    for name, mask in chosen.items():
        np.copyto(found[name].integers, found[name].zeros, where=mask == 0)
    if clusters:
        for weights in found.values():
            _cluster(weights, clusters)
    with writing(output) as part:
        part.write_bytes(content)
        tensors = _measure(part, output, chosen)
    return OfflineResult(
        output, hashlib.sha256(content).hexdigest(), len(content), tensors, skipped
    )


def _check_request(
    path: Path, structure: "Structure", sparsity: float, importance: str, output: Path
) -> None:
    if structure.name == "unit":
        raise UsageError(
            "structure 'unit' removes channels, which a finished .tflite cannot lose: expected weight, block or n:m; "
            "prune the Keras model (tinyprune prune without --offline)"
        )
    if importance in FROM_GRADIENTS:
        raise UsageError(
            f"importance '{importance}' needs training data, --offline has none: expected l1 or l2"
        )
    if not 0 <= sparsity < 1:
        raise UsageError(
            f"sparsity {sparsity} is out of range: expected a fraction in [0, 1), e.g. 0.8"
        )
    if output.resolve() == path.resolve() or (
        output.exists() and path.exists() and output.samefile(path)
    ):
        raise UsageError(
            f"{output} is the file to prune, which is never overwritten: choose another output"
        )


@dataclass(frozen=True, eq=False)
class _Weights:
    """Constant int8 weights. Attributes: tensor; order: its axes as (spatial..., inputs, outputs)."""

    tensor: Tensor
    order: tuple[int, ...]

    @cached_property
    def integers(self) -> Int8Array:
        """The weights in canonical axes; a view: what is written to it is written to the file's bytes."""
        assert self.tensor.data is not None
        return self.tensor.data.transpose(self.order)

    @cached_property
    def zeros(self) -> Int8Array:
        """The integer that stands for 0, for every weight."""
        return np.broadcast_to(
            self._channels(self.tensor.zero_point, 0), self.integers.shape
        ).astype(np.int8)

    @property
    def values(self) -> Float64Array:
        """``scale * (int8 - zero_point)``."""
        return self._channels(self.tensor.scale, 1) * (
            self.integers.astype(np.float64) - self.zeros
        )

    def _channels(self, numbers: npt.NDArray, default: int) -> npt.NDArray:
        """One number per tensor or per channel, in a shape that broadcasts to the weights."""
        shape = [1] * len(self.order)
        if numbers.size > 1:
            shape[self.tensor.axis] = numbers.size
        return (
            (numbers if numbers.size else np.array([default])).reshape(shape).transpose(self.order)
        )


def _find(path: Path, graph: Graph) -> tuple[dict[str, _Weights], dict[str, str]]:
    """The weights to prune, and why other constants are left as they are; both by the name of the tensor.

    What several tensors store once is there once, under its first name.
    """
    found: dict[str, _Weights] = {}
    skipped: dict[str, str] = {}
    for uses in _uses(path, graph):
        use = next((use for use in uses if use.order), uses[0])
        name, reason = _unique(use.tensor, found.keys() | skipped.keys()), _refusal(uses)
        if reason:
            skipped[name] = reason
        elif use.order:
            found[name] = _Weights(use.tensor, use.order)
    return found, skipped


@dataclass(frozen=True, eq=False)
class _Use:
    """An operator that reads a constant. Attributes: operator, tensor; order as in _Weights, None if no weights."""

    operator: Operator
    tensor: Tensor
    order: tuple[int, ...] | None


def _uses(path: Path, graph: Graph) -> list[list[_Use]]:
    """All constants, each with everything that reads its bytes."""
    # Not by the number of the buffer: large files let several buffers point to the same bytes.
    uses: dict[int, list[_Use]] = {}
    for operator in graph.operators:
        orders = _orders(operator)
        for index, tensor in enumerate(operator.inputs):
            if tensor is not None and tensor.data is not None:
                if index in orders:
                    _require_int8_activations(path, operator)
                use = _Use(operator, tensor, orders.get(index))
                uses.setdefault(tensor.data.ctypes.data, []).append(use)
    return list(uses.values())


def _orders(operator: Operator) -> dict[int, tuple[int, ...]]:
    """Which inputs of an operator are weights -> their axes as (spatial..., inputs, outputs)."""
    if operator.name != "BATCH_MATMUL":
        return _WEIGHTS.get(operator.name, {})
    swapped = not operator.options.get("adjX", False), bool(operator.options.get("adjY", False))
    return {index: _matrix(operator.inputs[index], swap) for index, swap in enumerate(swapped)}


def _matrix(tensor: Tensor | None, swap: bool) -> tuple[int, ...]:
    axes = tuple(range(len(tensor.shape))) if tensor is not None else ()
    return (*axes[:-2], *reversed(axes[-2:])) if swap else axes


def _require_int8_activations(path: Path, operator: Operator) -> None:
    for tensor in (operator.inputs[_ACTIVATIONS.get(operator.name, 0)], *operator.outputs):
        if tensor is not None and tensor.dtype != "int8":
            raise UsageError(
                f"{path} is not an int8 network: {operator.name} '{operator.outputs[0].name}' has {tensor.dtype} "
                "activations; expected int8 ones: export it as int8 first (tinyprune export)"
            )


def _refusal(uses: list[_Use]) -> str | None:
    """Why a constant cannot be pruned; None if it can, or if it is none that anybody would expect to be."""
    weights = [use for use in uses if use.order]
    if not weights:
        return (
            f"is a constant of {uses[0].operator.name}" if uses[0].tensor.dtype == "int8" else None
        )
    others = [use.operator.name for use in uses if not use.order]
    if others:
        return f"is stored together with a constant of {others[0]}"
    if len({tuple(np.unique(use.tensor.zero_point)) for use in weights}) > 1:
        return "is stored together with weights of another zero point"
    return next((reason for reason in (_misfit(use) for use in weights) if reason), None)


def _misfit(use: _Use) -> str | None:
    tensor, order = use.tensor, use.order
    assert tensor.data is not None and order is not None
    if tensor.dtype != "int8":
        return f"has {tensor.dtype} weights: expected int8"
    if tensor.data.dtype != np.int8:
        return "is stored in a compressed form: expected plain int8 weights"
    if len(tensor.shape) != len(order):
        return f"has the shape {tensor.shape}: expected {len(order)} axes"
    channels = tensor.shape[tensor.axis] if 0 <= tensor.axis < len(order) else 1
    if tensor.scale.size not in (1, channels) or tensor.zero_point.size not in (0, 1, channels):
        return f"has {tensor.scale.size} scales: expected 1 or {channels}"
    return None


def _unique(tensor: Tensor, taken: Set[str]) -> str:
    """The name of a tensor, numbered where another one has it already."""
    name = tensor.name or f"buffer {tensor.buffer}"
    numbered = (name if number == 1 else f"{name} ({number})" for number in count(1))
    return next(candidate for candidate in numbered if candidate not in taken)


def _misfits(found: dict[str, _Weights], structure: "Structure") -> dict[str, str]:
    """Tensors that the structure does not fit, and why."""
    reasons = {}
    for name, weights in found.items():
        try:
            structure.groups(weights.integers.shape)
        except UsageError as error:
            reasons[name] = str(error)
    return reasons


def _masks(
    found: dict[str, _Weights], structure: "Structure", sparsity: float, scope: str, importance: str
) -> dict[str, Float32Array]:
    """One mask per tensor in its canonical axes, 1 = kept."""
    worth = IMPORTANCES[importance]
    ids, importances = {}, {}
    for name, weights in found.items():
        shape = weights.integers.shape
        ids[name] = structure.groups(shape)
        importances[name] = structure.ranked(worth(weights.values, ids[name]), shape)
    fixed = structure.fixed_sparsity
    return masks(importances, ids, sparsity if fixed is None else fixed, scope)


def _cluster(weights: _Weights, number: int) -> None:
    """Leave at most ``number`` values of a kernel; zeros stay."""
    left = weights.integers != weights.zeros
    values, which, counts = np.unique(
        weights.integers[left], return_inverse=True, return_counts=True
    )
    fewer = clustered(values.astype(np.int64), counts, number - (not left.all()))
    weights.integers[left] = fewer[which]


def _measure(
    path: Path, output: Path, chosen: dict[str, Float32Array]
) -> tuple[TensorSparsity, ...]:
    """Zeros per tensor, counted in the file. Raises CheckFailed if a pruned weight is none."""
    tensors = []
    found, _ = _find(path, flatbuffer.read(path))
    for name, mask in chosen.items():
        weights = found[name]
        zero, pruned = weights.integers == weights.zeros, mask == 0
        lost = int(np.count_nonzero(pruned & ~zero))
        if lost:
            raise CheckFailed(
                f"'{name}': {lost} of {int(pruned.sum())} pruned weights are not zero in {output}"
            )
        tensors.append(TensorSparsity(name, zero.size, int(pruned.sum()), int(zero.sum())))
    return tuple(tensors)
