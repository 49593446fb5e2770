"""The models that a command line names: variants of a run, with a form or without, and files. Loads nothing heavy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyprune import pretrained
from tinyprune.config import MODEL_FILES
from tinyprune.data.speech.evaluation_data import GivenData
from tinyprune.errors import UsageError, unknown_name

FORMS = ("float", "streaming", "sequence", "int8")
TFLITE = ".tflite"


@dataclass(frozen=True)
class Wanted:
    """A model to score.

    Attributes:
        name: as it was given, without the form.
        form: the one that was asked for; None: float and the form that the device runs.
        path: the file; None: it is a variant.
    """

    name: str
    form: str | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked of models.

    Attributes:
        split: "dev" or "test". metrics: registered names, or "all"; empty: the default ones of the
            task.
        data: what is scored instead of the run's own split.
        frontend: record of the front end of model files, instead of the one beside each.
        held: metrics in which the other models are held to the first; there have to be two then.
    """

    split: str = "dev"
    metrics: tuple[str, ...] = ()
    data: GivenData = field(default_factory=GivenData)
    frontend: Path | None = None
    held: tuple[str, ...] = ()

    def check_gate(self, models: Sequence[Wanted]) -> None:
        """Raise UsageError if the others are to be held to the first and there are none."""
        if self.held and len({(model.name, model.form) for model in models}) < 2:
            raise UsageError(
                f"--max-drop holds models to the first one: name another beside {models[0].name}"
            )


def parse(text: str) -> Wanted:
    """``weight-0.80``, ``weight-0.80:float``, ``model.keras``, ``streaming.tflite``, ``pretrained``.

    Raises UsageError for a file that is not there or of another kind, and for a form that does not
    exist.
    """
    if text == pretrained.NAME:
        return Wanted(text, path=pretrained.denoiser())
    path = Path(text)
    if path.suffix.lower() in (*MODEL_FILES, TFLITE):
        if not path.is_file():
            raise UsageError(
                f"there is no file {text}: expected {', '.join(MODEL_FILES)} or {TFLITE}, or a variant"
            )
        return Wanted(text, path=path)
    if "/" in text or path.is_file():
        raise UsageError(
            f"'{text}' is no model: expected a file ({', '.join(MODEL_FILES)}, {TFLITE}), or a variant"
        )
    name, colon, form = text.partition(":")
    if colon and form not in FORMS:
        raise unknown_name("form", form, FORMS)
    if name == pretrained.NAME:
        raise UsageError(f"'{text}': that network is in one form only: give {name} as it is")
    return Wanted(name, form or None)
