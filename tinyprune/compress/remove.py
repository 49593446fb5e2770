"""Removes units for good: a smaller Keras model that computes what the masked one does."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy.typing as npt

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.sparsity.layout import Layout, canonical, restored
from tinyprune.sparsity.unit_sets import Coupling, Keep, kept


def remove(model: keras.Model, coupling: Coupling, keep: Keep) -> keras.Model:
    """A copy of a model without the units that do not stay; inputs, outputs and names of layers are the model's.

    It computes what the model does with its kernels times ``coupling.masks(keep)``: a unit that is
    gone was read by nobody, whatever its bias. Nested models come out expanded.

    Args:
        model: the model of the coupling, or one of the same layers.
        coupling: from :func:`tinyprune.compress.coupling.coupling`.
        keep: (units,), True for those that stay; each set keeps one at least.
    """
    smaller: dict[int, tuple[Any, Any]] = {}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        operation = node.operation
        if graph.is_model(operation):
            return graph.run(
                operation, [x for x in keras.tree.flatten((args, kwargs)) if _is_tensor(x)], call
            )
        if id(operation) not in smaller:
            smaller[id(operation)] = (
                operation,
                graph.copy(operation, **_sizes(node, coupling, keep)),
            )
        return smaller[id(operation)][1](*args, **kwargs)

    removed = graph.rebuild(model, call)
    for layer, copy in smaller.values():
        if isinstance(layer, keras.Layer):
            copy.set_weights(
                [without(layer, w.name, w.numpy(), coupling, keep) for w in layer.weights]
            )
            graph.derive(copy)
    return removed


def remove_masks(
    masks: Mapping[str, npt.NDArray], coupling: Coupling, keep: Keep
) -> dict[str, npt.NDArray]:
    """Masks of the kernels that :func:`remove` leaves: without the rows and columns of removed units.

    Args:
        masks: kernel -> mask of its Keras shape; kernels that are not coupled stay as they are.
        coupling, keep: as in :func:`remove`.
    """
    return {
        key: _kernel_without(mask, key, coupling, keep) if key in coupling.outputs else mask
        for key, mask in masks.items()
    }


def _is_tensor(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def _sizes(node: Any, coupling: Coupling, keep: Keep) -> dict[str, Any]:
    """The entries of a layer's configuration that say how many units it makes, for those that stay."""
    layer = node.operation
    if type(layer) is keras.layers.Reshape and layer.name in coupling.channels:
        before = [-1 if size is None else size for size in node.outputs[0].shape[1:-1]]
        return {"target_shape": (*before, _count(coupling.channels[layer.name], keep))}
    key = f"{layer.name}/kernel"
    if key not in coupling.outputs or coupling.layouts[key] is Layout.DEPTHWISE:
        return {}
    # an LSTM's recurrent inputs are its units, its outputs are four times as many
    units = coupling.inputs.get(f"{layer.name}/recurrent_kernel", coupling.outputs[key])
    return {"units" if hasattr(layer, "units") else "filters": _count(units, keep)}


def _count(ids: IntArray, keep: Keep) -> int:
    return int(kept(ids, keep).sum())


def carry(old: keras.Model, new: keras.Model, coupling: Coupling, keep: Keep) -> None:
    """Give a prepared model the state of the larger one that it was before units were removed, layer by layer.

    Args:
        old: the prepared model of the coupling's.
        new: prepared, of the model that :func:`remove` leaves.
        coupling, keep: as in :func:`remove`.
    """
    for layer in old.layers:
        for variable, small in zip(
            layer.variables, new.get_layer(layer.name).variables, strict=True
        ):
            small.assign(without(layer, variable.name, variable.numpy(), coupling, keep))


def without(
    layer: keras.Layer, name: str, value: npt.NDArray, coupling: Coupling, keep: Keep
) -> npt.NDArray:
    """A weight of a layer, or an optimizer's number for each of its elements, without what belongs to removed units.

    Args:
        layer: plain or compressed.
        name: of the weight. value: of its shape.
        coupling, keep: as in :func:`remove`.
    """
    key = f"{layer.name}/{name}"
    if key in coupling.outputs:
        return _kernel_without(value, key, coupling, keep)
    ids = coupling.outputs.get(f"{layer.name}/kernel", coupling.channels.get(layer.name))
    if (
        ids is None or value.ndim == 0 or value.shape[-1] != len(ids)
    ):  # a PReLU may share one number among channels
        return value
    return value[..., kept(ids, keep)]


def _kernel_without(value: npt.NDArray, key: str, coupling: Coupling, keep: Keep) -> npt.NDArray:
    layout = coupling.layouts[key]
    rows, columns = kept(coupling.inputs[key], keep), kept(coupling.outputs[key], keep)
    small = canonical(value, layout)[..., rows, :][..., columns]
    multiplier = value.shape[
        -1
    ]  # of a depthwise kernel, whose channels stay or go with all that is made of them
    return restored(
        small,
        layout,
        (*value.shape[:-2], -1, multiplier) if layout is Layout.DEPTHWISE else small.shape,
    )
