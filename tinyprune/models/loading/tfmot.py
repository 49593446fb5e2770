"""Models of Keras 2 whose layers TFMOT has wrapped, for pruning or for quantization-aware training.

The wrappers are taken off. Pruned weights are zeros already; the ranges that were learned are left,
as the int8 learning here has its own.
"""

import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tinyprune.errors import UsageError
from tinyprune.models.loading import vetting
from tinyprune.models.loading.bounds import bounded_weights
from tinyprune.storage.reading import LARGEST_NETWORK, parse_table, read_bytes

#: File of a SavedModel, a folder, in which Keras 2 keeps the layers.
LAYERS_OF_SAVED_MODEL = "keras_metadata.pb"

_PRUNED = "PruneLowMagnitude"
_QUANTIZED = ("QuantizeWrapper", "QuantizeWrapperV2")
_QUANTIZED_INPUT = "QuantizeLayer"
WRAPPERS = (_PRUNED, *_QUANTIZED, _QUANTIZED_INPUT)
_SCHEDULES = ("ConstantSparsity", "PolynomialDecay")
_WRAPPERS_MODULE = "tensorflow_model_optimization.python.core.quantization.keras"
_LEGACY = "TF_USE_LEGACY_KERAS"


def is_wrapped(config: Any) -> bool:
    """Return whether a configuration, or a part of it, is a wrapper of TFMOT."""
    if isinstance(config, list):
        return any(map(is_wrapped, config))
    if not isinstance(config, dict):
        return False
    return config.get("class_name") in WRAPPERS or is_wrapped(list(config.values()))


def vetted(text: str | bytes, objects: Mapping[str, Any]) -> Any:
    """Return a configuration whose names may all be loaded, those of TFMOT too.

    Raises UsageError as :func:`vetting.vetted` does.
    """
    others: frozenset[str] = frozenset()
    mark = text.encode() if isinstance(text, str) else text
    if any(name.encode() in mark for name in WRAPPERS):
        others = _names_of_tfmot()
    return vetting.vetted(text, objects, others)


def unwrapped(path: Path, objects: Mapping[str, Any]) -> Any:
    """Return the ``tf_keras`` model in a file, without the wrappers of TFMOT.

    ``path``: of a file whose configuration was vetted; ``objects``: custom layers and functions by
    name. Raises whatever Keras 2 raises.
    """
    import tf_keras

    with _known_wrappers(), bounded_weights(tf_keras.layers.Layer):
        model = tf_keras.models.load_model(path, dict(objects), compile=False)
        return _without_wrappers(model)


def from_saved_model(folder: Path, objects: Mapping[str, Any]) -> Any:
    """Return the ``tf_keras`` model in a SavedModel, without the wrappers of TFMOT.

    It is made of its layers and the checkpoint. The graph beside them is a program that could do
    anything, and is not loaded. Raises UsageError, or whatever Keras 2 raises.
    """
    import tf_keras

    network = _network_in(folder)
    vetted(network, objects)
    with _known_wrappers(), bounded_weights(tf_keras.layers.Layer):
        model = tf_keras.models.model_from_json(network, custom_objects=dict(objects))
        checkpoint = str(folder / "variables" / "variables")
        model.load_weights(checkpoint).assert_existing_objects_matched().expect_partial()
        return _without_wrappers(model)


def _network_in(folder: Path) -> str:
    """Return the configuration of the whole network in a SavedModel. Raises UsageError."""
    from tf_keras.protobuf import saved_metadata_pb2

    layers = saved_metadata_pb2.SavedMetadata()
    content = read_bytes(folder / LAYERS_OF_SAVED_MODEL, LARGEST_NETWORK, "expected a SavedModel")
    layers.ParseFromString(content)
    for node in layers.nodes:
        if node.node_path == "root":
            root = parse_table(node.metadata)
            return json.dumps({key: root.get(key) for key in ("class_name", "config")})
    raise UsageError("a SavedModel that holds no network of Keras")


@contextmanager
def _known_wrappers() -> Iterator[None]:
    """Let Keras 2 know the wrappers, and read those for quantization in ``.keras`` files.

    Keras 2 builds such a wrapper twice when it loads one, so that it has more ranges than the file.
    They are not needed.
    """
    readers: dict[str, Callable[[Any, Any], None]] = {
        "quantize_layer.QuantizeLayer": _load_nothing,
        "quantize_wrapper.QuantizeWrapper": _load_weights_inside,
    }
    with ExitStack() as scopes:
        for scope in _scopes():
            scopes.enter_context(scope)
        for wrapper, reader in readers.items():
            target = f"{_WRAPPERS_MODULE}.{wrapper}.load_own_variables"
            scopes.enter_context(mock.patch(target, reader))
        yield


def _load_nothing(layer: Any, store: Any) -> None:
    """Leave the ranges of an input as they are."""
    del layer, store


def _load_weights_inside(wrapper: Any, store: Any) -> None:
    """Load the weights of the layer in a wrapper, which come first, without ranges."""
    loaded: set[int] = set()
    for number, variable in enumerate(wrapper._trainable_weights):
        if id(variable) in loaded:
            return
        variable.assign(store[str(number)])
        loaded.add(id(variable))


def _scopes() -> list[Any]:
    """The scopes of TFMOT's classes; the choice of Keras that its import makes is undone."""
    before = os.environ.get(_LEGACY)
    assert importlib.import_module("tensorflow").keras.__version__
    import tensorflow_model_optimization as tfmot

    os.environ.pop(_LEGACY, None)
    if before is not None:
        os.environ[_LEGACY] = before
    return [tfmot.sparsity.keras.prune_scope(), tfmot.quantization.keras.quantize_scope()]


def _without_wrappers(model: Any) -> Any:
    """Return a copy of a model of the layers that are wrapped, with their weights."""
    import tf_keras

    copies: list[tuple[Any, Any]] = []

    def copy(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return _without_wrappers(layer)
        made = _inner_copy(layer)
        copies.append((layer, made))
        return made

    plain = tf_keras.models.clone_model(model, clone_function=copy)
    for layer, made in copies:
        by_name = {_last_name(variable): variable for variable in layer.weights}
        made.set_weights([by_name[_last_name(variable)].numpy() for variable in made.weights])
    return plain


def _inner_copy(layer: Any) -> Any:
    """Return a copy of a layer, or of the one that it wraps, without weights."""
    import tf_keras

    kind = type(layer).__name__
    if kind == _QUANTIZED_INPUT:
        return tf_keras.layers.Activation("linear", name=layer.name)
    inner = layer.layer if kind in WRAPPERS else layer
    config = inner.get_config()
    if kind in _QUANTIZED and "activation" in config:
        config["activation"] = _function(inner.activation)
    return type(inner).from_config(config)


def _function(activation: Any) -> Any:
    """Return the activation function that one of TFMOT puts on a grid, for a configuration."""
    import tf_keras

    function = getattr(activation, "activation", activation)
    if type(function).__name__ == "NoOpActivation":
        return "linear"
    return tf_keras.activations.serialize(function)


def _last_name(variable: Any) -> str:
    """Return the name of a variable without those of the layers around it."""
    _, _, name = variable.name.rpartition("/")
    return str(name)


def _names_of_tfmot() -> frozenset[str]:
    """Return the names of what TFMOT puts into configurations."""
    names = {*WRAPPERS, *_SCHEDULES}
    for scope in _scopes():
        for objects in scope.custom_objects:
            names.update(objects)
    return frozenset(names)
