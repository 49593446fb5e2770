"""The tables of a flatbuffer, counted before they are read.

Tables and vectors are reached by offsets, and many offsets may lead to one. So a small file can
hold a network that never ends, for those who follow every one of them.
"""

import struct
from functools import cache
from typing import Any

#: A file of n bytes has no more than n / 4 offsets, and no more than n numbers, unless some of them
#: are read several times.
_BYTES_PER_OFFSET = 4
_LEAST = 1000

#: A table without fields: its list of fields, which has none, and the distance to that.
_EMPTY = struct.pack("<HHi", 4, 4, 4)
_EMPTY_PLACE = 4
_LENGTH = "Length"
_OTHERS = ("GetRootAs", "Init", "BufferHasIdentifier", "AsNumpy", "IsNone", _LENGTH)


def check_counts(table: Any, size: int) -> None:
    """Raise ValueError where a table and those below it hold more than a file of ``size`` bytes.

    ``table``: of the classes that flatc makes.
    """
    open_offsets = max(size // _BYTES_PER_OFFSET, _LEAST)
    open_numbers = max(size, _LEAST)
    waiting: list[Any] = [table]
    while waiting:
        found = waiting.pop()
        kind: Any = type(found)
        vectors, singles = _accessors(kind)
        for name, is_of_tables in vectors:
            length = getattr(found, f"{name}{_LENGTH}")()
            open_numbers -= length
            if is_of_tables:
                open_offsets -= length
            _check_open(open_offsets, open_numbers)
            if is_of_tables:
                waiting += filter(_is_table, map(getattr(found, name), range(length)))
        for value in [getattr(found, name)() for name in singles]:
            if _is_table(value):
                waiting.append(value)
            elif isinstance(value, bytes):
                open_numbers -= len(value)
                _check_open(open_offsets, open_numbers)


def _check_open(offsets: int, numbers: int) -> None:
    if offsets < 0 or numbers < 0:
        raise ValueError("its tables are larger than the file")


def _is_table(value: Any) -> bool:
    return hasattr(value, "_tab")


@cache
def _accessors(kind: Any) -> tuple[list[tuple[str, bool]], list[str]]:
    """Return the vectors of a table, and whether each is of tables, and its other fields."""
    names = {name for name in vars(kind) if not name.startswith("_")}
    vectors = []
    for name in sorted(names):
        if f"{name}{_LENGTH}" in names:
            vectors.append((name, f"{name}AsNumpy" not in names))
    known = {name for name, _ in vectors}
    empty = kind()
    empty.Init(_EMPTY, _EMPTY_PLACE)
    singles = []
    for name in sorted(names - known):
        is_field = not any(part in name for part in _OTHERS)
        if is_field and getattr(empty, name)() is None:  # numbers have defaults
            singles.append(name)
    return vectors, singles
