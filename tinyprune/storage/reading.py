"""Files that come from strangers, read within bounds.

Only ordinary files are read: a FIFO or a device may never end, or never begin. Their size is known
before their content takes memory.
"""

import json
import stat
from pathlib import Path
from typing import Any

from tinyprune.errors import TinypruneError, UsageError, reason

MIB = 1 << 20
#: The most bytes of a text: a record, a recipe, a list of files.
LARGEST_TEXT = 32 * MIB
#: The most bytes of a network, as a file and in memory.
LARGEST_NETWORK = 768 * MIB
_SMALL = 256 * MIB
#: Deflate packs a thousand zeros into one byte, and data of a sensor into no less than a tenth.
_MOST_INFLATION = 200


def check_file(path: Path, largest: int, expected: str) -> None:
    """Raise an error unless a path is an ordinary file of a size that can be read.

    Args:
        path: of the file, which is there.
        largest: its most bytes.
        expected: for messages, e.g. "expected a .tflite file".

    Raises UsageError for a folder, a FIFO, a device, or a file that is too large; OSError where it
    is not there.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is a folder: {expected}")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path} is a FIFO or a device, no file: {expected}")
    check_size(str(path), status.st_size, largest)


def check_size(what: str, size: int, largest: int) -> None:
    """Raise UsageError where something has more bytes than are read."""
    if size > largest:
        raise UsageError(
            f"{what} takes {size / MIB:,.0f} MiB, the most that is read is {largest // MIB:,} MiB"
        )


def read_bytes(path: Path, largest: int, expected: str) -> bytes:
    """Return the content of a file.

    Raises what :func:`check_file` does for what is no file, UsageError where there is none, and
    TinypruneError where it cannot be read.
    """
    try:
        check_file(path, largest, expected)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path} does not exist: {expected}") from None
    except OSError as error:
        raise TinypruneError(f"cannot read {path}: {reason(error)}") from error


def read_text(path: Path, expected: str, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Return the text in a file. Raises as :func:`read_bytes` does, and UnicodeDecodeError."""
    return read_bytes(path, LARGEST_TEXT, expected).decode(encoding, errors)


def check_inflation(what: str, size: int, packed: int) -> None:
    """Raise UsageError for an archive that is far larger than its file, as no real data are."""
    if size > _SMALL and size > _MOST_INFLATION * packed:
        raise UsageError(
            f"{what} takes {size / MIB:,.0f} MiB, unpacked from {packed / MIB:,.1f} MiB: "
            "no real data are packed so well"
        )


def parse_json(text: str | bytes) -> Any:
    """Return a value of JSON. Raises ValueError for whatever is none, also where it nests too deep.

    A number of more digits than Python converts is none either.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def parse_table(text: str | bytes) -> dict[str, Any]:
    """Return an object of JSON. Raises ValueError for whatever is none."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"it is {_kind(value)}, expected an object")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return f"of type {type(value).__name__}"
