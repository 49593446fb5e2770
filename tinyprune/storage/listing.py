"""Lists of the files in folders that people fill."""

from collections.abc import Iterator, Sequence
from pathlib import Path


def list_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files below a folder whose names end so, in any case, sorted.

    Hidden files, and those in hidden folders, are left out: macOS puts a ``._x.wav`` beside every
    ``x.wav`` on foreign disks.
    """
    return sorted(path for path in _visible(folder) if path.suffix.lower() in suffixes)


def _visible(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that are not hidden."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        is_hidden = any(part.startswith(".") for part in parts)
        if not is_hidden and path.is_file():
            yield path
