"""The table of extras is the one of pyproject.toml, and what is missing is one line."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

import tinyprune
from tinyprune import extras
from tinyprune.cli import messages
from tinyprune.errors import UsageError

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
#: Distributions that are imported under another name.
IMPORTED = {"pillow": "PIL", "mlflow-skinny": "mlflow"}


def packages(requirements):
    names = [re.match(r"[\w-]+", requirement).group() for requirement in requirements]
    return {IMPORTED.get(name, name.replace("-", "_")) for name in names} - {"tinyprune"}


def test_every_extra_has_the_packages_that_are_declared():
    declared = {name: packages(lines) for name, lines in OPTIONAL.items() if name != "dev"}
    assert {name: set(known) for name, known in extras.EXTRAS.items()} == declared


def test_what_finished_files_need_comes_with_no_extra():
    optional = set().union(*extras.EXTRAS.values())
    assert not optional & packages(PROJECT["dependencies"])


def test_the_line_names_who_needs_what_and_how_it_comes():
    error = extras.missing("sounddevice", "--live", "or give files")
    assert str(error) == (
        "--live needs sounddevice, which is not installed: "
        'pip install "tinyprune[live]", or give files'
    )
    assert error.exit_code == 2


@pytest.mark.parametrize("name", ["keras", "keras.layers", "fast_bss_eval"])
def test_an_import_that_fails_is_the_same_line(name):
    package = name.partition(".")[0]
    line, code = messages.describe(ModuleNotFoundError(f"No module named '{name}'", name=name))
    expected = f'this needs {package}, which is not installed: pip install "tinyprune[train]"'
    assert (line, code) == (expected, 2)


def test_an_import_of_something_else_is_not_expected():
    line, code = messages.describe(ModuleNotFoundError("No module named 'a'", name="a"))
    assert line.startswith("unexpected ModuleNotFoundError: No module named 'a'")
    assert code == 1


def test_training_needs_keras(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not extras.can_train()
    with pytest.raises(UsageError, match=r"^tinyprune train needs keras, .*\[train\]\"$"):
        extras.require_training("tinyprune train")


def test_what_python_asks_for_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # as if it were not there
    monkeypatch.delitem(sys.modules, "tinyprune.api.pruner", raising=False)
    with pytest.raises(UsageError, match=r'^tinyprune\.Pruner needs keras, .*\[train\]"$'):
        _ = tinyprune.Pruner
