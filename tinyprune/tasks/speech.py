"""The task of speech enhancement by a mel mask.

What needs TensorFlow is imported where it is used: the facts of the task are read without it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio import stft
from tinyprune.audio.conditioning import frame_gains, loudest_hop_dbfs
from tinyprune.audio.device import DeviceFrontEnd, device_front_end, frontend_of, record_beside
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.streaming import conditioning_of
from tinyprune.config import TrainConfig
from tinyprune.data.speech.calibration import calibration_features
from tinyprune.data.speech.dataset import SpeechData
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.errors import UsageError
from tinyprune.metrics.scores import ItemScore, Scores
from tinyprune.metrics.scoring import MetricValues, score_all
from tinyprune.progress import track
from tinyprune.storage.records import read_json
from tinyprune.tasks.task import NOISY, NOISY_FORM, Enhancer, Form, Forward, Task

if TYPE_CHECKING:
    import keras

    from tinyprune.training.denoise import Denoise

STATISTICS_BATCHES = 8
LEAST_MIXTURES = 10  # on dev, before a network is said to have learned nothing
FAR_BELOW = 10.0  # dB under the noisy input: no enhancement any more


class Speech(Task):
    """Speech enhancement: features (frames, bands) become a mask (frames, bands) in [0, 1]."""

    name = "speech"
    metric = "si_sdr_db"
    default_metrics = ("si_sdr_db", "sdr_db", "stoi")
    checked_metrics = ("si_sdr_db", "sdr_db")
    losses = ("si-sdr", "spectrum", "combined")
    forms = (Form("streaming", frames=1), Form("sequence", frames=100))
    default_model = "tinylstm"
    default_epochs = 30
    learning_rate = 1e-3
    prune_epochs = 20
    prune_learning_rate = 4e-3
    tolerance = 0.05

    def __init__(self, dataset: SpeechData, record: FrontEnd | DeviceFrontEnd) -> None:
        """``dataset``: mixtures. ``record``: of the front end that makes features of them."""
        frontend = frontend_of(record)
        self.dataset = dataset
        self.frontend = frontend
        self._record = record
        self.input_shape = self.output_shape = (None, frontend.bands)
        self.hop_seconds = frontend.hop_seconds
        self._scored = cache(lambda split: ScoredSet(dataset.utterances(split), record))
        self._unprocessed = cache(self._score_mixtures)

    @classmethod
    def create(cls, dataset: SpeechData, config: TrainConfig, frontend: Path | None = None) -> Self:
        """Create the task; without a record, statistics of training mixtures are measured."""
        if frontend is not None:
            return cls(dataset, read_json(frontend, FrontEnd))
        return cls(dataset, measure_frontend(dataset, config.batch_size, config.frames))

    @classmethod
    def for_model_file(cls, dataset: SpeechData, path: Path, frontend: Path | None = None) -> Self:
        """Create the task with the front end that is beside a model file."""
        return cls(dataset, record_beside(path, frontend))

    @classmethod
    def check_ranks(cls, model: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Raise UsageError for a graph that is not from sequences to sequences."""
        if not len(inputs) == len(outputs) == 3:
            raise UsageError(
                f"{model} takes inputs of shape {inputs} and gives {outputs}: a network of "
                "speech takes and gives (1, frames, mel bands)"
            )

    @property
    def preparation(self) -> object:
        """Front end and conditioning: records of before conditioning have none."""
        return self.frontend, conditioning_of(self._record)

    def learner(
        self, config: TrainConfig, seed: int, teacher: "keras.Model | None" = None
    ) -> "Denoise":
        """Return training mixtures and the SI-SDR on dev."""
        from tinyprune.training.denoise import Denoise

        self.loss_of(config)
        return Denoise(self.dataset, self._scored("dev"), config, seed, teacher)

    def calibration(self) -> Float32Array:
        """Return features (n, bands) of consecutive frames of training mixtures."""
        return calibration_features(self.dataset, self.frontend)

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """Score a function from features to masks, both (batch, frames, bands), on each mixture."""
        estimates = self._scored(split).enhance_each(forward)
        return self._scores(model, form, split, metrics, estimates)

    def unprocessed_scores(self, split: str, metrics: Sequence[str]) -> Scores:
        """Score the mixtures as they are, once per split."""
        return self._unprocessed(split, tuple(metrics))

    def enhancer(self, forward: Forward) -> Enhancer:
        """Return the function that brings recordings through a network."""
        return lambda utterances: ScoredSet(utterances, self._record).enhance_each(forward)

    def chance(self) -> float:
        """Return a score far below that of the noisy input: worse than leaving it as it is."""
        unprocessed = self.unprocessed("dev")
        noisy = unprocessed.metrics.get(self.metric) if unprocessed else None
        return -math.inf if noisy is None else noisy - FAR_BELOW

    def can_tell_chance(self) -> bool:
        """Return whether there are mixtures enough for a mean over them."""
        return len(self._scored("dev").mixtures) >= LEAST_MIXTURES

    def device_front_end(self, artifact: TFLiteArtifact) -> DeviceFrontEnd:
        """Return framing, mel bands and synthesis for one of the graphs."""
        return device_front_end(self.frontend, artifact)

    def _score_mixtures(self, split: str, metrics: tuple[str, ...]) -> Scores:
        mixtures = self._scored(split).mixtures
        estimates = enumerate(mixture.noisy for mixture in mixtures)
        return self._scores(NOISY, NOISY_FORM, split, metrics, estimates)

    def _scores(
        self,
        model: str,
        form: str,
        split: str,
        metrics: Sequence[str],
        estimates: Iterable[tuple[int, Float32Array]],
    ) -> Scores:
        """Score (number of the mixture, estimate) pairs; the result is in the order of mixtures."""
        mixtures = self._scored(split).mixtures
        numbers = []

        def pairs() -> Iterator[tuple[Float32Array, Float32Array]]:
            for number, estimate in estimates:
                numbers.append(number)
                yield mixtures[number].clean, estimate

        is_named = model not in ("", NOISY)
        title = f"{model}: scoring {form}" if is_named else f"scoring {form}"
        scored = track(score_all(pairs(), metrics, len(mixtures)), title, len(mixtures))
        values = list(scored)
        by_number = dict(zip(numbers, values, strict=True))
        items = [_item(mixture, by_number[number]) for number, mixture in enumerate(mixtures)]
        return Scores(model, form, split, tuple(metrics), tuple(items))


def measure_frontend(dataset: SpeechData, batch_size: int, frames: int) -> FrontEnd:
    """Return the front end with per-band statistics of training mixtures.

    They are measured on a few batches of ``batch_size`` excerpts of ``frames`` frames.
    """
    frontend = FrontEnd(
        follows_level=dataset.follows_level, max_attenuation_db=dataset.max_attenuation_db
    )
    samples = (frames + 1) * frontend.hop
    batches = zip(range(STATISTICS_BATCHES), dataset.batches(0, batch_size, samples), strict=False)
    mixtures = [noisy for _, (noisy, _) in batches]
    loudest = [loudest_hop_dbfs(noisy, frontend.hop) for noisy in mixtures]
    usual_dbfs = float(np.median(np.concatenate(loudest)))
    frontend = replace(frontend, usual_dbfs=round(usual_dbfs, 2))

    features = []
    for noisy in mixtures:
        features.append(frontend.compress(stft.analyse(noisy), frame_gains(frontend, noisy)))
    return frontend.measured(np.concatenate(features))


def _item(mixture: NoisyUtterance, metrics: MetricValues) -> ItemScore:
    snr = float(mixture.snr_db) if math.isfinite(mixture.snr_db) else None
    return ItemScore(mixture.name, mixture.speaker, mixture.category, snr, metrics)
