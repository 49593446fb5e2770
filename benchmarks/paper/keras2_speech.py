"""TFMOT's pruning of the speech network, and what its QAT and the converter say to that; in the Keras 2 process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from benchmarks.shared.keras2.conversion import keras2_model
from tinyprune.audio.frontend import FrontEnd
from tinyprune.config import DataConfig, TrainConfig, from_mapping
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.registry import DATASETS
from tinyprune.storage.records import read_json
from tinyprune.storage.writing import write_arrays
from tinyprune.tflite import flatbuffer
from tinyprune.training.denoise import Denoise
from tinyprune.training.fit import CLIP_NORM, WARM_UP

UPDATES = 50  # of the masks while sparsity grows


def prune_speech(
    baseline: str,
    data: dict[str, Any],
    train: dict[str, Any],
    cache: str,
    frontend: str,
    weights: str,
    rate: float,
    epochs: int,
    **more: Any,
) -> Callable[[], list[float]]:
    """Train with TFMOT's wrapper: our batches, loss, optimizer, and shape of sparsity and learning rate.

    The best epoch on dev of those after the masks are final goes to ``weights`` (.npz). Gives the
    SI-SDR in dB on dev
    after each epoch. ``more``: sparsity, seed.
    """

    def case() -> list[float]:
        keras.utils.set_random_seed(more["seed"])
        dataset = DATASETS[data["name"]](from_mapping(data, DataConfig), Path(cache))
        scored = ScoredSet(dataset.utterances("dev"), read_json(Path(frontend), FrontEnd))
        learner = Denoise(dataset, scored, from_mapping(train, TrainConfig), more["seed"])
        end = epochs * learner.steps_per_epoch() // 2
        decay = tfmot.sparsity.keras.PolynomialDecay(
            0.0, more["sparsity"], 0, end, frequency=max(1, end // UPDATES)
        )
        wrapped = tfmot.sparsity.keras.prune_low_magnitude(
            keras2_model(_load(baseline)), pruning_schedule=decay
        )
        scores: list[float] = []
        for epoch, score in enumerate(_epochs(wrapped, learner, rate, epochs)):
            first = -(-epochs // 2)
            if epoch >= first and score > max(scores[first:], default=-np.inf):
                write_arrays(Path(weights), _weights(tfmot.sparsity.keras.strip_pruning(wrapped)))
            scores.append(score)
        return scores

    return case


def quantize_speech(baseline: str) -> Callable[[], str]:
    """What TFMOT's quantization-aware training says to this network; empty if it takes it."""

    def case() -> str:
        try:
            tfmot.quantization.keras.quantize_model(keras2_model(_load(baseline)))
        except Exception as error:  # it raises what it likes
            return f"{type(error).__name__}: {' '.join(str(error).split()).split('. ')[0]}"
        return ""

    return case


def convert_speech(baseline: str, features: str, frames: int) -> Callable[[], list[str]]:
    """The operators that TensorFlow's int8 converter makes of the Keras 2 network; it may end the process."""

    def case() -> list[str]:
        whole = keras2_model(_load(baseline))
        inputs = tf_keras.Input(batch_shape=(1, frames, whole.input_shape[-1]))
        converter = tf.lite.TFLiteConverter.from_keras_model(tf_keras.Model(inputs, whole(inputs)))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        samples = np.load(features).astype(np.float32)
        parts = samples[: len(samples) // frames * frames].reshape(-1, 1, frames, samples.shape[-1])
        converter.representative_dataset = lambda: ([part] for part in parts)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        path = Path(features).with_suffix(".tflite")
        path.write_bytes(converter.convert())
        return sorted({operator.name for operator in flatbuffer.read(path).operators})

    return case


def _epochs(model: Any, learner: Denoise, peak: float, epochs: int) -> Iterator[float]:
    """Train an epoch at a time; the score on dev after each, with TFMOT's masks applied."""
    steps = epochs * learner.steps_per_epoch()
    warm = max(1, int(WARM_UP * steps))
    rate = tf_keras.optimizers.schedules.CosineDecay(
        peak / 100, max(1, steps - warm), alpha=0.01, warmup_target=peak, warmup_steps=warm
    )
    model.compile(tf_keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM))
    update = tfmot.sparsity.keras.UpdatePruningStep()
    update.set_model(model)
    update.on_train_begin()

    @tf.function(reduce_retracing=True)
    def step(noisy: tf.Tensor, clean: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = learner.loss(model, (noisy, clean))
        variables = model.trainable_variables
        model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for epoch in range(epochs):
        for batch in learner.batches(epoch):
            update.on_train_batch_begin(-1)
            step(*batch)
        update.on_epoch_end(epoch)
        yield learner.score(model)


def _load(baseline: str) -> keras.Model:
    return keras.models.load_model(baseline, compile=False)


def _weights(model: Any) -> dict[str, np.ndarray]:
    """``layer:number`` -> array."""
    return {
        f"{layer.name}:{n}": array
        for layer in model.layers
        for n, array in enumerate(layer.get_weights())
    }
