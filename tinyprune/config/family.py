"""Families: configurations of which a table is one, each with settings of its own.

``[data]`` is one of the data sets, ``[[prune]]`` one of the ways to prune. A key of the table says
which. All members of a family are recorded as the same flat mapping, so a record does not depend on
where its settings are declared, and older records stay readable.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tinyprune.config.settings import Config
from tinyprune.errors import UsageError
from tinyprune.registry import Registry
from tinyprune.storage.records import Recorded

Fields = dict[str, "dataclasses.Field[Any]"]


class Member(Config, Recorded):
    """A configuration of a family. ``family`` is set on the common base of its members."""

    family: ClassVar["Family"]

    def record(self) -> dict[str, Any]:
        """Return the flat mapping of the family: settings of other members have their defaults."""
        own = fields_of(type(self))
        values: dict[str, Any] = {self.family.key: getattr(self, self.family.key)}
        for name, field in self.family.fields.items():
            values[name] = plain(getattr(self, name) if name in own else field.default)
        return values

    def default_record(self) -> dict[str, Any]:
        """Return the record of the member that a table without any key is."""
        default: Member = self.family.members[0]()
        return default.record()


class Family:
    """The members of a family, and the key that says which of them a table is.

    Attributes:
        key: the key of a table, e.g. "name"; every member has a class attribute of that name.
        members: the types, the default first. Of several with one value of the key, the first is
            what a table is.
        refusal: ``refusal(member, name)``: what is said of a setting that a member does not have.
        registry: the names that the key may have; None: those of the members.
    """

    def __init__(
        self,
        key: str,
        members: Sequence[Any],
        refusal: Callable[[Any, str], str],
        registry: Registry | None = None,
    ) -> None:
        self.key = key
        self.members = members
        self.refusal = refusal
        self.registry = registry
        self.fields: Fields = {}
        for member in members:
            for name, field in fields_of(member).items():
                self.fields.setdefault(name, field)

    @property
    def names(self) -> list[str]:
        """The values that the key may have."""
        return list(dict.fromkeys(getattr(member, self.key) for member in self.members))

    def member(self, name: str, key: str) -> Any:
        """Return the member of a name. Raises UsageError, which names ``key`` or the names."""
        for member in self.members:
            if getattr(member, self.key) == name:
                return member
        if self.registry is not None:
            self.registry.check(name)
        raise UsageError(f"{key}: expected one of: {', '.join(self.names)}, got {name}")

    def owners(self, name: str) -> list[Any]:
        """Return the members that have a setting, the default first."""
        return [member for member in self.members if name in fields_of(member)]


def fields_of(kind: Any) -> Fields:
    """Return the fields of a configuration by name, its own before those that it shares."""
    fields: Fields = {field.name: field for field in dataclasses.fields(kind)}
    ordered: Fields = {}
    for base in kind.__mro__:
        for name in base.__dict__.get("__annotations__", {}):
            if name in fields:
                ordered.setdefault(name, fields[name])
    return ordered


def plain(value: Any) -> Any:
    """Return a configuration, or a value of one, as plain JSON types."""
    if isinstance(value, Member):
        return value.record()
    if dataclasses.is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in fields_of(type(value))}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value
