"""The task of speech enhancement by a mel mask."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import keras

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.audio.frontend import FrontEnd
from tinyprune.config import TrainConfig
from tinyprune.data.speech.calibration import calibration_features
from tinyprune.data.speech.dataset import SpeechData
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.export.forward import Forward
from tinyprune.metrics.scores import ItemScore, Scores, quality
from tinyprune.metrics.scoring import Found, score_all
from tinyprune.metrics.selection import CHECKED
from tinyprune.progress import track
from tinyprune.tasks.task import NOISY, NOISY_FORM
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

    def __init__(self, dataset: SpeechData, frontend: FrontEnd) -> None:
        self.dataset, self.frontend = dataset, frontend
        self.inputs: tuple[int | None, ...] = (None, frontend.bands)
        self.outputs = frontend.bands
        self.record = TaskRecord(
            "speech", "si_sdr_db", ("streaming", "sequence"), frontend.hop_seconds
        )
        self._scored = cache(lambda split: ScoredSet(dataset.utterances(split), frontend))
        self._unprocessed = cache(self._as_it_is)

    def learner(
        self, config: TrainConfig, seed: int, teacher: keras.Model | None = None
    ) -> Denoise:
        """Training mixtures and the SI-SDR on dev."""
        return Denoise(self.dataset, self._scored("dev"), config, seed, teacher)

    def calibration(self) -> Float32Array:
        """Features (n, bands) of consecutive frames of training mixtures."""
        return calibration_features(self.dataset, self.frontend)

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """What a function from features to masks, both (batch, frames, bands), makes of each mixture of a split."""
        return self._scores(model, form, split, metrics, self._scored(split).enhance_each(forward))

    def unprocessed_scores(self, split: str, metrics: Sequence[str]) -> Scores:
        """The metrics of the mixtures as they are, measured once per split."""
        return self._unprocessed(split, tuple(metrics))

    def quality(self, forward: Forward, form: str, split: str, model: str = "") -> Quality:
        """SI-SDR and SDR of what a function from features to masks makes of a split."""
        return quality(self.scores(forward, form, split, CHECKED["speech"], model))

    def unprocessed(self, split: str) -> Quality:
        """SI-SDR and SDR of the mixtures as they are."""
        return quality(self.unprocessed_scores(split, CHECKED["speech"]))

    def _as_it_is(self, split: str, metrics: tuple[str, ...]) -> Scores:
        noisy = enumerate(mixture.noisy for mixture in self._scored(split).mixtures)
        return self._scores(NOISY, NOISY_FORM, split, metrics, noisy)

    def _scores(
        self,
        model: str,
        form: str,
        split: str,
        metrics: Sequence[str],
        estimates: Iterable[tuple[int, Float32Array]],
    ) -> Scores:
        """Scores of (number of the mixture, estimate), in the order of the mixtures."""
        mixtures, numbers = self._scored(split).mixtures, []

        def pairs() -> Iterator[tuple[Float32Array, Float32Array]]:
            for number, estimate in estimates:
                numbers.append(number)
                yield mixtures[number].clean, estimate

        title = f"{model}: scoring {form}" if model not in ("", NOISY) else f"scoring {form}"
        found = list(track(score_all(pairs(), metrics, len(mixtures)), title, len(mixtures)))
        values = dict(zip(numbers, found, strict=True))
        items = tuple(_item(mixture, values[number]) for number, mixture in enumerate(mixtures))
        return Scores(model, form, split, tuple(metrics), items)


def _item(mixture: NoisyUtterance, metrics: Found) -> ItemScore:
    snr = float(mixture.snr_db) if math.isfinite(mixture.snr_db) else None
    return ItemScore(mixture.name, mixture.speaker, mixture.category, snr, metrics)
