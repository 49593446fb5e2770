"""TOML files that people write; editors of Windows put a mark before UTF-8."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tinyprune.errors import UsageError
from tinyprune.storage.reading import LARGEST_TEXT, check_file

Content = TypeVar("Content")


def read_toml(path: Path, noun: str, read: Callable[[dict[str, Any]], Content]) -> Content:
    """Return what ``read`` makes of the tables in a file. Raises UsageError that names the file.

    ``noun``: the word for such a file, e.g. "recipe".
    """
    try:
        check_file(path, LARGEST_TEXT, f"expected a {noun}")
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {noun} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except RecursionError:
        raise UsageError(f"{path} nests too deep: expected a {noun}") from None
    try:
        return read(tables)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
