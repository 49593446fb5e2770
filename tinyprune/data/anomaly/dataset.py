"""``anomaly``: sounds of machines; normal ones are learned, and both kinds are told apart."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from tinyprune.array_types import Float32Array, IntArray
from tinyprune.config import AnomalyData
from tinyprune.data.anomaly.files import list_machines
from tinyprune.data.anomaly.frontend import LogMelFrontEnd
from tinyprune.data.anomaly.store import Recording, Windows, open_levels
from tinyprune.data.examples import ExampleDataset, Examples
from tinyprune.data.splits import split_of
from tinyprune.data.synthetic.machines import write_machines
from tinyprune.errors import UsageError

log = logging.getLogger(__name__)
MEASURED_FRAMES = 200_000


@dataclass(frozen=True, eq=False)
class AnomalyDataset(ExampleDataset):
    """Windows of normal sounds, side by side, to learn; recordings of each split to score.

    Attributes:
        levels: of all recordings, (m, bands) in dB.
        recordings: of "train", "dev" and "test".
    """

    task: ClassVar[str] = "anomaly"

    frontend: LogMelFrontEnd
    levels: Float32Array | None = None
    recordings: dict[str, list[Recording]] | None = None

    def targets(self, inputs: Float32Array, labels: np.ndarray) -> Float32Array:
        """Return the inputs: a network learns to give them back."""
        del labels
        return inputs

    def scored(self, split: str) -> list[Recording]:
        """Return the recordings of a split. Raises UsageError where there are none."""
        assert self.recordings is not None
        return split_of(self.recordings, split, "add normal and anomalous recordings to test/")

    def windows_of(self, recording: Recording) -> Float32Array:
        """Return the features (n, frames * bands) of every window of a recording."""
        assert self.levels is not None
        windows = Windows(self.levels, self._starts([recording], 1), self.frontend.frames)
        return self.frontend.features(windows[:])

    def fingerprint(self) -> str:
        """Return a text that changes with the recordings, their split, and the front end."""
        assert self.recordings is not None
        used = [*self.recordings["train"], *self.recordings["dev"]]
        names = hashlib.sha256(repr([each.name for each in used]).encode()).hexdigest()
        return f"{super().fingerprint()}|{names}"

    def _starts(self, recordings: Sequence[Recording], step: int) -> IntArray:
        return starts_of(recordings, self.frontend.frames, step)


def starts_of(recordings: Sequence[Recording], frames: int, step: int) -> IntArray:
    """Return the first frames of windows of recordings, one every ``step`` frames."""
    starts = []
    for recording in recordings:
        first = np.arange(0, recording.frames - frames + 1, step)
        starts.append(recording.start + first)
    return np.concatenate(starts)


def load(config: AnomalyData, cache: Path) -> AnomalyDataset:
    """Sounds of machines as DCASE and MLPerf Tiny have them, as windows of log-mel levels; without
    --machines, synthetic hums.

    Levels go to ``cache``. A part of the test clips of each machine is dev. Raises UsageError for
    folders that cannot be used.
    """
    folder = Path(config.machines).expanduser() if config.machines else None
    if folder is None:
        folder = write_machines(cache / f"machines-{config.seed}", config.seed)
        log.info("no --machines: synthetic hums of machines, in %s", folder)
    files = list_machines(folder)
    frontend = LogMelFrontEnd()
    stats = [(file.name, file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(repr((folder.resolve().as_posix(), stats)).encode()).hexdigest()[:16]
    levels, index = open_levels(cache / f"levels-{key}.f32", files, frontend, folder)

    recordings = _divided(index.recordings, config, folder)
    splits = {}
    for name in ("train", "dev"):
        normal = [recording for recording in recordings[name] if not recording.is_anomaly]
        starts = starts_of(normal, frontend.frames, frontend.frames)
        windows = Windows(levels, starts, frontend.frames)
        splits[name] = Examples(cast(Any, windows), np.zeros(len(windows)), sha256=index.sha256)
    measured = frontend.measured(levels[_some_frames(recordings["train"])])
    dataset = AnomalyDataset(splits, (), measured, config.seed)
    return replace(dataset, levels=levels, recordings=recordings)


def _some_frames(recordings: Sequence[Recording]) -> IntArray:
    """Return the numbers of frames of recordings, of some where there are many."""
    frames = starts_of(recordings, 1, 1)
    step = -(-len(frames) // MEASURED_FRAMES)
    return frames[::step]


def _divided(
    recordings: Sequence[Recording], config: AnomalyData, folder: Path
) -> dict[str, list[Recording]]:
    """Return the recordings of train, dev and test: dev is a part of test, per machine and kind.

    Without test clips it is the same part of the training clips.
    """
    splits = defaultdict(list)
    for recording in recordings:
        splits[recording.split].append(recording)
    source = "test" if "test" in splits else "train"
    groups = defaultdict(list)
    for recording in splits[source]:
        groups[recording.machine, recording.is_anomaly].append(recording)

    rng = np.random.default_rng([config.seed, 7])
    dev = set()
    for _, group in sorted(groups.items()):
        count = max(1, round(config.dev_share * len(group)))
        dev |= {group[row].name for row in rng.permutation(len(group))[:count]}
    splits["dev"] = [each for each in splits[source] if each.name in dev]
    splits[source] = [each for each in splits[source] if each.name not in dev]
    _check(splits, folder)
    return dict(splits)


def _check(splits: dict[str, list[Recording]], folder: Path) -> None:
    """Raise UsageError where nothing is left to train on; say where nothing can be told apart."""
    if not splits["train"]:
        raise UsageError(
            f"{folder} holds too few sounds: one for training and one for dev, at least"
        )
    if len({recording.is_anomaly for recording in splits["dev"]}) < 2:
        log.warning("%s: dev has no anomalies: there is no AUC, only the error", folder)
