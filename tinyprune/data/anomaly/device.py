"""The front end of a network for anomalies in firmware: the counterpart of ``audio/device.py``."""

import math
from dataclasses import asdict, dataclass

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device import DeviceGraph, Indices, Numbers, graph_fields, numbers, packed
from tinyprune.audio.device_check import LONGEST_FRAME, is_packed
from tinyprune.audio.stft import hann
from tinyprune.data.anomaly.frontend import SMALLEST, LogMelFrontEnd

_FEATURES = (
    "of each of the frames, hop samples apart, x = fft samples with a full scale of 1.0: "
    "X = rfft(analysis_window * x); l = 10 log10(max(mel |X|^2, smallest_power)); "
    "features = (l - mean) / std, frame after frame; "
    "input = clamp(round(features / input_scale) + input_zero_point)"
)
_ANSWER = (
    "error = mean((features - output_scale * (output - output_zero_point))^2), of features that "
    "are not rounded; the error of a recording is the mean over its windows, one at every frame"
)


@dataclass(frozen=True, kw_only=True)
class DeviceLogMel(DeviceGraph):
    """The front end of an autoencoder of log-mel windows.

    Attributes:
        sample_rate, fft, hop, bands, frames, mean, std: as in :class:`LogMelFrontEnd`.
        samples: of a window, ``fft + (frames - 1) * hop``.
        smallest_power: below which the logarithm is cut off.
        features, answer: computations before and after the network, in words.
        analysis_window: (fft,).
        mel_first, mel_lengths, mel_weights: packed matrix (bands, bins) from powers to mel bands.
    """

    sample_rate: int
    fft: int
    hop: int
    bands: int
    frames: int
    samples: int
    smallest_power: float
    features: str
    answer: str
    mean: Numbers
    std: Numbers
    analysis_window: Numbers
    mel_first: Indices
    mel_lengths: Indices
    mel_weights: Numbers

    @property
    def frontend(self) -> LogMelFrontEnd:
        """The front end that the network was trained with."""
        return LogMelFrontEnd(
            self.sample_rate, self.fft, self.hop, self.bands, self.frames, self.mean, self.std
        )


def device_log_mel(frontend: LogMelFrontEnd, artifact: TFLiteArtifact) -> DeviceLogMel:
    """Return the record of the front end of an autoencoder of machine sounds for its graph.

    The file of the graph is read for its types.
    """
    return DeviceLogMel(
        **graph_fields(artifact, "none: every call stands for itself"),
        **asdict(frontend),
        samples=frontend.fft + (frontend.frames - 1) * frontend.hop,
        smallest_power=SMALLEST,
        features=_FEATURES,
        answer=_ANSWER,
        analysis_window=numbers(hann(frontend.fft)),
        **packed("mel", frontend.mel().T),
    )


def mismatch_of_log_mel(record: DeviceLogMel) -> str:
    """Return what does not fit in a record, by the name of its field; empty where all does."""
    if not (1 < record.fft <= LONGEST_FRAME and record.hop > 0 and record.frames > 0):
        return "fft, hop or frames is out of range"
    if record.samples != record.fft + (record.frames - 1) * record.hop:
        return "samples are not those of its frames"
    if len(record.analysis_window) != record.fft:
        return "analysis_window is not as long as a frame"
    mel = (record.mel_first, record.mel_lengths)
    if not is_packed(*mel, len(record.mel_weights), record.bands, record.fft // 2 + 1):
        return "mel_first, mel_lengths and mel_weights are no matrix (bands, bins)"
    return _mismatch_of_numbers(record)


def _mismatch_of_numbers(record: DeviceLogMel) -> str:
    if not len(record.mean) == len(record.std) == record.bands > 0:
        return "expected the mean and the deviation of each of its mel bands"
    for name in ("mean", "std", "analysis_window", "mel_weights"):
        if not all(map(math.isfinite, getattr(record, name))):
            return f"{name} has a number that is not finite"
    if not (record.smallest_power > 0 and min(record.std) > 0):
        return "smallest_power or a deviation is out of range"
    return ""
