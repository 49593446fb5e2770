"""Tables, as TOML, JSON or the command line give them, read strictly into frozen dataclasses.

Every error is one line that starts with the dotted key, as in ``prune.0.sparsity: expected a
    number, got 'high'``.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tinyprune.errors import UsageError, unknown_name

Kind = TypeVar("Kind")

_EXPECTED = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class Text(str):
    """A value from the command line, whose type is the one that its key expects; empty means None where allowed."""


def structure(kind: type[Kind], table: Any, where: str = "") -> Kind:
    """The dataclass that a table describes. ``where``: prefix of its keys in errors, e.g. ``"prune.0."``."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{where.rstrip('.')}: expected a table, got {table!r}")
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise unknown_name("key", where + key, [where + name for name in hints])
    for field in dataclasses.fields(typing.cast(Any, kind)):
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and field.name not in table:
            raise UsageError(
                f"{where}{field.name}: it is needed: expected {_EXPECTED[hints[field.name]]}"
            )
    return kind(**{key: _convert(value, hints[key], where + key) for key, value in table.items()})


def assign(table: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.0.b`` in nested tables and lists of tables, in place."""
    *parents, last = key.split(".")
    node: Any = table
    for depth, part in enumerate(parents):
        node = (
            node.setdefault(part, {})
            if isinstance(node, dict)
            else _entry(node, part, parents[:depth], key)
        )
    if not isinstance(node, dict):
        raise UsageError(
            f"{key}: it needs the number of an entry, counted from 0, e.g. {parents[0]}.0.{last}"
        )
    node[last] = value


def _entry(node: Any, index: str, parents: list[str], key: str) -> Any:
    """The entry of a list of tables that a part of a key names by its number."""
    count = len(node) if isinstance(node, list) else 0
    if index.isdecimal() and int(index) < count:
        return node[int(index)]
    raise UsageError(
        f"{key}: there is no entry '{index}' in {'.'.join(parents)}, which has {count}, counted from 0"
    )


def _convert(value: Any, hint: Any, key: str) -> Any:
    """A value of the type that a field is declared with. Raises UsageError that names the key."""
    if isinstance(hint, types.UnionType):  # ``X | None``, the only union in use
        none = value is None or (isinstance(value, Text) and not value)
        return None if none else _convert(value, typing.get_args(hint)[0], key)
    if dataclasses.is_dataclass(hint):
        return structure(typing.cast(type, hint), value, f"{key}.")
    if typing.get_origin(hint) is tuple:
        return _several(value, hint, key) if ... in typing.get_args(hint) else _pair(value, key)
    return _scalar(value, hint, key)


def _several(value: Any, hint: Any, key: str) -> tuple[Any, ...]:
    """A list of tables or of plain values, whatever the field holds."""
    kind = typing.get_args(hint)[0]
    return (
        _entries(value, kind, key) if dataclasses.is_dataclass(kind) else _values(value, kind, key)
    )


def _values(value: Any, kind: type, key: str) -> tuple[Any, ...]:
    """A list of texts, numbers or truth values, or text like "yes,no,up"."""
    parts = (
        [Text(part.strip()) for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )
    if not isinstance(parts, list | tuple):
        raise UsageError(f'{key}: expected a list, [a, b] or "a,b", got {value!r}')
    return tuple(_scalar(part, kind, f"{key}.{index}") for index, part in enumerate(parts))


def _entries(value: Any, kind: Any, key: str) -> tuple[Any, ...]:
    """A list of tables; one table alone is a list of one."""
    if isinstance(value, Mapping):
        return (structure(kind, value, f"{key}."),)
    if not isinstance(value, list | tuple):
        raise UsageError(f"{key}: expected tables, written [[{key}]], got {value!r}")
    return tuple(structure(kind, entry, f"{key}.{index}.") for index, entry in enumerate(value))


def _pair(value: Any, key: str) -> tuple[float, float]:
    """Two numbers, low and high: a list of two, or text like "-6:9"."""
    ends = [Text(end) for end in value.split(":")] if isinstance(value, str) else value
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise UsageError(f'{key}: expected two numbers, [low, high] or "low:high", got {value!r}')
    return _scalar(ends[0], float, key), _scalar(ends[1], float, key)


def _scalar(value: Any, hint: type, key: str) -> Any:
    """A text, a whole number, a number or a truth value; only text from the command line is parsed."""
    plain: Any = _parsed(value, hint) if isinstance(value, Text) else value
    if hint is float and type(plain) is int:
        plain = float(plain)
    fits = math.isfinite(plain) if hint is float and type(plain) is float else type(plain) is hint
    if not fits:
        raise UsageError(f"{key}: expected {_EXPECTED[hint]}, got {value!r}")
    return plain


def _parsed(text: Text, hint: type) -> Any:
    """The text as the expected type, or unchanged where that is not possible."""
    if hint is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return hint(str(text))
    except ValueError:
        return text
