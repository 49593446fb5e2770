"""Pictures, and a network of one's own that learns them."""

from pathlib import Path

#: A network of one's own, as a user has it in a file: 3 classes of 8x8 pixels in colour.
TINY_NET = """
import keras
from keras import layers


def build():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    x = layers.Conv2D(24, 1, name="pointwise")(x)
    x = layers.Activation("relu", name="pointwise_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x), name="tiny")
"""


def write_images(path: Path, classes: int = 3) -> Path:
    """An ``.npz`` of noisy 8x8 pictures, each mostly of one of three colours; 48, 24 and 12 of the splits."""
    import numpy as np

    rng, arrays = np.random.default_rng(0), {}
    for split, count in (("train", 48), ("dev", 24), ("test", 12)):
        labels = np.arange(count) % classes
        pixels = rng.integers(0, 100, (count, 8, 8, 3))
        pixels[np.arange(count), :, :, labels] += 150
        arrays |= {f"x_{split}": pixels.astype(np.uint8), f"y_{split}": labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path
