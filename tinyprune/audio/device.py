"""The front end of a network for firmware: one flat JSON beside the ``.tflite``.

``FORM.frontend.json`` has the fields of the front end that the network was trained with, and all
that follows from them: window, matrices, scales, the state between two calls, the latency. Nothing
has to be computed again, and nothing but the file is needed (:mod:`tinyprune.audio.streaming` runs
on it).

Matrices are packed, row by row, as CMSIS-DSP's ``arm_mfcc_init_f32`` takes its mel filters: row
``r`` is zero but for ``LENGTHS[r]`` numbers from column ``FIRST[r]`` on, which follow each other in
``WEIGHTS``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import ContextState, TFLiteArtifact
from tinyprune.audio import stft
from tinyprune.audio.conditioning import Conditioning
from tinyprune.audio.device_check import mismatch, mismatch_of_device
from tinyprune.audio.frontend import FrontEnd
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.records import read_json
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Tensor

Numbers = tuple[float, ...]
Indices = tuple[int, ...]

_CONDITIONING = (
    "samples first go through y[n] = x[n] - x[n-1] + dc_pole * y[n-1]; "
    "the x before the first is the mean of the first hop, the y before it is 0; "
    "p = mean(y^2) of the hop; level = max(p, level_decay * level, 1e-12), which starts at 0; "
    "gain = min(10 ** (most_gain_db / 20), max(1, sqrt(10 ** (usual_dbfs / 10) / level))), "
    "or 1 without usual_dbfs; features are those of gain * m"
)
_SPEECH_FEATURES = (
    "x = the hop before (zeros at first), then this hop, of samples with a full scale of 1.0; "
    "X = rfft(analysis_window * x); m = mel |X|; features = (m ** power - mean) / std; "
    "input = clamp(round(features / input_scale) + input_zero_point)"
)
_SPEECH_SYNTHESIS = (
    "mask = output_scale * (output - output_zero_point), "
    "but at least 10 ** (-max_attenuation_db / 20) where there is max_attenuation_db; "
    "y = synthesis_window * irfft((spread mask) X); "
    "the hop of samples that goes out = "
    "the first half of y + the second half of the y before (zeros at first)"
)
_INSIDE = "kept inside the graph between calls (variable tensors); reset them to start an utterance"
_CONTEXTS = (
    "after each call copy the bytes of each context's output to its input; "
    "an utterance starts with the zero point in every number"
)


@dataclass(frozen=True, kw_only=True)
class DeviceGraph:
    """The interface of the graph of a device record.

    Attributes:
        model: name of the ``.tflite`` that the record belongs to; sha256: of its content.
        input_dtype, input_scale, input_zero_point: float = scale * (integer - zero_point).
        output_dtype, output_scale, output_zero_point: the same for the output.
        state: the memory of the graph from call to call, in words.
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
        features, synthesis: computations before and after the network, in words.
        conditioning: what comes before them, in words; dc_pole, level_decay, most_gain_db: its
            numbers. Empty and 0 in records of before: samples are taken as they are.
        usual_dbfs, follows_level, max_attenuation_db: as in
            :class:`tinyprune.audio.frontend.FrontEnd`.
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
    conditioning: str = ""
    dc_pole: float = 0.0
    level_decay: float = 0.0
    most_gain_db: float = 0.0
    usual_dbfs: float | None = None
    follows_level: bool = False
    max_attenuation_db: float | None = None

    @property
    def frontend(self) -> FrontEnd:
        """The front end that the network was trained with."""
        return FrontEnd(
            self.sample_rate,
            self.frame,
            self.bands,
            self.power,
            self.mean,
            self.std,
            self.usual_dbfs,
            self.follows_level,
            self.max_attenuation_db,
        )


def latency_samples(frontend: FrontEnd) -> int:
    """Return the samples from the moment that one goes in until it comes out enhanced: a frame.

    A sample waits for its hop to be complete, and that hop's output for the next hop, whose frame
    overlaps it.
    """
    wait_for_its_hop = frontend.hop
    overlap = frontend.frame - frontend.hop
    return wait_for_its_hop + overlap


def device_front_end(frontend: FrontEnd, artifact: TFLiteArtifact) -> DeviceFrontEnd:
    """Return the record of a speech network's front end for one of its graphs.

    The file of the graph is read for its types.
    """
    latency = latency_samples(frontend)
    conditioning = Conditioning.of(frontend)
    return DeviceFrontEnd(
        **graph_fields(artifact, _CONTEXTS if artifact.contexts else _INSIDE),
        **asdict(frontend),
        hop=frontend.hop,
        fft=frontend.frame,
        latency_samples=latency,
        latency_seconds=latency / frontend.sample_rate,
        features=_SPEECH_FEATURES,
        synthesis=_SPEECH_SYNTHESIS,
        conditioning=_CONDITIONING,
        dc_pole=conditioning.dc_pole,
        level_decay=conditioning.level_decay,
        most_gain_db=conditioning.most_gain_db,
        analysis_window=numbers(stft.hann(frontend.frame)),
        synthesis_window=numbers(stft.synthesis_window(frontend.frame)),
        **packed("mel", frontend.mel().T),
        **packed("spread", frontend.spread().T),
    )


def unpack(first: Indices, lengths: Indices, weights: Numbers, columns: int) -> Float32Array:
    """Return the dense matrix (rows, columns) of a packed one."""
    matrix = np.zeros((len(first), columns), np.float32)
    ends = np.cumsum(lengths)
    weights_by_row = np.split(np.asarray(weights), ends[:-1])
    for row, start, values in zip(matrix, first, weights_by_row, strict=True):
        row[start : start + len(values)] = values
    return matrix


def frontend_of(record: FrontEnd | DeviceFrontEnd) -> FrontEnd:
    """Return the front end that a network was trained with, of either record of it."""
    if isinstance(record, DeviceFrontEnd):
        return record.frontend
    return record


def record_beside(model: Path, record_file: Path | None = None) -> FrontEnd | DeviceFrontEnd:
    """Return the record of the front end of a model file of speech.

    It is that of ``record_file``. Without one it is that of the first of these files:
    ``STEM.frontend.json`` beside the model, ``frontend.json`` in its folder,
    ``../baseline/frontend.json``. Of a device's record it is all of it, so that nothing has to be
    computed again. Raises UsageError if there is none, or if it is not that of a
    speech-enhancement network.
    """
    path = _record_path(model, record_file)
    try:
        record: FrontEnd | DeviceFrontEnd = read_json(path, FrontEnd)
        if "mel_weights" in path.read_text():
            record = read_json(path, DeviceFrontEnd)
    except TinypruneError as error:
        raise UsageError(
            f"{path} is no front end: expected the JSON that train or export wrote"
        ) from error

    problem = mismatch(record)
    if not problem and isinstance(record, DeviceFrontEnd):
        problem = mismatch_of_device(record)
    if problem:
        raise UsageError(f"{path} is not the front end of a speech-enhancement network: {problem}")
    return record


def _record_path(model: Path, record_file: Path | None) -> Path:
    """Return the file of a front end. Raises UsageError if there is none."""
    candidates = [
        model.with_name(f"{model.stem}.frontend.json"),
        model.with_name("frontend.json"),
        model.absolute().parents[1] / "baseline" / "frontend.json",
    ]
    if record_file:
        candidates = [record_file]
    for path in candidates:
        if path.is_file():
            return path

    problem = f"no front end beside {model}"
    if record_file:
        problem = f"there is no file {record_file}"
    raise UsageError(
        f"{problem}: give the STEM.frontend.json of its export, "
        "or frontend.json of its run's baseline"
    )


def graph_fields(artifact: TFLiteArtifact, state: str) -> dict[str, Any]:
    """Return the fields of a :class:`DeviceGraph`; ``state`` is its memory in words."""
    graph = flatbuffer.read(artifact.path)
    input_positions = {context.input_position for context in artifact.contexts}
    output_positions = {context.output_position for context in artifact.contexts}
    features = _first_without(graph.inputs, input_positions)
    prediction = _first_without(graph.outputs, output_positions)
    return {
        "model": artifact.path.name,
        "sha256": artifact.sha256,
        "input_dtype": features.dtype,
        "input_scale": artifact.input_scale,
        "input_zero_point": artifact.input_zero_point,
        "output_dtype": prediction.dtype,
        "output_scale": artifact.output_scale,
        "output_zero_point": artifact.output_zero_point,
        "state": state,
        "contexts": artifact.contexts,
    }


def _first_without(tensors: Sequence[Tensor], positions: set[int]) -> Tensor:
    """Return the first tensor that stands at none of these positions: those of contexts."""
    for position, tensor in enumerate(tensors):
        if position not in positions:
            return tensor
    raise TinypruneError("a graph whose tensors are all contexts has no features")


def numbers(values: Float32Array) -> Numbers:
    """Return float32 numbers, in the fewest digits that give the same float32 again."""
    return tuple(float(str(value)) for value in np.asarray(values, np.float32).ravel())


def packed(name: str, matrix: Float32Array) -> dict[str, Any]:
    """Return the three fields of a packed matrix (rows, columns); ``name`` begins theirs."""
    firsts = []
    lengths = []
    weights = []
    for row in matrix:
        first = 0
        end = 0
        nonzero = np.flatnonzero(row)
        if len(nonzero):
            first = int(nonzero[0])
            end = int(nonzero[-1]) + 1
        firsts.append(first)
        lengths.append(end - first)
        weights.append(row[first:end])
    return {
        f"{name}_first": tuple(firsts),
        f"{name}_lengths": tuple(lengths),
        f"{name}_weights": numbers(np.concatenate(weights)),
    }
