"""Models of any kind as functions that are scored: the task of each, and its forms.

Keras is imported where a network in float is run.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tinyprune import pretrained
from tinyprune.errors import UsageError
from tinyprune.metrics.scores import Scored, Scores
from tinyprune.registry import TASKS
from tinyprune.stages.model_reference import FLOAT, TFLITE, ModelReference
from tinyprune.stages.normalisation import warn_of_two_scalings
from tinyprune.stages.own_networks import load
from tinyprune.tasks.shape_check import check_graph, fitted
from tinyprune.tasks.task import Dataset, Forward, Task
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.forward import engine_of, of_int8, of_runner
from tinyprune.tflite.interpreter import Int8Model

if TYPE_CHECKING:
    import keras

#: Form -> loads the function that runs it, which is done when its turn comes.
Forms = dict[str, Callable[[], Forward]]


@dataclass(frozen=True)
class ScoredModel:
    """A model that is scored.

    Attributes:
        name: variant or file.
        task: data, with the front end of this model.
        forms: those that are scored.
    """

    name: str
    task: Task
    forms: Forms


class FileTasks:
    """Tasks of model files on one data set: every file has the front end that it was trained with.

    Attributes:
        dataset: the data that are scored.
        frontend: record of the front end of all files, instead of the one beside each.
    """

    def __init__(
        self, dataset: Dataset, frontend: Path | None = None, own: Task | None = None
    ) -> None:
        """``own``: the task of the run, which files with its front end share."""
        self.dataset = dataset
        self.frontend = frontend
        self.kind: type[Task] = TASKS[dataset.task]
        self._tasks: dict[object, Task] = {own.preparation: own} if own else {}

    def task_of(self, path: Path) -> Task:
        """Return the task of a model file. Raises UsageError if it has no front end."""
        task = self.kind.for_model_file(self.dataset, path, self.frontend)
        return self._tasks.setdefault(task.preparation, task)


def score_models(models: Iterable[ScoredModel], split: str, metrics: Sequence[str]) -> Scored:
    """Score every form of every model, and the input as it is; a form that comes twice is once."""
    unprocessed: Scores | None = None
    seen: set[tuple[str, str]] = set()
    groups = []
    for model in models:
        unprocessed = unprocessed or model.task.unprocessed_scores(split, metrics)
        scores = []
        for form, load_form in model.forms.items():
            if (model.name, form) not in seen:
                seen.add((model.name, form))
                forward = load_form()
                scored = model.task.scores(forward, form, split, metrics, model.name)
                scores.append(replace(scored, engine=engine_of(forward)))
        if scores:
            groups.append(tuple(scores))
    return Scored(split, tuple(metrics), unprocessed, tuple(groups))


def model_of_variant(
    reference: ModelReference,
    task: Task,
    folder: Path,
    load_network: "Callable[[], keras.Model] | None",
) -> ScoredModel:
    """Return a variant in the form that is named, else in float and the form that the device runs.

    Args:
        reference: the variant.
        task: of its run.
        folder: with its int8 graphs.
        load_network: loads it in float; None if there is only int8.

    Raises:
        UsageError: it does not have that form.
    """
    int8: Forms = {
        form: partial(of_int8, folder / f"{form}.tflite") for form in task.exported(folder)
    }
    forms: Forms = {}
    if load_network is not None:
        forms[FLOAT] = lambda: _of_keras(load_network())
    if reference.form is None:
        for form in [*int8][:1]:
            forms[form] = int8[form]
        return ScoredModel(reference.name, task, forms)

    forms.update(int8)
    if reference.form not in forms:
        raise UsageError(
            f"variant '{reference.name}' has no form '{reference.form}': "
            f"expected {' or '.join(forms)}"
        )
    return ScoredModel(reference.name, task, {reference.form: forms[reference.form]})


def model_of_file(
    reference: ModelReference, tasks: FileTasks, custom: tuple[str, ...] = ()
) -> ScoredModel:
    """Return a model in a file.

    ``custom``: modules that define layers of Keras models. Raises UsageError for a model that does
    not fit its front end or the data.
    """
    path = reference.path
    assert path is not None
    if path.suffix.lower() != TFLITE:
        loaded = load(str(path), custom)
        task = tasks.task_of(path)
        model = fitted(loaded, task, reference.name)
        warn_of_two_scalings(model, task, reference.name)
        return ScoredModel(reference.name, task, {FLOAT: lambda: _of_keras(model)})

    flatbuffer.require_int8(path, flatbuffer.read(path))
    runner = Int8Model(path, is_foreign=path != pretrained.denoiser())
    inputs, outputs = runner.input_shape, runner.output_shape
    tasks.kind.check_ranks(reference.name, inputs, outputs)
    task = tasks.task_of(path)
    check_graph(reference.name, runner, task)
    form = task.form_of_graph(runner.frames)
    if path == pretrained.denoiser():
        return ScoredModel(reference.name, task, {form: partial(of_int8, path)})
    # One from elsewhere may crash what runs it: LiteRT does so in a process of its own.
    return ScoredModel(reference.name, task, {form: lambda: of_runner(runner)})


def _of_keras(model: "keras.Model") -> Forward:
    """Return a network in float."""
    from tinyprune.export.forward import of_keras

    return of_keras(model)
