"""What the training measurements train on and train: arrays, a corpus, plain and prepared networks."""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tinyprune.audio.frontend import FrontEnd
from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.config import PruneConfig, TrainConfig
from tinyprune.data.clips import Clip, open_store
from tinyprune.data.speech.mixing import SAMPLE_RATE, Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.models.tinylstm import build
from tinyprune.training.denoise import Denoise

BATCH, FRAMES, BANDS = 64, 100, 128
WARM, STEPS = 3, 12  # steps that do not count (the first one traces), and those that do
MINUTES = 20


@functools.cache
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Features and target masks of one short epoch, (sequences, frames, bands)."""
    rng, shape = np.random.default_rng(0), ((WARM + STEPS + 1) * BATCH, FRAMES, BANDS)
    return rng.standard_normal(shape, np.float32), rng.random(shape, np.float32)


def corpus(folder: Path, seed: int = 0, minutes: float = MINUTES) -> MixtureDataset:
    """White noise cut into clips as long as those of speech corpora, in files; how it sounds costs no time."""

    def clips(kind: int, minutes: float) -> Iterator[Clip]:
        rng, left = np.random.default_rng([seed, kind]), minutes * 60 * SAMPLE_RATE
        for number in itertools.count():
            if left <= 0:
                return
            samples = 0.1 * rng.standard_normal(int(rng.uniform(2, 12) * SAMPLE_RATE), np.float32)
            left -= len(samples)
            yield Clip(f"{number:04d}", f"{number % 8}", samples)

    def split(number: int, minutes: float) -> SpeechAndNoise:
        return SpeechAndNoise(
            *(
                open_store(folder / f"{kind}.pcm", clips(kind, minutes))
                for kind in (number, number + 1)
            )
        )

    return MixtureDataset({"train": split(0, minutes), "dev": split(2, 0.2)}, Mixing(), 2, seed)


def varied(dataset: MixtureDataset, folder: Path) -> MixtureDataset:
    """The same with all that can vary in training: speeds, half of the speech in rooms of 0.5 s, a fifth babble."""
    rng, times = np.random.default_rng(0), np.arange(SAMPLE_RATE // 2)
    rooms = (
        0.05 * rng.standard_normal((50, len(times))) * 10 ** (-3 * times / len(times))
    )  # 60 dB down at their end
    rooms[:, 50] = 1.0
    rirs = open_store(
        folder / "rirs.pcm",
        (Clip(str(i), "", room.astype(np.float32)) for i, room in enumerate(rooms)),
    )
    splits = dataset.splits | {"train": replace(dataset.splits["train"], rirs=rirs)}
    return replace(dataset, splits=splits, mixing=Mixing(speed=(0.9, 1.1), babble=0.2))


class Short(Denoise):
    """Speech enhancement by a loss of SI-SDR, whose epoch is a few steps long, and which is not scored."""

    def __init__(
        self, dataset: MixtureDataset, frontend: FrontEnd, teacher: keras.Model | None = None
    ) -> None:
        config = TrainConfig(batch_size=BATCH, frames=FRAMES)
        super().__init__(
            dataset, ScoredSet(dataset.utterances("dev"), frontend), config, teacher=teacher
        )

    def steps_per_epoch(self) -> int:
        """As many as are measured."""
        return WARM + STEPS + 1

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Mixtures as they are made for a training."""
        endless = itertools.chain.from_iterable(map(super().batches, itertools.count(epoch)))
        return itertools.islice(endless, self.steps_per_epoch())

    def score(self, model: keras.Model) -> float:
        """Nothing."""
        return 0.0


def joint(base: keras.Model) -> tuple[keras.Model, Callable[[int], None]]:
    """A model prepared for pruning with int8 learning as ``tinyprune prune`` does it, and the update of its masks.

    Half of the steps that count are from the first half of a run, where masks move, half from the
    second.
    """
    prepared, whole = (
        prepare(base),
        round(MINUTES * 60 * SAMPLE_RATE / ((FRAMES + 1) * 256 * BATCH)),
    )
    calibrate(prepared, [arrays()[0][:1]])
    config = PruneConfig()
    updater = MaskUpdater(prepared, plan(base, config), config.epochs * whole)

    def before_step(step: int) -> None:
        moving = step < WARM + STEPS // 2
        updater.update(step + (updater.end_step // 2 if moving else updater.end_step))

    return prepared, before_step


class Distilled(keras.Model):
    """A model whose loss holds the distance to a teacher's outputs too, for ``model.fit``."""

    teacher: keras.Model

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):  # type: ignore[no-untyped-def]
        """MSE to the targets plus MSE to the teacher."""
        distance = keras.ops.mean(
            (y_pred - keras.ops.stop_gradient(self.teacher(x, training=False))) ** 2
        )
        return super().compute_loss(x, y, y_pred, sample_weight) + distance


def distilled(prepared: keras.Model, base: keras.Model) -> keras.Model:
    """The same layers as a model that learns from the float32 baseline as well, as ``tinyprune prune`` does."""
    student = Distilled(prepared.inputs, prepared.outputs)
    object.__setattr__(student, "teacher", prepare(base, masked=False, quantized=False))
    return student


def plain() -> keras.Model:
    """TinyLSTM of plain Keras layers."""
    keras.utils.set_random_seed(0)
    return build()
