"""The shapes of a network, held to those of a task."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyprune.errors import UsageError
from tinyprune.named_arrays import Shapes
from tinyprune.tasks.task import Shape, Task

if TYPE_CHECKING:
    import keras

    from tinyprune.tflite.interpreter import Int8Model

#: The name of an input or output that is alone.
_ALONE = ""


def fitted(model: "keras.Model", task: Task, name: str = "") -> "keras.Model":
    """Return a Keras network that takes the inputs of a task.

    A last axis of length 1 that the data have and the network does not is taken off in the network.
    Raises UsageError for a network that takes or gives other shapes than the task has, or has other
    inputs or outputs.
    """
    inputs, outputs = _shapes(model)
    if len(inputs) == 1 and (*inputs[_ALONE], 1) == task.input_shape:
        from tinyprune.compress import graph

        inputs = {_ALONE: task.input_shape}
        model = graph.with_input(model, task.input_shape)
    _check(name or f"model '{model.name}'", inputs, outputs, task)
    return model


def check_graph(name: str, graph: "Int8Model", task: Task) -> None:
    """Raise UsageError for an int8 graph that takes or gives other shapes than the task has.

    A graph fixes every axis, so those that the task leaves open may have any length.
    """
    inputs: Shapes = {end.name: end.shape[1:] for end in graph.inputs}
    outputs: Shapes = {end.name: end.shape[1:] for end in graph.outputs}
    _check(
        name,
        _opened(_alone(inputs), _by_name(task.input_shape)),
        _opened(_alone(outputs), _by_name(task.output_shape)),
        task,
    )


def _shapes(model: "keras.Model") -> tuple[Shapes, Shapes]:
    """Return the shapes of inputs and of outputs by name, without the batch axis."""
    from tinyprune.models.ends import input_names, output_names

    ends = []
    for names, tensors in ((input_names, model.inputs), (output_names, model.outputs)):
        if len(tensors) == 1:
            ends.append({_ALONE: tuple(tensors[0].shape[1:])})
        else:
            pairs = zip(names(model), tensors, strict=True)
            ends.append({name: tuple(tensor.shape[1:]) for name, tensor in pairs})
    return ends[0], ends[1]


def _alone(shapes: Shapes) -> Shapes:
    """Return shapes by name; of a single one without it."""
    return shapes if len(shapes) > 1 else {_ALONE: next(iter(shapes.values()))}


def _by_name(shape: Shape | Shapes) -> Shapes:
    return shape if isinstance(shape, dict) else {_ALONE: shape}


def _check(name: str, inputs: Shapes, outputs: Shapes, task: Task) -> None:
    wanted_inputs, wanted_outputs = _by_name(task.input_shape), _by_name(task.output_shape)
    _check_names(f"{name} takes", inputs, wanted_inputs, "inputs")
    _check_names(f"{name} gives", outputs, wanted_outputs, "outputs")
    for end, shape in inputs.items():
        if not _is_compatible(shape, wanted_inputs[end]):
            raise UsageError(
                f"{name} takes {_inputs(end)} of shape {shape}: the data have {wanted_inputs[end]}"
            )
    compact = _by_name(task.compact_output_shape)
    for end, shape in outputs.items():
        is_compact = _is_compatible(shape, compact.get(end, ()))
        if not is_compact and not _is_compatible(shape, wanted_outputs[end]):
            unit = ", a unit per class" if task.classes else ""
            raise UsageError(
                f"{name} gives {_outputs(end)} of shape {shape}: "
                f"the data need {wanted_outputs[end]}{unit}"
            )


def _check_names(name: str, found: Mapping[str, Shape], wanted: Shapes, what: str) -> None:
    """Raise UsageError where inputs or outputs are not those of the data, with both names."""
    if set(found) == set(wanted):
        return
    raise UsageError(f"{name} {_in_words(found, what)}: the data have {_in_words(wanted, what)}")


def _in_words(shapes: Mapping[str, Shape], what: str) -> str:
    if set(shapes) == {_ALONE}:
        return f"one of the {what}"
    return f"the {what} {', '.join(shapes)}"


def _inputs(end: str) -> str:
    return f"input '{end}'" if end else "inputs"


def _outputs(end: str) -> str:
    return f"output '{end}'" if end else "outputs"


def _is_compatible(shape: Shape, expected: Shape) -> bool:
    """Return whether the axes agree; a None of the network takes any length."""
    if len(shape) != len(expected):
        return False
    pairs = zip(shape, expected, strict=True)
    return all(length in (None, other) for length, other in pairs)


def _opened(shapes: Shapes, expected: Shapes) -> Shapes:
    """Return shapes with the axes open that are expected to be."""
    opened = {}
    for name, shape in shapes.items():
        wanted = expected.get(name, ())
        opened[name] = shape
        if len(shape) == len(wanted):
            pairs = zip(shape, wanted, strict=True)
            opened[name] = tuple(None if other is None else length for length, other in pairs)
    return opened
