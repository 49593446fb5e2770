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

from tinyprune.config.family import Fields, Member, fields_of
from tinyprune.config.settings import setting_of
from tinyprune.errors import UsageError, unknown_name

Kind = TypeVar("Kind")
Table = Mapping[str, Any]

_EXPECTED = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class Text(str):
    """A value from the command line, of the type of its key; empty is None where allowed."""


def read_table(kind: type[Kind], table: Any, where: str = "") -> Kind:
    """Return the configuration that a table describes.

    Args:
        kind: a configuration, or the base of a family, whose key says which member it is.
        table: its settings by name.
        where: prefix of its keys in errors, e.g. ``"prune.0."``.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{where.rstrip('.')}: expected a table, got {table!r}")
    if issubclass(kind, Member):
        return typing.cast(Kind, _read_member(kind, table, where))
    fields = fields_of(kind)
    _check_keys(table, list(fields), where)
    _check_needed(fields, typing.get_type_hints(kind), table, where)
    return kind(**_values(kind, fields, table, where))


def assign(table: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.0.b`` in nested tables and lists of tables, in place."""
    *parents, last = key.split(".")
    node: Any = table
    for depth, part in enumerate(parents):
        if isinstance(node, dict):
            node = node.setdefault(part, {})
        else:
            node = _entry(node, part, parents[:depth], key)
    if not isinstance(node, dict):
        example = f"{parents[0]}.0.{last}"
        raise UsageError(f"{key}: it needs the number of an entry, counted from 0, e.g. {example}")
    node[last] = value


def check_value(field: "dataclasses.Field[Any]", value: Any, where: str = "") -> None:
    """Raise UsageError for a value that breaks the rule of its setting. ``where``: as above."""
    setting = setting_of(field)
    if setting.names is not None:
        setting.names.check(value)
    if setting.rule is None or value is None or setting.rule.accepts(value):
        return
    raise UsageError(f"{where}{field.name}: expected {setting.rule.expected}, got {value}")


# --- families
# --------------------------------------------------------------------------------------------------


def _read_member(kind: type[Member], table: Table, where: str) -> Member:
    """Return the member of a family that a table describes; ``kind`` is one, or the base of all.

    A setting that another member has is refused, unless it has its default.
    """
    family = kind.family
    _check_keys(table, [family.key, *family.fields], where)
    member = kind if kind in family.members else family.members[0]
    if family.key in table:
        key = where + family.key
        named = family.member(_scalar(table[family.key], str, key), key)
        member = kind if kind in family.members else named

    own, other = {}, {}
    for name, value in table.items():
        if name in fields_of(member):
            own[name] = value
        elif name != family.key:
            other[name] = value
    values = _values(member, fields_of(member), own, where)
    for name in other:
        _refuse(member, name, other[name], where)
    return member(**values)


def _refuse(member: type[Member], name: str, value: Any, where: str) -> None:
    """Raise UsageError for a setting that a member does not have, unless it has its default."""
    family = member.family
    [owner, *_] = family.owners(name)
    field = family.fields[name]
    read = _values(owner, {name: field}, {name: value}, where)[name]
    check_value(field, read, where)
    if read != field.default:
        raise UsageError(f"{where}{name}: {family.refusal(member, name)}")


# --- keys and values
# --------------------------------------------------------------------------------------------------


def _check_keys(table: Table, known: list[str], where: str) -> None:
    """Raise UsageError with the closest key for one that does not exist."""
    for key in table:
        if key not in known:
            raise unknown_name("key", where + key, [where + name for name in known])


def _check_needed(fields: Fields, hints: Table, table: Table, where: str) -> None:
    """Raise UsageError for a setting that has no default and is not there."""
    for name, field in fields.items():
        has_default = field.default is not dataclasses.MISSING
        has_factory = field.default_factory is not dataclasses.MISSING
        if name not in table and not has_default and not has_factory:
            expected = _EXPECTED[hints[name]]
            raise UsageError(f"{where}{name}: it is needed: expected {expected}")


def _values(kind: type, fields: Fields, table: Table, where: str) -> dict[str, Any]:
    """Return the values of a table, each of the type that its field is declared with."""
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in table.items():
        if setting_of(fields[name]).is_text_of_number:
            value = _text_of_number(value)
        values[name] = _convert(value, hints[name], where + name)
    return values


def _text_of_number(value: Any) -> Any:
    """Return a number of TOML as text, so that 200000 cycles need no quotes; all else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 2e5 is 200000, also in the name of a variant
    return str(value)


def _entry(node: Any, index: str, parents: list[str], key: str) -> Any:
    """Return the entry of a list of tables that a part of a key names by its number."""
    count = len(node) if isinstance(node, list) else 0
    if index.isdecimal() and int(index) < count:
        return node[int(index)]
    entries = f"{'.'.join(parents)}, which has {count}, counted from 0"
    raise UsageError(f"{key}: there is no entry '{index}' in {entries}")


def _convert(value: Any, hint: Any, key: str) -> Any:
    """Return a value as the type of its field. Raises UsageError that names the key."""
    if isinstance(hint, types.UnionType):  # ``X | None``, the only union in use
        is_empty = isinstance(value, Text) and not value
        if value is None or is_empty:
            return None
        return _convert(value, typing.get_args(hint)[0], key)
    if dataclasses.is_dataclass(hint):
        return read_table(typing.cast(type, hint), value, f"{key}.")
    if typing.get_origin(hint) is tuple:
        kind, end = typing.get_args(hint)
        if end is not ...:
            return _pair(value, key)
        return (
            _tables(value, kind, key) if dataclasses.is_dataclass(kind) else _list(value, kind, key)
        )
    return _scalar(value, hint, key)


def _list(value: Any, kind: type, key: str) -> tuple[Any, ...]:
    """Return a list of texts, numbers or truth values, or text like "yes,no,up", as a tuple."""
    parts = value
    if isinstance(value, str):
        parts = [Text(part.strip()) for part in value.split(",") if part.strip()]
    if not isinstance(parts, list | tuple):
        raise UsageError(f'{key}: expected a list, [a, b] or "a,b", got {value!r}')
    return tuple(_scalar(part, kind, f"{key}.{index}") for index, part in enumerate(parts))


def _tables(value: Any, kind: Any, key: str) -> tuple[Any, ...]:
    """Return the configurations of a list of tables; one table alone is a list of one."""
    if isinstance(value, Mapping):
        return (read_table(kind, value, f"{key}."),)
    if not isinstance(value, list | tuple):
        raise UsageError(f"{key}: expected tables, written [[{key}]], got {value!r}")
    return tuple(read_table(kind, entry, f"{key}.{index}.") for index, entry in enumerate(value))


def _pair(value: Any, key: str) -> tuple[float, float]:
    """Return two numbers, low and high, of a list of two or of text like "-6:9"."""
    ends = value
    if isinstance(value, str):
        ends = [Text(end) for end in value.split(":")]
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise UsageError(f'{key}: expected two numbers, [low, high] or "low:high", got {value!r}')
    return _scalar(ends[0], float, key), _scalar(ends[1], float, key)


def _scalar(value: Any, hint: type, key: str) -> Any:
    """Return a text, a number or a truth value; only text from the command line is parsed."""
    plain: Any = _parsed(value, hint) if isinstance(value, Text) else value
    if hint is float and type(plain) is int:
        plain = float(plain)
    is_right = type(plain) is hint
    if isinstance(plain, float):
        is_right = hint is float and math.isfinite(plain)
    if not is_right:
        raise UsageError(f"{key}: expected {_EXPECTED[hint]}, got {value!r}")
    return plain


def _parsed(text: Text, hint: type) -> Any:
    """Return a text as the expected type, or unchanged where that is not possible."""
    if hint is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return hint(str(text))
    except ValueError:
        return text
