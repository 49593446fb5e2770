"""A small network with two inputs and three outputs, and inputs for it."""

import numpy as np

from tinyprune.named_arrays import joined

#: The order of the model is not the alphabetical one: what mixes them up is seen.
INPUTS = {"picture": (6, 6, 1), "angle": (3,)}
OUTPUTS = {"kind": (3,), "box": (2,), "alarm": (2,)}


def network():
    """Two ways of kernels that meet in a layer, and three layers behind that, one per output."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    picture, angle = (keras.Input(shape, name=name) for name, shape in INPUTS.items())
    seen = layers.Conv2D(8, 3, activation="relu", name="conv")(picture)
    seen = layers.Flatten(name="flat")(seen)
    turned = layers.Dense(8, activation="relu", name="turn")(angle)
    both = layers.Concatenate(name="both")([seen, turned])
    hidden = layers.Dense(16, activation="relu", name="hidden")(both)
    kind = layers.Dense(3, activation="softmax", name="kind")(hidden)
    box = layers.Dense(2, name="box")(hidden)
    alarm = layers.Dense(2, activation="sigmoid", name="alarm")(hidden)
    return keras.Model([picture, angle], [kind, box, alarm], name="several")


def inputs(count: int = 64, seed: int = 0) -> np.ndarray:
    """Inputs by name, the second ten times as large as the first."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for scale, (name, shape) in zip((1, 10), INPUTS.items(), strict=True):
        arrays[name] = (scale * rng.normal(size=(count, *shape))).astype(np.float32)
    return joined(arrays)
