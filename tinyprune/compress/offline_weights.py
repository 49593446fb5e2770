"""The int8 weights of a ``.tflite``: constants that operators read as such, as views of bytes."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.array_types import Float64Array
from tinyprune.errors import UsageError
from tinyprune.tflite.graph import Graph, Operator, Tensor
from tinyprune.tflite.operators import Axes, operator_type, weight_axes

#: Type of weights -> types of activations that go with them.
_ACTIVATIONS = {"uint8": ("uint8", "int16")}
_ACTIVATIONS_OF_INT8 = ("int8", "int16")
_WEIGHTS = {"int8": np.int8, "uint8": np.uint8}


@dataclass(frozen=True, eq=False)
class Weights:
    """Constant weights, int8, or uint8 as recurrent cells have them.

    Attributes:
        tensor: of the file.
        axes: its axes as (spatial..., inputs, outputs).
    """

    tensor: Tensor
    axes: Axes

    @cached_property
    def integers(self) -> npt.NDArray[Any]:
        """The weights in canonical axes; a view: writing to it writes to the file's bytes."""
        return self.tensor.values.transpose(self.axes)

    @cached_property
    def zeros(self) -> npt.NDArray[Any]:
        """The integer that stands for 0, for every weight."""
        zero_point = self._by_channel(self.tensor.zero_point, 0)
        return np.broadcast_to(zero_point, self.integers.shape).astype(self.integers.dtype)

    @property
    def values(self) -> Float64Array:
        """The weights as numbers, ``scale * (int8 - zero_point)``."""
        scale = self._by_channel(self.tensor.scale, 1)
        return scale * (self.integers.astype(np.float64) - self.zeros.astype(np.float64))

    def _by_channel(self, numbers: npt.NDArray, default: int) -> npt.NDArray:
        """One number per tensor or per channel, in a shape that broadcasts to the weights."""
        if numbers.size == 0:
            numbers = np.array([default])
        shape = [1] * len(self.axes)
        if numbers.size > 1:
            shape[self.tensor.axis] = numbers.size
        return numbers.reshape(shape).transpose(self.axes)


def find_weights(path: Path, graph: Graph) -> tuple[dict[str, Weights], dict[str, str]]:
    """Return the weights to prune, and why other constants are left as they are.

    Both are by the name of the tensor. Bytes that several tensors share are there once, under the
    first name.
    """
    weights: dict[str, Weights] = {}
    skipped: dict[str, str] = {}
    for uses in _uses_of_constants(path, graph):
        as_weights = [use for use in uses if use.axes]
        first = [*as_weights, *uses][0]
        name = _unique_name(first.tensor, weights.keys() | skipped.keys())
        refusal = _refusal(uses)
        if refusal:
            skipped[name] = refusal
        elif first.axes:
            weights[name] = Weights(first.tensor, first.axes)
    return weights, skipped


@dataclass(frozen=True, eq=False)
class _Use:
    """An operator that reads a constant.

    Attributes:
        operator: the operator.
        tensor: the constant.
        axes: as in Weights; None where the constant is no weights.
    """

    operator: Operator
    tensor: Tensor
    axes: Axes | None


def _uses_of_constants(path: Path, graph: Graph) -> list[list[_Use]]:
    """All constants, each with everything that reads its bytes."""
    # Not by the number of the buffer: large files let several buffers point to the same bytes.
    uses: dict[int, list[_Use]] = {}
    for operator in graph.operators:
        axes = weight_axes(operator)
        for index in range(len(operator.inputs)):
            tensor = operator.constant(index)
            if tensor is None:
                continue
            if index in axes:
                _require_integer_activations(path, operator, tensor)
            address = tensor.values.ctypes.data
            uses.setdefault(address, []).append(_Use(operator, tensor, axes.get(index)))
    return list(uses.values())


def _require_integer_activations(path: Path, operator: Operator, weights: Tensor) -> None:
    fitting = _ACTIVATIONS.get(weights.dtype, _ACTIVATIONS_OF_INT8)
    activations = operator.inputs[operator_type(operator.name).data_input]
    for tensor in (activations, *operator.outputs):
        if tensor is not None and tensor.dtype not in fitting:
            raise UsageError(
                f"{path} is not an int8 network: {operator.name} '{operator.outputs[0].name}' "
                f"has {tensor.dtype} activations; expected int8 or int16 ones: "
                "export it as int8 first (tinyprune export)"
            )


def _unique_name(tensor: Tensor, taken: Set[str]) -> str:
    """The name of a tensor, numbered where another one has it already."""
    name = tensor.name or f"buffer {tensor.buffer}"
    unique = name
    numbers = count(2)
    while unique in taken:
        unique = f"{name} ({next(numbers)})"
    return unique


def _refusal(uses: list[_Use]) -> str | None:
    """The reason why a constant cannot be pruned.

    None if it can, or if it is none that anybody would expect to be.
    """
    others = [use for use in uses if not use.axes]
    if len(others) == len(uses):
        is_int8 = uses[0].tensor.dtype == "int8"
        return f"is a constant of {uses[0].operator.name}" if is_int8 else None
    if others:
        return f"is stored together with a constant of {others[0].operator.name}"
    zero_points = {tuple(np.unique(use.tensor.zero_point)) for use in uses}
    if len(zero_points) > 1:
        return "is stored together with weights of another zero point"
    misfits = [_misfit(use.tensor, use.axes or ()) for use in uses]
    return next(filter(None, misfits), None)


def _is_mean(tensor: Tensor, axes: Axes) -> bool:
    """Return whether weights add up several inputs alike, as those of normalisations do.

    They make one output of all inputs, or as many as there are inputs: each is the sum of its
    group, and all groups have one size.
    """
    outputs = tensor.shape[axes[-1]]
    of_outputs = np.moveaxis(tensor.values, axes[-1], 0).reshape(outputs, -1)
    inputs = of_outputs.shape[1]
    added = of_outputs != 0
    if np.unique(of_outputs[added]).size != 1:
        return False
    if outputs == 1:
        return inputs > 1 and bool(added.all())
    of_group = int(added[0].sum())
    sums = added.astype(int)
    is_of_groups = outputs == inputs and of_group > 1
    return is_of_groups and np.array_equal(sums @ sums, of_group * sums)


def _misfit(tensor: Tensor, axes: Axes) -> str | None:
    """The reason why weights with these axes cannot be pruned in the form that they have."""
    rank = len(axes)
    if tensor.dtype not in _WEIGHTS:
        return f"has {tensor.dtype} weights: expected int8"
    if tensor.values.dtype != _WEIGHTS[tensor.dtype]:
        return "is stored in a compressed form: expected plain int8 weights"
    if len(tensor.shape) != rank:
        return f"has the shape {tensor.shape}: expected {rank} axes"
    if _is_mean(tensor, axes):
        return "is a mean: its weights are all alike"
    channels = tensor.shape[tensor.axis] if 0 <= tensor.axis < rank else 1
    if tensor.scale.size not in (1, channels) or tensor.zero_point.size not in (0, 1, channels):
        return f"has {tensor.scale.size} scales: expected 1 or {channels}"
    return None
