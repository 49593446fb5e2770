"""Rules of layers that run frame by frame: along axis 1 they may look at the present and the past.

A rule takes a layer and the shapes of its first input and output, and returns why the layer does
not work frame by frame, or an empty text.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Shape = tuple[int | None, ...]
FrameRule = Callable[[Any, Shape, Shape], str]


def along_time(setting: Any) -> Any:
    """Return the part that belongs to time of a setting for one axis or for two."""
    return setting[0] if isinstance(setting, list | tuple) else setting


def window_reach(layer: Any) -> int:
    """Return how many more frames than one a convolution or pooling sees."""
    size = layer.kernel_size if hasattr(layer, "kernel_size") else layer.pool_size
    return (along_time(size) - 1) * along_time(getattr(layer, "dilation_rate", 1))


def time_padding(layer: Any) -> tuple[int, int]:
    """Return the frames before and after that a ZeroPadding1D or ZeroPadding2D adds."""
    padding = layer.padding
    before, after = padding[0] if isinstance(padding[0], list | tuple) else padding
    return int(before), int(after)


def _problem_if(condition: bool, problem: str) -> str:
    return problem if condition else ""


def frame_by_frame(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """Every frame is treated alone."""
    del layer, shape, output_shape
    return ""


def mixes_frames(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """Nothing is known of the layer."""
    del layer, shape, output_shape
    return "may mix frames"


def over_axis(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """The layer works along an axis, or several, that it names."""
    del output_shape
    axes = np.atleast_1d(layer.axis) % len(shape)
    return _problem_if(1 in axes, "works along the axis of time")


def window(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A convolution or pooling."""
    del shape, output_shape
    if layer.strides[0] != 1:
        return "has a stride in time"
    if layer.padding == "same" and window_reach(layer):
        return "looks ahead ('same' padding in time)"
    return ""


def transposed(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A transposed convolution."""
    del shape, output_shape
    sizes = (layer.kernel_size[0], layer.strides[0])
    return _problem_if(sizes != (1, 1), "spreads a frame over several")


def padding(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A padding with zeros."""
    del shape, output_shape
    _, after = time_padding(layer)
    return _problem_if(after > 0, "looks ahead (padding at the end of time)")


def shared_slope(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A PReLU, whose slopes may differ by frame."""
    del shape, output_shape
    return _problem_if(1 not in (layer.shared_axes or ()), "has a slope per frame")


def permuted(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A permutation of axes."""
    del shape, output_shape
    return _problem_if(layer.dims[0] != 1, "moves the axis of time")


def upsampled(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A repetition of rows and columns."""
    del shape, output_shape
    return _problem_if(layer.size[0] != 1, "repeats frames")


def cropped(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A cropping of rows and columns."""
    del shape, output_shape
    return _problem_if(any(layer.cropping[0]), "cuts frames off")


def reshaped(layer: Any, shape: Shape, output_shape: Shape) -> str:
    """A reshaping, seen in its shapes."""
    del layer
    frame = shape[2:]
    output_frame = output_shape[2:]
    is_open = None in frame or None in output_frame
    if is_open or math.prod(frame) != math.prod(output_frame):  # type: ignore[arg-type]
        return "does not keep the axis of time"
    return ""
