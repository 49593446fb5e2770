"""The front end of a network as firmware needs it: one flat JSON beside the ``.tflite``, with every number in it.

``FORM.frontend.json`` has the fields of the front end that the network was trained with, and what
follows from them: window, matrices, scales, the state between two calls, the latency. Nothing has
to be computed again, and nothing but the file is needed (:mod:`tinyprune.audio.streaming` runs on
it).

Matrices are packed, row by row, as CMSIS-DSP's ``arm_mfcc_init_f32`` takes its mel filters: row
``r`` is zero but for ``LENGTHS[r]`` numbers from column ``FIRST[r]`` on, which follow each other in
``WEIGHTS``.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import ContextState, TFLiteArtifact
from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.records import read_json
from tinyprune.tflite import flatbuffer

Numbers = tuple[float, ...]
Indices = tuple[int, ...]

_SPEECH_FEATURES = (
    "x = the hop before (zeros at first), then this hop, of samples with a full scale of 1.0; "
    "X = rfft(analysis_window * x); m = mel |X|; features = (m ** power - mean) / std; "
    "input = clamp(round(features / input_scale) + input_zero_point)"
)
_SPEECH_SYNTHESIS = (
    "mask = output_scale * (output - output_zero_point); y = synthesis_window * irfft((spread mask) X); "
    "the hop of samples that goes out = the first half of y + the second half of the y before (zeros at first)"
)
_INSIDE = "kept inside the graph between calls (variable tensors); reset them to start an utterance"
_CONTEXTS = (
    "after each call copy the bytes of each context's output to its input; "
    "an utterance starts with the zero point in every byte"
)


@dataclass(frozen=True, kw_only=True)
class DeviceGraph:
    """How the graph of a device record is called.

    Attributes:
        model: name of the ``.tflite`` that the record belongs to; sha256: of its content.
        input_dtype, input_scale, input_zero_point: float = scale * (integer - zero_point).
        output_dtype, output_scale, output_zero_point: the same for the output.
        state: what the graph remembers from call to call, in words.
        contexts: states that go in and come out of every call.
    """

    model: str
    sha256: str
    input_dtype: str
    input_scale: float
    input_zero_point: int
    output_dtype: str
    output_scale: float
    output_zero_point: int
    state: str
    contexts: tuple[ContextState, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeviceFrontEnd(DeviceGraph):
    """The front end of a network that makes a mask of mel features, frame by frame.

    Attributes:
        sample_rate, frame, bands, power, mean, std: as in
            :class:`tinyprune.audio.frontend.FrontEnd`.
        hop: samples that go in and come out per call. fft: length of the Fourier transform.
        latency_samples, latency_seconds: from the moment a sample goes in to the moment it comes
            out enhanced.
        features, synthesis: what to compute before and after the network, in words.
        analysis_window, synthesis_window: (frame,).
        mel_first, mel_lengths, mel_weights: packed matrix (bands, bins) from magnitudes to mel
            bands.
        spread_first, spread_lengths, spread_weights: packed matrix (bins, bands) from the mask to
            gains.
    """

    sample_rate: int
    frame: int
    bands: int
    power: float
    hop: int
    fft: int
    latency_samples: int
    latency_seconds: float
    features: str
    synthesis: str
    mean: Numbers
    std: Numbers
    analysis_window: Numbers
    synthesis_window: Numbers
    mel_first: Indices
    mel_lengths: Indices
    mel_weights: Numbers
    spread_first: Indices
    spread_lengths: Indices
    spread_weights: Numbers

    @property
    def frontend(self) -> FrontEnd:
        """What the network was trained with."""
        return FrontEnd(self.sample_rate, self.frame, self.bands, self.power, self.mean, self.std)


def latency_samples(frontend: FrontEnd) -> int:
    """Samples from the moment a sample goes in to the moment it comes out enhanced: one frame.

    A sample waits for its hop to be complete, and that hop's output for the next hop, whose frame
    overlaps it.
    """
    waits_for_its_hop, overlap = frontend.hop, frontend.frame - frontend.hop
    return waits_for_its_hop + overlap


def device_front_end(frontend: FrontEnd, artifact: TFLiteArtifact) -> DeviceFrontEnd:
    """The record of a speech network's front end for one of its graphs, whose file is read for its types."""
    latency = latency_samples(frontend)
    return DeviceFrontEnd(
        **graph_fields(artifact, _CONTEXTS if artifact.contexts else _INSIDE),
        **asdict(frontend),
        hop=frontend.hop,
        fft=frontend.frame,
        latency_samples=latency,
        latency_seconds=latency / frontend.sample_rate,
        features=_SPEECH_FEATURES,
        synthesis=_SPEECH_SYNTHESIS,
        analysis_window=numbers(stft.hann(frontend.frame)),
        synthesis_window=numbers(stft.synthesis_window(frontend.frame)),
        **packed("mel", frontend.mel().T),
        **packed("spread", frontend.spread().T),
    )


def unpack(first: Indices, lengths: Indices, weights: Numbers, columns: int) -> Float32Array:
    """The dense matrix (rows, columns) of a packed one."""
    matrix = np.zeros((len(first), columns), np.float32)
    for row, start, values in zip(
        matrix, first, np.split(np.asarray(weights), np.cumsum(lengths)[:-1]), strict=True
    ):
        row[start : start + len(values)] = values
    return matrix


def frontend_beside(model: Path, given: Path | None = None) -> FrontEnd:
    """The front end of a model file of speech: the given record, else the one beside the model, else its run's.

    Looked for: ``STEM.frontend.json`` beside the model, ``frontend.json`` in its folder,
        ``../baseline/frontend.json``.

    Raises UsageError if there is none, or if it is not that of a speech-enhancement network.
    """
    found = record_beside(model, given)
    return found.frontend if isinstance(found, DeviceFrontEnd) else found


def record_beside(model: Path, given: Path | None = None) -> FrontEnd | DeviceFrontEnd:
    """As :func:`frontend_beside`; of a device's record all of it, so that nothing has to be computed again."""
    beside = (
        model.with_name(f"{model.stem}.frontend.json"),
        model.with_name("frontend.json"),
        model.absolute().parents[1] / "baseline" / "frontend.json",
    )
    found = [path for path in ([given] if given else beside) if path.is_file()]
    if not found:
        what = f"there is no file {given}" if given else f"no front end beside {model}"
        raise UsageError(
            f"{what}: give the STEM.frontend.json of its export, or frontend.json of its run's baseline"
        )
    try:
        record = read_json(found[0], FrontEnd)
        frontend = (
            read_json(found[0], DeviceFrontEnd) if "mel_weights" in found[0].read_text() else record
        )
    except TinypruneError as error:
        raise UsageError(
            f"{found[0]} is no front end: expected the JSON that train or export wrote"
        ) from error
    if not (len(record.mean) == len(record.std) == record.bands > 0):
        raise UsageError(
            f"{found[0]} is not the front end of a speech-enhancement network: expected the mean and the deviation of "
            "each of its mel bands"
        )
    return frontend


def graph_fields(artifact: TFLiteArtifact, state: str) -> dict[str, Any]:
    """The fields of a :class:`DeviceGraph`."""
    graph = flatbuffer.read(artifact.path)
    inputs, outputs = ([*side] for side in (graph.inputs, graph.outputs))
    for context in sorted(artifact.contexts, key=lambda context: -context.input_position):
        inputs.pop(context.input_position)
    for context in sorted(artifact.contexts, key=lambda context: -context.output_position):
        outputs.pop(context.output_position)
    return {
        "model": artifact.path.name,
        "sha256": artifact.sha256,
        "input_dtype": inputs[0].dtype,
        "input_scale": artifact.input_scale,
        "input_zero_point": artifact.input_zero_point,
        "output_dtype": outputs[0].dtype,
        "output_scale": artifact.output_scale,
        "output_zero_point": artifact.output_zero_point,
        "state": state,
        "contexts": artifact.contexts,
    }


def numbers(values: Float32Array) -> Numbers:
    """Float32 numbers, in the fewest digits that give the same float32 again."""
    return tuple(float(str(value)) for value in np.asarray(values, np.float32).ravel())


def packed(name: str, matrix: Float32Array) -> dict[str, Any]:
    """The three fields of a packed matrix (rows, columns)."""
    firsts, lengths, weights = [], [], []
    for row in matrix:
        used = np.flatnonzero(row)
        first, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        firsts.append(first)
        lengths.append(end - first)
        weights.append(row[first:end])
    return {
        f"{name}_first": tuple(firsts),
        f"{name}_lengths": tuple(lengths),
        f"{name}_weights": numbers(np.concatenate(weights)),
    }
