"""What the configuration of a saved model may name, whatever Keras would make of it.

Keras imports modules and calls classes that a file names. Its own safe mode differs from version to
version, so here only layers of Keras that compute, and objects that the user has named, come
through.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import keras

from tinyprune.errors import UsageError
from tinyprune.models.loading import tf_operations
from tinyprune.storage.reading import parse_json

#: Layers and objects that run code of the file, or read other files.
_REFUSED = frozenset(
    [
        "Lambda",
        "__lambda__",
        "__typespec__",
        "TFSMLayer",
        "TorchModuleWrapper",
        "JaxLayer",
        "FlaxLayer",
        "IndexLookup",
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
        "FeatureSpace",
        "Pipeline",
    ]
)
#: Values that are written as objects.
_VALUES = (
    "__keras_tensor__",
    "__tensor__",
    "__numpy__",
    "__bytes__",
    "__ellipsis__",
    "__slice__",
    "__tuple__",
    "TensorShape",
)
#: Rooms of Keras whose classes and functions compute.
_ROOMS = (
    "activations",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "optimizers.schedules",
    "quantizers",
    "random",
    "regularizers",
)
_OPERATIONS = "keras.src.ops."
#: Classes that only Keras 2 has.
_OLD = ("Functional", "BatchNormalizationV1", "function", *tf_operations.KINDS)
#: What a network is made of, but its training is not: it is not loaded.
_OF_TRAINING = ("compile_config", "training_config")
_MODULE = "module"


def vetted(text: str | bytes, objects: Mapping[str, Any], others: frozenset[str]) -> Any:
    """Return the configuration of a model, from JSON.

    Args:
        text: the JSON.
        objects: custom layers and functions by name, which the user has named.
        others: names of other classes that may stand there.

    Raises UsageError for a name that does not come through, and for what is no JSON.
    """
    try:
        config = parse_json(text)
    except ValueError as error:
        raise UsageError(f"its configuration is damaged: {error}") from error
    if not isinstance(config, dict):
        raise UsageError("its configuration is damaged: expected an object")
    for key in _OF_TRAINING:
        config.pop(key, None)
    for table in _tables(config):
        _check(table, objects, others)
    return config


def _tables(config: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a configuration, in its order."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)


def _check(table: dict[str, Any], objects: Mapping[str, Any], others: frozenset[str]) -> None:
    """Raise UsageError for a table that names what does not come through."""
    if "class_name" not in table:
        return
    names = _names(table)
    for name in names:
        if name in _REFUSED:
            raise _refusal(table, name)
        if name in tf_operations.KINDS:
            tf_operations.check(table)
    if _is_registered(table, objects):
        return
    known = {*objects, *others}
    for name in names:
        if name not in known:
            _check_is_of_keras(table, name)
    if others.isdisjoint(names):
        _check_module(table)


def _names(table: dict[str, Any]) -> list[str]:
    """Return the names of what a table stands for: that of the class or function comes first.

    Raises UsageError where one is no text.
    """
    name = table["class_name"]
    if name == "function":
        name = table.get("config")
    names = [name]
    if table.get("registered_name") is not None:
        names.append(table["registered_name"])
    if not all(isinstance(each, str) for each in names):
        raise UsageError(f"its configuration is damaged: {names[0]!r} is no name of a class")
    return [each.rpartition(">")[2] for each in names]


def _is_registered(table: dict[str, Any], objects: Mapping[str, Any]) -> bool:
    """Return whether a module that the user has named has registered an object with Keras."""
    names = [table["class_name"], table.get("registered_name"), table.get("config")]
    for name in names:
        if isinstance(name, str) and keras.saving.get_registered_object(name, dict(objects)):
            return True
    return False


def _check_is_of_keras(table: dict[str, Any], name: str) -> None:
    """Raise UsageError for a name that is none of Keras."""
    module = str(table.get(_MODULE))
    if name not in _names_of_keras() and name not in _operations(module):
        raise UsageError(
            f"it uses '{name}', which Keras does not know: "
            "add --custom package.module that defines it"
        )


def _check_module(table: dict[str, Any]) -> None:
    """Raise UsageError for a module that Keras would import, and that is none of its own."""
    module = table.get(_MODULE)
    if module is None or module == "builtins":
        return
    package = str(module).partition(".")[0]
    if package not in ("keras", "tf_keras"):
        raise UsageError(
            f"it wants to import {str(module)[:80]!r}, which is not Keras: "
            "add --custom package.module that defines what it uses"
        )


def _refusal(table: dict[str, Any], kind: str) -> UsageError:
    """Return the error of a layer that is more than data."""
    settings = table.get("config")
    layer = settings.get("name") if isinstance(settings, dict) else None
    if kind in ("Lambda", "__lambda__"):
        why = "code that would run unseen"
    else:
        why = "which runs code or reads files of its own"
    return UsageError(
        f"layer '{layer or kind}' is a {kind}, {why}: give the model as package.module:function"
    )


@cache
def _names_of_keras() -> frozenset[str]:
    """Return the names of the classes and functions of Keras that compute."""
    names = {*_VALUES, *_OLD}
    for room in _ROOMS:
        place: Any = keras
        for part in room.split("."):
            place = getattr(place, part, None)
        names.update(name for name in dir(place) if not name.startswith("_"))
    return frozenset(names - _REFUSED)


def _operations(module: str) -> list[str]:
    """Return the operations of Keras in one of its modules, which is loaded already."""
    if not module.startswith(_OPERATIONS) or module not in sys.modules:
        return []
    names = []
    for name, value in vars(sys.modules[module]).items():
        if isinstance(value, type) and issubclass(value, keras.Operation):
            names.append(name)
    return names
