"""TFMOT's pipeline on a labelled data set: prune, strip, prune-preserving QAT, int8 TFLite; in the Keras 2 process.

Both halves have the batches, the optimizer and the learning rate's shape of our own loop, and keep
their best epoch.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.prune_preserve import (
    default_8bit_prune_preserve_quantize_scheme as prune_preserve,
)

from benchmarks.shared.keras2.conversion import keras2_model
from benchmarks.shared.labelled_workload import BATCH
from tinyprune.config import DataConfig, from_mapping
from tinyprune.registry import DATASETS
from tinyprune.training.fit import CLIP_NORM, WARM_UP

UPDATES = 50  # of the masks while sparsity grows


def prune(
    baseline: str,
    data: dict[str, Any],
    cache: str,
    folder: str,
    rate: float,
    epochs: int,
    sparsity: float,
    seed: int,
) -> Callable[[], float]:
    """The first half: accuracy on dev of the pruned float network, whose weights it leaves in ``folder``.

    Sparsity grows over the first half of the epochs, as in ``tinyprune prune``; the rest may be the
    best epoch.
    """

    def case() -> float:
        keras.utils.set_random_seed(seed)
        dataset, whole = (
            DATASETS[data["name"]](from_mapping(data, DataConfig), Path(cache)),
            keras2_model(_load(baseline)),
        )
        end = max(1, epochs * dataset.batches_per_epoch(BATCH) // 2)
        decay = tfmot.sparsity.keras.PolynomialDecay(
            0.0, sparsity, 0, end, frequency=max(1, end // UPDATES)
        )
        wrapped = tfmot.sparsity.keras.prune_low_magnitude(whole, pruning_schedule=decay)
        callbacks = [tfmot.sparsity.keras.UpdatePruningStep()]
        score = _train(wrapped, dataset, rate, range(epochs), seed, callbacks, -(-epochs // 2))
        _strip(wrapped).save_weights(_made(folder) / "pruned.weights.h5")
        return score

    return _once(Path(folder) / "prune.json", case)


def quantize(
    baseline: str,
    data: dict[str, Any],
    cache: str,
    pruned: str,
    folder: str,
    rate: float,
    epochs: int,
    seed: int,
) -> Callable[[], float]:
    """The second half: accuracy on dev of the fake-quantized network, which it leaves in ``folder`` as int8 TFLite."""

    def case() -> float:
        keras.utils.set_random_seed(seed)
        dataset, plain = (
            DATASETS[data["name"]](from_mapping(data, DataConfig), Path(cache)),
            keras2_model(_load(baseline)),
        )
        plain.load_weights(Path(pruned) / "pruned.weights.h5")
        annotated = tfmot.quantization.keras.quantize_annotate_model(plain)
        scheme = prune_preserve.Default8BitPrunePreserveQuantizeScheme()
        aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
        score = _train(aware, dataset, rate, range(epochs, 2 * epochs), seed, [], 1)
        converter = tf.lite.TFLiteConverter.from_keras_model(aware)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        (_made(folder) / "int8.tflite").write_bytes(converter.convert())
        return score

    return _once(Path(folder) / "quantize.json", case)


def _load(baseline: str) -> keras.Model:
    return keras.models.load_model(baseline, compile=False)


def _strip(wrapped: Any) -> Any:
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def _made(folder: str) -> Path:
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def _once(record: Path, case: Callable[[], float]) -> Callable[[], float]:
    """A case that is not run again where its record is."""

    def run() -> float:
        if not record.exists():
            score = case()
            record.write_text(json.dumps(score))
        return float(json.loads(record.read_text()))

    return run


def _train(
    model: Any,
    dataset: Any,
    peak: float,
    epochs: range,
    seed: int,
    callbacks: list[Any],
    first: int,
) -> float:
    """Train for some epochs of the data set's order; the best of those from number ``first`` (from 1) on is kept."""
    per_epoch = dataset.batches_per_epoch(BATCH)
    steps = per_epoch * len(epochs)
    warm = max(1, int(WARM_UP * steps))
    rate = tf_keras.optimizers.schedules.CosineDecay(
        peak / 100, max(1, steps - warm), alpha=0.01, warmup_target=peak, warmup_steps=warm
    )
    model.compile(
        tf_keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM), "sparse_categorical_crossentropy"
    )

    def stream() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in epochs:
            yield from dataset.batches(epoch, BATCH, seed)

    best = _Best(dataset.examples("dev"), first)
    model.fit(
        stream(),
        steps_per_epoch=per_epoch,
        epochs=len(epochs),
        verbose=0,
        callbacks=[*callbacks, best],
    )
    model.set_weights(best.weights)
    return best.score


class _Best(tf_keras.callbacks.Callback):
    """Scores every epoch on dev and keeps the best weights. Attributes: score; weights."""

    def __init__(self, examples: tuple[np.ndarray, np.ndarray], first: int) -> None:
        super().__init__()
        self.examples, self.first, self.score, self.weights = examples, first, -1.0, []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Score, after TFMOT has masked the weights."""
        inputs, labels = self.examples
        score = float(
            (self.model.predict(inputs, BATCH, verbose=0).argmax(axis=1) == labels).mean()
        )
        if epoch + 1 >= self.first and score > self.score:
            self.score, self.weights = score, self.model.get_weights()
