"""Networks with every kind of coupling between layers, random weights for them, their outputs."""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from tinyprune.compress.kinds.base import kernels
from tinyprune.models import tinylstm

#: Name -> the function that builds it.
NETWORKS: dict[str, Callable[[], keras.Model]] = {}


def network(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
    NETWORKS[build.__name__] = build
    return build


def conv_bn(x, filters, **more):
    return layers.ReLU()(
        layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", **more)(x))
    )


@network
def flatten_mlp():
    x = inputs = keras.Input((8, 6, 2))
    x = layers.MaxPooling2D()(layers.Conv2D(5, 3, activation="relu", padding="same")(x))
    x = layers.Dense(7, activation="sigmoid")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(x)))


@network
def ds_cnn():
    inputs = keras.Input((9, 6, 1))
    x = conv_bn(inputs, 8, strides=2)
    for _ in range(2):
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
        x = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(8, 1)(x)))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(x))


@network
def depth_multiplier():
    inputs = keras.Input((6, 6, 2))
    x = layers.DepthwiseConv2D(3, depth_multiplier=3)(layers.Conv2D(4, 1)(inputs))
    return keras.Model(inputs, layers.Conv2D(2, 1)(layers.ReLU(6.0)(x)))


@network
def resnet():
    inputs = keras.Input((8, 8, 3))
    x = conv_bn(inputs, 6)
    for filters, strides in ((6, 1), (8, 2)):
        y = layers.BatchNormalization()(
            layers.Conv2D(filters, 3, padding="same")(conv_bn(x, filters, strides=strides))
        )
        if strides != 1:
            x = layers.Conv2D(filters, 1, strides=strides)(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(4)(layers.Flatten()(layers.AveragePooling2D(2)(x))))


@network
def operators():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 1)(inputs)
    x = keras.ops.relu(x * 2.0 + layers.Conv2D(6, 3, padding="same")(x))
    x = keras.ops.concatenate([x, keras.ops.sigmoid(x)], axis=-1) - np.float32(1)
    return keras.Model(inputs, layers.Dense(2)(keras.ops.mean(x, axis=(1, 2))))


@network
def unet():
    inputs = keras.Input((8, 8, 1))
    outer = conv_bn(inputs, 4)
    inner = conv_bn(layers.MaxPooling2D()(outer), 6)
    deepest = conv_bn(layers.MaxPooling2D()(inner), 8)
    x = layers.Conv2DTranspose(5, 2, strides=2)(deepest)
    x = conv_bn(layers.Concatenate()([x, inner]), 6)
    x = conv_bn(layers.Concatenate()([layers.UpSampling2D()(x), outer]), 4)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


@network
def tiny_lstm():
    return tinylstm.build((None, 6), 6, units=16, hidden=16)


@network
def lstm_last():
    inputs = keras.Input((5, 3))
    x, h, c = layers.LSTM(6, return_sequences=True, return_state=True)(layers.Dense(4)(inputs))
    x = layers.LSTM(6)(x, initial_state=[h, c])
    return keras.Model(inputs, layers.Dense(2)(x))


@network
def gru():
    inputs = keras.Input((5, 3))
    x = layers.GRU(5, return_sequences=True)(layers.Dense(4)(inputs))
    x = layers.GRU(6, reset_after=False)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


@network
def tcn():
    inputs = keras.Input((12, 3))
    x = layers.Conv1D(6, 2, padding="causal")(inputs)
    for dilation in (1, 2):
        y = layers.Conv1D(5, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = x + layers.PReLU(shared_axes=[1])(layers.Conv1D(6, 1)(y))
    return keras.Model(inputs, layers.Dense(2)(layers.PReLU()(x)))


@network
def squeeze_excite():
    inputs = keras.Input((6, 6, 2))
    x = conv_bn(inputs, 8)
    gate = layers.Dense(3, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, layers.Dense(8, activation="sigmoid")(gate)])
    attention = layers.Conv2D(1, 1, activation="sigmoid")(x)  # one channel, spread over eight
    return keras.Model(
        inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(layers.Multiply()([x, attention])))
    )


@network
def inception():
    inputs = keras.Input((6, 6, 2))
    branches = [layers.Conv2D(size, size, padding="same")(inputs) for size in (1, 3, 5)]
    x = layers.ReLU()(layers.BatchNormalization()(layers.Concatenate()(branches)))
    x = layers.Add()([layers.Conv2D(9, 1)(x), x])
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


@network
def nested():
    body = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, activation="relu"), layers.Dense(5)], name="body"
    )
    inner = keras.Input((5,))
    head = keras.Model(inner, [layers.Dense(4)(inner), layers.Dense(4)(inner)], name="head")
    inputs = keras.Input((3,))
    left, right = head(body(layers.Dense(4, name="first")(inputs)))
    return keras.Model(inputs, layers.Dense(2)(layers.Subtract()([left, right])))


@network
def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 4)),
            layers.Conv1D(5, 2),
            layers.Permute((1, 2)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


@network
def siamese():
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    shared, norm = layers.Dense(6, activation="tanh"), layers.BatchNormalization()
    towers = [norm(shared(layers.Dense(5)(x))) for x in (one, two)]
    return keras.Model(
        [one, two], [layers.Dense(1)(keras.ops.maximum(*towers)), layers.Dense(2)(towers[0])]
    )


@network
def grouped():
    x = inputs = keras.Input((6, 6, 2))
    for groups in (1, 1, 2, 1, 1):
        x = layers.Conv2D(4, 3, padding="same", groups=groups)(x)
    return keras.Model(inputs, x)


@network
def reshaped():
    inputs = keras.Input((None, 4, 3))
    x = layers.Conv2D(5, (1, 3), padding="same")(inputs)
    x = layers.Reshape((-1, 4 * 5))(x)
    x = layers.Dense(4 * 6, activation="relu")(x)
    x = layers.Reshape((-1, 4, 6))(x)
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


@network
def spread():
    inputs = keras.Input((3,))
    x = layers.RepeatVector(4)(layers.Dense(5)(inputs))
    x = layers.Softmax(axis=1)(layers.ZeroPadding1D(1)(x))
    x = layers.Concatenate(axis=1)([x, layers.Cropping1D(2)(layers.Rescaling(0.5)(x))])
    cell = layers.SimpleRNNCell(2)
    return keras.Model(inputs, layers.RNN(cell)(layers.Dense(4)(layers.LeakyReLU()(x))))


def randomized(model: keras.Model, seed: int) -> keras.Model:
    """Every weight random, so that no bias, mean or slope is a 0 or 1 that hides a mistake."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            rng.uniform(0.2, 1, w.shape) * rng.choice([-1, 1], w.shape) / 2
            for w in model.get_weights()
        ]
    )
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance))
    return model


def random_inputs(model: keras.Model, rng: np.random.Generator) -> list[np.ndarray]:
    return [
        rng.normal(size=[3, *(size or 7 for size in x.shape[1:])]).astype(np.float32)
        for x in model.inputs
    ]


def outputs(model: keras.Model, values: list[np.ndarray]) -> list[np.ndarray]:
    return [
        x.numpy()
        for x in keras.tree.flatten(model(values if len(values) > 1 else values[0], training=False))
    ]


def masked(model: keras.Model, masks: dict[str, np.ndarray]) -> None:
    """Multiply kernels by masks; biases stay."""
    for layer in model._flatten_layers():
        for name, kernel in kernels(layer).items() if f"{layer.name}/kernel" in masks else ():
            kernel.assign(kernel.numpy() * masks[f"{layer.name}/{name}"])
