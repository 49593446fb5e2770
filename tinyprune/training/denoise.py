"""The task of speech enhancement: loss on training mixtures, SI-SDR on the fixed dev mixtures."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tinyprune.config import TrainConfig
from tinyprune.data.speech.dataset import SpeechData
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.metrics.speech import is_defined, si_sdr_db
from tinyprune.training import losses
from tinyprune.training.spectral import SpectralGraph

DISTILL_WEIGHT = 100.0  # brings the distance of masks to the size of the other terms


class Denoise:
    """Speech enhancement by a mel mask.

    Attributes:
        metric: what :meth:`score` gives.
        dataset: mixtures. teacher: a model whose mask is imitated too, or None.
    """

    metric = "si_sdr_db"

    def __init__(
        self,
        dataset: SpeechData,
        scored: ScoredSet,
        config: TrainConfig,
        seed: int = 0,
        teacher: keras.Model | None = None,
    ) -> None:
        """A batch is ``batch_size`` sequences of ``frames`` frames of the dataset; the score is that on ``scored``."""
        self.dataset, self.teacher, self._seed, self._scored = dataset, teacher, seed, scored
        self._loss, self._graph = losses.by_name(config.loss), SpectralGraph(scored.frontend)
        self._batch_size, self._samples = (
            config.batch_size,
            (config.frames + 1) * scored.frontend.hop,
        )
        self._forward = tf.function(
            lambda model, features: model(features, training=False), reduce_retracing=True
        )

    def steps_per_epoch(self) -> int:
        """Number of batches of an epoch."""
        return self.dataset.batches_per_epoch(self._batch_size, self._samples)

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """(noisy, clean) excerpts, each (batch_size, samples)."""
        return self.dataset.batches(epoch, self._batch_size, self._samples, self._seed)

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Loss of the masked spectrum against the clean one, plus the distance to the teacher's mask."""
        noisy, clean = batch
        spectrum = self._graph.analyse(noisy)
        features = self._graph.features(spectrum)
        mask = model(features, training=True)
        loss = self._loss(
            self._graph, self._graph.apply(mask, spectrum), self._graph.analyse(clean), clean
        )
        if self.teacher is not None:
            loss += DISTILL_WEIGHT * tf.reduce_mean(
                (mask - tf.stop_gradient(self.teacher(features, training=False))) ** 2
            )
        return loss

    def score(self, model: keras.Model) -> float:
        """Mean SI-SDR in dB on dev, of the utterances that have one; NaN if none has."""
        return self._mean_si_sdr(
            self._scored.enhance(lambda features: self._forward(model, features).numpy())
        )

    def _mean_si_sdr(self, estimates: list[np.ndarray]) -> float:
        pairs = [
            (mixture.clean, estimate)
            for mixture, estimate in zip(self._scored.mixtures, estimates, strict=True)
        ]
        scores = [si_sdr_db(*pair) for pair in pairs if is_defined(*pair)]
        return float(np.mean(scores)) if scores else float("nan")
