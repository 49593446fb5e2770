"""Networks to hold the simulator to TFLM with: the registered ones, small, and random ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.support.small_models import NETWORKS
from tinyprune.compress.fold import fold
from tinyprune.export.tflite import convert

ACTIVATIONS = [None, "relu", "relu6", "sigmoid", "tanh", "hard_swish"]


def registered(name: str) -> bytes:
    """Return a registered network as int8, with random weights and biases."""
    build, frames = NETWORKS[name]
    return _converted(fold(build()), frames, 0)


def random_network(seed: int) -> bytes:
    """Return a random network as int8: odd sizes, all kinds of layers that the NPU has."""
    import keras

    rng = np.random.default_rng(seed)
    height, width = rng.integers(6, 20, 2)
    inputs = keras.Input((int(height), int(width), int(rng.integers(1, 20))))
    made = inputs
    for _ in range(int(rng.integers(2, 5))):
        made = _LAYERS[rng.integers(len(_LAYERS))](_Place(made, rng))
    if rng.random() < 0.5:
        made = keras.layers.GlobalAveragePooling2D()(made)
        made = keras.layers.Dense(int(rng.integers(2, 12)), activation="softmax")(made)
    return _converted(fold(keras.Model(inputs, made)), None, seed)


@dataclass(frozen=True, eq=False)
class _Place:
    """The tensor that a layer is put on, and the random numbers that it is made with."""

    tensor: Any
    rng: np.random.Generator

    @property
    def channels(self) -> int:
        return int(self.rng.integers(1, 40))

    @property
    def kernel(self) -> tuple[int, int]:
        height, width = self.tensor.shape[1:3]
        most = self.rng.integers(1, 6, 2)
        return int(min(most[0], height)), int(min(most[1], width))

    def one_of(self, values: list) -> Any:
        return values[self.rng.integers(len(values))]


def _conv(place: _Place) -> Any:
    import keras

    strides = place.one_of([1, 1, 2])
    return keras.layers.Conv2D(
        place.channels,
        place.kernel,
        strides=strides,
        padding=place.one_of(["same", "valid"]),
        activation=place.one_of(ACTIVATIONS),
    )(place.tensor)


def _dilated(place: _Place) -> Any:
    import keras

    return keras.layers.Conv2D(place.channels, (3, 2), dilation_rate=2, padding="same")(
        place.tensor
    )


def _depthwise(place: _Place) -> Any:
    import keras

    return keras.layers.DepthwiseConv2D(
        place.kernel,
        strides=place.one_of([1, 2]),
        padding="same",
        activation=place.one_of(ACTIVATIONS),
    )(place.tensor)


def _pool(place: _Place) -> Any:
    import keras

    kind = place.one_of([keras.layers.MaxPooling2D, keras.layers.AveragePooling2D])
    return kind(place.kernel, strides=place.one_of([1, 2]), padding="same")(place.tensor)


def _two(place: _Place) -> Any:
    import keras

    merge = place.one_of(
        [
            keras.layers.Add(),
            keras.layers.Multiply(),
            keras.layers.Subtract(),
            keras.layers.Maximum(),
            keras.layers.Minimum(),
            keras.layers.Concatenate(),
        ]
    )
    channels = place.channels
    one = keras.layers.Conv2D(channels, 3, padding="same")(place.tensor)
    other = keras.layers.Conv2D(channels, 1, activation="relu")(place.tensor)
    return merge([one, other])


def _transposed(place: _Place) -> Any:
    import keras

    return keras.layers.Conv2DTranspose(place.channels, 3, strides=2, padding="same")(place.tensor)


_LAYERS: list[Callable[[_Place], Any]] = [
    _conv,
    _conv,
    _dilated,
    _depthwise,
    _pool,
    _two,
    _transposed,
]


def _converted(model: Any, frames: int | None, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    for weights in model.weights:
        inputs = max(int(np.prod(weights.shape[:-1])), 1)
        weights.assign(rng.normal(size=weights.shape) / np.sqrt(inputs))
    shape = model.inputs[0].shape[2 if frames else 1 :]
    return convert(model, frames, rng.standard_normal((4, *shape)).astype(np.float32))
