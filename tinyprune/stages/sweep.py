"""Sweeps: models on the same recordings under many conditions."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE, read_mono
from tinyprune.data.corpora.corpus import first_few
from tinyprune.data.speech import sweeps
from tinyprune.data.speech.finished import aligned_to
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.data.speech.sweeps import Condition
from tinyprune.errors import UsageError
from tinyprune.metrics.speech import is_defined, si_sdr_db
from tinyprune.metrics.sweep import SILENT_DB, SweptFile
from tinyprune.progress import track
from tinyprune.stages.evaluate import opened_models
from tinyprune.stages.finished_audio import FORM
from tinyprune.stages.model_reference import EvaluationRequest
from tinyprune.stages.run import Run
from tinyprune.stages.scoring import ScoredModel
from tinyprune.storage.writing import make_folder, writing

log = logging.getLogger(__name__)
#: Number of an utterance, its enhanced signal, and the clean speech that it is held against.
Estimate = tuple[int, Float32Array, Float32Array]


@dataclass(frozen=True)
class SweepRequest:
    """The sweeps that are asked for.

    Attributes:
        names: of sweeps, or "all".
        enhanced: folders of what other programs have made of the same recordings.
        inputs: folder that the changed recordings are written to; None: they are not.
    """

    names: tuple[str, ...]
    enhanced: tuple[Path, ...] = ()
    inputs: Path | None = None


def sweep_models(
    run: Path | Run, models: Sequence[str], request: EvaluationRequest, sweep: SweepRequest
) -> list[SweptFile]:
    """Measure models on the recordings of a split under every condition of some sweeps.

    Of a model that has several forms it is what the device runs. Other arguments are those of
    :func:`tinyprune.stages.evaluate.evaluate_models`.

    Raises UsageError for what does not exist or does not fit together.
    """
    with opened_models(run, models, request) as chosen:
        contenders: list[_Contender] = list(_networks(chosen.models))
        recorded = chosen.models[0].task.dataset.utterances(request.split)
        changed = _changed(sweeps.conditions(sweep.names), recorded)
        if sweep.inputs is not None:
            _write(sweep.inputs, changed)
        for folder in sweep.enhanced:
            contenders.append(_FinishedAudio(folder, changed))
        total = len(contenders) * sum(condition.count for condition in changed)
        return list(track(_measured(changed, contenders), "sweeping", total))


@dataclass(frozen=True)
class _Changed:
    """A condition with the recordings that it changes, which are made when they are needed."""

    condition: Condition
    recorded: Sequence[NoisyUtterance]

    @property
    def count(self) -> int:
        """Number of them."""
        return sum(map(self.condition.changes, self.recorded))

    @property
    def utterances(self) -> list[NoisyUtterance]:
        """The changed recordings."""
        return self.condition.utterances(self.recorded)

    def path(self, folder: Path, number: int) -> Path:
        """Return the place of a changed recording below a folder."""
        label = re.sub(r"[^A-Za-z0-9.+-]+", "-", self.condition.label)
        return folder / self.condition.sweep / label / f"{number:04d}.wav"


def _changed(conditions: Sequence[Condition], recorded: Sequence[NoisyUtterance]) -> list[_Changed]:
    """Return the conditions under which there are recordings.

    Raises UsageError where there are none at all.
    """
    found = []
    for condition in conditions:
        if any(map(condition.changes, recorded)):
            found.append(_Changed(condition, recorded))
    left_out = dict.fromkeys(condition.sweep for condition in conditions)
    for changed in found:
        left_out.pop(changed.condition.sweep, None)
    problem = f"--sweep {', '.join(left_out)}: no recording has noise in it"
    if not found:
        raise UsageError(f"{problem}; give noisy recordings")
    if left_out:
        log.warning("%s: left out", problem)
    return found


# --- what is measured


class _Contender(Protocol):
    """Whatever enhances recordings."""

    name: str
    form: str

    def estimates(self, changed: _Changed, utterances: list[NoisyUtterance]) -> Iterator[Estimate]:
        """Yield what becomes of the utterances of a condition, in any order."""


class _Network:
    """A model in the form that the device runs."""

    def __init__(self, model: ScoredModel) -> None:
        [*_, self.form] = model.forms
        self.name = model.name
        self._enhance = model.task.enhancer(model.forms[self.form]())

    def estimates(self, changed: _Changed, utterances: list[NoisyUtterance]) -> Iterator[Estimate]:
        """Yield them as they are enhanced."""
        del changed
        for number, estimate in self._enhance(utterances):
            yield number, estimate, utterances[number].clean


def _networks(models: Sequence[ScoredModel]) -> Iterator[_Network]:
    """Yield models; one that is named twice is measured once."""
    seen = set()
    for model in models:
        network = _Network(model)
        if (network.name, network.form) not in seen:
            seen.add((network.name, network.form))
            yield network


class _FinishedAudio:
    """A folder of recordings that another program has enhanced.

    Raises UsageError for a folder that lacks some.
    """

    form = FORM

    def __init__(self, folder: Path, conditions: Sequence[_Changed]) -> None:
        self.name = str(folder)
        self._folder = folder
        missing = []
        for changed in conditions:
            for number in range(changed.count):
                path = changed.path(folder, number)
                if not path.is_file():
                    missing.append(path)
        if missing:
            raise UsageError(
                f"{folder} lacks {len(missing)} recordings of the sweep: {first_few(missing)}; "
                "write them with --sweep-inputs DIR, and enhance DIR/noisy into it"
            )

    def estimates(self, changed: _Changed, utterances: list[NoisyUtterance]) -> Iterator[Estimate]:
        """Yield the files, each at the place of its clean speech."""
        for number, utterance in enumerate(utterances):
            path = changed.path(self._folder, number)
            aligned = aligned_to(utterance.clean, read_mono(path), path)
            yield number, aligned.estimate, aligned.clean


def _measured(
    conditions: Sequence[_Changed], contenders: Sequence[_Contender]
) -> Iterator[SweptFile]:
    """Yield every file, condition by condition and model by model, unless its speech is silent."""
    for changed in conditions:
        utterances = changed.utterances
        for contender in contenders:
            for number, estimate, clean in contender.estimates(changed, utterances):
                utterance = utterances[number]
                if not is_defined(clean, clean):
                    continue
                yield SweptFile(
                    sweep=changed.condition.sweep,
                    condition=changed.condition.label,
                    model=contender.name,
                    form=contender.form,
                    name=utterance.name,
                    category=utterance.category,
                    has_noise=changed.condition.has_noise,
                    input_db=si_sdr_db(utterance.clean, utterance.noisy),
                    output_db=_output_db(clean, estimate),
                )


def _output_db(clean: Float32Array, estimate: Float32Array) -> float:
    """Return the SI-SDR of an output; that of silence is the lowest."""
    if not is_defined(clean, estimate):
        return SILENT_DB
    return si_sdr_db(clean, estimate)


# --- recordings for other programs


def _write(folder: Path, conditions: Sequence[_Changed]) -> None:
    """Write what goes in and what should come out, as 32-bit float WAV: nothing is cut off."""
    import soundfile

    title = f"writing {folder}"
    for changed in track(conditions, title, len(conditions)):
        for number, utterance in enumerate(changed.utterances):
            for kind, samples in (("noisy", utterance.noisy), ("clean", utterance.clean)):
                path = changed.path(folder / kind, number)
                make_folder(path.parent)
                with writing(path) as part:
                    soundfile.write(part, samples, SAMPLE_RATE, "FLOAT")
