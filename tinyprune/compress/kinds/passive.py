"""Layers and operations without kernels: one row for each, with the answers to every question.

A row is its rule for channels, its rule for frames, the grid of its outputs and the kind of its
operator. What is in no table is understood as little as can be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.kinds import channels, frames
from tinyprune.compress.kinds.attention import Attention, HeadAttention
from tinyprune.compress.kinds.base import Grid, LayerKind, Pair, pair
from tinyprune.compress.kinds.channel_layers import ChannelScale, InverseRoot, Reverse
from tinyprune.compress.kinds.channels import ChannelRule, LayerCall
from tinyprune.compress.kinds.composed import ComposedFunction
from tinyprune.compress.kinds.frames import FrameRule, Shape
from tinyprune.compress.kinds.recurrent import Bidirectional
from tinyprune.compress.kinds.simple_rnn import SimpleRNN
from tinyprune.models.positions import Positions

FunctionRule = Callable[[Any], str | None]


def no_function(operation: Any) -> str | None:
    """It is no activation function."""
    del operation
    return None


def activation_function(layer: Any) -> str | None:
    """The function of an Activation layer; a user's own has no name."""
    return activation_name(layer.activation) or None


def relu_function(layer: Any) -> str | None:
    """A ReLU layer, with or without a limit of 6."""
    if layer.negative_slope or layer.threshold:
        return None
    return {None: "relu", 6: "relu6"}.get(layer.max_value)


def elu_function(layer: Any) -> str | None:
    """An ELU layer that goes to -1."""
    return "elu" if layer.alpha == 1 else None


def softmax_function(layer: Any) -> str | None:
    """A softmax over channels."""
    return "softmax" if layer.axis == -1 else None


def function_named(name: str) -> FunctionRule:
    """Return the rule of an operation that is the function of that name."""
    return lambda operation: name


@dataclass(frozen=True)
class Passive(LayerKind):
    """One kind of layers or operations without kernels.

    Attributes:
        channel_rule: from the channels of its inputs to those of its outputs.
        frame_rule: why it does not work frame by frame.
        grid, operator, is_view, takes_in_relu, is_singular: as in LayerKind.
        function_rule: the activation function that it is.
    """

    channel_rule: ChannelRule = channels.unknown
    frame_rule: FrameRule = frames.mixes_frames
    grid: Grid = Grid.UNKNOWN
    operator: str = "other"
    is_view: bool = False
    takes_in_relu: bool = False
    is_singular: bool = False
    function_rule: FunctionRule = no_function

    def channels(self, call: LayerCall) -> IntArray | None:
        """Return the channels of each output, by its rule."""
        return self.channel_rule(call)

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return why it does not work frame by frame, by its rule."""
        return self.frame_rule(layer, shape, output_shape)

    def function(self, operation: Any) -> str | None:
        """Return the activation function that it is, by its rule."""
        return self.function_rule(operation)


class Pool(Passive):
    """A pooling with a window."""

    def reach(self, layer: Any) -> int:
        """Return the past frames in the window."""
        return frames.window_reach(layer)

    def window(self, layer: Any, positions: Pair) -> tuple[Pair, Pair]:
        """Return the window and its stride."""
        del positions
        return pair(layer.pool_size), pair(layer.strides)


class GlobalPool(Passive):
    """A pooling over all positions."""

    def window(self, layer: Any, positions: Pair) -> tuple[Pair, Pair]:
        """Return a window of all positions."""
        del layer
        return positions, positions


class Padding(Passive):
    """ZeroPadding1D and ZeroPadding2D: padding before the first frame is a look back."""

    def look_back(self, layer: Any) -> int:
        """Return the frames of padding before the first one."""
        before, _ = frames.time_padding(layer)
        return before

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return the padding of columns that is left, if there is any."""
        del output_shape
        if isinstance(layer, layers.ZeroPadding1D) or not any(layer.padding[1]):
            return None
        return graph.copy(layer, padding=((0, 0), layer.padding[1]))


class Reshape(Passive):
    """Reshape: its configuration names the shape."""

    needs_one_frame = True
    has_channel_setting = True

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return a copy that keeps one frame."""
        return graph.copy(layer, target_shape=(1, *output_shape[2:]))

    def resized(self, node: Any, channels: int) -> dict[str, Any]:
        """Return the shape with another last axis."""
        axes = [-1 if size is None else size for size in node.outputs[0].shape[1:-1]]
        return {"target_shape": (*axes, channels)}


class Scale(Passive):
    """ChannelScale."""

    def operators(self, layer: Any) -> int:
        """Return one for the factors, and one for the numbers that are added."""
        return int(layer.has_gamma) + int(layer.has_beta)


class Root(Passive):
    """InverseRoot, and the operation of Keras that is the same."""

    has_grid_inside = True

    def prepared(self, layer: Any, quantized: bool) -> Any:
        """Return the layer, with an int8 grid inside."""
        return InverseRoot(quantized=quantized, name=layer.name)

    def plain_weights(self, layer: Any) -> list[Any]:
        """Return no weights: the grid is not of the plain layer."""
        del layer
        return []


class Composed(Passive):
    """ComposedFunction."""

    def operators(self, layer: Any) -> int:
        """Return the number of operators that it is composed of."""
        return int(layer.operators)

    def prepared(self, layer: Any, quantized: bool) -> Any:
        """Return a copy with int8 grids between its operators."""
        return ComposedFunction.from_config({**layer.get_config(), "quantized": quantized})

    def plain_weights(self, layer: Any) -> list[Any]:
        """Return no weights: grids are not those of the plain layer."""
        del layer
        return []


class ReluOperation(Passive):
    """``keras.activations.relu(x)``: a grid of its own, unless it comes after a sum."""

    def fused_function(self, operation: Any) -> str | None:
        """Return "relu"."""
        del operation
        return "relu"


class TrainingOnly(Passive):
    """A layer that passes its input on as it is, except while learning."""

    is_training_only = True

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return None: nothing is learned frame by frame."""
        del layer, output_shape


#: A layer of Keras that no row knows, and a user's own, which is taken to work frame by frame: what
#: it computes is seen when the int8 graph is scored.
UNKNOWN = Passive()
OWN_LAYER = Passive(frame_rule=frames.frame_by_frame)

_NOTHING = Passive(channels.alone, frames.frame_by_frame, Grid.OF_INPUT, is_view=True)
#: Dropout, noise, penalties, and pictures changed at random.
TRAINING_ONLY = TrainingOnly(channels.alone, frames.frame_by_frame, Grid.OF_INPUT, is_view=True)
_POOL = Pool(channels.alone, frames.window, Grid.OF_INPUT, "pool")
_GLOBAL_MAXIMUM = GlobalPool(channels.alone, frames.mixes_frames, Grid.OF_INPUT, "pool")
_GLOBAL_AVERAGE = GlobalPool(channels.alone, frames.mixes_frames, Grid.OWN, "pool")
_PADDING = Padding(channels.alone, frames.padding, Grid.OF_INPUT, "pad")
_SUM = Passive(channels.merged, frames.frame_by_frame, Grid.OWN, "add")
_SUM_WITH_RELU = Passive(
    channels.merged, frames.frame_by_frame, Grid.OWN, "add", takes_in_relu=True
)
_WINDOW = Passive(frame_rule=frames.window)

PASSIVE_LAYERS: Mapping[type[keras.Layer], LayerKind] = {
    # Activations.
    layers.Activation: Passive(
        channels.activation,
        frames.frame_by_frame,
        Grid.OWN,
        "activation",
        function_rule=activation_function,
    ),
    layers.ReLU: Passive(
        channels.alone, frames.frame_by_frame, Grid.OWN, "activation", function_rule=relu_function
    ),
    layers.LeakyReLU: Passive(channels.alone, frames.frame_by_frame, Grid.OWN, "activation"),
    layers.ELU: Passive(
        channels.alone, frames.frame_by_frame, Grid.OWN, "activation", function_rule=elu_function
    ),
    ComposedFunction: Composed(channels.alone, frames.frame_by_frame, Grid.OWN, "activation"),
    layers.PReLU: Passive(channels.alone, frames.shared_slope, Grid.UNKNOWN, "activation"),
    layers.Softmax: Passive(
        channels.softmax, frames.over_axis, Grid.OWN, "softmax", function_rule=softmax_function
    ),
    # Normalisation.
    layers.BatchNormalization: Passive(
        channels.normalised, frames.over_axis, Grid.OWN, "activation"
    ),
    layers.LayerNormalization: Passive(frame_rule=frames.over_axis),
    ChannelScale: Scale(channels.alone, frames.frame_by_frame, Grid.OWN, "add"),
    InverseRoot: Root(channels.alone, frames.frame_by_frame, Grid.OWN, "activation"),
    Reverse: Passive(channels.alone, frames.mixes_frames, Grid.OF_INPUT),
    layers.Bidirectional: Bidirectional(),
    layers.SimpleRNN: SimpleRNN(),
    # Attention.
    Positions: Passive(channels.alone, frames.mixes_frames, Grid.OWN, "add"),
    HeadAttention: Attention(),
    layers.Rescaling: Passive(channels.rescaled, frames.frame_by_frame, Grid.OWN, "activation"),
    # Several inputs.
    layers.Add: _SUM_WITH_RELU,
    layers.Subtract: _SUM_WITH_RELU,
    layers.Multiply: _SUM_WITH_RELU,
    layers.Average: _SUM,
    layers.Maximum: _SUM,
    layers.Minimum: _SUM,
    layers.Concatenate: Passive(channels.concatenated, frames.over_axis, Grid.OWN, "concat"),
    # Pooling.
    layers.MaxPooling1D: _POOL,
    layers.MaxPooling2D: _POOL,
    layers.AveragePooling1D: _POOL,
    layers.AveragePooling2D: _POOL,
    layers.GlobalMaxPooling1D: _GLOBAL_MAXIMUM,
    layers.GlobalMaxPooling2D: _GLOBAL_MAXIMUM,
    layers.GlobalAveragePooling1D: _GLOBAL_AVERAGE,
    layers.GlobalAveragePooling2D: _GLOBAL_AVERAGE,
    # Positions added, cut off, repeated, moved.
    layers.ZeroPadding1D: _PADDING,
    layers.ZeroPadding2D: _PADDING,
    layers.Cropping1D: Passive(channels.alone, frames.mixes_frames, Grid.OF_INPUT, "slice"),
    layers.Cropping2D: Passive(channels.alone, frames.cropped, Grid.OF_INPUT, "slice"),
    layers.UpSampling1D: Passive(channels.alone, frames.mixes_frames, Grid.OF_INPUT),
    layers.UpSampling2D: Passive(channels.alone, frames.upsampled, Grid.OF_INPUT),
    layers.RepeatVector: Passive(channels.alone, frames.mixes_frames, Grid.OF_INPUT),
    layers.Permute: Passive(channels.permuted, frames.permuted, Grid.OF_INPUT),
    layers.Flatten: Passive(channels.reshaped, frames.mixes_frames, Grid.OF_INPUT, is_view=True),
    layers.Reshape: Reshape(channels.reshaped, frames.reshaped, Grid.OF_INPUT, is_view=True),
    layers.Masking: Passive(grid=Grid.OF_INPUT),
    # Nothing, in inference.
    layers.Identity: _NOTHING,
    layers.Dropout: TRAINING_ONLY,
    layers.SpatialDropout1D: TRAINING_ONLY,
    layers.SpatialDropout2D: TRAINING_ONLY,
    layers.SpatialDropout3D: TRAINING_ONLY,
    layers.GaussianDropout: TRAINING_ONLY,
    layers.GaussianNoise: TRAINING_ONLY,
    layers.AlphaDropout: TRAINING_ONLY,
    layers.ActivityRegularization: TRAINING_ONLY,
    layers.AugMix: TRAINING_ONLY,
    layers.RandAugment: TRAINING_ONLY,
    layers.RandomBrightness: TRAINING_ONLY,
    layers.RandomColorDegeneration: TRAINING_ONLY,
    layers.RandomColorJitter: TRAINING_ONLY,
    layers.RandomContrast: TRAINING_ONLY,
    layers.RandomElasticTransform: TRAINING_ONLY,
    layers.RandomErasing: TRAINING_ONLY,
    layers.RandomFlip: TRAINING_ONLY,
    layers.RandomGaussianBlur: TRAINING_ONLY,
    layers.RandomGrayscale: TRAINING_ONLY,
    layers.RandomHue: TRAINING_ONLY,
    layers.RandomInvert: TRAINING_ONLY,
    layers.RandomPerspective: TRAINING_ONLY,
    layers.RandomPosterization: TRAINING_ONLY,
    layers.RandomRotation: TRAINING_ONLY,
    layers.RandomSaturation: TRAINING_ONLY,
    layers.RandomSharpness: TRAINING_ONLY,
    layers.RandomShear: TRAINING_ONLY,
    layers.RandomTranslation: TRAINING_ONLY,
    layers.RandomZoom: TRAINING_ONLY,
    # Kernels that stay as they are.
    layers.SeparableConv1D: _WINDOW,
    layers.SeparableConv2D: _WINDOW,
}

_SUM_OPERATION = Passive(channels.by_element, frames.frame_by_frame, Grid.OWN, "add")
_SUM_OPERATION_WITH_RELU = Passive(
    channels.by_element, frames.frame_by_frame, Grid.OWN, "add", takes_in_relu=True
)
_BY_ELEMENT = Passive(channels.by_element, frames.frame_by_frame)
_SINGULAR = Passive(channels.by_element, frames.frame_by_frame, is_singular=True)
_REDUCTION = Passive(channels.reduced)
_MOVE = Passive(grid=Grid.OF_INPUT)


def _known_function(name: str) -> Passive:
    return Passive(
        channels.by_element,
        frames.frame_by_frame,
        Grid.OWN,
        "activation",
        function_rule=function_named(name),
    )


#: Names of Keras operations, such as ``x + y`` or ``keras.ops.relu(x)``.
PASSIVE_OPERATIONS: Mapping[str, LayerKind] = {
    # Arithmetic.
    "Add": _SUM_OPERATION_WITH_RELU,
    "Subtract": _SUM_OPERATION_WITH_RELU,
    "Multiply": _SUM_OPERATION_WITH_RELU,
    "Maximum": _SUM_OPERATION,
    "Minimum": _SUM_OPERATION,
    "Divide": _SINGULAR,
    "TrueDivide": _SINGULAR,
    "Power": _SINGULAR,
    "Negative": _BY_ELEMENT,
    "Absolute": _BY_ELEMENT,
    "Square": _BY_ELEMENT,
    "Sqrt": _SINGULAR,
    "Rsqrt": Root(channels.by_element, frames.frame_by_frame),
    "Exp": _BY_ELEMENT,
    "Log": _SINGULAR,
    "Reciprocal": Passive(channels.by_element, is_singular=True),
    "Clip": Passive(frame_rule=frames.frame_by_frame),
    # Activations.
    "Relu": _known_function("relu"),
    "Relu6": _known_function("relu6"),
    "Sigmoid": _known_function("sigmoid"),
    "Tanh": _known_function("tanh"),
    "ReLU": ReluOperation(channels.by_element, frames.frame_by_frame, Grid.OWN),
    "LeakyRelu": _BY_ELEMENT,
    "Elu": _BY_ELEMENT,
    "Selu": _BY_ELEMENT,
    "Gelu": _BY_ELEMENT,
    "Silu": _BY_ELEMENT,
    "Softplus": _BY_ELEMENT,
    "Softsign": _BY_ELEMENT,
    "HardSigmoid": _BY_ELEMENT,
    "HardSilu": _BY_ELEMENT,
    "HardTanh": _BY_ELEMENT,
    "Softmax": Passive(grid=Grid.OWN, function_rule=softmax_function),
    # Over positions, and of parts of a tensor.
    "Mean": _REDUCTION,
    "Sum": _REDUCTION,
    "Max": _REDUCTION,
    "Min": _REDUCTION,
    "Concatenate": Passive(channels.concatenated, frames.over_axis, Grid.OWN),
    "GetItem": Passive(grid=Grid.OF_INPUT, operator="slice"),
    "Reshape": _MOVE,
    "Squeeze": _MOVE,
    "ExpandDims": _MOVE,
    "Transpose": _MOVE,
    "Pad": _MOVE,
    "Split": _MOVE,
    "Tile": _MOVE,
    "Repeat": _MOVE,
}
