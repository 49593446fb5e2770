"""Speech to train on and networks to train: arrays, a corpus of noise, plain and prepared networks."""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from benchmarks.shared.sizes import SIZES
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.audio.frontend import FrontEnd
from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.config import MagnitudePruning, TrainConfig
from tinyprune.data.clips import Clip, ClipStore, open_store
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.data.speech.scored_set import ScoredSet
from tinyprune.models.tinylstm import build
from tinyprune.tasks.speech import Speech
from tinyprune.training.denoise import Denoise

BATCH, FRAMES, BANDS = SIZES.batch, SIZES.frames, 128
WARM, STEPS = SIZES.warm_steps, SIZES.speech_steps
MINUTES = SIZES.corpus_minutes


@functools.cache
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Return features and target masks of one short epoch, (sequences, frames, bands)."""
    rng = np.random.default_rng(0)
    shape = ((WARM + STEPS + 1) * BATCH, FRAMES, BANDS)
    return rng.standard_normal(shape, np.float32), rng.random(shape, np.float32)


def corpus(folder: Path, seed: int = 0, minutes: float = MINUTES) -> MixtureDataset:
    """Return white noise in clips as long as those of speech corpora, in files.

    The sound of a clip does not matter for time.
    """
    train = SpeechAndNoise(
        _store(folder, seed, 0, minutes),
        _store(folder, seed, 1, minutes),
    )
    dev = SpeechAndNoise(_store(folder, seed, 2, 0.2), _store(folder, seed, 3, 0.2))
    return MixtureDataset({"train": train, "dev": dev}, Mixing(), 2, seed)


def _store(folder: Path, seed: int, number: int, minutes: float) -> ClipStore:
    return open_store(folder / f"{number}.pcm", _clips(seed, number, minutes))


def _clips(seed: int, store: int, minutes: float) -> Iterator[Clip]:
    rng = np.random.default_rng([seed, store])
    left = minutes * 60 * SAMPLE_RATE
    for number in itertools.count():
        if left <= 0:
            return
        length = int(rng.uniform(2, 12) * SAMPLE_RATE)
        samples = 0.1 * rng.standard_normal(length, np.float32)
        left -= len(samples)
        yield Clip(f"{number:04d}", f"{number % 8}", samples)


def varied(dataset: MixtureDataset, folder: Path) -> MixtureDataset:
    """Return the data set with all that can vary in training.

    Speeds; half of the speech in rooms of 0.5 s; a fifth with babble; vocal effort, microphones,
    bands, clipping, talkers in the background, and none.
    """
    rng = np.random.default_rng(0)
    times = np.arange(SAMPLE_RATE // 2)
    decay = 10 ** (-3 * times / len(times))  # 60 dB down at the end
    responses = 0.05 * rng.standard_normal((50, len(times))) * decay
    responses[:, 50] = 1.0

    clips = []
    for number, response in enumerate(responses):
        clips.append(Clip(str(number), "", response.astype(np.float32)))
    rooms = open_store(folder / "rirs.pcm", iter(clips))
    splits = {**dataset.splits, "train": replace(dataset.splits["train"], rirs=rooms)}
    mixing = Mixing(
        speed=(0.9, 1.1),
        babble=0.2,
        talkers=0.1,
        tilt_db=(-2.0, 4.0),
        colour_db=4.0,
        narrow=0.1,
        clipped=0.05,
        clean_share=0.1,
    )
    return replace(dataset, splits=splits, mixing=mixing)


class Short(Denoise):
    """Speech enhancement by a loss of SI-SDR; an epoch is a few steps long and not scored."""

    def __init__(
        self, dataset: MixtureDataset, frontend: FrontEnd, teacher: keras.Model | None = None
    ) -> None:
        config = TrainConfig(batch_size=BATCH, frames=FRAMES)
        scored = ScoredSet(dataset.utterances("dev"), frontend)
        super().__init__(dataset, scored, config, teacher=teacher)

    def steps_per_epoch(self) -> int:
        """Return as many as are measured."""
        return WARM + STEPS + 1

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Return mixtures as they are made for a training."""
        epochs = map(super().batches, itertools.count(epoch))
        endless = itertools.chain.from_iterable(epochs)
        return itertools.islice(endless, self.steps_per_epoch())

    def score(self, model: keras.Model) -> float:
        """Return nothing."""
        return 0.0


def joint(base: keras.Model) -> tuple[keras.Model, Callable[[int], None]]:
    """Return a model prepared for pruning with int8 learning, and the update of its masks.

    Both are those of ``tinyprune prune``. Half of the steps that count are from the first half of a
    run, where masks move, half from the second.
    """
    prepared = prepare(base)
    calibrate(prepared, [arrays()[0][:1]])

    config = MagnitudePruning(importance="lamp", epochs=Speech.prune_epochs)
    samples_per_step = (FRAMES + 1) * 256 * BATCH
    steps_per_epoch = round(MINUTES * 60 * SAMPLE_RATE / samples_per_step)
    updater = MaskUpdater(prepared, plan(base, config), Speech.prune_epochs * steps_per_epoch)

    def before_step(step: int) -> None:
        moving = step < WARM + STEPS // 2
        updater.update(step + (updater.end_step // 2 if moving else updater.end_step))

    return prepared, before_step


class Distilled(keras.Model):
    """A model whose loss holds the distance to a teacher's outputs too, for ``model.fit``."""

    teacher: keras.Model

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):  # type: ignore[no-untyped-def]
        """Return MSE to the targets plus MSE to the teacher."""
        taught = keras.ops.stop_gradient(self.teacher(x, training=False))
        distance = keras.ops.mean((y_pred - taught) ** 2)
        return super().compute_loss(x, y, y_pred, sample_weight) + distance


def distilled(prepared: keras.Model, base: keras.Model) -> keras.Model:
    """Return the same layers as a model that learns from the float32 baseline as well.

    ``tinyprune prune`` does so by default.
    """
    student = Distilled(prepared.inputs, prepared.outputs)
    object.__setattr__(student, "teacher", prepare(base, masked=False, quantized=False))
    return student


def plain() -> keras.Model:
    """Return TinyLSTM of plain Keras layers."""
    keras.utils.set_random_seed(0)
    return build(units=SIZES.lstm_units, hidden=SIZES.lstm_hidden)
