"""The canonical form of a network, before any int8 learning: the layers that TFLite will have.

Nested models are expanded, separable convolutions split, BatchNorm is folded into the kernel before
it, and an activation layer is fused into the layer before it. Then a mask and an int8 grid act on
the weights that the device will have, and no activation gets a grid that TFLite fuses away.
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.compress import graph
from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.kinds.lookup import activation, kernel_kind, layout
from tinyprune.sparsity.layout import canonical, restored

_SPATIAL_SETTINGS = (
    "kernel_size",
    "strides",
    "padding",
    "dilation_rate",
    "data_format",
    "depth_multiplier",
)
_POINTWISE_SETTINGS = ("filters", "activation", "use_bias", "data_format")


def fold(model: keras.Model) -> keras.Model:
    """Return a flat functional model in canonical form that computes the same in inference.

    ``gamma (k x + b - mean) / sqrt(variance + epsilon) + beta`` becomes ``k' x + b'`` with ``k' = k
    gamma / sqrt(variance + epsilon)`` per output channel (Jacob et al. 2018, section 3.2). A
    BatchNorm with no kernel just before it stays. Names of layers stay; in nested models, those
    that occur twice get the model's name in front. Raises UsageError for a model without a graph.
    """
    flat = _Flattening(model).model()
    followers = _all_followers(flat)
    taken_in: set[int] = set()
    for of_kernel in followers.values():
        taken_in |= {id(node) for node in of_kernel.nodes}
    folded: dict[int, Any] = {}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        if id(node) in taken_in:
            return args[0]
        layer = node.operation
        if id(layer) not in folded:
            folded[id(layer)] = _with_followers(layer, followers.get(id(node), _Followers()))
        return folded[id(layer)](*args, **kwargs)

    canonical_model = graph.rebuild(flat, call)
    for node in graph.nodes(flat):
        layer = node.operation
        if id(layer) in folded and isinstance(layer, keras.Layer):
            _set_weights(folded[id(layer)], layer, followers.get(id(node), _Followers()))
    return canonical_model


# --- nested models and separable convolutions


class _Flattening:
    """Copies a model with nested models expanded and separable convolutions split in two."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._names = {operation.name for operation in graph.functional(model).operations}
        self._copies: dict[int, tuple[Any, list[Any]]] = {}

    def model(self) -> keras.Model:
        """Return the copy, with the model's weights."""
        flat = graph.rebuild(self._model, self._caller(""))
        for operation, parts in self._copies.values():
            if isinstance(operation, keras.Layer):
                _divide_weights(operation.weights, parts)
        return flat

    def _caller(self, prefix: str) -> graph.Call:
        """The function that copies the calls of a model; ``prefix`` is that of its names."""

        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            operation = node.operation
            if graph.is_model(operation):
                inner = self._caller(f"{prefix}{operation.name}_")
                outputs = graph.run(operation, keras.tree.flatten(args), inner)
                return outputs[0] if len(outputs) == 1 else outputs
            if id(operation) not in self._copies:
                name = self._unique_name(operation.name, prefix)
                self._copies[id(operation)] = operation, _copies(operation, name)
            _, (first, *rest) = self._copies[id(operation)]
            outputs = first(*args, **kwargs)
            for part in rest:
                outputs = part(outputs)
            return outputs

        return call

    def _unique_name(self, name: str, prefix: str) -> str:
        """The name of a copy: the outer model has each name once."""
        if not prefix:
            return name
        unique = name if name not in self._names else f"{prefix}{name}"
        while unique in self._names:
            unique += "_"
        self._names.add(unique)
        return unique


def _copies(operation: Any, name: str) -> list[Any]:
    """The same layer or operation without weights; a separable convolution in two parts."""
    if type(operation) is not keras.layers.SeparableConv2D:
        return [graph.copy(operation, name=name, **_trainable(operation))]
    depthwise = {key: getattr(operation, key) for key in _SPATIAL_SETTINGS}
    pointwise = {key: getattr(operation, key) for key in _POINTWISE_SETTINGS}
    return [
        keras.layers.DepthwiseConv2D(**depthwise, use_bias=False, name=f"{name}_depthwise"),
        keras.layers.Conv2D(kernel_size=1, **pointwise, name=f"{name}_pointwise"),
    ]


def _trainable(operation: Any) -> dict[str, Any]:
    """The entries of a configuration that let a layer learn masks and int8.

    There is no mixed precision, and no frozen kernel.
    """
    config: dict[str, Any] = {}
    if not isinstance(operation, keras.Layer):
        return config
    dtype = operation.compute_dtype
    if keras.backend.is_float_dtype(dtype) and dtype != "float32":
        config["dtype"] = "float32"
    if kernel_kind(operation) is not None:
        config["trainable"] = True
    return config


def _divide_weights(weights: list[Any], parts: list[Any]) -> None:
    """Give the weights of a layer to its parts, in order."""
    start = 0
    for part in parts:
        end = start + len(part.weights)
        graph.set_weights(part, weights[start:end])
        start = end


# --- BatchNorm and activations


@dataclass(frozen=True)
class _Followers:
    """The calls after a kernel that become part of it.

    Attributes:
        nodes: the calls.
        norms: the BatchNorm layers among them.
        function: name of the activation function at their end, None without one.
    """

    nodes: tuple[Any, ...] = ()
    norms: tuple[keras.layers.BatchNormalization, ...] = ()
    function: str | None = None


def _all_followers(model: keras.Model) -> dict[int, _Followers]:
    """For each call of a kernel the calls after it that can be taken into it."""
    uses = graph.Uses(model)
    followers = {}
    for node in graph.nodes(model):
        if _takes_in_followers(node.operation) and not uses.is_shared(node):
            followers[id(node)] = _followers(node, uses)
    return followers


def _takes_in_followers(operation: Any) -> bool:
    """Return whether a layer has a kernel, no activation of its own, and channels last."""
    kind = kernel_kind(operation)
    if kind is None or not kind.takes_in_followers:
        return False
    is_channels_last = getattr(operation, "data_format", "channels_last") == "channels_last"
    return is_channels_last and operation.activation is keras.activations.linear


def _followers(node: Any, uses: graph.Uses) -> _Followers:
    """The calls after a kernel that can be taken into it: BatchNorms, then maybe an activation."""
    followers = _Followers()
    rank = len(node.outputs[0].shape)
    reader = uses.only_reader(node)
    while reader is not None and len(reader.input_tensors) == 1:  # several: a mask goes with it
        layer = reader.operation
        nodes = (*followers.nodes, reader)
        function = activation(layer)
        if _is_batch_norm(layer, rank):
            followers = replace(followers, nodes=nodes, norms=(*followers.norms, layer))
        elif function == "linear":
            followers = replace(followers, nodes=nodes)
        elif function is not None:
            return replace(followers, nodes=nodes, function=function)
        else:
            break
        reader = uses.only_reader(reader)
    return followers


def _is_batch_norm(operation: Any, rank: int) -> bool:
    is_norm = type(operation) is keras.layers.BatchNormalization
    return is_norm and operation.axis in (-1, rank - 1)


def _with_followers(layer: Any, followers: _Followers) -> Any:
    """A copy of a layer without weights, with its followers' activation, and a bias if needed."""
    config: dict[str, Any] = {}
    function = followers.function
    own = getattr(layer, "activation", None)
    if isinstance(own, keras.Layer):  # Dense(activation=keras.layers.ReLU())
        function = activation(own)
    if function is not None:
        config["activation"] = function
    if followers.norms:
        config["use_bias"] = True
    return graph.copy(layer, **config)


def _set_weights(target: keras.Layer, source: keras.Layer, followers: _Followers) -> None:
    """Set the weights of a folded layer: its own times the gains of its BatchNorms."""
    if not followers.norms:
        graph.set_weights(target, source.weights)
        return
    kernel = canonical(kernels(source)["kernel"].numpy(), layout(source)).astype(np.float64)
    source_bias = bias(source)
    offset: Any = np.zeros(kernel.shape[-1]) if source_bias is None else source_bias.numpy()
    for norm in followers.norms:
        gain, shift = _affine(norm)
        kernel = kernel * gain
        offset = offset * gain + shift
    shape = tuple(kernels(source)["kernel"].shape)
    folded_kernel = restored(kernel, layout(source), shape).astype(np.float32)
    kernels(target)["kernel"].assign(folded_kernel)
    target_bias = bias(target)
    assert target_bias is not None, "a folded layer has a bias"
    target_bias.assign(offset.astype(np.float32))


def _affine(norm: keras.layers.BatchNormalization) -> tuple[Float64Array, Float64Array]:
    """``gain, shift`` of a BatchNorm in inference, each (channels,), float64."""
    mean = norm.moving_mean.numpy().astype(np.float64)
    variance = norm.moving_variance.numpy().astype(np.float64)
    gain = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        gain = gain * norm.gamma.numpy().astype(np.float64)
    shift = -mean * gain
    if norm.center:
        shift = shift + norm.beta.numpy().astype(np.float64)
    return gain, shift
