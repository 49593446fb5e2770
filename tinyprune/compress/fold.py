"""The canonical form of a network, before any int8 learning: the layers that TFLite will have.

Nested models are expanded and TimeDistributed unwrapped, layers that TFLite does not have are split
into some that it has, BatchNorm is folded into the kernel before it, and an activation layer is
fused into the layer before it. Then a mask and an int8 grid act on the weights that the device will
have, and no activation gets a grid that TFLite fuses away.
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.compress import graph
from tinyprune.compress.dead_channels import zero_dead_channels
from tinyprune.compress.input_scaling import with_one_scaling
from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.kinds.lookup import activation, kernel_kind, layout
from tinyprune.compress.over_time import over_time
from tinyprune.compress.parts import Parts
from tinyprune.compress.splits import split
from tinyprune.sparsity.layout import canonical, restored


def fold(model: keras.Model) -> keras.Model:
    """Return a flat functional model in canonical form that computes the same in inference.

    ``gamma (k x + b - mean) / sqrt(variance + epsilon) + beta`` becomes ``k' x + b'`` with ``k' = k
    gamma / sqrt(variance + epsilon)`` per output channel (Jacob et al. 2018, section 3.2). A
    BatchNorm with no kernel just before it stays. A scaling of the input becomes one Rescaling
    layer, and a factor where the kernel behind it can have the rest (input_scaling.py). Dead
    channels become zeros (dead_channels.py). Names of layers stay; in nested models, those that
    occur twice get the model's name in front. Raises UsageError for a model without a graph.
    """
    flattening = _Flattening(model)
    flat = with_one_scaling(flattening.model())
    followers = _all_followers(flat, flattening.moves)
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
    for layer in canonical_model.layers:
        if kernel_kind(layer) is not None:
            zero_dead_channels(layer)
    return canonical_model


# --- nested models, frames and layers that are split


class _Flattening:
    """Copies a model with nested models expanded and layers split into those that TFLite has.

    Attributes:
        moves: ids of the layers of the copy that only move elements behind a kernel.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._names = {operation.name for operation in graph.functional(model).operations}
        self._parts: dict[int, tuple[Any, Parts]] = {}
        self.moves: set[int] = set()

    def model(self) -> keras.Model:
        """Return the copy, with the model's weights."""
        flat = graph.rebuild(self._model, self._caller("", is_over_time=False))
        for operation, parts in self._parts.values():
            parts.set_weights(getattr(operation, "weights", []))
            self.moves |= {id(layer) for layer in parts.moves}
        return flat

    def _caller(self, prefix: str, is_over_time: bool) -> graph.Call:
        """The function that copies the calls of a model.

        ``prefix`` is that of its names; ``is_over_time``: the model is called on every frame.
        """

        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            operation = node.operation
            name = operation.name
            is_wrapped = type(operation) is keras.layers.TimeDistributed
            if is_wrapped:
                operation = operation.layer
                args, kwargs = args[:1], {}
            if graph.is_model(operation):
                inner = self._caller(f"{prefix}{name}_", is_over_time or is_wrapped)
                outputs = graph.run(operation, keras.tree.flatten(args), inner)
                return outputs[0] if len(outputs) == 1 else outputs
            if id(operation) not in self._parts:
                unique = self._unique_name(name, prefix)
                shape = args[0].shape if is_over_time or is_wrapped else None
                self._parts[id(operation)] = operation, _parts(operation, unique, shape)
            _, parts = self._parts[id(operation)]
            return parts(*args, **kwargs)

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


def _parts(operation: Any, name: str, sequence: tuple[int | None, ...] | None) -> Parts:
    """The parts of an operation; ``sequence`` is the shape if it is called on every frame."""
    if sequence is None:
        return split(operation, name)
    return over_time(operation, name, sequence)


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


def _all_followers(model: keras.Model, moves: set[int]) -> dict[int, _Followers]:
    """For each call of a kernel the calls after it that can be taken into it.

    ``moves``: ids of layers that may lie in between.
    """
    uses = graph.Uses(model)
    followers = {}
    for node in graph.nodes(model):
        if _takes_in_followers(node.operation) and not uses.is_shared(node):
            followers[id(node)] = _followers(node, uses, moves)
    return followers


def _takes_in_followers(operation: Any) -> bool:
    """Return whether a layer has a kernel, no activation of its own, and channels last."""
    kind = kernel_kind(operation)
    if kind is None or not kind.takes_in_followers:
        return False
    is_channels_last = getattr(operation, "data_format", "channels_last") == "channels_last"
    return is_channels_last and operation.activation is keras.activations.linear


def _followers(node: Any, uses: graph.Uses, moves: set[int]) -> _Followers:
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
        elif id(layer) not in moves:
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
