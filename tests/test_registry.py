import pytest

from tinyprune import registry
from tinyprune.errors import UsageError
from tinyprune.registry import Registry

TABLES = [table for table in vars(registry).values() if isinstance(table, Registry)]
ENTRIES = [
    pytest.param(table, name, id=f"{table.kind}-{name}") for table in TABLES for name in table
]


@pytest.mark.parametrize(("table", "name"), ENTRIES)
def test_every_registered_name_resolves(table, name):
    assert callable(table[name])


@pytest.mark.parametrize(("table", "name"), ENTRIES)
def test_every_registered_thing_says_what_it_is(table, name):
    assert table[name].__doc__


def test_an_object_is_imported_only_when_it_is_used():
    table = Registry("thing", {"present": "json:dumps", "absent": "no_such_module:thing"})
    assert list(table) == ["present", "absent"]
    assert len(table) == 2
    assert table.check("absent") == "absent"
    assert table["present"]([1]) == "[1]"
    with pytest.raises(ModuleNotFoundError):
        table["absent"]


@pytest.mark.parametrize("use", [Registry.__getitem__, Registry.check])
def test_an_unknown_name_lists_what_exists(use):
    with pytest.raises(UsageError, match="unknown thing 'presnet': did you mean 'present'"):
        use(Registry("thing", {"present": "json:dumps"}), "presnet")
