"""Mixtures of dev to listen to: noisy, clean, by the float network, and as a device does it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyprune import extras
from tinyprune.array_types import Float32Array
from tinyprune.artifacts.sweep import ANSWER, FOLDER, SweepAnswer
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.enhance.denoiser import Denoiser, find_graph
from tinyprune.enhance.signal import SignalStream
from tinyprune.errors import UsageError
from tinyprune.metrics.speech import SAMPLE_RATE, is_defined, si_sdr_db
from tinyprune.report.model.listening import Clip, Example, Listening, to_int16, to_wav
from tinyprune.stages.run import Run, is_offline, open_run
from tinyprune.storage.digests import read_sealed_as
from tinyprune.storage.run_folder import Variant
from tinyprune.tasks.speech import Speech
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import LITERT
from tinyprune.tflite.reference import Reference, reference_of

#: Length of a clip: base64 makes 128 kB of it.
SECONDS = 3


def listening(run: Path | Run, count: int, variants: Sequence[str] = ()) -> Listening:
    """Return the first seconds of mixtures of dev, and what variants make of them.

    Args:
        run: of speech.
        count: how many mixtures, spread evenly over the SNRs.
        variants: whose networks are heard; none: the one that a sweep says to ship, else the
            newest.

    Raises UsageError for a run that is not of speech, and for a variant without an int8 graph.
    """
    with open_run(run) as opened:
        task = _speech_task(opened)
        mixtures = [_beginning(mixture) for mixture in _spread(task, count)]
        clips: list[list[Clip]] = []
        for mixture in mixtures:
            first = (("noisy input", mixture.noisy), ("clean speech", mixture.clean))
            clips.append([_clip(label, samples, mixture) for label, samples in first])
        notes = []
        for name in variants or [_usual_variant(opened)]:
            network = _Network(opened, task, name)
            notes += network.notes
            for heard, more in zip(clips, network.clips(mixtures), strict=True):
                heard += more
    examples = zip(mixtures, clips, strict=True)
    return Listening(tuple(_example(mixture, heard) for mixture, heard in examples), tuple(notes))


def _speech_task(run: Run) -> Speech:
    if run.record.name != Speech.name:
        raise UsageError(f"{run.space.root} is a run of {run.record.name}: --audio is of speech")
    task = run.task
    assert isinstance(task, Speech)
    return task


def _usual_variant(run: Run) -> str:
    """Return the name of the variant to ship, else of the newest one."""
    answer = run.space.root / FOLDER / ANSWER
    if answer.exists():
        advice = "the same `tinyprune sweep` makes it again"
        ship = read_sealed_as(answer, SweepAnswer, advice).ship
        if ship is not None:
            return ship.variant
    return find_graph(run.space.root, None).parent.name


def _spread(task: Speech, count: int) -> list[NoisyUtterance]:
    """Return mixtures of dev from the lowest SNR to the highest, evenly chosen."""
    mixtures = sorted(task.dataset.utterances("dev"), key=lambda each: (each.snr_db, each.name))
    if count >= len(mixtures):
        return mixtures
    middles = (np.arange(count) + 0.5) * len(mixtures) / count
    return [mixtures[int(middle)] for middle in middles]


def _beginning(mixture: NoisyUtterance) -> NoisyUtterance:
    """Return the first seconds of a mixture, with the samples that its file has."""
    samples = SECONDS * SAMPLE_RATE
    noisy = to_int16(mixture.noisy[:samples]).astype(np.float32) / np.float32(2**15)
    return NoisyUtterance(
        mixture.name,
        mixture.snr_db,
        mixture.category,
        noisy,
        mixture.clean[:samples],
        mixture.speaker,
    )


class _Network:
    """A variant that is heard, in float where there is Keras, and as the device computes it.

    Attributes:
        notes: what computes it, and what is left out.
    """

    def __init__(self, run: Run, task: Speech, name: str) -> None:
        self._run = run
        self._task = task
        graph = find_graph(run.space.root, name)
        self._variant = run.require(name)
        reference = reference_of(flatbuffer.load(graph))
        self._denoiser = _denoiser(graph, reference)
        self._engine = reference.engine.name
        self._missing = _why_without_float(self._variant)
        self.notes = [_note_of_engine(name, reference)]
        if self._missing:
            self.notes.append(f"{name}: its float network is left out, {self._missing}")

    def clips(self, mixtures: Sequence[NoisyUtterance]) -> list[list[Clip]]:
        """Return the clips of each mixture."""
        name = self._variant.name
        made: list[list[Clip]] = [[] for _ in mixtures]
        if not self._missing:
            for heard, mixture, samples in zip(made, mixtures, self._float(mixtures), strict=True):
                heard.append(_clip(f"{name}, float32", samples, mixture))
        for heard, mixture in zip(made, mixtures, strict=True):
            samples = self._on_device(mixture.noisy)
            heard.append(_clip(f"{name}, int8 by {self._engine}", samples, mixture))
        return made

    def _float(self, mixtures: Sequence[NoisyUtterance]) -> list[Float32Array]:
        from tinyprune.export.forward import of_keras

        forward = of_keras(self._run.load_network(self._variant))
        enhanced = dict(self._task.enhancer(forward)(list(mixtures)))
        return [enhanced[number] for number in range(len(mixtures))]

    def _on_device(self, noisy: Float32Array) -> Float32Array:
        """Return what `tinyprune enhance` makes of a recording."""
        stream = SignalStream(self._denoiser, SAMPLE_RATE, channels=1)
        parts = [stream.push(noisy[:, None]), stream.finish()]
        return np.concatenate(parts)[:, 0]


def _denoiser(graph: Path, reference: Reference) -> Denoiser:
    """Return the network as `enhance` has it: by TFLM where it can, else by its usual one."""
    if reference.engine.name == LITERT:
        return Denoiser(graph)
    return Denoiser(graph, make_engine=lambda: reference.engine)


def _why_without_float(variant: Variant) -> str:
    """Return why a variant cannot be heard in float; empty where it can."""
    if is_offline(variant):
        return "which a pruning offline does not have"
    if not extras.can_train():
        return f"which needs {extras.install_line(extras.TRAIN)}"
    return ""


def _note_of_engine(name: str, reference: Reference) -> str:
    engine = reference.engine.name
    reason = f"; {reference.reason}" if reference.reason else ""
    if engine == LITERT:
        return f"{name}, int8: by {engine}, whose LSTM rounds unlike a device's{reason}"
    return f"{name}, int8: as the device computes it, by {engine}{reason}"


def _clip(label: str, samples: Float32Array, mixture: NoisyUtterance) -> Clip:
    """Return a recording with its ratio to the clean speech, which has none to itself."""
    ratio = None
    if samples is not mixture.clean and is_defined(mixture.clean, samples):
        ratio = si_sdr_db(mixture.clean, samples)
    return Clip(label, to_wav(samples, SAMPLE_RATE), ratio)


def _example(mixture: NoisyUtterance, clips: Sequence[Clip]) -> Example:
    return Example(
        name=mixture.name,
        category=mixture.category,
        snr_db=float(mixture.snr_db),
        seconds=len(mixture.noisy) / SAMPLE_RATE,
        clips=tuple(clips),
    )
