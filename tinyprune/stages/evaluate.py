"""The evaluation of models on the data of a run, or on recordings of their own."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.config import DataConfig, from_mapping, to_mapping
from tinyprune.data.speech.evaluation_data import EvaluationData, load_evaluation_data
from tinyprune.errors import UsageError
from tinyprune.metrics.scores import Scored
from tinyprune.metrics.selection import metrics_to_score
from tinyprune.registry import TASKS
from tinyprune.stages.export import ensure_exported
from tinyprune.stages.model_reference import EvaluationRequest, ModelReference, parse_reference
from tinyprune.stages.run import Run, is_offline, open_run, read_run
from tinyprune.storage.run_folder import BASELINE

if TYPE_CHECKING:
    from tinyprune.stages.scoring import ScoredModel
    from tinyprune.tasks.task import Dataset, Task


def evaluate_models(
    run: Path | Run, models: Sequence[str] = (), request: EvaluationRequest | None = None
) -> Scored:
    """Score models, and the input as it is, on every item of a split.

    Args:
        run: the run whose variants and data are scored; not touched if all models are files and
            the data are pairs.
        models: variants, with a form or without (``weight-0.80:float``), and files; none: all
            variants.
        request: split, metrics, data; default: the default metrics on the run's dev split.

    Raises:
        UsageError: there is no such model, form, metric or split, or a file does not fit the data.
    """
    from tinyprune.stages import scoring

    request = request or EvaluationRequest()
    with opened_models(run, models, request) as chosen:
        return scoring.score_models(chosen.models, request.split, chosen.metrics)


@dataclass(frozen=True)
class ChosenModels:
    """Models that are to be scored on one data set, at least one.

    Attributes:
        models: each with its task, whose data they share. metrics: registered names.
    """

    models: "list[ScoredModel]"
    metrics: tuple[str, ...]


@contextmanager
def opened_models(
    run: Path | Run, models: Sequence[str], request: EvaluationRequest
) -> Iterator[ChosenModels]:
    """Keep the models and the data of a request ready, as :func:`evaluate_models` takes them.

    Files alone need no run where the request names recordings; decoded audio is kept only for as
    long as it takes then. Raises UsageError as that function does.
    """
    references = [parse_reference(text) for text in models]
    request.data.check()
    are_files = bool(references) and all(reference.path for reference in references)
    if are_files and _is_without_run(run, request.data):
        with tempfile.TemporaryDirectory(prefix="tinyprune-") as cache:
            yield _files(references, request, Path(cache))
    else:
        with open_run(run) as opened:
            yield _models_in_run(opened, references, request)


def _is_without_run(run: Path | Run, data: EvaluationData) -> bool:
    """Return whether files are scored on recordings of their own.

    Folders that are mixed are mixed as the run's data are, if there is one. Raises UsageError where
    there is nothing to score them on.
    """
    if data.is_standalone:
        return True
    opened = read_run(run)
    if opened.space.variants():
        return False
    if data.test_speech:
        return True
    try:
        opened.require(BASELINE)
    except UsageError as error:
        raise UsageError(
            f"{error}; or give what to score the files on: --noisy DIR --clean DIR"
        ) from error
    return False


def score_references(
    run: Run, models: Sequence[ModelReference], request: EvaluationRequest
) -> Scored:
    """Score models, by default all variants, with the task of an opened run."""
    from tinyprune.stages import scoring

    chosen = _models_in_run(run, models, request)
    return scoring.score_models(chosen.models, request.split, chosen.metrics)


def _models_in_run(
    run: Run, models: Sequence[ModelReference], request: EvaluationRequest
) -> ChosenModels:
    """Return models, by default all variants, with the task of an opened run."""
    references = _references(run, models, request)
    request.check_reference(references)
    for reference in references:
        if reference.path is None:
            run.require(reference.name)
    dataset = _scored_data(run, request.data)
    task = run.task_of(dataset)
    metrics = _metrics(task, request)

    from tinyprune.stages import scoring

    tasks = scoring.FileTasks(dataset, request.frontend, own=task)
    scored_models = []
    for reference in references:
        if reference.path is None:
            scored_models.append(_variant(run, reference, task))
        else:
            custom = run.recipe.model.custom
            scored_models.append(scoring.model_of_file(reference, tasks, custom))
    return ChosenModels(scored_models, metrics)


def _metrics(task: "Task | type[Task]", request: EvaluationRequest) -> tuple[str, ...]:
    """Return the metrics of a task that are scored."""
    known = (*task.default_metrics, *task.all_metrics)
    return metrics_to_score(
        request.metrics, task.name, task.default_metrics, request.limited, known
    )


def _references(
    run: Run, models: Sequence[ModelReference], request: EvaluationRequest
) -> list[ModelReference]:
    """Return the models to score.

    A variant alone that is held to a limit has the baseline before it.
    """
    references = list(models)
    if not references:
        references = [ModelReference(variant.name) for variant in run.space.variants()]
    is_alone = len(references) == 1 and references[0].path is None
    if request.limited and is_alone:
        references.insert(0, ModelReference(BASELINE))
    return references


def _variant(run: Run, reference: ModelReference, task: "Task") -> "ScoredModel":
    """Return the forms of a variant; int8 graphs that are not there are made."""
    from tinyprune.stages import scoring

    variant = run.require(reference.name)
    ensure_exported(run, variant)
    if is_offline(variant):
        return scoring.model_of_variant(reference, task, variant.folder, None)
    return scoring.model_of_variant(
        reference, task, variant.folder, lambda: run.load_network(variant)
    )


def _scored_data(run: Run, data: EvaluationData) -> "Dataset":
    """Return recordings of their own, or the data of the run, maybe with other test folders."""
    if data.is_standalone:
        if run.record.name != data.task:
            raise UsageError(
                f"{run.space.root} is a run of {run.record.name}: it is scored on its own data"
            )
        return load_evaluation_data(data, run.space.data)
    folders: dict[str, Any] = dict(run.test_folders())
    if not data.is_empty:
        folders = {"test_speech": data.test_speech, "test_noise": data.test_noise}
    config = from_mapping({**to_mapping(run.recipe.data), **folders}, DataConfig)
    return run.load_dataset(config)


def _files(
    models: Sequence[ModelReference], request: EvaluationRequest, cache: Path
) -> ChosenModels:
    """Return models in files with recordings of their own, which are decoded into ``cache``."""
    from tinyprune.stages import scoring

    request.check_reference(models)
    metrics = _metrics(TASKS[request.data.task], request)
    dataset = load_evaluation_data(request.data, cache)
    tasks = scoring.FileTasks(dataset, request.frontend)
    return ChosenModels([scoring.model_of_file(model, tasks) for model in models], metrics)
