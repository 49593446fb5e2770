"""The layers that are split in canonical form. A further one is one line here."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.attention import attention, multi_head_attention
from tinyprune.compress.bidirectional import bidirectional
from tinyprune.compress.functions import with_function_apart
from tinyprune.compress.normalisation import (
    group_normalisation,
    layer_normalisation,
    rms_normalisation,
)
from tinyprune.compress.parts import Chain, Parts, Single, copied, trainable
from tinyprune.compress.recurrent_forms import exportable
from tinyprune.compress.simple_rnn import SimpleRNNSteps

#: (layer, name) -> its parts; their names begin with the name.
Split = Callable[[Any, str], Parts]

_SPATIAL_SETTINGS = (
    "kernel_size",
    "strides",
    "padding",
    "dilation_rate",
    "data_format",
    "depth_multiplier",
)
_POINTWISE_SETTINGS = ("filters", "activation", "use_bias", "data_format")


def split(operation: Any, name: str) -> Parts:
    """Return the parts of a layer or operation, without weights; of most a copy alone."""
    return with_function_apart(operation, name, _of_layer)


def _of_layer(operation: Any, name: str) -> Parts:
    return SPLITS.get(type(operation), copied)(operation, name)


def separable_layers(layer: Any, name: str) -> list[Any]:
    """Return the depthwise and the pointwise convolution of a separable one."""
    is_along_time = isinstance(layer, layers.SeparableConv1D)
    depthwise = layers.DepthwiseConv1D if is_along_time else layers.DepthwiseConv2D
    pointwise = layers.Conv1D if is_along_time else layers.Conv2D
    spatial_settings = {key: getattr(layer, key) for key in _SPATIAL_SETTINGS}
    other_settings = {key: getattr(layer, key) for key in _POINTWISE_SETTINGS}
    return [
        depthwise(**spatial_settings, use_bias=False, name=f"{name}_depthwise"),
        pointwise(kernel_size=1, **other_settings, name=f"{name}_pointwise"),
    ]


def _separable(layer: Any, name: str) -> Parts:
    return Chain(map(Single, separable_layers(layer, name)))


def _lstm(layer: Any, name: str) -> Parts:
    return Single(exportable(graph.copy(layer, name=name, **trainable(layer))))


SPLITS: Mapping[type, Split] = {
    layers.SeparableConv1D: _separable,
    layers.SeparableConv2D: _separable,
    layers.LayerNormalization: layer_normalisation,
    layers.RMSNormalization: rms_normalisation,
    layers.GroupNormalization: group_normalisation,
    layers.LSTM: _lstm,
    layers.Bidirectional: bidirectional,
    layers.SimpleRNN: SimpleRNNSteps,
    layers.MultiHeadAttention: multi_head_attention,
    layers.Attention: attention,
}
