"""Tables, as TOML, JSON or the command line give them, read strictly into frozen dataclasses.

Every error is one line that starts with the dotted key, as in ``prune.0.sparsity: expected a
number, got 'high'``.
"""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tinyprune.config.family import Fields, Member, fields_of
from tinyprune.config.settings import absent_value, is_needed, setting_of
from tinyprune.config.values import (
    INTEGER,
    NUMBER,
    STRING,
    TEXT_OF_NUMBER,
    TRUTH,
    List,
    OneOrSeveral,
    Optional,
    Pair,
    Reader,
    Scalar,
    read_each,
)
from tinyprune.errors import UsageError, check_name

Kind = TypeVar("Kind")
Table = Mapping[str, Any]

_SCALARS: dict[Any, Scalar] = {str: STRING, bool: TRUTH, int: INTEGER, float: NUMBER}


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
    check_keys(table, fields, where)
    _check_needed(kind, fields, table, where)
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


def _entry(node: Any, index: str, parents: list[str], key: str) -> Any:
    """Return the entry of a list of tables that a part of a key names by its number."""
    entries = node if isinstance(node, list) else []
    count = len(entries)
    if index.isdecimal() and int(index) < count:
        return entries[int(index)]
    place = f"{'.'.join(parents)}, which has {count}, counted from 0"
    raise UsageError(f"{key}: there is no entry '{index}' in {place}")


# --- families
# --------------------------------------------------------------------------------------------------


def _read_member(kind: type[Member], table: Table, where: str) -> Member:
    """Return the member of a family that a table describes; ``kind`` is one, or the base of all.

    A setting that another member has is refused, unless it has its default.
    """
    family = kind.family
    check_keys(table, [family.key, *family.fields], where)

    settings = dict(table)
    key = where + family.key
    name = STRING.read(settings.pop(family.key, family.names[0]), key)
    named = family.member(name, key)
    member = kind if kind in family.members else named

    fields = fields_of(member)
    own = {name: value for name, value in settings.items() if name in fields}
    values = _values(member, fields, own, where)
    for name, value in settings.items():
        if name not in fields:
            _check_unused(member, name, value, where)
    return member(**values)


def _check_unused(member: type[Member], name: str, value: Any, where: str) -> None:
    """Raise UsageError for a setting that a member does not have, unless it has its default, or the
    value that records have.
    """
    family = member.family
    [owner, *_] = family.owners(name)
    field = family.fields[name]
    hint = typing.get_type_hints(owner)[name]
    key = where + name
    setting_value = _reader(field, hint).read(value, key)
    setting_of(field).rule.check(setting_value, key)
    recorded = getattr(member, name, field.default)
    if setting_value not in (field.default, absent_value(field), recorded):
        raise UsageError(f"{key}: {family.refusal(member, name)}")


# --- keys and values
# --------------------------------------------------------------------------------------------------


def check_keys(table: Table, names: Iterable[str], where: str = "") -> None:
    """Raise UsageError with the closest key for one that does not exist."""
    known = [where + name for name in names]
    for name in table:
        check_name("key", f"{where}{name}", known)


def _check_needed(kind: type, fields: Fields, table: Table, where: str) -> None:
    """Raise UsageError for a setting that has no default and is not there."""
    hints = typing.get_type_hints(kind)
    for name, field in fields.items():
        if is_needed(field) and name not in table:
            expected = _SCALARS[hints[name]].expected
            raise UsageError(f"{where}{name}: it is needed: expected {expected}")


def _values(kind: type, fields: Fields, table: Table, where: str) -> dict[str, Any]:
    """Return the values of a table, each of the type that its field is declared with."""
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in table.items():
        reader = _reader(fields[name], hints[name])
        values[name] = reader.read(value, where + name)
    return values


def _reader(field: "dataclasses.Field[Any]", hint: Any) -> Reader:
    """Return the reader of the values of a field, which is declared with a type."""
    if setting_of(field).is_text_of_number:
        is_list = typing.get_origin(hint) is tuple
        return List(TEXT_OF_NUMBER) if is_list else Optional(TEXT_OF_NUMBER)
    return _reader_of(hint)


def _reader_of(hint: Any) -> Reader:
    """Return the reader of the values of a type."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if dataclasses.is_dataclass(hint):
        return OneTable(hint)

    kind, *rest = typing.get_args(hint)
    if len(rest) > 1 and isinstance(hint, types.UnionType):  # ``str | tuple[str, ...] | None``
        return Optional(OneOrSeveral())
    if isinstance(hint, types.UnionType):  # ``X | None``
        return Optional(_reader_of(kind))
    if rest != [...]:
        return Pair()
    reader = _reader_of(kind)
    if isinstance(reader, OneTable):
        return Tables(reader)
    return List(reader)


@dataclass(frozen=True)
class OneTable(Reader):
    """A reader of one table as a configuration."""

    kind: Any

    def read(self, value: Any, key: str) -> Any:
        """Return the configuration."""
        return read_table(self.kind, value, f"{key}.")


@dataclass(frozen=True)
class Tables(Reader):
    """A reader of a list of tables as configurations; one table alone is a list of one."""

    reader: Reader

    def read(self, value: Any, key: str) -> tuple[Any, ...]:
        """Return the configurations."""
        if isinstance(value, Mapping):
            return (self.reader.read(value, key),)
        if not isinstance(value, list | tuple):
            raise UsageError(f"{key}: expected tables, written [[{key}]], got {value!r}")
        return read_each(self.reader, value, key)
