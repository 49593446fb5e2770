"""The shapes of a network, held to those of a task."""

from typing import TYPE_CHECKING

from tinyprune.errors import UsageError
from tinyprune.tasks.task import Shape, Task

if TYPE_CHECKING:
    import keras


def fitted(model: "keras.Model", task: Task, name: str = "") -> "keras.Model":
    """Return a Keras network that takes the inputs of a task.

    A last axis of length 1 that the data have and the network does not is taken off in the network.
    Raises UsageError for a network that takes or gives other shapes than the task has.
    """
    ends = len(model.inputs), len(model.outputs)
    if ends != (1, 1):
        raise UsageError(
            f"{name or model.name} has {ends[0]} inputs and {ends[1]} outputs: "
            "the data are for one of each"
        )
    inputs = tuple(model.inputs[0].shape[1:])
    if (*inputs, 1) == task.input_shape:
        from tinyprune.compress import graph

        inputs = task.input_shape
        model = graph.with_input(model, inputs)
    outputs = tuple(model.outputs[0].shape[1:])
    _check(name or f"model '{model.name}'", inputs, outputs, task)
    return model


def check_graph(name: str, inputs: Shape, outputs: Shape, task: Task) -> None:
    """Raise UsageError for an int8 graph that takes or gives other shapes than the task has.

    ``inputs``, ``outputs``: its shapes with the batch axis. A graph fixes every axis, so those that
    the task leaves open may have any length.
    """
    _check(
        name, _opened(inputs[1:], task.input_shape), _opened(outputs[1:], task.output_shape), task
    )


def _check(name: str, inputs: Shape, outputs: Shape, task: Task) -> None:
    if not _is_compatible(inputs, task.input_shape):
        raise UsageError(f"{name} takes inputs of shape {inputs}: the data have {task.input_shape}")
    is_compact = _is_compatible(outputs, task.compact_output_shape)
    if not is_compact and not _is_compatible(outputs, task.output_shape):
        unit = ", a unit per class" if task.classes else ""
        raise UsageError(
            f"{name} gives outputs of shape {outputs}: the data need {task.output_shape}{unit}"
        )


def _is_compatible(shape: Shape, expected: Shape) -> bool:
    """Return whether the axes agree; a None of the network takes any length."""
    if len(shape) != len(expected):
        return False
    pairs = zip(shape, expected, strict=True)
    return all(length in (None, other) for length, other in pairs)


def _opened(shape: Shape, expected: Shape) -> Shape:
    """Return a shape with the axes open that are expected to be."""
    if len(shape) != len(expected):
        return shape
    pairs = zip(shape, expected, strict=True)
    return tuple(None if other is None else length for length, other in pairs)
