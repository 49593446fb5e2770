"""Which layers can run frame by frame: along axis 1 they look at the present and at what causal padding gives them."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from tinyprune.compress import graph
from tinyprune.errors import UsageError


def _of_axis(layer: Any, rank: int) -> str:
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    return "works along the axis of time" if 1 in [axis % rank for axis in axes] else ""


def _of_window(layer: Any, rank: int) -> str:
    if layer.strides[0] != 1:
        return "has a stride in time"
    return (
        "looks ahead ('same' padding in time)" if layer.padding == "same" and _reach(layer) else ""
    )


def _of_transposed(layer: Any, rank: int) -> str:
    return (
        "spreads a frame over several" if layer.kernel_size[0] != 1 or layer.strides[0] != 1 else ""
    )


def _of_padding(layer: Any, rank: int) -> str:
    return "looks ahead (padding at the end of time)" if _time_padding(layer)[1] else ""


def _of_lstm(layer: Any, rank: int) -> str:
    if layer.go_backwards or layer.return_state:
        return "runs backwards or returns its state"
    return "" if layer.return_sequences else "keeps the last frame only"


def along_time(value: Any) -> Any:
    """The part that belongs to the axis of time of a setting for one axis or for two."""
    return value[0] if isinstance(value, list | tuple) else value


def _time_padding(layer: Any) -> tuple[int, int]:
    padding = layer.padding if isinstance(layer, layers.ZeroPadding1D) else layer.padding[0]
    return int(padding[0]), int(padding[1])


def _reach(layer: Any) -> int:
    """How many more frames than one a convolution or pooling sees."""
    size = layer.kernel_size if hasattr(layer, "kernel_size") else layer.pool_size
    return (along_time(size) - 1) * along_time(getattr(layer, "dilation_rate", 1))


def _of_unknown(layer: Any, rank: int) -> str:
    return "may mix frames"


def _nothing(layer: Any, rank: int) -> str:
    return ""


_Check = Callable[[Any, int], str]
_POINTWISE = (
    *(
        layers.Activation,
        layers.ReLU,
        layers.LeakyReLU,
        layers.ELU,
        layers.Dense,
        layers.Rescaling,
        layers.Identity,
    ),
    *(layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum),
    *(
        layers.Dropout,
        layers.SpatialDropout1D,
        layers.SpatialDropout2D,
        layers.GaussianNoise,
        layers.GaussianDropout,
    ),
)
_WINDOWS = (
    *(
        layers.Conv1D,
        layers.Conv2D,
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
    ),
    *(layers.SeparableConv2D, layers.MaxPooling1D, layers.MaxPooling2D, layers.AveragePooling1D),
    layers.AveragePooling2D,
)
#: Type of a layer -> function of the layer and the rank of its input: why it does not work frame by
#: frame, or "".
_CHECKS: dict[type, _Check] = {
    **dict.fromkeys(_POINTWISE, _nothing),
    **dict.fromkeys(_WINDOWS, _of_window),
    **dict.fromkeys(
        (layers.BatchNormalization, layers.LayerNormalization, layers.Softmax), _of_axis
    ),
    layers.Concatenate: _of_axis,
    **dict.fromkeys((layers.Conv1DTranspose, layers.Conv2DTranspose), _of_transposed),
    **dict.fromkeys((layers.ZeroPadding1D, layers.ZeroPadding2D), _of_padding),
    layers.LSTM: _of_lstm,
    layers.PReLU: lambda layer, rank: (
        "" if 1 in (layer.shared_axes or ()) else "has a slope per frame"
    ),
    layers.Permute: lambda layer, rank: "" if layer.dims[0] == 1 else "moves the axis of time",
    layers.UpSampling2D: lambda layer, rank: "" if layer.size[0] == 1 else "repeats frames",
    layers.Cropping2D: lambda layer, rank: "cuts frames off" if any(layer.cropping[0]) else "",
    layers.Reshape: _nothing,  # what it does is seen in its shapes
}
_OPERATIONS: dict[str, _Check] = {
    **dict.fromkeys(
        ("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power"),
        _nothing,
    ),
    **dict.fromkeys(
        ("Negative", "Absolute", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Clip"), _nothing
    ),
    **dict.fromkeys(
        ("Relu", "ReLU", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu"), _nothing
    ),
    **dict.fromkeys(
        ("Sigmoid", "Tanh", "Softplus", "Softsign", "HardSigmoid", "HardSilu", "HardTanh"), _nothing
    ),
    "Concatenate": _of_axis,
}


def require_causal(layer: Any, node: Any) -> None:
    """Raise UsageError unless a layer works frame by frame or looks back by causal padding.

    Users' own layers are taken to: what they compute is seen when the int8 graph is scored.
    """
    given, made = node.input_tensors[0].shape, node.outputs[0].shape
    reason = _check_of(layer)(layer, len(given))
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        reason = "has its channels on the axis of time"
    if len({len(x.shape) for x in node.input_tensors}) > 1 or min(len(given), len(made)) < 3:
        reason = "does not keep an axis of time for all of its inputs"
    elif type(layer) is layers.Reshape and (
        None in made[2:] or math.prod(given[2:]) != math.prod(made[2:])
    ):
        reason = "does not keep the axis of time"
    if reason:
        raise _cannot(layer, reason)


def require_frames(layer: Any, frames: list[int]) -> None:
    """Raise UsageError unless the inputs of a layer have as many frames as it needs for the present one."""
    if len(set(frames)) > 1:
        raise _cannot(layer, f"joins windows of {min(frames)} and {max(frames)} frames")
    if frames[0] > 1 and (look_back(layer) or isinstance(layer, layers.LSTM | layers.Reshape)):
        raise _cannot(
            layer,
            f"is given a window of {frames[0]} frames: only convolutions and pooling use up padding",
        )
    if type(layer) in _WINDOWS and frames[0] + look_back(layer) <= _reach(layer):
        raise _cannot(
            layer, f"sees {_reach(layer)} past frames, which no causal padding before it gives"
        )


def _check_of(layer: Any) -> _Check:
    if not isinstance(layer, keras.Layer):
        return _OPERATIONS.get(type(layer).__name__, _of_unknown)
    return _CHECKS.get(
        type(layer), _of_unknown if type(layer).__module__.startswith("keras.") else _nothing
    )


def _cannot(layer: Any, reason: str) -> UsageError:
    return UsageError(
        f"layer '{layer.name}' ({type(layer).__name__}) cannot run frame by frame: it {reason}; "
        "use causal padding in time, ZeroPadding2D(((k - 1, 0), ...)), with 'valid' convolutions"
    )


def look_back(layer: Any) -> int:
    """Past frames that a layer puts before the present one."""
    if isinstance(layer, layers.ZeroPadding1D | layers.ZeroPadding2D):
        return _time_padding(layer)[0]
    return _reach(layer) if type(layer) is layers.Conv1D and layer.padding == "causal" else 0


def one_frame(layer: Any, shape: tuple[int | None, ...]) -> Any:
    """A copy for one frame, without weights; None for a layer that leaves nothing to do. Shape: of its output."""
    if type(layer) is layers.ZeroPadding1D or (
        type(layer) is layers.ZeroPadding2D and not any(layer.padding[1])
    ):
        return None
    if type(layer) is layers.ZeroPadding2D:
        return graph.copy(layer, padding=((0, 0), layer.padding[1]))
    if type(layer) is layers.Conv1D and layer.padding == "causal":
        return graph.copy(layer, padding="valid", dilation_rate=1)
    if type(layer) is layers.Reshape:
        return graph.copy(layer, target_shape=(1, *shape[2:]))
    return graph.copy(layer, stateful=True) if type(layer) is layers.LSTM else graph.copy(layer)
