"""Models that Keras 2 saved, as models of Keras 3 with the same layer names, weights and outputs.

Keras 3 reads the weights of Keras 2; what it does not read are parts of the configuration: the
module of a functional model, arguments that some layers have lost, the counting of calls of a
nested model, and TensorFlow operations (``tf_operations.py``). They are rewritten here.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.models import tf_operations

Config = dict[str, Any]

_FUNCTIONAL, _SEQUENTIAL = ("Functional", "Model"), "Sequential"
_TRANSPOSED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")
#: Argument that layers of Keras 3 have no more -> the only value that means the same without it,
#: and these layers.
_GONE: dict[str, tuple[Any, tuple[str, ...]]] = {
    "groups": (1, ("DepthwiseConv", "SeparableConv", *_TRANSPOSED)),
    "time_major": (False, _RECURRENT),
}
#: Arguments that Keras 2 wrote for these layers and never used.
_UNUSED = {"SeparableConv": ("kernel_initializer", "kernel_regularizer", "kernel_constraint")}
_WRAPPED = ("layer", "backward_layer", "cell")


def load(config: Config, weights: Path, custom_objects: Mapping[str, Any]) -> keras.Model:
    """The Keras 3 model of a Keras 2 configuration, with its weights.

    Args:
        config: what Keras 2 saved as ``config.json`` or ``model_config``; it stays as it is.
        weights: ``.weights.h5`` out of a ``.keras`` file, or a whole legacy ``.h5``.
        custom_objects: layers and functions by name, of Keras 3.

    Raises UsageError for what Keras 3 has no layer for, TinypruneError if weights and layers do not
    come in one order; other errors are Keras's.
    """
    config = _layer(copy.deepcopy(config))
    kind = keras.Sequential if config["class_name"] == _SEQUENTIAL else keras.Model
    model = kind.from_config(copy.deepcopy(config["config"]), custom_objects=dict(custom_objects))
    if model.built:  # an unbuilt Sequential has no place for weights; the caller refuses it
        _check_order(model, config)
        model.load_weights(weights)
    return model


def _layer(layer: Config) -> Config:
    """A layer, or a whole model, in the form that Keras 3 reads; inbound nodes are the caller's."""
    kind = layer.get("registered_name") or layer["class_name"]
    if kind in _FUNCTIONAL or kind == _SEQUENTIAL:
        rewritten = {"class_name": kind, "config": _network(kind, layer["config"])}
    else:
        rewritten = {"class_name": kind, "config": _arguments(kind, layer["config"])}
    return rewritten | {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}


def _network(kind: str, config: Any) -> Config:
    if isinstance(config, list):  # a Sequential of Keras before 2.2.3
        config = {"layers": config}
    layers = [_layer(layer) for layer in config["layers"]]
    if kind == _SEQUENTIAL:
        return {**config, "layers": layers}
    models = {layer["name"]: layer for layer in layers if _is_network(layer)}
    for layer in layers:
        layer["inbound_nodes"] = _nodes(layer, models)
    ends = {key: _ends(config[key], models) for key in ("input_layers", "output_layers")}
    layers = [tf_operations.as_layer(layer) if _is_operation(layer) else layer for layer in layers]
    return {**config, "layers": layers, **ends}


def _arguments(kind: str, config: Config) -> Config:
    """The configuration of a layer without what Keras 3 does not take."""
    config = {
        key: _wrapped(value) if key in _WRAPPED and _is_layer(value) else value
        for key, value in config.items()
    }
    for name, (neutral, kinds) in _GONE.items():
        if name in config and kind.startswith(kinds) and config.pop(name) != neutral:
            raise UsageError(
                f"layer '{config.get('name', kind)}' of Keras 2 sets {name}, which Keras 3 cannot do"
            )
    for prefix, names in _UNUSED.items():
        if kind.startswith(prefix):
            config = {key: value for key, value in config.items() if key not in names}
    if isinstance(config.get("dtype"), dict):  # a policy
        config["dtype"] = config["dtype"].get("config", {}).get("name", "float32")
    return config


def _wrapped(layer: Config) -> Config:
    """The layer inside another one, which Keras 3 wants with its module."""
    rewritten = _layer(layer)
    modules = {_SEQUENTIAL: "keras", **dict.fromkeys(_FUNCTIONAL, "keras.src.models.functional")}
    kind = rewritten["class_name"]
    module = modules.get(kind, layer.get("module", "keras.layers"))
    return rewritten | {
        "class_name": layer["class_name"],
        "module": module,
        "registered_name": kind,
    }


def _nodes(layer: Config, models: Mapping[str, Config]) -> list[Any]:
    """The calls of a layer; Keras 2 counts the making of a nested model as its first call, Keras 3 does not."""

    def tensor(value: Any) -> Any:
        if isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str):
            if len(value) == 4 and value[3] and not _is_operation(layer):
                _check_arguments(layer, value[3])
            shift = 1 if value[0] in models and _counts_itself(models[value[0]]) else 0
            return [value[0], value[1] - shift, *(tensor(each) for each in value[2:])]
        if isinstance(value, dict):
            return {key: tensor(each) for key, each in value.items()}
        return [tensor(each) for each in value] if isinstance(value, list) else value

    return tensor(layer.get("inbound_nodes", []))


def _check_arguments(layer: Config, arguments: Mapping[str, Any]) -> None:
    """Tensors that a layer is given besides its inputs, as an LSTM its state, are lost on the way: say so."""
    given = [name for name, value in arguments.items() if tf_operations.is_reference(value)]
    if given:
        raise UsageError(
            f"layer '{layer['name']}' of Keras 2 is given {', '.join(given)}: only its inputs can be kept"
        )


def _ends(tensors: list[Any], models: Mapping[str, Config]) -> list[Any]:
    """Inputs or outputs of a network, one without a list around it: a list would stay around the output.

    Keras 3 counts the calls of their layers as Keras 2 does, but not for a Sequential.
    """
    if isinstance(tensors[0], list):
        return (
            _ends(tensors[0], models)
            if len(tensors) == 1
            else [_ends(each, models) for each in tensors]
        )
    name, node, index = tensors
    nested = models.get(name)
    shift = 1 if nested and nested["class_name"] == _SEQUENTIAL and _counts_itself(nested) else 0
    return [name, node - shift, index]


def _counts_itself(network: Config) -> bool:
    """A functional model does, and a Sequential that starts with its input."""
    first = network["config"]["layers"][:1]
    return network["class_name"] in _FUNCTIONAL or any(
        layer["class_name"] == "InputLayer" for layer in first
    )


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and "class_name" in value and "config" in value


def _is_network(layer: Config) -> bool:
    return layer["class_name"] in _FUNCTIONAL or layer["class_name"] == _SEQUENTIAL


def _is_operation(layer: Config) -> bool:
    return layer["class_name"] in ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def _check_order(model: keras.Model, config: Config) -> None:
    """Weights are read in the order of the layers, so the layers must have kept theirs."""
    nested = {layer["config"].get("name"): layer for layer in config["config"]["layers"]}
    found = [layer.name for layer in model.layers if layer.weights]
    saved = [name for name in nested if name in found]
    if found != saved:
        raise TinypruneError(
            f"Keras 3 orders the layers of '{model.name}' in another way: save it with Keras 3 instead"
        )
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.weights:
            _check_order(layer, nested[layer.name])
