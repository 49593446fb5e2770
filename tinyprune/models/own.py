"""A user's own network: a ``.keras`` file, a legacy ``.h5``, or a function that builds it.

Importing this module imports neither TensorFlow nor Keras, so that a name can be told from a file
at no cost.
"""

import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.config import MODEL_FILES
from tinyprune.errors import TinypruneError, UsageError

if TYPE_CHECKING:
    import keras

EXPECTED = f"expected a file ({', '.join(MODEL_FILES)}) or package.module:function"


def is_own(name: str) -> bool:
    """Whether a name means a user's own model and not a registered one: a model file, a path or ``module:function``."""
    return Path(name).suffix.lower() in MODEL_FILES or any(mark in name for mark in ":/\\")


def load(source: str, custom: tuple[str, ...] = ()) -> "keras.Model":
    """A user's own model, functional or Sequential, with one input and one output; not compiled.

    Args:
        source: a ``.keras`` file (of Keras 3 or 2), a legacy ``.h5`` or ``.hdf5`` with a whole
            model, or ``package.module:function``, which is called without arguments; modules of the
            current folder can be imported.
        custom: modules that define layers or functions of the model; they are imported before it is
            loaded.

    A model of Keras 2 becomes one of Keras 3 with the same layer names, weights and outputs. Raises
    UsageError, in one line, for everything that is no such model.
    """
    from tinyprune.models import files

    with _importing_from_here():
        objects = _custom_objects(custom)
        is_file = Path(source).suffix.lower() in MODEL_FILES or ":" not in source
        model = files.from_file(Path(source), objects) if is_file else _from_function(source)
        if _is_keras2(model):
            model = files.from_keras2(model, source, objects)
    return _checked(model, source)


# --- modules
# ----------------------------------------------------------------------------------------------------------


@contextmanager
def _importing_from_here() -> Iterator[None]:
    """The current folder comes first where modules are looked for, as for ``python -m``."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _module(name: str) -> Any:
    """An imported module. What goes wrong inside it is the user's: any error becomes a line."""
    if "/" in name or name.endswith(".py"):
        raise UsageError(f"'{name}' is a path: expected the name of a module, e.g. package.module")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"there is no module '{name}' in the current folder or the installed packages"
            ) from error
        raise UsageError(f"module '{name}' cannot be imported: {first_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"module '{name}' cannot be imported: {type(error).__name__}: {first_line(error)}"
        ) from error


def _custom_objects(modules: tuple[str, ...]) -> dict[str, Any]:
    """Public classes and functions that these modules define, by name; registered ones Keras finds itself."""
    objects: dict[str, Any] = {}
    for name in modules:
        package = name.partition(".")[0]
        for key, value in inspect.getmembers(_module(name), callable):
            own = str(getattr(value, "__module__", "")).partition(".")[0] == package
            if own and not key.startswith("_"):
                objects[key] = value
    return objects


def _from_function(source: str) -> Any:
    name, _, attribute = source.partition(":")
    if not name or not attribute:
        raise UsageError(f"'{source}' names no model: {EXPECTED}")
    module = _module(name)
    function = getattr(module, attribute, None)
    if not callable(function):
        close = difflib.get_close_matches(
            attribute, [key for key, _ in inspect.getmembers(module, callable)], n=3
        )
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else "expected a function that returns a keras.Model"
        )
        raise UsageError(f"module '{name}' has no function '{attribute}': {hint}")
    try:
        return function()
    except TinypruneError:
        raise
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {first_line(error)}"
        raise UsageError(f"{source}, called without arguments, failed: {what}") from error


# --- models
# -----------------------------------------------------------------------------------------------------------


def _is_keras2(model: Any) -> bool:
    """Whether this is a model of tf_keras, which is not imported for the question."""
    return any(
        base.__module__.startswith("tf_keras.") and base.__name__ == "Model"
        for base in type(model).__mro__
    )


def _checked(model: Any, source: str) -> "keras.Model":
    """The model, if it is one whose layers and their order are known. Raises UsageError otherwise."""
    import keras

    if not isinstance(model, keras.Model):
        raise UsageError(
            f"{source} gives an object of type {type(model).__name__}: expected a keras.Model"
        )
    if isinstance(model, keras.Sequential) and not model.built:
        raise UsageError(
            f"{source}: the Sequential model has no input shape: start it with keras.Input(shape)"
        )
    if not isinstance(model, keras.Sequential) and not hasattr(
        model, "operations"
    ):  # a functional model lists them
        kind = type(model).__name__
        raise UsageError(
            f"{source}: {kind} is a subclass of keras.Model: expected a functional or Sequential model"
        )
    inputs, outputs = len(model.inputs), len(model.outputs)
    if (inputs, outputs) != (1, 1):
        raise UsageError(
            f"{source} has {inputs} inputs and {outputs} outputs: expected one of each"
        )
    if isinstance(model, keras.Sequential) or not any(
        map(keras.tree.is_nested, (model.input, model.output))
    ):
        return model
    return keras.Model(
        model.inputs[0], model.outputs[0], name=model.name
    )  # without the list or dict around each


def first_line(error: BaseException | str) -> str:
    """The first line of a message that may be pages long."""
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[0] if len(lines[0]) <= 200 else f"{lines[0][:200]}..."
