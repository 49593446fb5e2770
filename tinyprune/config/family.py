"""Families: configurations of which a table is one, each with settings of its own.

``[data]`` is one of the data sets, ``[[prune]]`` one of the ways to prune. A key of the table says
which. All members of a family are recorded as the same flat mapping, so a record does not depend on
where its settings are declared, and older records stay readable.
"""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, ClassVar

from tinyprune.config.settings import ANY, Checked, Config, absent_value, one_of, plain
from tinyprune.storage.recorded import Recorded

Fields = dict[str, "dataclasses.Field[Any]"]


class Member(Config, Recorded):
    """A configuration of a family. ``family`` is set on the common base of its members."""

    family: ClassVar["Family"]

    def record(self) -> dict[str, Any]:
        """Return the flat mapping of the family: settings of other members have their defaults."""
        values: dict[str, Any] = {self.family.key: getattr(self, self.family.key)}
        for name, field in self.family.fields.items():
            values[name] = plain(getattr(self, name, absent_value(field)))
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
        rule: a rule on the value of the key, beside that it is the name of a member.
    """

    def __init__(
        self,
        key: str,
        members: Sequence[Any],
        refusal: Callable[[Any, str], str],
        rule: Checked = ANY,
    ) -> None:
        self.key = key
        self.members = members
        self.refusal = refusal
        self.rule = rule
        self.fields: Fields = {}
        self._by_name: dict[str, Any] = {}
        for member in members:
            self._by_name.setdefault(getattr(member, key), member)
            for name, field in fields_of(member).items():
                self.fields.setdefault(name, field)

    @property
    def names(self) -> list[str]:
        """The values that the key may have, the default first."""
        return list(self._by_name)

    def member(self, name: str, key: str) -> Any:
        """Return the member of a name. Raises UsageError, which names ``key`` or the names."""
        self.rule.check(name, key)
        one_of(self.names).check(name, key)
        return self._by_name[name]

    def owners(self, name: str) -> list[Any]:
        """Return the members that have a setting, the default first."""
        return [member for member in self.members if name in fields_of(member)]


def fields_of(kind: Any) -> Fields:
    """Return the fields of a configuration by name, its own before those that it shares."""
    declared = list(chain.from_iterable(map(inspect.get_annotations, kind.__mro__)))
    fields = sorted(dataclasses.fields(kind), key=lambda field: declared.index(field.name))
    return {field.name: field for field in fields}
