"""Levels of many recordings as one file of float32, and windows of them."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array, IntArray
from tinyprune.audio.files import read_mono
from tinyprune.data.anomaly.files import MachineFile
from tinyprune.data.anomaly.frontend import LogMelFrontEnd
from tinyprune.data.clips import report_unusable
from tinyprune.errors import TinypruneError
from tinyprune.progress import track
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.writing import writing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recording:
    """One recording in a store.

    Attributes:
        name, machine, split, is_anomaly: as in MachineFile.
        start: its first frame in the store. frames: how many it has.
    """

    name: str
    machine: str
    split: str
    is_anomaly: bool
    start: int
    frames: int


@dataclass(frozen=True)
class StoreIndex:
    """The recordings of a store.

    Attributes:
        recordings: in the order of the files. sha256: of all levels.
    """

    recordings: tuple[Recording, ...]
    sha256: str


class Windows:
    """Windows of consecutive frames, cut out when they are asked for.

    Attributes:
        levels: (m, bands), may be memory-mapped. starts: first frame of each, (n,).
        frames: of each.
    """

    def __init__(self, levels: Float32Array, starts: IntArray, frames: int) -> None:
        self.levels = levels
        self.starts = starts
        self._offsets = np.arange(frames)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> Float32Array:
        """Return the windows (k, frames, bands) at some places."""
        starts = self.starts[rows]
        windows: Float32Array = self.levels[starts[:, None] + self._offsets]
        return windows


def open_levels(
    path: Path, files: Sequence[MachineFile], frontend: LogMelFrontEnd, folder: Path
) -> tuple[Float32Array, StoreIndex]:
    """Return the levels (m, bands) of all recordings, memory-mapped, and what they are.

    They are computed into ``path`` unless they are there. Files that cannot be read or are shorter
    than a window are left out, counted in a warning.
    """
    record = path.with_suffix(".json")
    if not (record.exists() and path.exists()):
        write_json(record, _write(path, files, frontend, folder))
    index = read_json(record, StoreIndex)
    return np.memmap(path, np.float32, "r").reshape(-1, frontend.bands), index


def _write(
    path: Path, files: Sequence[MachineFile], frontend: LogMelFrontEnd, folder: Path
) -> StoreIndex:
    recordings = []
    problems = []
    digest = hashlib.sha256()
    start = 0
    with writing(path) as part, part.open("wb") as store:
        for file in track(files, "levels of machines", len(files)):
            try:
                levels = _levels(file, frontend)
            except TinypruneError as error:
                problems.append(str(error))
                continue
            content = levels.tobytes()
            digest.update(content)
            store.write(content)
            facts = (file.name, file.machine, file.split, file.is_anomaly)
            recordings.append(Recording(*facts, start, len(levels)))
            start += len(levels)
        report_unusable(problems, len(files), folder)
    return StoreIndex(tuple(recordings), digest.hexdigest())


def _levels(file: MachineFile, frontend: LogMelFrontEnd) -> Float32Array:
    """Return the levels (frames, bands) of a file. Raises TinypruneError for a short one."""
    samples = read_mono(file.path)
    shortest = frontend.fft + (frontend.frames - 1) * frontend.hop
    if len(samples) < shortest:
        raise TinypruneError(f"{file.path} is shorter than a window of {shortest} samples")
    return frontend.levels(samples)
