"""A user's modules: functions that build a network, and the layers that it is made of."""

import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.models.loading.own import EXPECTED, first_line


@contextmanager
def importing_from_here() -> Iterator[None]:
    """Put the current folder first where modules are looked for, as ``python -m`` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def custom_objects(modules: tuple[str, ...]) -> dict[str, Any]:
    """Public classes and functions that modules define, by name; registered ones Keras knows.

    Raises UsageError for a module that cannot be imported.
    """
    objects: dict[str, Any] = {}
    for name in modules:
        for key, value in inspect.getmembers(_module(name), callable):
            if not key.startswith("_") and _package(_defining_module(value)) == _package(name):
                objects[key] = value
    return objects


def from_function(source: str, kind: str = "model", expected: str = EXPECTED) -> Any:
    """The object that ``package.module:function`` returns. Raises UsageError if it does not.

    ``kind``, ``expected``: of the object, and how it is named, for messages.
    """
    name, _, attribute = source.partition(":")
    if not name or not attribute:
        raise UsageError(f"'{source}' names no {kind}: {expected}")
    module = _module(name)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise UsageError(
            f"module '{name}' has no function '{attribute}': {_hint(module, attribute, kind)}"
        )
    try:
        return function()
    except TinypruneError:
        raise
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {first_line(error)}"
        raise UsageError(f"{source}, called without arguments, failed: {cause}") from error


def _hint(module: ModuleType, attribute: str, kind: str) -> str:
    """Functions of a module with a similar name."""
    names = [name for name, _ in inspect.getmembers(module, callable)]
    similar = difflib.get_close_matches(attribute, names, n=3)
    if not similar:
        return f"expected a function that returns a {kind}"
    return f"did you mean {' or '.join(similar)}?"


def _module(name: str) -> ModuleType:
    """An imported module. What goes wrong inside it is the user's: any error becomes a line."""
    if "/" in name or name.endswith(".py"):
        module = name.removesuffix(".py").removeprefix("./").replace("/", ".")
        raise UsageError(f"'{name}' is a path: expected the name of a module, e.g. {module}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if _is_missing(name, error):
            raise UsageError(
                f"there is no module '{name}' in the current folder or the installed packages"
            ) from error
        raise UsageError(f"module '{name}' cannot be imported: {first_line(error)}") from error
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {first_line(error)}"
        raise UsageError(f"module '{name}' cannot be imported: {cause}") from error


def _is_missing(name: str, error: ModuleNotFoundError) -> bool:
    """Return whether the module itself or a package around it is missing, not one it imports."""
    missing = error.name
    return bool(missing) and (name == missing or name.startswith(f"{missing}."))


def _defining_module(value: Any) -> str:
    return str(getattr(value, "__module__", ""))


def _package(module: str) -> str:
    return module.partition(".")[0]
