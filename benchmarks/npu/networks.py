"""Networks to learn Vela's costs from: random ones, and the registered ones with random numbers of units."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.shared.sizes import SIZES
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.remove import remove
from tinyprune.compress.shapes import network_shape
from tinyprune.export.tflite import convert
from tinyprune.registry import MODELS
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.storage.writing import writing

REGISTERED = ("tinylstm", "crn", "ds_cnn", "resnet8", "mobilenet_v2", "kwt")
SPEECH = ("tinylstm", "crn")
FRACTIONS = SIZES.registered_fractions
_MOST_MACS, _MOST_BYTES = 3e7, 128 * 1024


@dataclass(frozen=True)
class Network:
    """One network. Attributes: name; frames of one call (None: no time axis); make: the model, its shape and kept."""

    name: str
    frames: int | None
    make: Callable[[], tuple[keras.Model, NetworkShape, np.ndarray]]


def networks(kind: str, count: int) -> list[Network]:
    """Random ones of "train" or "held-out", or the "registered" ones at several widths.

    Of the random ones a third more are networks with attention.
    """
    if kind == "registered":
        return [registered(name, fraction) for name in REGISTERED for fraction in FRACTIONS]
    return [_random(kind, number) for number in range(count)] + with_attention(kind, count)


def with_attention(kind: str, count: int) -> list[Network]:
    """Those of :func:`networks` that have attention."""
    if kind == "registered":
        return [registered("kwt", fraction) for fraction in FRACTIONS]
    numbers = range(count, count + count // 3)
    return [_built(_attentive, kind, number, None) for number in numbers]


def export(network: Network, folder: Path) -> Path:
    """Its int8 ``.tflite``, made once."""
    path = folder / network.name / "model.tflite"
    if not path.exists():
        model, _, _ = network.make()
        rng = np.random.default_rng(0)
        calibration = rng.standard_normal(
            (4, *model.inputs[0].shape[2 if network.frames else 1 :]), np.float32
        )
        content = convert(model, network.frames, calibration)
        with writing(path) as part:
            part.write_bytes(content)
    return path


def registered(name: str, fraction: float) -> Network:
    """A registered network with about this fraction of its units."""
    frames = 1 if name in SPEECH else None

    def make() -> tuple[keras.Model, NetworkShape, np.ndarray]:
        rng = np.random.default_rng(int(1000 * fraction))
        base = fold(MODELS[name]())
        units = coupling(base)
        keep = np.zeros(units.units, bool)
        for item in units.sets:
            part = 1.0 if fraction == 1 else fraction * rng.uniform(0.7, 1.3)
            some = rng.permutation(item.size)[: max(1, min(item.size, round(part * item.size)))]
            keep[item.start + some] = True
        kept = np.array([keep[item.slice].sum() for item in units.sets], float)
        return (
            _like_trained(remove(base, units, keep), rng),
            network_shape(base, units, frames),
            kept,
        )

    return Network(f"{name}-{fraction:g}", frames, make)


def _random(kind: str, number: int) -> Network:
    is_recurrent = number % 4 == 3
    build = _convolutional if not is_recurrent else _causal if number % 8 == 7 else _recurrent

    return _built(build, kind, number, 1 if is_recurrent else None)


def _built(
    build: Callable[[np.random.Generator], keras.Model], kind: str, number: int, frames: int | None
) -> Network:
    def make() -> tuple[keras.Model, NetworkShape, np.ndarray]:
        rng = np.random.default_rng([number, kind == "train"])
        model = fold(build(rng))
        units = coupling(model)
        shape = network_shape(model, units, frames)
        return _like_trained(model, rng), shape, np.array([item.size for item in units.sets], float)

    return Network(f"{kind}-{number:02}", frames, make)


def _like_trained(model: keras.Model, rng: np.random.Generator) -> keras.Model:
    """Normal weights, as Vela packs them: trained kernels are nearer to those than to uniform ones.

    What is never learned stays as it is.
    """
    for layer in model.layers:
        if not layer.trainable:
            continue
        values = [
            (rng.standard_normal(value.shape) / np.sqrt(max(1, np.prod(value.shape[:-1])))).astype(
                np.float32
            )
            for value in layer.get_weights()
        ]
        layer.set_weights(values)
    return model


def _width(rng: np.random.Generator, low: int = 8, high: int = 512) -> int:
    """Log-uniform; every third a multiple of 16, which is packed without padding, some very narrow."""
    width, kind = int(np.exp(rng.uniform(np.log(low), np.log(high)))), rng.random()
    return (
        int(rng.integers(2, 13))
        if kind < 0.12
        else max(16, width // 16 * 16)
        if kind < 0.42
        else width
    )


def _recurrent(rng: np.random.Generator) -> keras.Model:
    features = keras.Input((None, _width(rng, 16, 256)))
    x: Any = features
    for _ in range(rng.integers(1, 3)):
        x = keras.layers.LSTM(_width(rng, 8, 300), return_sequences=True)(x)
    for activation in rng.choice(["relu", "sigmoid", "tanh", "relu"], rng.integers(2, 5)):
        x = keras.layers.Dense(_width(rng), activation=str(activation))(x)
    return keras.Model(features, keras.layers.Dense(_width(rng, 8, 200), activation="sigmoid")(x))


def _causal(rng: np.random.Generator) -> keras.Model:
    """Looks back in time, so that one frame per call joins and cuts contexts."""
    bands, channels = 2 ** int(rng.integers(3, 7)), [_width(rng, 4, 64) for _ in range(3)]
    features = keras.Input((None, bands))
    x = keras.layers.Reshape((-1, bands, 1))(features)
    for width in channels[:2]:
        x = keras.layers.ZeroPadding2D(((1, 0), (0, 1)))(x)
        x = keras.layers.Conv2D(width, (2, 3), (1, 2), activation="relu")(x)
    x = skip = keras.layers.Conv2D(channels[2], (1, 3), padding="same", activation="relu")(x)
    hidden = _width(rng, 16, 200)
    x = keras.layers.Dense(hidden, activation="relu")(
        keras.layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    )
    for dilation in (1, int(rng.choice([2, 4]))):
        y = keras.layers.Conv1D(
            hidden, 3, padding="causal", dilation_rate=dilation, activation="relu"
        )(x)
        x = keras.layers.Add()([x, y])
    x = keras.layers.Dense(skip.shape[2] * skip.shape[3], activation="relu")(x)
    x = keras.layers.Add()([keras.layers.Reshape((-1, *skip.shape[2:]))(x), skip])
    x = keras.layers.Conv2DTranspose(
        _width(rng, 2, 48), (1, 3), (1, 2), padding="same", activation="relu"
    )(x)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    return keras.Model(features, keras.layers.Dense(bands, activation="sigmoid")(x))


def _attentive(rng: np.random.Generator) -> keras.Model:
    """One or two blocks of a transformer; its frames are not masked."""
    frames = int(rng.integers(8, 100))
    size = int(rng.choice([8, 16, 16, 24, 32, 64]))
    heads = int(rng.integers(1, 7))
    width = size * heads
    features = keras.Input((frames, int(rng.integers(8, 64))))
    x: Any = keras.layers.Dense(width)(features)
    for _ in range(rng.integers(1, 3)):
        x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(heads, size)(x, x)])
        x = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(_width(rng, 16, 256), activation="relu")(x)
        x = keras.layers.Add()([x, keras.layers.Dense(width)(y)])
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(
        features, keras.layers.Dense(int(rng.integers(2, 64)), activation="softmax")(x)
    )


def _convolutional(rng: np.random.Generator) -> keras.Model:
    height = int(rng.integers(6, 56))
    width = int(rng.choice([1, rng.integers(4, 24), height]))
    x = images = keras.Input((height, width, int(rng.choice([1, 3, 8]))))
    for layer in _layers(rng):
        x = layer(x)
    x = (
        keras.layers.GlobalAveragePooling2D()(x)
        if rng.random() < 0.5
        else keras.layers.Flatten()(_small(x))
    )
    x = keras.layers.Dense(_width(rng, 8, 256), activation="relu")(x)
    return keras.Model(
        images, keras.layers.Dense(int(rng.integers(2, 64)), activation="softmax")(x)
    )


def _small(x: Any) -> Any:
    """Pooled until its elements are few enough for a dense layer."""
    size = [max(1, side // 4) for side in x.shape[1:3]]
    return keras.layers.AveragePooling2D(tuple(size))(x) if np.prod(x.shape[1:]) > 2048 else x


def _layers(rng: np.random.Generator) -> Iterator[Callable[[Any], Any]]:
    kinds = [
        "pointwise",
        "conv",
        "kernel",
        "depthwise",
        "depthwise",
        "residual",
        "pool",
        "transposed",
    ]
    weights = [0.25, 0.2, 0.1, 0.125, 0.125, 0.12, 0.05, 0.03]
    for kind in ["conv", *rng.choice(kinds, int(rng.integers(8, 14)), p=weights)]:
        yield lambda x, kind=kind: _one(rng, str(kind), x)


def _one(rng: np.random.Generator, kind: str, x: Any) -> Any:
    rows, columns, channels = x.shape[1:]
    stride = 2 if rng.random() < 0.25 and min(rows, columns) > 8 else 1
    side = {"pointwise": 1, "conv": 3}.get(kind, int(rng.choice([2, 4, 5, 7])))
    kernel = (side, min(side, columns))
    room = _MOST_MACS / (rows * columns * channels * np.prod(kernel) / stride**2)
    units = min(
        _width(rng), max(8, min(int(room), int(_MOST_BYTES / (rows * columns / stride**2))))
    )
    options = {"padding": "same", "activation": "relu" if rng.random() < 0.8 else None}
    if kind == "depthwise":
        return keras.layers.DepthwiseConv2D(int(rng.choice([3, 3, 5])), stride, **options)(x)
    if kind == "residual":
        return keras.layers.ReLU()(
            keras.layers.Add()([x, keras.layers.Conv2D(channels, 1, padding="same")(x)])
        )
    if kind == "pool" and min(rows, columns) >= 4:
        return rng.choice([keras.layers.MaxPooling2D, keras.layers.AveragePooling2D])(2)(x)
    if kind == "transposed" and rows * columns < 200:
        return keras.layers.Conv2DTranspose(min(units, 64), 3, 2, **options)(x)
    return keras.layers.Conv2D(units, kernel, stride, **options)(x)
