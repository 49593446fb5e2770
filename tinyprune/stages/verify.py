"""The verification of a run folder: every file against the SHA-256 that it was recorded with."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyprune.storage.digests import CHANGED, UNVERIFIED, sealed_state, state_of
from tinyprune.storage.run_folder import Workspace


@dataclass(frozen=True)
class CheckedFile:
    """A file of a run.

    Attributes:
        path: relative to the run folder.
        state: "unchanged", "changed" or "missing"; "unverified" where no digest was kept.
    """

    path: str
    state: str


def verify_run(run: Path) -> list[CheckedFile]:
    """Return the state of every file of a run, finished or not.

    All content is read. Raises UsageError where there is no run.
    """
    space = Workspace(run)
    states = space.check()
    for pattern in ("variants/*/*.npz", "sweep/scores/*.npz"):
        for path in sorted(space.root.glob(pattern)):
            states.setdefault(path, _archive_state(path))
    states.update(_data_states(space.data))
    return [
        CheckedFile(path.relative_to(space.root).as_posix(), state)
        for path, state in states.items()
    ]


def _data_states(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of decoded data and their states."""
    from tinyprune.data.clips import read_index

    for path in sorted(folder.glob("*.npz")):
        yield path, _archive_state(path)
    for record in sorted(folder.glob("*.json")):
        state = sealed_state(record)
        yield record, state
        if state != CHANGED:
            samples = record.with_suffix(".pcm")
            yield samples, state_of(samples, read_index(record).sha256)


def _archive_state(path: Path) -> str:
    """Return the state of an archive, whose members carry checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return UNVERIFIED if archive.testzip() is None else CHANGED
    except (OSError, zipfile.BadZipFile):
        return CHANGED
