"""Lists of the files in folders that people fill."""

import os
from collections.abc import Sequence
from pathlib import Path


def list_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files below a folder whose names end so, in any case, sorted.

    Hidden files, and those in hidden folders, are left out: macOS puts a ``._x.wav`` beside every
    ``x.wav`` on foreign disks. Symbolic links are followed. A file that is reached in two ways
    counts once: by its own path, or else by the first one.
    """
    walk = _Walk()
    walk.visit(folder)
    found = []
    for path in walk.files():
        if path.suffix.lower() in suffixes:
            found.append(path)
    return sorted(found)


class _Walk:
    """A walk through folders that visits each once, those behind links after all others.

    So links in a circle end, and what can be reached without a link is.
    """

    def __init__(self) -> None:
        self._visited: set[str] = set()
        self._links: list[Path] = []
        self._own: dict[str, Path] = {}

    def visit(self, folder: Path) -> None:
        """Visit a folder and those below it, then those that links lead to."""
        self._visit_own(folder)
        file_links = []
        while self._links:
            link = self._links.pop(0)
            if link.is_dir():
                self._visit_own(link)
            else:
                file_links.append(link)
        for link in sorted(file_links):
            if link.is_file():
                self._own.setdefault(os.path.realpath(link), link)

    def files(self) -> list[Path]:
        """Return every file that was reached."""
        return list(self._own.values())

    def _visit_own(self, folder: Path) -> None:
        """Visit a folder and those below it; links in them are kept for later."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            real = os.path.realpath(current)
            if real not in self._visited:
                self._visited.add(real)
                waiting += self._entries(current, real)

    def _entries(self, folder: Path, real: str) -> list[Path]:
        """Keep the files and links of a folder, and return the folders in it."""
        folders = []
        for entry in _visible(folder):
            path = folder / entry.name
            if entry.is_symlink():
                self._links.append(path)
            elif entry.is_dir():
                folders.append(path)
            elif entry.is_file():
                self._own[f"{real}/{entry.name}"] = path
        return folders


def _visible(folder: Path) -> list["os.DirEntry[str]"]:
    """Return what is in a folder and not hidden, in order; nothing of one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        return []
    return sorted(visible, key=lambda entry: entry.name)
