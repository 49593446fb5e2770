"""Models of Keras 2 whose layers TFMOT has wrapped, for pruning or for quantization-aware training.

The wrappers are taken off. Pruned weights are zeros already; the ranges that were learned are left,
as the int8 learning here has its own.
"""

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

_PRUNED = "PruneLowMagnitude"
_QUANTIZED = ("QuantizeWrapper", "QuantizeWrapperV2")
_QUANTIZED_INPUT = "QuantizeLayer"
WRAPPERS = (_PRUNED, *_QUANTIZED, _QUANTIZED_INPUT)
_LEGACY = "TF_USE_LEGACY_KERAS"


def is_wrapped(config: Any) -> bool:
    """Return whether a configuration, or a part of it, is a wrapper of TFMOT."""
    if isinstance(config, list):
        return any(map(is_wrapped, config))
    if not isinstance(config, dict):
        return False
    return config.get("class_name") in WRAPPERS or is_wrapped(list(config.values()))


def unwrapped(path: Path, objects: Mapping[str, Any]) -> Any:
    """Return the ``tf_keras`` model in a file or SavedModel, without the wrappers of TFMOT.

    ``objects``: custom layers and functions by name. Raises whatever Keras 2 raises.
    """
    import tf_keras

    with _known_wrappers():
        model = tf_keras.models.load_model(path, dict(objects), compile=False)
        return _without_wrappers(model)


@contextmanager
def _known_wrappers() -> Iterator[None]:
    """Let Keras 2 know the wrappers; the choice of Keras that TFMOT's import makes is undone."""
    before = os.environ.get(_LEGACY)
    assert importlib.import_module("tensorflow").keras.__version__
    import tensorflow_model_optimization as tfmot

    os.environ.pop(_LEGACY, None)
    if before is not None:
        os.environ[_LEGACY] = before
    with ExitStack() as scopes:
        scopes.enter_context(tfmot.sparsity.keras.prune_scope())
        scopes.enter_context(tfmot.quantization.keras.quantize_scope())
        yield


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
