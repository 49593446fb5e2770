"""Files that are whole or absent, and on the disk before they count.

They are written beside their place, synchronised and renamed. What is no ordinary file (a device, a
FIFO, standard output) is written to and stays what it is.
"""

import errno
import glob
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from tinyprune.errors import TinypruneError, reason

_LONGEST_TAIL = 240  # bytes; a name on Linux has 255, and the number of a process is before it
_STDOUT = 1
_STDERR = 2
_MOST_LINKS = 40  # as many as Linux follows
#: Files that stand for folders that this process works in -> their inodes.
_HELD: dict[Path, int] = {}


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a path of the same suffix to write to.

    It becomes ``path`` if the block succeeds and is removed if it fails. It is on the disk before
    it is renamed. A symbolic link is followed, and a file that was there keeps its mode. To a
    device, a FIFO or standard output, what was written is copied when the block has succeeded.
    Raises TinypruneError where the disk is full or the folder cannot be written.
    """
    is_copied = is_stream(path)
    try:
        with _copied(path) if is_copied else _renamed(_place(path)) as part:
            yield part
    except OSError as error:
        raise TinypruneError(f"cannot write {path}: {reason(error)}") from error


def is_stream(path: Path) -> bool:
    """Return whether a path is written to as it is: a device, a FIFO, a stream of this process."""
    if not path.exists():
        return False
    return not path.is_file() or _is_stdout(path) or _is_stderr(path)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on the disk. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the file system can say so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _place(path: Path) -> Path:
    """Return the file that a path stands for, there or not.

    Raises OSError for links in a circle.
    """
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return place


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Let :func:`writing` refuse to write beside or below a file once that file is gone.

    So a folder that somebody deletes while this process works in it does not come back.
    """
    place = file.resolve()
    _HELD[place] = place.stat().st_ino
    try:
        yield
    finally:
        del _HELD[place]


def check_held(place: Path) -> None:
    """Raise TinypruneError for a place in a folder that was deleted while it was worked in."""
    for file, inode in _HELD.items():
        is_inside = file.parent in place.parents
        if is_inside and not _is_same(file, inode):
            raise TinypruneError(
                f"{file.parent} was deleted while this command worked in it: "
                "it stops, and nothing more is written there"
            )


def _is_same(file: Path, inode: int) -> bool:
    return file.exists() and file.stat().st_ino == inode


@contextmanager
def _renamed(place: Path) -> Iterator[Path]:
    """Yield a path beside a place that is renamed to it."""
    part = place.with_name(f".{os.getpid()}{_tail(place.name)}")
    try:
        check_held(place)
        make_folder(place.parent)
        _remove_orphans(place)
        yield part
        check_held(place)
        sync_file(part)
        if place.exists():
            shutil.copymode(place, part)
        part.replace(place)
        sync_folder(place.parent)
    finally:
        with suppress(OSError):  # gone already, or its folder never was
            part.unlink()


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Yield a path elsewhere whose content is written to a stream at the end."""
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as folder:
        part = Path(folder, f"part{path.suffix}")
        yield part
        with part.open("rb") as content, _opened(path) as stream:
            shutil.copyfileobj(content, stream)


def _opened(path: Path) -> BinaryIO:
    """Open a stream; a standard one where it is now, behind what was printed."""
    if _is_stdout(path):
        sys.stdout.flush()
        return os.fdopen(os.dup(_STDOUT), "wb")
    if _is_stderr(path):
        sys.stderr.flush()
        return os.fdopen(os.dup(_stderr_descriptor()), "wb")
    return path.open("wb")


def _is_stdout(path: Path) -> bool:
    """Return whether a path names the standard output of this process, which may be closed."""
    if sys.__stdout__ is None:
        return False
    return os.path.samestat(path.stat(), os.fstat(_STDOUT))


def _is_stderr(path: Path) -> bool:
    """Return whether a path names the standard error of this process, by name or as a file.

    Libraries are kept off it by giving its number to something else, so its name leads there.
    """
    place = path.absolute()
    own = Path(f"/proc/{os.getpid()}/fd/{_STDERR}")
    for _ in range(_MOST_LINKS):
        place = Path(os.path.realpath(place.parent), place.name)
        if place == own:
            return True
        if not place.is_symlink():
            break
        place = place.parent / place.readlink()
    return os.path.samestat(path.stat(), os.fstat(_stderr_descriptor()))


def _stderr_descriptor() -> int:
    """Return the number that the lines of this program go to; 2 where something stands for it."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return _STDERR


def _tail(name: str) -> str:
    """Return the end of the name of what is written for a file: of a long one, its digest."""
    tail = f".part.{name}"
    if len(os.fsencode(tail)) <= _LONGEST_TAIL:
        return tail
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".part.{digest}{Path(name).suffix}"


def _remove_orphans(place: Path) -> None:
    """Remove what killed processes left of their attempts to write this file."""
    for part in place.parent.glob(f".*{glob.escape(_tail(place.name))}"):
        writer = part.name.split(".")[1]
        if writer.isdecimal() and not is_running(int(writer)):
            part.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Return whether there is a process of a number, this user's or not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write named arrays as one ``.npz`` file. Raises TinypruneError as :func:`writing` does."""
    import numpy as np

    with writing(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)
