"""Learning of speech enhancement: loss on training mixtures, SI-SDR on the fixed dev mixtures."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tinyprune.compress.compiled import compiled
from tinyprune.config import TrainConfig
from tinyprune.data.speech.dataset import SpeechData
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.metrics.speech import is_defined, si_sdr_db
from tinyprune.registry import LOSSES
from tinyprune.training.spectral import SpectralGraph

LOSS_LEVEL = 0.1  # root mean square of mixtures of any level, where a loss compares them
DISTILL_WEIGHT = 100.0  # brings the distance of masks to the size of the other terms


class Denoise:
    """Speech enhancement by a mel mask.

    Attributes:
        metric: name of the score.
        dataset: mixtures.
        teacher: a model whose mask is imitated too, or None.
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
        """A batch is ``config.batch_size`` sequences of ``config.frames`` frames of the data set.

        ``scored``: the mixtures of dev.
        """
        self.dataset = dataset
        self.teacher = teacher
        self._scored = scored
        self._seed = seed
        self._loss = LOSSES[config.loss]
        self._graph = SpectralGraph(scored.frontend)
        self._batch_size = config.batch_size
        self._samples = (config.frames + 1) * scored.frontend.hop
        self._forward = compiled(lambda model, features: model(features, training=False))

    def steps_per_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return self.dataset.batches_per_epoch(self._batch_size, self._samples)

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Return the (noisy, clean) excerpts of an epoch, each (batch_size, samples)."""
        return self.dataset.batches(epoch, self._batch_size, self._samples, self._seed)

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Return the loss of the masked spectrum, plus the distance to the teacher's mask."""
        noisy, clean = batch
        spectrum = self._graph.analyse(noisy)
        features = self._graph.features(spectrum, noisy)
        mask = model(features, training=True)
        estimate = self._graph.apply(mask, spectrum)
        if self.dataset.follows_level:
            gain = _gain_to_one_level(noisy)
            estimate *= tf.complex(gain, 0.0)[:, :, None]
            clean *= gain
        loss = self._loss(self._graph, estimate, self._graph.analyse(clean), clean)
        if self.teacher is not None:
            taught = tf.stop_gradient(self.teacher(features, training=False))
            loss += DISTILL_WEIGHT * tf.reduce_mean((mask - taught) ** 2)
        return loss

    def score(self, model: keras.Model) -> float:
        """Return the mean SI-SDR in dB on dev, of the utterances that have one; NaN if none has."""

        def mask_of(features: np.ndarray) -> np.ndarray:
            return self._forward(model, features).numpy()

        estimates = self._scored.enhance(mask_of)
        scores = []
        for mixture, estimate in zip(self._scored.mixtures, estimates, strict=True):
            if is_defined(mixture.clean, estimate):
                scores.append(si_sdr_db(mixture.clean, estimate))
        if scores:
            return float(np.mean(scores))
        return float("nan")


def _gain_to_one_level(noisy: tf.Tensor) -> tf.Tensor:
    """Return the gains (batch, 1) that bring mixtures (batch, samples) to one level.

    What losses take for silence would leave out quiet recordings.
    """
    level = tf.sqrt(tf.reduce_mean(noisy**2, axis=1, keepdims=True))
    return LOSS_LEVEL / tf.maximum(level, 1e-7)
