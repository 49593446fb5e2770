"""The interface of a kind of layers: every question that the graph walks ask."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.activations import is_by_element
from tinyprune.compress.kinds.channels import LayerCall, UnitNumbers
from tinyprune.compress.kinds.frames import Shape
from tinyprune.errors import UsageError
from tinyprune.sparsity.layout import Layout

#: (rows, columns)
Pair = tuple[int, int]


class Grid(Enum):
    """The int8 grid of what a layer makes."""

    OF_INPUT = "of its input"  # nothing is computed, or TFLite says so (pooling)
    OWN = "its own"
    UNKNOWN = "unknown"  # its own, but only a conversion can say whether it becomes int8 TFLite


class LayerKind(ABC):
    """One kind of layers or operations.

    Attributes:
        grid: of its outputs.
        operator: kind of the TFLite operator (sparsity/network_shape.py).
        is_view: whether TFLite leaves it out, or makes it without touching an element.
        takes_in_relu: whether TFLite fuses a ReLU after it, so that there is no grid in between.
        needs_one_frame: whether it cannot work on a window of several frames.
        has_channel_setting: whether its configuration names the number of channels.
        has_grid_inside: whether the layer that is prepared for int8 has its grids itself.
        is_singular: whether it, or its gradient, is infinite where an argument is 0.
        is_training_only: whether it passes its input on as it is, except while learning.
    """

    grid = Grid.UNKNOWN
    operator = "other"
    is_view = False
    takes_in_relu = False
    needs_one_frame = False
    has_channel_setting = False
    has_grid_inside = False
    is_singular = False
    is_training_only = False

    def channels(self, call: LayerCall) -> IntArray | None:
        """Return the channels of each output of a call; None where they are not understood.

        A walk asks :class:`KernelKind` otherwise: it has units of its own.
        """
        del call
        return None

    @abstractmethod
    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return why a layer does not work frame by frame, or an empty text."""

    def function(self, operation: Any) -> str | None:
        """Return the name of the activation function that it is and nothing else, or None."""
        del operation
        return None

    def fused_function(self, operation: Any) -> str | None:
        """Return the name of the function that it is after a sum, where TFLite may fuse it."""
        return self.function(operation)

    def reach(self, layer: Any) -> int:
        """Return how many more frames than one a layer sees."""
        del layer
        return 0

    def look_back(self, layer: Any) -> int:
        """Return how many past frames a layer puts before the present one."""
        del layer
        return 0

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return a copy for one frame, without weights; None if it leaves nothing to do."""
        del output_shape
        return graph.copy(layer)

    def window(self, layer: Any, positions: Pair) -> tuple[Pair, Pair]:
        """Return the size and the stride of its kernel or window, on that many positions."""
        del layer, positions
        return (1, 1), (1, 1)

    def operators(self, layer: Any) -> int:
        """Return how many operators of its kind it is, one after the other."""
        del layer
        return 1

    def resized(self, node: Any, channels: int) -> dict[str, Any]:
        """Return the entries of its configuration that make it have that many output channels."""
        del node, channels
        return {}

    def prepared(self, layer: Any, quantized: bool) -> Any:
        """Return the form of a layer or operation that learns, without weights."""
        del quantized
        return graph.copy(layer)

    def plain_weights(self, layer: keras.Layer) -> list[Any]:
        """Return the weights that a layer and its form that learns both have, in one order."""
        return layer.weights

    def check(self, layer: keras.Layer) -> None:
        """Raise UsageError for settings that the int8 operator does not have."""
        parts = layer._flatten_layers()
        if any(isinstance(part, keras.layers.RNN) for part in parts):  # would crash the converter
            raise UsageError(
                f"{type(layer).__name__} layer '{layer.name}' is recurrent: "
                "expected LSTM or GRU layers, not wrapped or nested"
            )

    def check_call(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise UsageError for arguments that the compressed layer does not have."""
        del layer, args, kwargs


@dataclass(frozen=True)
class KernelChannels:
    """The channels of a kernel. Attributes: inputs, outputs: as in Coupling."""

    inputs: IntArray
    outputs: IntArray


@dataclass(frozen=True)
class State:
    """A tensor that a layer keeps from one call to the next. Attributes: name; element_bytes."""

    name: str
    element_bytes: int


class KernelKind(LayerKind):
    """One kind of layers that have kernels.

    Attributes:
        plain: the Keras layer.
        compressed: its form with masks and int8 grids.
        layout: order of the axes of its kernels.
        input_axis: axis of its kernel that has the input channels.
        gates: outputs of a kernel for each unit: an LSTM has four, side by side, a GRU
            three.
        states: tensors that the operator keeps.
        size_setting: entry of the configuration that says how many units there are; None where the
            inputs decide.
        is_normalised: whether it may be normalised while it learns (normaliser.py).
        is_fixed: whether its kernel is never learned nor pruned, except for whole units.
        takes_in_followers: whether BatchNorm and activation after it can become part of it.
        is_cell: whether it is exported as a cell of several operators (tflite/cells).
    """

    grid = Grid.OWN
    has_grid_inside = True
    plain: type[keras.Layer]
    compressed: type[keras.Layer]
    layout = Layout.STANDARD
    input_axis = -2
    gates = 1
    states: tuple[State, ...] = ()
    size_setting: str | None = "units"
    is_normalised = False
    is_fixed = False
    takes_in_followers = True
    is_cell = False

    def is_called_plainly(self, layer: Any, inputs: int) -> bool:
        """Return whether a call of that many tensors is understood: one input, or first states."""
        if getattr(layer, "groups", 1) != 1:
            return False
        return inputs in (1, 1 + len(self.states))

    def units(self, layer: Any, read: IntArray, numbers: UnitNumbers) -> IntArray:
        """Return the numbers of the units that a layer makes of what it reads."""
        del read
        assert self.size_setting is not None, "a kind without it has units of its own"
        return numbers.new(layer.name, getattr(layer, self.size_setting))

    def kernel_channels(self, read: IntArray, made: IntArray) -> dict[str, KernelChannels]:
        """Return kernel name -> channels, of a layer that reads and makes these."""
        return {"kernel": KernelChannels(read, made)}

    def keeps_units_apart(self, layer: Any) -> bool:
        """Return whether its activation functions treat every unit alone."""
        functions = (
            getattr(layer, "activation", None),
            getattr(layer, "recurrent_activation", None),
        )
        return all(function is None or is_by_element(function) for function in functions)

    def plain_weights(self, layer: keras.Layer) -> list[Any]:
        """Return kernels and bias."""
        return list(plain_weights(layer).values())

    def function_after(self, layer: Any) -> str:
        """Return the name of the function that may become an operator behind its own."""
        return getattr(layer.activation, "__name__", "linear")

    def window(self, layer: Any, positions: Pair) -> tuple[Pair, Pair]:
        """Return the size and the stride of its kernel."""
        del positions
        return pair(getattr(layer, "kernel_size", 1)), pair(getattr(layer, "strides", 1))

    def resized(self, node: Any, channels: int) -> dict[str, Any]:
        """Return the number of units, of kernels that have that many outputs."""
        del node
        return {} if self.size_setting is None else {self.size_setting: channels // self.gates}

    @property
    def exported_operators(self) -> tuple[str, ...]:
        """Kinds of operators (tflite/operators.py) that the converter may make of it."""
        return (self.operator,)

    def whole_because(self, layer: Any, kernel: str) -> str:
        """Return why a kernel cannot be the product of two, or an empty text."""
        del kernel
        return f"a kernel of {type(layer).__name__} is no product of two layers: left whole"

    def factors(self, layer: Any, rank: int, name: str) -> tuple[Any, Any]:
        """Return a layer to put before it and itself, without weights, with few channels between.

        Args:
            layer: one whose input kernel can be the product of two.
            rank: channels between the two.
            name: of the first; the second has the layer's.
        """
        raise NotImplementedError

    def kernel_inputs(self, layer: Any, inputs: Any) -> Any:
        """Return what the matrix of its input kernel is multiplied with, (n, rows)."""
        del layer
        return keras.ops.reshape(inputs, (-1, inputs.shape[-1]))

    def scales(self, outputs: int) -> int:
        """Return how many scales a kernel of that many outputs has, each of outputs in a row."""
        return outputs

    def exported(self, layer: keras.Layer) -> type[keras.Layer]:
        """Return the class that the converter is given in place of the plain layer's."""
        return type(layer)


def kernels(layer: keras.Layer) -> dict[str, keras.Variable]:
    """Return kernel name -> variable of a layer with kernels, in the order of its weights.

    Keras keeps those of a recurrent layer in its cell.
    """
    if isinstance(layer, keras.layers.RNN):
        return {"kernel": layer.cell.kernel, "recurrent_kernel": layer.cell.recurrent_kernel}
    return {"kernel": layer.kernel}


def bias(layer: keras.Layer) -> keras.Variable | None:
    """Return the bias, one number per output (of a recurrent layer: and gate), or None.

    A GRU with ``reset_after`` has two rows of them, for the inputs and for the state.
    """
    if not layer.use_bias:
        return None
    return layer.cell.bias if isinstance(layer, keras.layers.RNN) else layer.bias


def plain_weights(layer: keras.Layer) -> dict[str, keras.Variable]:
    """Return kernel name or "bias" -> variable: the weights of the plain layer, in its order."""
    weights = kernels(layer)
    own_bias = bias(layer)
    if own_bias is not None:
        weights["bias"] = own_bias
    return weights


def pair(setting: Any) -> Pair:
    """Return (rows, columns) of a setting for one axis or for two."""
    values = np.atleast_1d(setting).tolist()
    if len(values) == 1:
        return 1, values[0]
    return values[0], values[1]
