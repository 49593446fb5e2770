"""Ways to run a network with its front end: frame by frame, and on a whole utterance."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.streaming import StreamingFrontEnd

Mask = Callable[[np.ndarray], np.ndarray]


def stream(signal: np.ndarray, front_end: StreamingFrontEnd, mask: Mask) -> np.ndarray:
    """Enhanced samples, one hop in and one hop out at a time, as a device does it; the first hop out is dropped."""
    state, hop, out = front_end.start(), front_end.hop, []
    for samples in stft.pad(signal, hop).reshape(-1, hop)[1:]:
        features = front_end.analyse(state, samples)
        out.append(front_end.synthesise(state, mask(features[None])[0]))
    return np.concatenate(out[1:])[: len(signal)]


def at_once(signal: np.ndarray, frontend: FrontEnd, mask: Mask) -> np.ndarray:
    """Enhanced samples of a whole utterance."""
    spectrum = stft.analyse(signal)
    return stft.synthesise(
        spectrum * (mask(frontend.features(spectrum)) @ frontend.spread()), len(signal)
    )


def whole(model: keras.Model) -> Mask:
    """The float model on all frames of an utterance."""
    graph = tf.function(lambda features: model(features, training=False))
    return lambda features: graph(tf.constant(features[None])).numpy()[0]


def frame_by_frame(model: keras.Model) -> tuple[Mask, Mask]:
    """The float model with state kept between frames, on features (1, bands): called, and as a ``tf.function``."""
    bands = model.inputs[0].shape[-1]
    layers = [
        layer.from_config(
            layer.get_config()
            | ({"stateful": True} if isinstance(layer, keras.layers.LSTM) else {})
        )
        for layer in model.layers[1:]
    ]
    one = keras.Sequential([keras.Input(batch_shape=(1, 1, bands)), *layers])
    one.set_weights(model.get_weights())
    graph = tf.function(
        lambda x: one(x, training=False), input_signature=[tf.TensorSpec((1, 1, bands))]
    )
    return (lambda x: np.asarray(one(x[None], training=False))[0]), (
        lambda x: graph(tf.constant(x[None])).numpy()[0]
    )
