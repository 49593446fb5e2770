"""Whether a network takes what the data give and gives what the task needs."""

from typing import TYPE_CHECKING

from tinyprune.errors import UsageError

if TYPE_CHECKING:
    import keras

    from tinyprune.tasks.task import Task

Shape = tuple[int | None, ...]


def check_fits(model: "keras.Model", task: "Task", name: str = "") -> None:
    """Raise UsageError for a Keras network that takes or gives other shapes than the task has."""
    takes, gives = (tuple(tensor.shape[1:]) for tensor in (model.inputs[0], model.outputs[0]))
    check_shapes(name or f"model '{model.name}'", takes, gives, task)


def check_shapes(what: str, takes: Shape, gives: Shape, task: "Task") -> None:
    """Raise UsageError for shapes, without the batch axis, that are not those of the task."""
    if not _fits(takes, task.inputs):
        raise UsageError(f"{what} takes inputs of shape {takes}: the data have {task.inputs}")
    wanted = (*task.inputs[:-1], task.outputs) if task.record.hop_seconds else (task.outputs,)
    if not _fits(gives, wanted):
        raise UsageError(f"{what} gives outputs of shape {gives}: the data need {wanted}")


def _fits(shape: Shape, data: Shape) -> bool:
    """Whether a network's shape is that of the data; a None on either side takes any length."""
    return len(shape) == len(data) and all(
        own in (None, given) for own, given in zip(shape, data, strict=True)
    )
