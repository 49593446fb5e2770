"""``TimeDistributed``: what a layer does to every frame, done by layers of the whole sequence.

Frames of a sequence (batch, frames, ...) become the rows of one image, or lie below each other in
it, so that the layer has one operator and its weights are there once. A layer for which no such
form is known stays wrapped.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.functions import with_function_apart
from tinyprune.compress.parts import Chain, Parts, Single, trainable
from tinyprune.compress.splits import separable_layers, split

#: Shape of a sequence, (batch, frames, ...).
Shape = tuple[int | None, ...]
#: (layer, name, shape of the sequence) -> its parts, or None where there is no form for it.
Form = Callable[[Any, str, Shape], Parts | None]


def over_time(operation: Any, name: str, shape: Shape) -> Parts:
    """Return the parts of a layer or operation that acts on every frame, without weights."""

    def parts_of(operation: Any, name: str) -> Parts:
        form = _FORMS.get(type(operation))
        parts = None if form is None else form(operation, name, shape)
        return _wrapped(operation, name) if parts is None else parts

    return with_function_apart(operation, name, parts_of)


def _wrapped(operation: Any, name: str) -> Parts:
    """The layer in a wrapper of its own, as Keras has it."""
    inner = graph.copy(operation, name=f"{name}_frame", **trainable(operation))
    return Single(layers.TimeDistributed(inner, name=name))


def _by_position(layer: Any, name: str, shape: Shape) -> Parts:
    """A layer that treats every position, or every number, alone: it takes a sequence as it is."""
    del shape
    return split(layer, name)


def _along_channels(layer: Any, name: str, shape: Shape) -> Parts | None:
    """A layer of one axis, if that is the one of the channels."""
    last_of_frame = len(shape) - 2
    axes = np.atleast_1d(layer.axis).tolist()
    if axes not in ([-1], [last_of_frame]):
        return None
    return split(graph.copy(layer, axis=-1), name)


def _reshaped(layer: Any, name: str, shape: Shape) -> Parts:
    """Flatten or Reshape of every frame."""
    frame = layer.compute_output_shape((1, *shape[2:]))[1:]
    return Single(layers.Reshape((_frames(shape), *frame), name=name))


def _frames(shape: Shape) -> int:
    """The number of frames as Reshape wants it."""
    return -1 if shape[1] is None else shape[1]


def _static(shape: Shape) -> tuple[int, ...]:
    """(frames, ...) of a sequence; empty where one of them is not known."""
    sizes = tuple(size for size in shape[1:] if size is not None)
    return sizes if len(sizes) == len(shape) - 1 else ()


# --- frames as rows: layers of one axis


class _OfRows(Parts):
    """A convolution or pooling of each frame (positions, channels): frames are rows."""

    def __init__(self, source: Any, name: str, plain: type[keras.Layer]) -> None:
        super().__init__()
        settings = {**source.get_config(), **trainable(source), "name": name}
        for key in ("kernel_size", "pool_size", "strides", "dilation_rate"):
            if key in settings:
                settings[key] = (1, *np.atleast_1d(settings[key]).tolist())
        self._padding: keras.Layer | None = None
        if source.padding == "causal":
            past = (source.kernel_size[0] - 1) * source.dilation_rate[0]
            self._padding = layers.ZeroPadding2D(((0, 0), (past, 0)), name=f"{name}_padding")
            settings["padding"] = "valid"
        self._inner = plain.from_config(settings)

    def __call__(self, sequence: Any) -> Any:
        """Return (batch, frames, positions, channels)."""
        padded = sequence if self._padding is None else self._padding(sequence)
        return self._inner(padded)

    @property
    def weights(self) -> Sequence[Any]:
        """Weights of the layer."""
        return self._inner.weights

    def set_weights(self, values: Sequence[Any]) -> None:
        """Set the weights; the kernel has one row."""
        shaped = []
        for value, own in zip(values, self._inner.weights, strict=True):
            shaped.append(np.reshape(value, own.shape))
        graph.set_weights(self._inner, shaped)


def _rows(plain: type[keras.Layer]) -> Form:
    """The form of a layer of one axis as one of two."""
    return lambda layer, name, shape: _OfRows(layer, name, plain)


def _depthwise_rows(layer: Any, name: str, shape: Shape) -> Parts | None:
    """A depthwise convolution of one axis; TensorFlow has none whose two strides differ."""
    del shape
    is_dense = layer.strides == (1,)
    return _OfRows(layer, name, layers.DepthwiseConv2D) if is_dense else None


# --- frames below each other: layers of two axes


@dataclass(frozen=True)
class _FrameRows:
    """The rows of one frame among those of all frames.

    Attributes:
        above, below: rows of zeros around a frame; with them its length is a multiple of the
            stride.
        overlap: rows of zeros below the last frame, for windows that begin in its last rows.
        made: rows that a frame has afterwards, the last of which may reach into the next frame.
        kept: those that do not.
    """

    above: int
    below: int
    overlap: int
    made: int
    kept: int


def _frame_rows(rows: int, size: int, stride: int, padding: tuple[int, int]) -> _FrameRows:
    """The rows of a frame of so many rows, for windows of that size and stride."""
    above, below = padding
    padded = above + rows + below
    length = math.ceil(padded / stride) * stride
    return _FrameRows(
        above=above,
        below=length - above - rows,
        overlap=max(size - stride, 0),
        made=length // stride,
        kept=(padded - size) // stride + 1,
    )


def _same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """(before, after) of "same" padding, as TensorFlow has it."""
    total = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


class _OfImages(Parts):
    """A convolution or pooling of each frame (rows, columns, channels): frames are stacked."""

    def __init__(self, source: Any, name: str) -> None:
        super().__init__()
        self._name = name
        self._source = source
        self._calls = 0
        dilation = getattr(source, "dilation_rate", (1, 1))
        window = source.pool_size if hasattr(source, "pool_size") else source.kernel_size
        self._size = [1 + (n - 1) * step for n, step in zip(window, dilation, strict=True)]
        self._inner = graph.copy(source, name=name, padding="valid", **trainable(source))

    def padding(self, axis: int, length: int) -> tuple[int, int]:
        """Return (before, after) along the rows, axis 0, or the columns, axis 1."""
        if self._source.padding == "valid":
            return 0, 0
        return _same_padding(length, self._size[axis], self._source.strides[axis])

    def __call__(self, sequence: Any) -> Any:
        """Return (batch, frames, rows, columns, channels)."""
        self._calls += 1
        frames, height, width, channels = sequence.shape[1:]
        stride = self._source.strides[0]
        rows = _frame_rows(height, self._size[0], stride, self.padding(0, height))
        if rows.above or rows.below:
            flat = self._reshape("flat", (frames, height, width * channels))(sequence)
            between = ((0, 0), (rows.above, rows.below))
            sequence = layers.ZeroPadding2D(between, name=self._part("rows_padding"))(flat)
            height += rows.above + rows.below
        stacked = self._reshape("rows", (frames * height, width, channels))(sequence)
        around = ((0, rows.overlap), self.padding(1, width))
        if np.any(around):
            stacked = layers.ZeroPadding2D(around, name=self._part("padding"))(stacked)
        return self._unstacked(self._inner(stacked), frames, rows)

    def _unstacked(self, stacked: Any, frames: int, rows: _FrameRows) -> Any:
        """The frames of an image of all rows, each with those rows that are its own."""
        _, _, width, channels = stacked.shape
        if rows.kept < rows.made:
            flat = self._reshape("made", (frames, rows.made, width * channels))
            stacked = self._move(flat, stacked)
            cropping = ((0, 0), (0, rows.made - rows.kept))
            cropped = layers.Cropping2D(cropping, name=self._part("cropped"))
            stacked = self._move(cropped, stacked)
        unstacked = self._reshape("frames", (frames, rows.kept, width, channels))
        return self._move(unstacked, stacked)

    def _reshape(self, part: str, shape: tuple[int, ...]) -> keras.Layer:
        return layers.Reshape(shape, name=self._part(part))

    def _part(self, part: str) -> str:
        """The name of a part; each call has its own."""
        call = "" if self._calls == 1 else f"_{self._calls}"
        return f"{self._name}_{part}{call}"

    def _move(self, layer: keras.Layer, values: Any) -> Any:
        self.moves.append(layer)
        return layer(values)

    @property
    def weights(self) -> Sequence[Any]:
        """Weights of the layer."""
        return self._inner.weights

    def set_weights(self, values: Sequence[Any]) -> None:
        """Set the weights of the layer."""
        graph.set_weights(self._inner, values)


def _images(layer: Any, name: str, shape: Shape) -> Parts | None:
    """A convolution of two axes."""
    return _OfImages(layer, name) if _static(shape) else None


def _pooled_images(layer: Any, name: str, shape: Shape) -> Parts | None:
    """A pooling of two axes without padding: zeros are no elements of a frame."""
    sizes = _static(shape)
    if not sizes:
        return None
    pool = _OfImages(layer, name)
    _, height, width, _ = sizes
    is_padded = any(pool.padding(0, height)) or any(pool.padding(1, width))
    return None if is_padded else pool


def _whole(plain: type[keras.Layer]) -> Form:
    """The form of a pooling over all positions: one with a window of their size."""

    def form(layer: Any, name: str, shape: Shape) -> Parts | None:
        sizes = _static(shape)
        if not sizes:
            return None
        frames, *positions, channels = sizes
        height = math.prod(positions[:-1])
        width = positions[-1]
        stacked = layers.Reshape((frames * height, width, channels), name=f"{name}_rows")
        pool = plain((height, width), name=name)
        frame = layer.compute_output_shape((1, *shape[2:]))[1:]
        made = layers.Reshape((frames, *frame), name=f"{name}_frames")
        return Chain(map(Single, [stacked, pool, made]))

    return form


def _separable(layer: Any, name: str, shape: Shape) -> Parts:
    """Both parts of a separable convolution."""
    return Chain(over_time(part, part.name, shape) for part in separable_layers(layer, name))


_FORMS: Mapping[type, Form] = {
    **dict.fromkeys(
        (
            layers.Dense,
            layers.Activation,
            layers.ReLU,
            layers.LeakyReLU,
            layers.ELU,
            layers.Identity,
            layers.Dropout,
            layers.GaussianNoise,
            layers.GaussianDropout,
            layers.AlphaDropout,
            layers.ActivityRegularization,
            layers.Add,
            layers.Subtract,
            layers.Multiply,
            layers.Average,
            layers.Maximum,
            layers.Minimum,
        ),
        _by_position,
    ),
    **dict.fromkeys(
        (
            layers.Softmax,
            layers.BatchNormalization,
            layers.LayerNormalization,
            layers.RMSNormalization,
            layers.Concatenate,
        ),
        _along_channels,
    ),
    layers.Flatten: _reshaped,
    layers.Reshape: _reshaped,
    layers.Conv1D: _rows(layers.Conv2D),
    layers.MaxPooling1D: _rows(layers.MaxPooling2D),
    layers.AveragePooling1D: _rows(layers.AveragePooling2D),
    layers.DepthwiseConv1D: _depthwise_rows,
    layers.Conv2D: _images,
    layers.DepthwiseConv2D: _images,
    layers.MaxPooling2D: _pooled_images,
    layers.AveragePooling2D: _pooled_images,
    **dict.fromkeys(
        (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
        _whole(layers.AveragePooling2D),
    ),
    **dict.fromkeys(
        (layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D), _whole(layers.MaxPooling2D)
    ),
    layers.SeparableConv1D: _separable,
    layers.SeparableConv2D: _separable,
}
