"""Saves networks with Keras 2 in the current folder: NAME.h5 and NAME.keras, with inputs x and outputs y in NAME.npz.

A script for a process of its own, with TF_USE_LEGACY_KERAS=1 and the user's module
``layers_of_mine`` on its path.
"""

import numpy as np
import tensorflow as tf
import tf_keras as keras
from layers_of_mine import Scale, double
from tf_keras import layers
from tf_keras.layers import BatchNormalization, Conv2D, Dense


def dense(x):
    return Dense(3)(layers.Dropout(0.2)(Dense(6, "relu")(x)))


def conv(x):
    x = BatchNormalization()(Conv2D(6, 3, 2, use_bias=False)(layers.ZeroPadding2D(1)(x)))
    x = layers.DepthwiseConv2D(3, padding="same")(layers.ReLU(6.0)(x))
    x = tf.nn.relu6(BatchNormalization()(x))
    x = layers.Conv2DTranspose(4, 2, 2)(layers.LeakyReLU(0.3)(x))
    x = layers.Activation(tf.nn.relu6)(layers.SeparableConv2D(4, 3)(x))
    return Dense(2, "softmax")(layers.GlobalAveragePooling2D()(x))


def branches(x):
    """Two convolutions of one shape at one depth."""
    a, b = (Conv2D(2, 3, padding="same", name=name)(x) for name in ("z", "a"))
    return layers.Concatenate()([layers.Subtract()([b, a]), x])


def lstm(x):
    x = layers.LSTM(4, return_sequences=True)(x)
    return Dense(2, "sigmoid")(layers.LSTM(3, return_sequences=True)(x))


def wrapped(x):
    step = keras.Sequential([keras.Input((2,)), Dense(3, "relu"), Dense(2)])
    x = layers.TimeDistributed(step)(layers.TimeDistributed(Dense(2))(x))
    return layers.Bidirectional(layers.GRU(3))(layers.Conv1D(4, 3, padding="causal")(x))


def nested(x):
    """A Sequential, a functional model that is called twice, and a Sequential that gives the output."""
    first = keras.Sequential(
        [keras.Input((6, 6, 2)), Conv2D(3, 3), BatchNormalization()], name="first"
    )
    inner = keras.Input((4, 4, 3))
    frozen = Conv2D(3, 3, padding="same", trainable=False)(inner)
    core = keras.Model(
        inner, layers.Add()([inner, Conv2D(3, 3, padding="same")(frozen)]), name="core"
    )
    last = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), Dense(2)], name="last")
    return last(core(core(first(x))))


def late(x):
    """A Sequential that learns its input shape when it is called gives the output."""
    return keras.Sequential([Dense(4), Dense(2)], name="late")(x)


def whole(x):
    """A functional model gives the output, from a TensorFlow operation inside it."""
    inner = keras.Input((5,))
    return keras.Model(inner, tf.nn.tanh(Dense(2)(inner) * 2.0))(x)


def operations(x):
    x = tf.pad(x, [[0, 0], [1, 1], [2, 0], [0, 0]])
    y = 1.0 - tf.nn.leaky_relu(x, 0.1) * 0.5 + tf.nn.relu(x) / 3.0
    y = tf.concat([y - x, x * y, 2.0 + x, y - 1.0], -1)
    y = tf.reduce_mean(tf.clip_by_value(y, 0, 6), [1, 2])
    return tf.nn.softmax(tf.reshape(y, [-1, 2, 4]) + 0.5)


def sliced(x):
    return Dense(2)(x[:, 1:])


def mine(x):
    return Dense(2, activation=double)(Scale(3.0)(x))


SHAPES = [
    *[
        (dense, (4,)),
        (conv, (9, 9, 3)),
        (branches, (5, 5, 2)),
        (lstm, (None, 3)),
        (wrapped, (6, 2)),
    ],
    *[
        (nested, (6, 6, 2)),
        (late, (5,)),
        (whole, (5,)),
        (operations, (4, 3, 2)),
        (sliced, (4,)),
        (mine, (4,)),
    ],
]


def networks() -> dict:
    found = {}
    for network, shape in SHAPES:
        inputs = keras.Input(shape)
        found[network.__name__] = keras.Model(inputs, network(inputs))
    found["sequential"] = keras.Sequential(
        [keras.Input((4,)), Dense(6, "relu"), BatchNormalization()]
    )
    found["sequential"].compile("adam", "mse")
    found["built"] = keras.Sequential([Dense(6, "relu"), Dense(2)])
    found["built"].build((None, 4))
    found["lambda"] = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1)])
    return found


def save(name: str, model, rng: np.random.Generator) -> None:
    for weights in model.weights:
        values = rng.uniform(0.1, 0.5, weights.shape)
        weights.assign(
            values if "variance" in weights.name else values * rng.choice([-1, 1], weights.shape)
        )
    x = rng.normal(size=(2, *(size or 5 for size in model.input_shape[1:]))).astype(np.float32)
    np.savez(f"{name}.npz", x=x, y=model(x))
    model.save(f"{name}.h5")
    model.save(f"{name}.keras")


def main() -> None:
    found, rng = networks(), np.random.default_rng(0)
    for name, model in found.items():
        save(name, model, rng)
    found["dense"].save_weights("weights.h5")
    found["dense"].save_weights("new.weights.h5")


main()
