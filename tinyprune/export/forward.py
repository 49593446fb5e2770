"""Keras networks as functions from a batch of inputs to a batch of outputs."""

import keras

from tinyprune.compress.compiled import compiled
from tinyprune.compress.ends import given, made
from tinyprune.tflite.forward import Forward


def of_keras(model: keras.Model) -> Forward:
    """A float network on inputs (batch, ...)."""
    forward = compiled(lambda inputs: model(inputs, training=False))
    return lambda inputs: made(model, forward(given(model, inputs)))
