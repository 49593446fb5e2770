"""Digests of files, and records that carry their own, so that an edited one is not believed.

Size, time and place of a file come first: as long as they are those that were recorded, its content
is not read. A digest is taken once per process.
"""

import hashlib
import json
import time
from functools import cache
from pathlib import Path
from typing import Any

from tinyprune.errors import TinypruneError
from tinyprune.storage.reading import LARGEST_TEXT, check_file, parse_table
from tinyprune.storage.records import Record, from_jsonable, to_jsonable, write_json

UNCHANGED, CHANGED, MISSING = "unchanged", "changed", "missing"
#: State of a file that was made before digests of its kind were kept.
UNVERIFIED = "unverified"

_SEAL = "record_sha256"
#: Files that were written a moment ago are read again: a second writing may have the same time.
_SETTLED_NS = 1_000_000_000


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal. Raises OSError."""
    status = path.stat()
    age_ns = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns)
    if age_ns < _SETTLED_NS:
        return _read_sha256(path)
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return _kept_sha256(path.absolute(), status.st_ino, status.st_size, times)


def stamp_of(path: Path) -> str:
    """Return size, time and place of a file, which no writing leaves as they are.

    The time is that of the last change of the file or of its own times, so nobody can set it. Empty
    where the disk counts whole seconds. Raises OSError.
    """
    status = path.stat()
    if status.st_ctime_ns % 1_000_000_000 == 0:
        return ""
    return f"{status.st_size}:{status.st_ctime_ns}:{status.st_ino}"


def state_of(path: Path, digest: str, stamp: str = "") -> str:
    """Return the state of a file whose content had this digest when it was made.

    ``stamp``: that it had then; where it still has it, the content is not read. Empty: it is read.
    """
    if not path.exists():
        return MISSING
    if stamp and stamp == stamp_of(path):
        return UNCHANGED
    if sha256(path) == digest:
        return UNCHANGED
    return CHANGED


def write_sealed(path: Path, record: Any) -> None:
    """Write a record with its own digest. Raises TinypruneError where it cannot be written."""
    plain = json.loads(json.dumps(to_jsonable(record)))
    write_json(path, {**plain, _SEAL: _digest(plain)})


def read_sealed(path: Path, advice: str) -> dict[str, Any]:
    """Return a record without its digest. An older one, which has none, is taken as it is.

    ``advice``: what to do about a record that cannot be believed. Raises TinypruneError with it
    where the record is missing, damaged or not as it was written.
    """
    try:
        record = _parsed(path)
    except (OSError, ValueError, TinypruneError) as error:
        raise TinypruneError(f"{path} cannot be read ({error}); {advice}") from error
    if is_changed(record):
        raise TinypruneError(f"{path} has changed since it was written; {advice}")
    return _without_seal(record)


def read_sealed_as(path: Path, kind: type[Record], advice: str) -> Record:
    """Return a record of a class, as :func:`read_sealed` does."""
    record = read_sealed(path, advice)
    try:
        return from_jsonable(record, kind)
    except Exception as error:  # any malformed content means the same to the reader
        raise TinypruneError(
            f"{path} is not a readable {kind.__name__} record ({error}); {advice}"
        ) from error


def sealed_state(path: Path) -> str:
    """Return the state of a record that carries its own digest."""
    if not path.exists():
        return MISSING
    try:
        record = _parsed(path)
    except (OSError, ValueError, TinypruneError):
        return CHANGED
    if _SEAL not in record:
        return UNVERIFIED
    if is_changed(record):
        return CHANGED
    return UNCHANGED


def is_changed(record: dict[str, Any]) -> bool:
    """Return whether a record, as it was read, has a digest that is not its own."""
    digest = _digest(_without_seal(record))
    return bool(record.get(_SEAL, digest) != digest)


def change(path: Path | str, command: str) -> str:
    """Return the line about a file that is not as a command made it."""
    again = command or "the same command"
    return (
        f"{path} has changed since it was made: put it back, or delete it and run `{again}` again"
    )


def _parsed(path: Path) -> dict[str, Any]:
    """Return a record as it is on disk.

    Raises OSError, ValueError or TinypruneError where it is none.
    """
    check_file(path, LARGEST_TEXT, "expected a record")
    return parse_table(path.read_text(encoding="utf-8"))


def _without_seal(record: dict[str, Any]) -> dict[str, Any]:
    plain = dict(record)
    plain.pop(_SEAL, None)
    return plain


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


@cache
def _kept_sha256(path: Path, inode: int, size: int, times_ns: tuple[int, int]) -> str:
    del inode, size, times_ns  # by which a file is known
    return _read_sha256(path)


def _read_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
