"""Records on disk: dataclasses as JSON.

Every record is written beside its target and renamed, so a reader never sees half of one; unknown
fields are ignored on reading, so an older program can read a newer record.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from tinyprune.errors import TinypruneError
from tinyprune.storage.reading import LARGEST_TEXT, check_file, parse_json
from tinyprune.storage.recorded import Recorded
from tinyprune.storage.writing import writing

Record = TypeVar("Record")


def to_jsonable(record: Any) -> Any:
    """Return a dataclass as plain JSON types; paths as POSIX text."""
    return _converter().unstructure(record)


def write_text(path: Path, text: str) -> None:
    """Write a file that is whole or absent: beside its place, then renamed.

    File names in it that are not UTF-8 keep their bytes. Raises TinypruneError
    where it cannot be written.
    """
    with writing(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, record: Any) -> None:
    """Write a dataclass or plain JSON value to a file, atomically."""
    write_text(path, json.dumps(to_jsonable(record), indent=2) + "\n")


def read_json(path: Path, kind: type[Record]) -> Record:
    """Read a record that :func:`write_json` wrote.

    Raises TinypruneError if it is missing or not such a record.
    """
    try:
        check_file(path, LARGEST_TEXT, "expected a record")
        return from_jsonable(parse_json(path.read_text(encoding="utf-8")), kind)
    except Exception as error:  # any malformed content means the same to the reader
        raise TinypruneError(
            f"{path} is not a readable {kind.__name__} record ({error}); delete it and run again"
        ) from error


def from_jsonable(value: Any, kind: type[Record]) -> Record:
    """Return the record that :func:`to_jsonable` made ``value`` of.

    Raises whatever cattrs raises if it is none.
    """
    return _converter().structure(value, kind)


@cache
def _converter() -> Any:
    from cattrs.preconf.json import make_converter

    converter = make_converter()
    converter.register_structure_hook(Path, lambda value, _: Path(value))
    converter.register_unstructure_hook(Path, lambda path: path.as_posix())
    converter.register_unstructure_hook_func(_is_text, lambda value: value.to_text())
    converter.register_structure_hook_func(_is_text, lambda text, kind: kind.from_text(text))
    converter.register_unstructure_hook_func(_is_recorded, lambda value: value.record())
    return converter


def _is_text(kind: Any) -> bool:
    """Return whether values of a class are kept as text: it has ``to_text`` and ``from_text``."""
    return hasattr(kind, "to_text") and hasattr(kind, "from_text")


def _is_recorded(kind: Any) -> bool:
    """Return whether values of a class are recorded as a mapping of their own making."""
    return isinstance(kind, type) and issubclass(kind, Recorded)
