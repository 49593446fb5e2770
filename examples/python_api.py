"""Prune, export and compile a Keras network from Python: ``python examples/python_api.py [FOLDER]``.

The same cells work in a notebook. The data are made here: pictures of 16 x 16 pixels, each mostly of one of three colours.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import tinyprune

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/python-api")
CLASSES = 3


def make_pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (count, 16, 16, 3) and their classes (count,)."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    pictures = rng.normal(0, 0.5, (count, 16, 16, 3))
    pictures[np.arange(count), :, :, labels] += 0.5
    return pictures.astype(np.float32), labels


def build_network() -> keras.Model:
    """Return a small convolutional classifier."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ],
        name="colours",
    )


def train(network: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int, callbacks=()) -> float:
    """Train with Keras and return the accuracy of the last epoch."""
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = network.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return history.history["accuracy"][-1]


def main() -> None:
    """Train in float, prune with int8 learning, export, compile."""
    keras.utils.set_random_seed(0)
    x, y = make_pictures(384)
    model = build_network()
    print(f"float accuracy {train(model, x, y, epochs=4):.3f}")

    pruner = tinyprune.Pruner(model, structure="block", block_size="8x8", sparsity=0.75)
    network = pruner.prepare(calibration=x[:64])
    accuracy = train(network, x, y, epochs=6, callbacks=[pruner.callback()])
    small = pruner.finalize()
    print(f"pruned accuracy {accuracy:.3f}, {small.count_params()} parameters")

    FOLDER.mkdir(parents=True, exist_ok=True)
    exported = tinyprune.export_int8(small, x[:64], FOLDER / "small.tflite", masks=pruner.masks)
    print(f"{exported.sparsity:.0%} of the int8 weights are zero in {exported.path}")

    print(tinyprune.compile(exported.path, npu="ethos-u55-128", layers=exported.layers))


if __name__ == "__main__":
    main()
