"""The inputs and outputs of a Keras network by their names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

_NO_NAME = re.compile(r"\W")


def input_names(model: "keras.Model") -> list[str]:
    """Return the names of the inputs of a functional model, in the order of ``model.inputs``.

    An input is called as in the dict of the model, else as its layer. Whatever is no letter, digit
    or _ is written _.
    """
    return _names(model.input, [tensor.name for tensor in model.inputs])


def output_names(model: "keras.Model") -> list[str]:
    """Return the names of the outputs of a functional model, in the order of ``model.outputs``.

    An output is called as in the dict of the model, else as the layer that makes it.
    """
    makers = [tensor._keras_history.operation for tensor in model.outputs]
    return _names(model.output, [maker.name for maker in makers])


def with_names(model: "keras.Model") -> "keras.Model":
    """Return a functional model whose several inputs, or outputs, are in a dict by their names.

    An input or output that is alone is in nothing. Layers are those of the model.
    """
    import keras

    names = input_names(model)
    if len(names) == 1:
        names = [model.inputs[0].name]
    inputs = []
    for name, tensor in zip(names, model.inputs, strict=True):
        inputs.append(keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name))
    given = keras.tree.pack_sequence_as(model.input, inputs)
    made = model._run_through_graph(given, operation_fn=lambda operation: operation)
    outputs = keras.tree.flatten(made)
    return keras.Model(
        _by_name(names, inputs), _by_name(output_names(model), outputs), name=model.name
    )


def _by_name(names: Sequence[str], tensors: Sequence[Any]) -> Any:
    if len(tensors) == 1:
        return tensors[0]
    return dict(zip(names, tensors, strict=True))


def _names(structure: Any, default: Sequence[str]) -> list[str]:
    """Return the keys of a dict of tensors, sorted as Keras flattens it, else the default names.

    A name that is there twice gets a number.
    """
    keys = list(default)
    if isinstance(structure, Mapping) and len(structure) == len(keys):
        keys = sorted(structure)
    seen: Counter[str] = Counter()
    names = []
    for key in keys:
        name = _NO_NAME.sub("_", str(key))
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names
