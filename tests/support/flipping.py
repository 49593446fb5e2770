"""One bit of a file flipped, so that what it says is another thing."""

import json
from pathlib import Path


def files_of(run: Path) -> list[Path]:
    """Return the files of a run that are not empty."""
    return [path for path in sorted(run.rglob("*")) if path.is_file() and path.stat().st_size]


def flip(path: Path) -> None:
    """Flip the lowest bit of a byte in the middle; in a record that of a digit, so that it stays JSON.

    The digit is the first from the middle on that matters: the last one of a float may not.
    """
    content = path.read_bytes()
    if path.suffix != ".json":
        path.write_bytes(_flipped(content, len(content) // 2))
        return
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    middle = len(digits) // 2
    for place in digits[middle:] + digits[:middle]:
        changed = _flipped(content, place)
        if _says_another_thing(changed, content):
            path.write_bytes(changed)
            return


def _says_another_thing(changed: bytes, content: bytes) -> bool:
    try:
        return bool(json.loads(changed) != json.loads(content))
    except ValueError:  # a number that begins with 0
        return False


def _flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)
