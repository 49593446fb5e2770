"""Files that are whole or absent: written beside their place, then renamed."""

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinyprune.errors import TinypruneError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a path of the same suffix to write to.

    It becomes ``path`` if the block succeeds and is removed if it fails. Raises TinypruneError
    where the disk is full or the folder cannot be written.
    """
    part = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_orphans(path)
        yield part
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TinypruneError(
            f"cannot write {path}: {reason}; free some space or choose another place"
        ) from error
    finally:
        with suppress(OSError):  # gone already, or its folder never was
            part.unlink()


def _remove_orphans(path: Path) -> None:
    """Remove what killed processes left of their attempts to write this file."""
    for part in path.parent.glob(f".*.part.{glob.escape(path.name)}"):
        writer = part.name.split(".")[1]
        if writer.isdecimal() and not _is_running(int(writer)):
            part.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
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
