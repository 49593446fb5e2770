"""A functional Keras model as a graph to walk and to build again.

This is the one place that knows how Keras keeps it.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import keras

from tinyprune.errors import UsageError

#: (node, arguments, keyword arguments) -> outputs; ``node.operation`` is a layer or an operation
#: such as ``x + y``.
Call = Callable[[Any, tuple, dict[str, Any]], Any]


def functional(model: keras.Model) -> Any:
    """Return the graph of a functional or Sequential model. Raises UsageError if it has none."""
    is_sequential = isinstance(model, keras.Sequential)
    inner = model._functional if is_sequential else model
    if not isinstance(inner, keras.src.models.Functional):
        in_sequence = "call it on data once, or start it with an Input"
        advice = in_sequence if is_sequential else "rewrite it"
        raise UsageError(
            f"model '{model.name}' is no functional or built Sequential model: {advice}"
        )
    return inner


def is_model(operation: Any) -> bool:
    """Return whether an operation of a graph is a nested model with a graph of its own."""
    return isinstance(operation, keras.Sequential | keras.src.models.Functional)


def nodes(model: keras.Model) -> list[Any]:
    """Return the calls of a model's layers and operations, inputs left out.

    The order is one in which they can be computed.
    """
    by_depth = functional(model)._nodes_by_depth
    calls: list[Any] = []
    for depth in sorted(by_depth, reverse=True):
        calls += [node for node in by_depth[depth] if not node.is_input]
    return calls


def run(model: keras.Model, inputs: Iterable[Any], call: Call) -> list[Any]:
    """Compute a model's graph with ``call`` instead of its layers; return the outputs.

    Values may be of any kind.
    """
    graph = functional(model)
    values: dict[int, Any] = {}
    for tensor, value in zip(graph.inputs, inputs, strict=True):
        values[id(tensor)] = value
    for node in nodes(model):
        args, kwargs = node.arguments.fill_in(values)
        results = keras.tree.flatten(call(node, args, kwargs))
        for tensor, value in zip(node.outputs, results, strict=True):
            values[id(tensor)] = value
    return [values[id(tensor)] for tensor in graph.outputs]


def rebuild(model: keras.Model, call: Call) -> keras.Model:
    """Return a new functional model: inputs like the model's, its graph computed by ``call``.

    Several inputs or outputs are in a list or dict as the model's are.
    """
    inputs = []
    for tensor in functional(model).inputs:
        inputs.append(keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name))
    outputs = run(model, inputs, call)
    old = functional(model)
    return keras.Model(
        _arranged(inputs, old.input), _arranged(outputs, old.output), name=model.name
    )


def _arranged(tensors: list[Any], like: Any) -> Any:
    """Return tensors in a list or dict as others are; one alone is itself."""
    if len(tensors) == 1:
        return tensors[0]
    return keras.tree.pack_sequence_as(like, tensors)


def with_input(model: keras.Model, shape: tuple[int | None, ...]) -> keras.Model:
    """Return a model of the same layers that takes its one input in another shape, without batch.

    The elements are those of the model's input, in their order.
    """
    inputs = keras.Input(shape, name="given_input")
    inner_shape = functional(model).inputs[0].shape[1:]
    reshaped = keras.layers.Reshape(inner_shape, name="input_shape")(inputs)
    outputs = run(model, [reshaped], lambda node, args, kwargs: node.operation(*args, **kwargs))
    return keras.Model(inputs, _arranged(outputs, functional(model).output), name=model.name)


def read_inputs(outputs: Iterable[Any]) -> list[Any]:
    """Return the inputs that tensors of a graph are computed from, each once."""
    inputs: dict[int, Any] = {}
    open_tensors = list(outputs)
    seen: set[int] = set()
    while open_tensors:
        tensor = open_tensors.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if is_input(tensor):
            inputs[id(tensor)] = tensor
            continue
        history = tensor._keras_history
        node = history.operation._inbound_nodes[history.node_index]
        open_tensors += node.input_tensors
    return list(inputs.values())


def is_input(tensor: Any) -> bool:
    """Return whether a tensor of a graph is an input of it."""
    return isinstance(tensor._keras_history.operation, keras.layers.InputLayer)


class Uses:
    """The readers of each tensor of a graph."""

    def __init__(self, model: keras.Model) -> None:
        self._readers: dict[int, list[Any]] = {}
        for node in nodes(model):
            for tensor in node.input_tensors:
                self._readers.setdefault(id(tensor), []).append(node)
        self._outputs = {id(tensor) for tensor in functional(model).outputs}
        self._calls = Counter(id(node.operation) for node in nodes(model))

    def is_shared(self, node: Any) -> bool:
        """Return whether the operation of a node is called more than once."""
        return self._calls[id(node.operation)] > 1

    def only_reader(self, node: Any) -> Any | None:
        """Return the node that alone reads the one output of a node, if there is one such."""
        return self.only_reader_of(node.outputs[0]) if len(node.outputs) == 1 else None

    def only_reader_of(self, tensor: Any) -> Any | None:
        """Return the node that alone reads a tensor, if there is one such."""
        readers = self._readers.get(id(tensor), [])
        is_output = id(tensor) in self._outputs
        return readers[0] if len(readers) == 1 and not is_output else None


def last_of(model: keras.Model, is_wanted: Callable[[Any], bool]) -> list[str]:
    """Return the names of the last layers of a kind on every way to an output of the network."""
    makers = {}
    for node in nodes(model):
        for tensor in node.outputs:
            makers[id(tensor)] = node
    names: dict[str, None] = {}
    open_tensors = list(functional(model).outputs)
    seen: set[int] = set()
    while open_tensors:
        tensor = open_tensors.pop()
        maker = makers.get(id(tensor))
        if maker is None or id(maker) in seen:
            continue
        seen.add(id(maker))
        if is_wanted(maker.operation):
            names[maker.operation.name] = None
        else:
            open_tensors += maker.input_tensors
    return list(names)


def copy(operation: Any, **config: Any) -> Any:
    """Return a layer or operation of the same configuration, with entries of it replaced.

    It has no weights yet. Raises UsageError for one that Keras cannot make again from its
    configuration: a Lambda layer, an unknown function.
    """
    try:
        return type(operation).from_config({**operation.get_config(), **config})
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"{type(operation).__name__} layer '{operation.name}' cannot be made again from its "
            "configuration: register its class or function with "
            "keras.saving.register_keras_serializable(), in place of a lambda"
        ) from error


def set_weights(layer: keras.Layer, values: Iterable[Any]) -> None:
    """Set all weights of a layer, in their order, and the numbers that it derives from them."""
    for variable, value in zip(layer.weights, values, strict=True):
        variable.assign(value)
    derive(layer)


def derive(layer: keras.Layer) -> None:
    """Derive a Normalization's numbers anew, after its weights were changed."""
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
