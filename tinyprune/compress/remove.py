"""Removal of units for good: a smaller Keras model that computes what the masked one does."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy.typing as npt

from tinyprune.compress import graph
from tinyprune.compress.kinds.lookup import layer_kind
from tinyprune.sparsity.layout import Layout, canonical, restored
from tinyprune.sparsity.unit_sets import Coupling, Keep, kept


def remove(model: keras.Model, coupling: Coupling, keep: Keep) -> keras.Model:
    """Return a copy of a model without the units that do not stay.

    Inputs, outputs and names of layers are the model's. The copy computes what the model does with
    its kernels times ``coupling.masks(keep)``: a unit that is gone was read by nobody, whatever its
    bias. Nested models come out expanded.

    Args:
        model: the model of the coupling, or one of the same layers.
        coupling: from :func:`tinyprune.compress.coupling.coupling`.
        keep: (units,), True for those that stay; each set keeps one at least.
    """
    smaller: dict[int, tuple[Any, Any]] = {}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        operation = node.operation
        if graph.is_model(operation):
            leaves = keras.tree.flatten((args, kwargs))
            tensors = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
            return graph.run(operation, tensors, call)
        if id(operation) not in smaller:
            sizes = _sizes(node, coupling, keep)
            smaller[id(operation)] = operation, graph.copy(operation, **sizes)
        _, copy = smaller[id(operation)]
        return copy(*args, **kwargs)

    removed = graph.rebuild(model, call)
    for layer, copy in smaller.values():
        if isinstance(layer, keras.Layer):
            weights = []
            for weight in layer.weights:
                weights.append(without(layer, weight.name, weight.numpy(), coupling, keep))
            copy.set_weights(weights)
            graph.derive(copy)
    return removed


def _sizes(node: Any, coupling: Coupling, keep: Keep) -> dict[str, Any]:
    """The entries of a layer's configuration that follow from the units that stay."""
    name = node.operation.name
    ids = coupling.outputs.get(f"{name}/kernel", coupling.channels.get(name))
    if ids is None:
        return {}
    channels = int(kept(ids, keep).sum())
    return layer_kind(node.operation).resized(node, channels)


def remove_masks(
    masks: Mapping[str, npt.NDArray], coupling: Coupling, keep: Keep
) -> dict[str, npt.NDArray]:
    """Return the masks of the kernels that :func:`remove` leaves.

    They lack the rows and columns of removed units.

    Args:
        masks: kernel -> mask of its Keras shape; kernels that are not coupled stay as they are.
        coupling, keep: as in :func:`remove`.
    """
    smaller = {}
    for key, mask in masks.items():
        is_coupled = key in coupling.outputs
        smaller[key] = _kernel_without(mask, key, coupling, keep) if is_coupled else mask
    return smaller


def carry(old: keras.Model, new: keras.Model, coupling: Coupling, keep: Keep) -> None:
    """Give a prepared model the state of the larger one that it was before, layer by layer.

    Args:
        old: the prepared model of the coupling's.
        new: prepared, of the model that :func:`remove` leaves.
        coupling, keep: as in :func:`remove`.
    """
    for layer in old.layers:
        smaller_variables = new.get_layer(layer.name).variables
        for variable, smaller in zip(layer.variables, smaller_variables, strict=True):
            smaller.assign(without(layer, variable.name, variable.numpy(), coupling, keep))


def without(
    layer: keras.Layer, name: str, value: npt.NDArray, coupling: Coupling, keep: Keep
) -> npt.NDArray:
    """Return a weight of a layer without the elements of removed units.

    It may also be an optimizer's number for each element of the weight.

    Args:
        layer: plain or compressed.
        name: of the weight.
        value: of the weight's shape.
        coupling, keep: as in :func:`remove`.
    """
    key = f"{layer.name}/{name}"
    if key in coupling.outputs:
        return _kernel_without(value, key, coupling, keep)
    ids = coupling.outputs.get(f"{layer.name}/kernel", coupling.channels.get(layer.name))
    # A PReLU may share one number among channels.
    if ids is None or value.ndim == 0 or value.shape[-1] != len(ids):
        return value
    return value[..., kept(ids, keep)]


def _kernel_without(value: npt.NDArray, key: str, coupling: Coupling, keep: Keep) -> npt.NDArray:
    layout = coupling.layouts[key]
    rows = kept(coupling.inputs[key], keep)
    columns = kept(coupling.outputs[key], keep)
    smaller = canonical(value, layout)[..., rows, :][..., columns]
    shape = smaller.shape
    if layout is Layout.DEPTHWISE:  # a channel stays or goes with all that is made of it
        multiplier = value.shape[-1]
        shape = (*value.shape[:-2], -1, multiplier)
    return restored(smaller, layout, shape)
