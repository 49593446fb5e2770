"""Scoring models of any kind on one split: which task fits a model, and what runs it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import keras

from tinyprune.audio.device import frontend_beside
from tinyprune.data.labelled import LabelledDataset
from tinyprune.errors import UsageError
from tinyprune.export import forward
from tinyprune.export.forward import Forward
from tinyprune.metrics.scores import Scored, Scores
from tinyprune.models.own import load
from tinyprune.stages.export import exported
from tinyprune.stages.model_reference import TFLITE, Wanted
from tinyprune.tasks.lookup import Dataset
from tinyprune.tasks.shape_check import check_fits, check_shapes
from tinyprune.tasks.speech import Speech
from tinyprune.tasks.task import Task
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.interpreter import Int8Model

#: The forms of a model, each with what runs it, made when its turn comes.
Forms = dict[str, Callable[[], Forward]]
_SPEECH_SHAPE = "(1, frames, mel bands)"


class Tasks:
    """The tasks of one data set: of speech one per front end, because every model hears what it was trained on.

    Attributes:
        dataset: what is scored. own: the task of a run, for its variants; None without a run.
        given: record of the front end of all files, instead of the one beside each.
    """

    def __init__(
        self, dataset: Dataset, own: Task | None = None, given: Path | None = None
    ) -> None:
        self.dataset, self.own, self.given = dataset, own, given
        self._speech: dict[object, Speech] = {own.frontend: own} if isinstance(own, Speech) else {}

    def of_file(self, path: Path) -> Task:
        """The task that a model file is for. Raises UsageError if it has no front end."""
        if isinstance(self.dataset, LabelledDataset):
            assert self.own is not None  # only a run has classes
            return self.own
        frontend = frontend_beside(path, self.given)
        if frontend not in self._speech:
            self._speech[frontend] = Speech(self.dataset, frontend)
        return self._speech[frontend]


def evaluate(
    models: Iterable[tuple[str, Task, Forms]], split: str, metrics: Sequence[str]
) -> Scored:
    """The metrics of every form of (name, task, forms), and of the input as it is; a form that comes twice is once."""
    noisy: Scores | None = None
    groups: dict[tuple[str, str], Scores] = {}
    found = []
    for name, task, forms in models:
        noisy = noisy or task.unprocessed_scores(split, metrics)
        new = {form: make for form, make in forms.items() if (name, form) not in groups}
        scores = [task.scores(make(), form, split, metrics, name) for form, make in new.items()]
        groups |= {(name, one.form): one for one in scores}
        found += [tuple(scores)] if scores else []
    return Scored(split, tuple(metrics), noisy, tuple(found))


def of_variant(
    wanted: Wanted, task: Task, folder: Path, network: Callable[[], keras.Model] | None
) -> tuple[str, Task, Forms]:
    """Name, task and forms of a variant: the one that is asked for, else float and the form that the device runs.

    ``folder``: with its int8 graphs. ``network``: loads it in float; None if there is only int8.
    Raises UsageError for a form that it does not have.
    """
    forms: Forms = {} if network is None else {"float": lambda: forward.of_keras(network())}
    int8 = {
        form: partial(forward.of_int8, folder / f"{form}.tflite") for form in exported(task, folder)
    }
    if wanted.form is None:
        return wanted.name, task, forms | dict([*int8.items()][:1])
    forms |= int8
    if wanted.form not in forms:
        raise UsageError(
            f"variant '{wanted.name}' has no form '{wanted.form}': expected {' or '.join(forms)}"
        )
    return wanted.name, task, {wanted.form: forms[wanted.form]}


def of_file(wanted: Wanted, tasks: Tasks, custom: tuple[str, ...] = ()) -> tuple[str, Task, Forms]:
    """Name, task and form of a model in a file. Raises UsageError for one that does not fit its front end or the data.

    ``custom``: modules that define layers of Keras models.
    """
    path = wanted.path
    assert path is not None
    if path.suffix.lower() != TFLITE:
        model, task = load(str(path), custom), tasks.of_file(path)
        check_fits(model, task, wanted.name)
        return wanted.name, task, {"float": lambda: forward.of_keras(model)}
    flatbuffer.require_int8(path, flatbuffer.read(path))
    runner = Int8Model(path)
    task = _task_of(runner, wanted, tasks)
    form = (
        ("streaming" if runner.frames == 1 else "sequence") if task.record.hop_seconds else "int8"
    )
    return wanted.name, task, {form: lambda: forward.of_runner(runner)}


def _task_of(runner: Int8Model, wanted: Wanted, tasks: Tasks) -> Task:
    takes, gives = runner.input_shape, runner.output_shape
    is_speech = not isinstance(tasks.dataset, LabelledDataset)
    if is_speech and not len(takes) == len(gives) == 3:
        raise UsageError(
            f"{wanted.name} takes inputs of shape {takes} and gives {gives}: a network of speech takes and gives "
            f"{_SPEECH_SHAPE}"
        )
    assert wanted.path is not None
    task = tasks.of_file(wanted.path)
    ends = [(None, *shape[2:]) if is_speech else shape[1:] for shape in (takes, gives)]
    check_shapes(wanted.name, ends[0], ends[1], task)
    return task
