"""The task of speech enhancement by a mel mask."""

from functools import cache

import keras

from tinyprune.artifacts import Quality, TaskRecord
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.stft import Array
from tinyprune.config import TrainConfig
from tinyprune.data.calibration import calibration_features
from tinyprune.data.scored import ScoredSet
from tinyprune.data.speech import SpeechDataset
from tinyprune.metrics.speech import quality
from tinyprune.tasks.task import Forward
from tinyprune.training.denoise import Denoise


class Speech:
    """Speech enhancement; see :class:`tinyprune.tasks.task.Task`.

    Attributes:
        dataset: mixtures. frontend: what makes features of them.
    """

    default_model = "tinylstm"
    default_epochs = 30
    learning_rate = 1e-3
    prune_epochs = 20
    prune_learning_rate = 4e-3
    tolerance = 0.05

    def __init__(self, dataset: SpeechDataset, frontend: FrontEnd) -> None:
        self.dataset, self.frontend = dataset, frontend
        self.inputs: tuple[int | None, ...] = (None, frontend.bands)
        self.outputs = frontend.bands
        self.record = TaskRecord("speech", "si_sdr_db", ("streaming", "sequence"), frontend.hop_seconds)
        self._scored = cache(lambda split: ScoredSet(dataset.utterances(split), frontend))
        self._unprocessed = cache(self._as_it_is)

    def learner(self, config: TrainConfig, seed: int, teacher: keras.Model | None = None) -> Denoise:
        """Training mixtures and the SI-SDR on dev."""
        return Denoise(self.dataset, self._scored("dev"), config, seed, teacher)

    def calibration(self) -> Array:
        """Features (n, bands) of consecutive frames of training mixtures."""
        return calibration_features(self.dataset, self.frontend)

    def quality(self, forward: Forward, form: str, split: str) -> Quality:
        """SI-SDR and SDR of what a function from features to masks, both (batch, frames, bands), makes of a split."""
        return self._quality(form, split, self._scored(split).enhance(forward))

    def unprocessed(self, split: str) -> Quality | None:
        """Quality of the mixtures as they are, measured once per split."""
        return self._unprocessed(split)

    def _as_it_is(self, split: str) -> Quality:
        return self._quality("noisy", split, [mixture.noisy for mixture in self._scored(split).mixtures])

    def _quality(self, form: str, split: str, estimates: list[Array]) -> Quality:
        mixtures = self._scored(split).mixtures
        pairs = zip((mixture.clean for mixture in mixtures), estimates, strict=True)
        return quality(form, split, pairs, [mixture.snr_db for mixture in mixtures])
