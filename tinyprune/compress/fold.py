"""The canonical form of a network, before any int8 learning: what TFLite will compute, layer by layer.

Nested models are expanded, separable convolutions split, BatchNorm is folded into the kernel before
it, and an activation layer is fused into the layer before it. Then a mask and an int8 grid act on
the weights that the device will have, and no activation gets a grid that TFLite fuses away.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tinyprune.compress import graph
from tinyprune.compress.layer_kinds import bias, kernels, kind, layout
from tinyprune.sparsity.layout import canonical, restored

_OPERATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
}


def fold(model: keras.Model) -> keras.Model:
    """A flat functional model that computes what ``model`` does in inference, in canonical form.

    ``gamma (k x + b - mean) / sqrt(variance + epsilon) + beta`` becomes ``k' x + b'`` with ``k' = k
    gamma / sqrt(variance + epsilon)`` per output channel (Jacob et al. 2018, section 3.2). A
    BatchNorm with no kernel just before it stays. Names of layers stay; in nested models, those
    that occur twice get the model's name in front. Raises UsageError for a model without a graph.
    """
    flat = _flat(model)
    uses, chains = graph.Uses(flat), {}
    for node in graph.nodes(flat):
        if _is_plain(node.operation) and not uses.is_shared(node):
            chains[id(node)] = _followers(node, uses)
    absorbed = {id(follower) for chain in chains.values() for follower in chain}
    folded: dict[int, keras.Layer] = {}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if id(node) in absorbed:
            return args[0]
        layer = node.operation
        if id(layer) not in folded:
            folded[id(layer)] = _with_followers(layer, chains.get(id(node), []))
        return folded[id(layer)](*args, **kwargs)

    canonical_model = graph.rebuild(flat, call)
    for node in graph.nodes(flat):
        if id(node.operation) in folded and isinstance(node.operation, keras.Layer):
            _set_weights(folded[id(node.operation)], node.operation, chains.get(id(node), []))
    return canonical_model


def _flat(model: keras.Model) -> keras.Model:
    """A copy with nested models expanded and separable convolutions split in two."""
    copies: dict[int, Any] = {}
    names = {operation.name for operation in graph.functional(model).operations}

    def named(name: str, prefix: str) -> str:
        if not prefix:
            return name  # of the outer model, which has each name once
        unique = name if name not in names else f"{prefix}{name}"
        while unique in names:
            unique += "_"
        names.add(unique)
        return unique

    def visit(prefix: str) -> graph.Call:
        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            operation = node.operation
            if graph.is_model(operation):
                outputs = graph.run(
                    operation, keras.tree.flatten(args), visit(f"{prefix}{operation.name}_")
                )
                return outputs[0] if len(outputs) == 1 else outputs
            if id(operation) not in copies:
                copies[id(operation)] = operation, _copies(operation, named(operation.name, prefix))
            parts = copies[id(operation)][1]
            outputs = parts[0](*args, **kwargs)
            return outputs if len(parts) == 1 else parts[1](outputs)

        return call

    flat = graph.rebuild(model, visit(""))
    for operation, parts in copies.values():
        if isinstance(operation, keras.Layer):
            _divide(operation.weights, parts)
    return flat


def _copies(operation: Any, name: str) -> list[Any]:
    """The same layer or operation without weights; a separable convolution as depthwise and pointwise."""
    if type(operation) is not keras.layers.SeparableConv2D:
        return [graph.copy(operation, name=name, **_trainable(operation))]
    spatial = (
        "kernel_size",
        "strides",
        "padding",
        "dilation_rate",
        "data_format",
        "depth_multiplier",
    )
    depthwise = {key: getattr(operation, key) for key in spatial}
    pointwise = {
        key: getattr(operation, key) for key in ("filters", "activation", "use_bias", "data_format")
    }
    return [
        keras.layers.DepthwiseConv2D(**depthwise, use_bias=False, name=f"{name}_depthwise"),
        keras.layers.Conv2D(kernel_size=1, **pointwise, name=f"{name}_pointwise"),
    ]


def _trainable(operation: Any) -> dict[str, Any]:
    """The entries of a configuration that let a layer learn masks and int8: no mixed precision, no frozen kernel."""
    if not isinstance(operation, keras.Layer):
        return {}
    is_mixed = (
        keras.backend.is_float_dtype(operation.compute_dtype)
        and operation.compute_dtype != "float32"
    )
    config: dict[str, Any] = {"dtype": "float32"} if is_mixed else {}
    return config if kind(operation) is None else {**config, "trainable": True}


def _divide(weights: list[Any], parts: list[Any]) -> None:
    """Give the weights of a layer to what it was copied to, in order."""
    for part in parts:
        graph.set_weights(part, weights[: len(part.weights)])
        weights = weights[len(part.weights) :]


def _is_plain(operation: Any) -> bool:
    """Whether a layer can take in what follows: a kernel, no activation of its own, channels last."""
    if (
        not isinstance(operation, keras.Layer)
        or kind(operation) is None
        or isinstance(operation, keras.layers.LSTM)
    ):
        return False
    return operation.activation is keras.activations.linear and _channels_last(operation)


def _channels_last(layer: keras.Layer) -> bool:
    return getattr(layer, "data_format", "channels_last") == "channels_last"


def _followers(node: Any, uses: graph.Uses) -> list[Any]:
    """The nodes after a kernel that can be taken into it: BatchNorms, then at most one activation."""
    found: list[Any] = []
    rank = len(node.outputs[0].shape)
    while follower := uses.only_reader(found[-1] if found else node):
        name = activation(follower.operation)
        if len(follower.input_tensors) > 1 or not (
            name or _is_batch_norm(follower.operation, rank)
        ):
            break  # several: a mask goes with it
        found.append(follower)
        if name and name != "linear":
            break
    return found


def _is_batch_norm(operation: Any, rank: int) -> bool:
    return type(operation) is keras.layers.BatchNormalization and operation.axis in (-1, rank - 1)


def activation(operation: Any) -> str | None:
    """The name of the activation function that a layer or operation is and nothing else, or None."""
    if type(operation) is keras.layers.Activation:
        name = keras.activations.serialize(operation.activation)
        return name if isinstance(name, str) else None
    if type(operation) is keras.layers.ReLU:
        plain = not operation.negative_slope and not operation.threshold
        return {None: "relu", 6: "relu6"}.get(operation.max_value) if plain else None
    if type(operation) is keras.layers.Softmax:
        return "softmax" if operation.axis == -1 else None
    is_operation = not isinstance(operation, keras.Layer) and getattr(operation, "axis", -1) == -1
    return _OPERATIONS.get(type(operation).__name__) if is_operation else None


def _with_followers(layer: Any, chain: list[Any]) -> Any:
    """A copy of a layer without weights, with the activation at the end of its chain, and a bias if it needs one."""
    config: dict[str, Any] = {}
    own = getattr(layer, "activation", None)
    if isinstance(own, keras.Layer) and (
        name := activation(own)
    ):  # Dense(activation=keras.layers.ReLU())
        config["activation"] = name
    if chain and (name := activation(chain[-1].operation)):
        config["activation"] = name
    if any(type(node.operation) is keras.layers.BatchNormalization for node in chain):
        config["use_bias"] = True
    return graph.copy(layer, **config)


def _set_weights(target: keras.Layer, source: keras.Layer, chain: list[Any]) -> None:
    norms = [
        node.operation for node in chain if type(node.operation) is keras.layers.BatchNormalization
    ]
    if not norms:
        graph.set_weights(target, source.weights)
        return
    kernel = canonical(kernels(source)["kernel"].numpy(), layout(source)).astype(np.float64)
    own = bias(source)
    offset: Any = np.zeros(kernel.shape[-1]) if own is None else own.numpy()
    for norm in norms:
        gain, shift = _affine(norm)
        kernel, offset = kernel * gain, offset * gain + shift
    shape = tuple(kernels(source)["kernel"].shape)
    kernels(target)["kernel"].assign(restored(kernel, layout(source), shape).astype(np.float32))
    added = bias(target)
    assert added is not None, "a folded layer has a bias"
    added.assign(offset.astype(np.float32))


def _affine(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """``gain, shift`` of a BatchNorm in inference, each (channels,), float64."""
    values: Mapping[str, Any] = {
        name: None if variable is None else variable.numpy().astype(np.float64)
        for name, variable in (
            ("gamma", norm.gamma if norm.scale else None),
            ("beta", norm.beta if norm.center else None),
            ("mean", norm.moving_mean),
            ("variance", norm.moving_variance),
        )
    }
    gain = 1 / np.sqrt(values["variance"] + norm.epsilon)
    gain = gain if values["gamma"] is None else gain * values["gamma"]
    shift = -values["mean"] * gain
    return gain, shift if values["beta"] is None else shift + values["beta"]
