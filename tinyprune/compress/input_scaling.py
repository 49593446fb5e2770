"""The scaling that a network does to its input: one step, and as much of it as fits into a kernel.

Rescaling and Normalization layers at the input, and sums and products with constants, are together
``s x + o``, per channel. With a kernel ``k`` behind it that pads with nothing, ``k (s x + o) + b``
is ``k' (m x) + b'``: ``m``, the largest scale, is a plain factor, ``k' = k s / m`` per input
channel, and ``b' = b + k o``. A kernel that pads would need a padding of ``-o / s``, so there the
step stays as it is, unless there is no offset.

The factor ``m`` stays while the network learns: a kernel of another size would need another
learning rate. An int8 grid does not care about it, so the export takes it into the kernel.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.compress import graph
from tinyprune.compress.kinds.base import bias, kernels

#: Layers and operations that are ``s x + o`` if their other operands are constants.
_STEPS = ("Rescaling", "Normalization", "Add", "Subtract", "Multiply", "Divide", "TrueDivide")
_KERNELS = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
)
_SPAN = 256.0  # a step is measured at 0 and here


@dataclass(frozen=True, eq=False)
class Affine:
    """A step ``scale * x + offset``. Attributes: scale, offset: a number per channel, (channels,).

    A step may also be one pair of numbers for all channels, each of shape ().
    """

    scale: Float64Array
    offset: Float64Array

    def then(self, other: "Affine") -> "Affine":
        """Return this step and another one after it as one."""
        return Affine(self.scale * other.scale, self.offset * other.scale + other.offset)

    @property
    def factor(self) -> float:
        """The largest scale, by magnitude."""
        return float(np.abs(self.scale).max())

    @property
    def is_factor(self) -> bool:
        """True where it multiplies everything by one positive number and adds nothing."""
        return not self.offset.any() and bool(np.all(self.scale == self.factor))

    def without_factor(self) -> "Affine":
        """Return the step that is left behind a multiplication by its factor."""
        return Affine(self.scale / self.factor, self.offset)

    def of(self, channels: int) -> "Affine":
        """Return the step for as many channels, those of every position one after the other."""
        copies = channels // self.scale.size
        return Affine(np.tile(self.scale, copies), np.tile(self.offset, copies))


@dataclass(frozen=True, eq=False)
class InputScaling:
    """The scaling at the input of a network.

    Attributes:
        nodes: the calls that it consists of, from the input on.
        step: what they compute together.
        kernel: the call of the one kernel that reads the result, as it is or flattened; None where
            there is no such kernel.
    """

    nodes: tuple[Any, ...]
    step: Affine
    kernel: Any

    @property
    def is_in_one_layer(self) -> bool:
        """True where it is one Rescaling layer already."""
        return type(self.nodes[0].operation) is keras.layers.Rescaling and len(self.nodes) == 1

    @property
    def is_taken_in(self) -> bool:
        """True where the kernel computes the same without the offset and with one factor."""
        if self.kernel is None or not self.step.factor:
            return False
        padding = getattr(self.kernel.operation, "padding", "valid")
        return padding == "valid" or not self.step.offset.any()


def input_scaling(flat: keras.Model, number: int = 0) -> InputScaling | None:
    """Return the scaling at an input of a model without nested ones; None where it does none."""
    uses = graph.Uses(flat)
    nodes: list[Any] = []
    step = Affine(np.ones(()), np.zeros(()))
    reader = _behind(keras.layers.Reshape, uses.only_reader_of(flat.inputs[number]), uses)
    while (own := _affine(reader)) is not None:
        step = step.then(own)
        nodes.append(reader)
        reader = uses.only_reader(reader)
    if not nodes:
        return None
    return InputScaling(tuple(nodes), step, _kernel(reader, uses))


def with_one_scaling(flat: keras.Model) -> keras.Model:
    """Return a model whose inputs are each scaled by one Rescaling layer at most.

    By a factor if it can. Layers are those of the model, which is not to be used any more.
    """
    for number in range(len(flat.inputs)):
        flat = _with_one_scaling(flat, number)
    return flat


def _with_one_scaling(flat: keras.Model, number: int) -> keras.Model:
    scaling = input_scaling(flat, number)
    if scaling is None:
        return flat
    step = scaling.step
    if scaling.is_taken_in and not step.is_factor:
        left = Affine(np.array(step.factor), np.zeros(()))
        return _with_step_in_kernel(
            flat, scaling, step.without_factor(), [_rescaling(left, scaling)]
        )
    if scaling.is_in_one_layer:
        return flat
    return _rebuilt(flat, scaling, [_rescaling(step, scaling)], {})


def without_factor(canonical: keras.Model) -> keras.Model:
    """Return a model without the factors at its inputs: the kernels behind have taken them in.

    What is more than a factor stays. Layers are those of the model, but for those kernels'.
    """
    for number in range(len(canonical.inputs)):
        scaling = input_scaling(canonical, number)
        if scaling is not None and scaling.is_taken_in and scaling.step.is_factor:
            canonical = _with_step_in_kernel(canonical, scaling, scaling.step, [])
    return canonical


def _affine(node: Any) -> Affine | None:
    """Return the step that a call is, measured at two inputs; None where it is no such step."""
    operation = getattr(node, "operation", None)
    if type(operation).__name__ not in _STEPS or len(node.input_tensors) != 1:
        return None
    low, high = _outputs(node, 0.0), _outputs(node, _SPAN)
    scale = (high - low) / _SPAN
    if np.ptp(scale, axis=0).any() or np.ptp(low, axis=0).any():  # it differs between positions
        return None
    return Affine(scale[0], low[0])


def _outputs(node: Any, value: float) -> Float64Array:
    """Return the outputs (positions, channels) of a call where every input is that value."""
    [tensor] = node.input_tensors
    shape = [size or 1 for size in tensor.shape]
    args, kwargs = node.arguments.fill_in({id(tensor): np.full(shape, value, np.float32)})
    outputs = keras.ops.convert_to_numpy(node.operation(*args, **kwargs))
    return outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)


def _kernel(reader: Any, uses: graph.Uses) -> Any | None:
    """Return the call of a kernel, the reader itself or the one behind a Flatten, if it is one."""
    reader = _behind(keras.layers.Flatten, reader, uses)
    operation = getattr(reader, "operation", None)
    if type(operation) not in _KERNELS or getattr(operation, "groups", 1) != 1:
        return None
    return None if uses.is_shared(reader) else reader


def _behind(kind: type[keras.Layer], reader: Any, uses: graph.Uses) -> Any:
    """Return the call behind a layer of that kind, if a call is one of that; else the call."""
    is_of_kind = isinstance(getattr(reader, "operation", None), kind)
    return uses.only_reader(reader) if is_of_kind else reader


def _rescaling(step: Affine, scaling: InputScaling) -> keras.Layer:
    """Return the layer that does a step, with the name of the first one of the scaling."""
    name = scaling.nodes[0].operation.name
    return keras.layers.Rescaling(_setting(step.scale), _setting(step.offset), name=name)


def _setting(values: Float64Array) -> Any:
    """Return one number for all channels if they have the same, else a list of them."""
    numbers = np.unique(values).tolist()
    return numbers[0] if len(numbers) == 1 else values.tolist()


def _with_step_in_kernel(
    model: keras.Model, scaling: InputScaling, step: Affine, left: list[keras.Layer]
) -> keras.Model:
    """Return the model with these layers in place of the scaling, and a step in its kernel."""
    kernel = _kernel_copy(scaling, step)
    rebuilt = _rebuilt(model, scaling, left, {id(scaling.kernel): kernel})
    _take_in(kernel, scaling, step)
    return rebuilt


def _rebuilt(
    model: keras.Model,
    scaling: InputScaling,
    left: list[keras.Layer],
    changed: dict[int, keras.Layer],
) -> keras.Model:
    """Return the model with layers in place of the scaling, and others in place of some calls'."""
    layers_of_nodes = {id(node): list[keras.Layer]() for node in scaling.nodes}
    layers_of_nodes[id(scaling.nodes[0])] = left

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if id(node) not in layers_of_nodes:
            return changed.get(id(node), node.operation)(*args, **kwargs)
        [value] = filter(keras.backend.is_keras_tensor, keras.tree.flatten((args, kwargs)))
        for layer in layers_of_nodes[id(node)]:
            value = layer(value)
        return value

    return graph.rebuild(model, call)


def _kernel_copy(scaling: InputScaling, taken: Affine) -> keras.Layer:
    """Return the layer of the kernel without weights, with a bias where the step has an offset."""
    layer = scaling.kernel.operation
    copy: keras.Layer = graph.copy(layer, use_bias=layer.use_bias or bool(taken.offset.any()))
    return copy


def _take_in(target: keras.Layer, scaling: InputScaling, step: Affine) -> None:
    """Set the weights of the kernel to those that do the step too."""
    source = scaling.kernel.operation
    kernel = kernels(source)["kernel"].numpy().astype(np.float64)
    by_input = step.of(kernel.shape[-2])
    kernels(target)["kernel"].assign(kernel * by_input.scale[:, None])
    target_bias = bias(target)
    if target_bias is None:
        return
    shift = kernel * by_input.offset[:, None]
    is_depthwise = isinstance(source, keras.layers.DepthwiseConv2D)
    summed_axes = kernel.ndim - (2 if is_depthwise else 1)
    shift = shift.sum(axis=tuple(range(summed_axes))).reshape(-1)
    source_bias = bias(source)
    if source_bias is not None:
        shift = shift + source_bias.numpy()
    target_bias.assign(shift)
