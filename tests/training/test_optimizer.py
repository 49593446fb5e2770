"""Adam in one operation for each variable."""

import keras
import numpy as np
import tensorflow as tf

from tinyprune.training.optimizer import Adam


def compiled(optimizer, variable):
    return tf.function(lambda gradient: optimizer.apply([gradient], [variable]))


def test_the_steps_and_the_state_are_those_of_keras():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3)).astype(np.float32)
    gradients = rng.normal(size=(20, 5, 3)).astype(np.float32)
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 20)
    trained = []
    for kind in (Adam, keras.optimizers.Adam):
        optimizer = kind(schedule, global_clipnorm=1.0)
        variable = keras.Variable(start)
        optimizer.build([variable])
        step = compiled(optimizer, variable)
        for gradient in gradients:
            step(tf.constant(gradient))
        trained.append([variable, *optimizer.variables])
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert np.abs(trained[0][0] - start).max() > 0.05
