"""Models that Keras 2 saved, as models of Keras 3 with the same layer names, weights and outputs.

Keras 3 reads the weights of Keras 2; what it does not read are parts of the configuration: the
module of a functional model, arguments that some layers have lost, the counting of calls of a
nested model, and TensorFlow operations (``tf_operations.py``). They are rewritten here.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.models.loading import tf_operations

Config = dict[str, Any]

_FUNCTIONAL = ("Functional", "Model")
_SEQUENTIAL = "Sequential"
_NETWORKS = (*_FUNCTIONAL, _SEQUENTIAL)
_NO_NETWORK: Config = {"class_name": ""}
#: Class of a network -> the module that Keras 3 has it in.
_MODULES = {_SEQUENTIAL: "keras", **dict.fromkeys(_FUNCTIONAL, "keras.src.models.functional")}


@dataclass(frozen=True)
class _LostArgument:
    """An argument that layers of Keras 3 have no more.

    Attributes:
        name: of the argument.
        neutral: the only value that means the same without it.
        kinds: how the class names of these layers begin.
    """

    name: str
    neutral: Any
    kinds: tuple[str, ...]

    def drop(self, kind: str, config: Config) -> None:
        """Remove the argument from a layer of one of the kinds.

        Raises UsageError if the layer needs it.
        """
        if not kind.startswith(self.kinds):
            return
        value = config.pop(self.name, self.neutral)
        if self.is_needed(value):
            layer = config.get("name", kind)
            raise UsageError(
                f"layer '{layer}' of Keras 2 sets {self.name}, which Keras 3 cannot do"
            )

    def is_needed(self, value: Any) -> bool:
        """Return whether a value means something else than no argument."""
        return bool(value != self.neutral)


class _UnusedArgument(_LostArgument):
    """An argument that layers have and never use, whatever its value."""

    def is_needed(self, value: Any) -> bool:
        """Return False."""
        return False


_LOST_ARGUMENTS = (
    _LostArgument(
        "groups",
        1,
        (
            "DepthwiseConv",
            "SeparableConv",
            "Conv1DTranspose",
            "Conv2DTranspose",
            "Conv3DTranspose",
        ),
    ),
    _LostArgument("time_major", False, ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")),
    # Keras 2 wrote these for separable convolutions
    _UnusedArgument("kernel_initializer", None, ("SeparableConv",)),
    _UnusedArgument("kernel_regularizer", None, ("SeparableConv",)),
    _UnusedArgument("kernel_constraint", None, ("SeparableConv",)),
)
#: Arguments that hold a layer.
_WRAPPED = ("layer", "backward_layer", "cell")


def load(config: Config, weights: Path, custom_objects: Mapping[str, Any]) -> keras.Model:
    """The Keras 3 model of a Keras 2 configuration, with its weights.

    Args:
        config: what Keras 2 saved as ``config.json`` or ``model_config``; it stays as it is.
        weights: ``.weights.h5`` out of a ``.keras`` file, or a whole legacy ``.h5``.
        custom_objects: layers and functions by name, of Keras 3.

    Raises UsageError for what Keras 3 has no layer or function for, TinypruneError if weights and
    layers do not come in one order; other errors are Keras's.
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
    rewrite = _NETWORK_REWRITES.get(kind, _arguments)
    kept: Config = {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}
    return {"class_name": kind, "config": rewrite(kind, layer["config"]), **kept}


# --- networks


def _sequential(kind: str, config: Any) -> Config:
    """The configuration of a Sequential model."""
    if isinstance(config, list):  # of Keras before 2.2.3
        config = {"layers": config}
    return {**config, "layers": [_layer(layer) for layer in config["layers"]]}


def _functional(kind: str, config: Config) -> Config:
    """The configuration of a functional model."""
    layers = [_layer(layer) for layer in config["layers"]]
    networks = {layer["name"]: layer for layer in layers if _is_network(layer)}
    for number, layer in enumerate(layers):
        layer["inbound_nodes"] = _renumbered(layer.get("inbound_nodes", []), layer, networks)
        if _is_operation(layer):
            layers[number] = tf_operations.as_layer(layer)
    return {
        **config,
        "layers": layers,
        "input_layers": _ends(config["input_layers"], networks),
        "output_layers": _ends(config["output_layers"], networks),
    }


def _renumbered(value: Any, layer: Config, networks: Mapping[str, Config]) -> Any:
    """The calls of a layer with the numbers that Keras 3 gives to the calls before it.

    Keras 2 counts the making of a nested model as its first call, Keras 3 does not.

    Args:
        value: the calls, or a part of them.
        layer: whose calls they are.
        networks: nested models by name.
    """
    if isinstance(value, dict):
        return {key: _renumbered(item, layer, networks) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if _is_tensor(value):
        value = _renumbered_tensor(value, layer, networks)
    return [_renumbered(item, layer, networks) for item in value]


def _renumbered_tensor(
    tensor: list[Any], layer: Config, networks: Mapping[str, Config]
) -> list[Any]:
    """A tensor with the number of the call that makes it; its arguments stay as they are."""
    name, number, index, *arguments = tensor
    if not _is_operation(layer):
        for values in arguments:
            _check_arguments(layer, values or {})
    return [name, number - _own_calls(networks.get(name, _NO_NETWORK)), index, *arguments]


def _is_tensor(value: list[Any]) -> bool:
    """Return whether a list is a tensor: layer name, node index, tensor index, maybe arguments."""
    return len(value) in (3, 4) and isinstance(value[0], str)


def _check_arguments(layer: Config, arguments: Mapping[str, Any]) -> None:
    """Raise UsageError for a layer with tensors besides its inputs, as an LSTM with its state.

    They would be lost on the way.
    """
    tensors = [name for name, value in arguments.items() if tf_operations.is_reference(value)]
    if tensors:
        raise UsageError(
            f"layer '{layer['name']}' of Keras 2 is given {', '.join(tensors)}: "
            "only its inputs can be kept"
        )


def _ends(tensors: list[Any], networks: Mapping[str, Config]) -> list[Any]:
    """Inputs or outputs of a network.

    The list around a single one goes: it would stay around the output. Keras 3 counts the calls of
    their layers as Keras 2 does, but not for a Sequential.
    """
    if isinstance(tensors[0], list):
        if len(tensors) == 1:
            return _ends(tensors[0], networks)
        return [_ends(tensor, networks) for tensor in tensors]
    name, node, index = tensors
    return [name, node - _own_calls_of_sequential(networks.get(name, _NO_NETWORK)), index]


def _own_calls(network: Config) -> int:
    """Return 1 where Keras 2 counts the making of a network as a call, else 0.

    It does for a functional model, and for a Sequential that starts with its input.
    """
    if network["class_name"] in _FUNCTIONAL:
        return 1
    return _own_calls_of_sequential(network)


def _own_calls_of_sequential(network: Config) -> int:
    """Return 1 for a Sequential that starts with its input, else 0."""
    if network["class_name"] != _SEQUENTIAL:
        return 0
    first_layers = network["config"]["layers"][:1]
    return [layer["class_name"] for layer in first_layers].count("InputLayer")


def _is_network(layer: Config) -> bool:
    """Return whether a layer is a network itself."""
    return layer["class_name"] in _NETWORKS


def _is_operation(layer: Config) -> bool:
    return layer["class_name"] in tf_operations.KINDS


_NETWORK_REWRITES: dict[str, Callable[[str, Any], Config]] = {
    _SEQUENTIAL: _sequential,
    **dict.fromkeys(_FUNCTIONAL, _functional),
}


# --- arguments of a layer


def _arguments(kind: str, config: Config) -> Config:
    """The configuration of a layer without what Keras 3 does not take."""
    config = dict(config)
    for name in _WRAPPED:
        if _is_layer(config.get(name)):
            config[name] = _wrapped(config[name])
    for argument in _LOST_ARGUMENTS:
        argument.drop(kind, config)
    _check_functions(kind, config)
    policy = config.get("dtype")
    if isinstance(policy, dict):
        config["dtype"] = policy.get("config", {}).get("name", "float32")
    return config


def _check_functions(kind: str, config: Config) -> None:
    """Raise UsageError for a function that Keras 3 has another one of under the same name."""
    for name in ("activation", "recurrent_activation"):
        if config.get(name) == "hard_sigmoid":
            layer = config.get("name", kind)
            raise UsageError(
                f"layer '{layer}' of Keras 2 sets {name}=hard_sigmoid, which is 0.2 x + 0.5 there "
                "and x / 6 + 0.5 in Keras 3: train the network with Keras 3, or with sigmoid"
            )


def _wrapped(layer: Config) -> Config:
    """The layer inside another one, which Keras 3 wants with its module."""
    rewritten = _layer(layer)
    kind = rewritten["class_name"]
    module = _MODULES.get(kind, layer.get("module", "keras.layers"))
    return rewritten | {
        "class_name": layer["class_name"],
        "module": module,
        "registered_name": kind,
    }


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and {"class_name", "config"} <= value.keys()


# --- weights


def _check_order(model: keras.Model, config: Config) -> None:
    """Raise TinypruneError unless the layers kept their order, in which weights are read."""
    nested = {layer["config"].get("name"): layer for layer in config["config"]["layers"]}
    weighted = [layer for layer in model.layers if layer.weights]
    names = [layer.name for layer in weighted]
    saved = [name for name in nested if name in names]
    if names != saved:
        raise TinypruneError(
            f"Keras 3 orders the layers of '{model.name}' in another way: save it with Keras 3 "
            "instead"
        )
    for layer in weighted:
        if isinstance(layer, keras.Model):
            _check_order(layer, nested[layer.name])
