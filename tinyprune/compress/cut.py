"""A network without its recurrent layers: what they make becomes inputs, what they read outputs.

The TFLite converter is given the rest; the layers are written by ``tflite/cells``.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.errors import UsageError

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CutLayer:
    """A layer that was cut out. Attributes: layer; reads, makes: names of tensors."""

    layer: Any
    reads: str
    makes: str


@dataclass(frozen=True, eq=False)
class Cut:
    """A network without some layers. Tensors at their ends have names.

    Attributes:
        rest: what is left, of lists of inputs and outputs; None where nothing is.
        rest_inputs, rest_outputs: names of its inputs and outputs, in order.
        layers: those that were cut out, in an order in which they can be computed.
        inputs, outputs: of the whole network, end -> name of the tensor that it is.
        shapes: name -> shape of every input of the network, and of what the layers make.
    """

    rest: keras.Model | None
    rest_inputs: tuple[str, ...]
    rest_outputs: tuple[str, ...]
    layers: tuple[CutLayer, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    shapes: Mapping[str, Shape]


def cut(
    model: keras.Model,
    names: Set[str],
    shapes: Sequence[Shape],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Cut:
    """Return a network without layers of these names.

    Args:
        model: functional; its layers are shared with the rest.
        names: of layers that read one tensor and make one.
        shapes: of the inputs, with the batch.
        inputs, outputs: names for those of the model.

    Raises UsageError for a layer that is called more than once.
    """
    builder = _Builder(names)
    given = []
    for tensor, name, shape in zip(graph.functional(model).inputs, inputs, shapes, strict=True):
        given.append(builder.new_input(name, shape, tensor.dtype))
    made = graph.run(model, given, builder.call)
    return builder.cut(model.name, dict(zip(outputs, made, strict=True)), inputs)


class _Builder:
    """Builds the graph of the rest; every tensor at an end of it has a name."""

    def __init__(self, names: Set[str]) -> None:
        self._cut = names
        self._layers: dict[str, CutLayer] = {}
        self._names: dict[int, str] = {}
        self._tensors: dict[str, Any] = {}

    def new_input(self, name: str, shape: Shape, dtype: str) -> Any:
        """Return an input of the rest."""
        # A layer of the network may have the name itself.
        tensor = keras.Input(batch_shape=shape, dtype=dtype, name=f"{name}_end")
        self._name(tensor, name)
        return tensor

    def call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return the outputs of a layer; of one that is cut out, an input in their place."""
        layer = node.operation
        if layer.name not in self._cut:
            return layer(*args, **kwargs)
        if layer.name in self._layers:
            raise UsageError(
                f"layer '{layer.name}' is called more than once: a recurrent layer that is "
                "exported has one state; use a layer for each call"
            )
        read = args[0]
        if id(read) not in self._names:
            self._name(read, f"{layer.name}_input")
        frames = read.shape[1]
        shape = (1, frames, layer.units) if layer.return_sequences else (1, layer.units)
        makes = f"{layer.name}_output"
        self._layers[layer.name] = CutLayer(layer, self._names[id(read)], makes)
        return self.new_input(makes, shape, read.dtype)

    def _name(self, tensor: Any, name: str) -> None:
        self._names[id(tensor)] = name
        self._tensors[name] = tensor

    def cut(self, name: str, outputs: Mapping[str, Any], inputs: Sequence[str]) -> Cut:
        """Return the cut, once all layers are called."""
        for end, tensor in outputs.items():
            if id(tensor) not in self._names:
                self._name(tensor, end)
        computed = self._ends(are_inputs=False)
        read = graph.read_inputs(computed.values())
        rest = None
        if computed:
            given = read[0] if len(read) == 1 else read
            rest = keras.Model(given, list(computed.values()), name=name)
        return Cut(
            rest,
            tuple(self._names[id(tensor)] for tensor in read),
            tuple(computed),
            tuple(self._layers.values()),
            {end: end for end in inputs},
            {end: self._names[id(tensor)] for end, tensor in outputs.items()},
            {end: tensor.shape for end, tensor in self._ends(are_inputs=True).items()},
        )

    def _ends(self, are_inputs: bool) -> dict[str, Any]:
        """The tensors at ends that are inputs of the rest, or the others, by name."""
        return {
            end: tensor
            for end, tensor in self._tensors.items()
            if graph.is_input(tensor) is are_inputs
        }
