"""Models that a command line names: variants of a run, with a form or without, and files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyprune import pretrained
from tinyprune.config import MODEL_FILES
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.errors import UsageError, unknown_name
from tinyprune.registry import TASKS

FLOAT = "float"
TFLITE = ".tflite"


@dataclass(frozen=True)
class ModelReference:
    """A model to score.

    Attributes:
        name: as a person wrote it, without the form.
        form: "float" or an int8 graph; None: float and the form that the device runs.
        path: the file; None: it is a variant.
    """

    name: str
    form: str | None = None
    path: Path | None = None


@dataclass(frozen=True)
class EvaluationRequest:
    """Data and metrics that models are scored with.

    Attributes:
        split: "dev" or "test".
        metrics: registered names, or "all"; empty: the default ones of the task.
        data: recordings that are scored instead of the run's own split.
        frontend: record of the front end of model files, instead of the one beside each.
        limited: metrics in which the other models are held to the first, so that there have to be
            two models.
    """

    split: str = "dev"
    metrics: tuple[str, ...] = ()
    data: EvaluationData = field(default_factory=EvaluationData)
    frontend: Path | None = None
    limited: tuple[str, ...] = ()

    def check_reference(self, models: Sequence[ModelReference]) -> None:
        """Raise UsageError where the others are held to the first model and there are none."""
        distinct = {(model.name, model.form) for model in models}
        if self.limited and len(distinct) < 2:
            raise UsageError(
                f"--max-drop holds models to the first one: name another beside {models[0].name}"
            )


def parse_reference(text: str) -> ModelReference:
    """Return the model that a text names.

    It is e.g. ``weight-0.80``, ``weight-0.80:float``, ``model.keras`` or ``pretrained``. Raises
    UsageError for a file that is not there or of another kind, and for a form that does not exist.
    """
    if text == pretrained.NAME:
        return ModelReference(text, path=pretrained.denoiser())
    path = Path(text)
    if path.suffix.lower() in (*MODEL_FILES, TFLITE):
        if not path.is_file():
            kinds = ", ".join(MODEL_FILES)
            raise UsageError(f"there is no file {text}: expected {kinds} or {TFLITE}, or a variant")
        return ModelReference(text, path=path)
    if "/" in text or path.is_file():
        kinds = ", ".join((*MODEL_FILES, TFLITE))
        raise UsageError(f"'{text}' is no model: expected a file ({kinds}), or a variant")

    name, colon, form = text.partition(":")
    if colon:
        _check_form(form)
    if name == pretrained.NAME:
        raise UsageError(f"'{text}': that network is in one form only: give {name} as it is")
    return ModelReference(name, form or None)


def _check_form(form: str) -> None:
    """Raise UsageError for a form that no task has."""
    known = [FLOAT]
    for task in TASKS.values():
        known += [exported.name for exported in task.forms]
    if form not in known:
        raise unknown_name("form", form, list(dict.fromkeys(known)))
