"""The front end of a keyword network for firmware: the counterpart of :mod:`.device`."""

from dataclasses import asdict, dataclass

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device import DeviceGraph, Indices, Numbers, graph_fields, numbers, packed
from tinyprune.audio.mfcc import LOG_OFFSET, MfccFrontEnd
from tinyprune.audio.stft import hann

_FEATURES = (
    "of each of the frames, stride samples apart, "
    "x = window samples with a full scale of 1.0 and zeros up to fft: "
    "X = rfft(analysis_window * x); c = dct ln(mel |X| + log_offset); features = (c - mean) / std; "
    "input = clamp(round(features / input_scale) + input_zero_point)"
)


@dataclass(frozen=True, kw_only=True)
class DeviceMfcc(DeviceGraph):
    """The front end of a network that tells keywords apart by the MFCC of a clip.

    Attributes:
        sample_rate, samples, window, stride, bands, low_hz, high_hz, coefficients, mean, std: as in
            :class:`tinyprune.audio.mfcc.MfccFrontEnd`.
        frames: of one clip. fft: length of the Fourier transform.
        log_offset: added to the mel bands before the natural logarithm.
        features: computations before the network, in words.
        analysis_window: (window,).
        mel_first, mel_lengths, mel_weights: packed matrix (bands, bins) from magnitudes to mel
            bands.
        dct: (coefficients, bands), row by row.
    """

    sample_rate: int
    samples: int
    window: int
    stride: int
    frames: int
    fft: int
    bands: int
    low_hz: float
    high_hz: float
    coefficients: int
    log_offset: float
    features: str
    mean: Numbers
    std: Numbers
    analysis_window: Numbers
    mel_first: Indices
    mel_lengths: Indices
    mel_weights: Numbers
    dct: Numbers


def device_mfcc(frontend: MfccFrontEnd, artifact: TFLiteArtifact) -> DeviceMfcc:
    """Return the record of a keyword network's front end for its graph.

    The file of the graph is read for its types.
    """
    return DeviceMfcc(
        **graph_fields(artifact, "none: every call stands for itself"),
        **asdict(frontend),
        frames=frontend.frames,
        fft=frontend.fft,
        log_offset=LOG_OFFSET,
        features=_FEATURES,
        analysis_window=numbers(hann(frontend.window)),
        **packed("mel", frontend.mel().T),
        dct=numbers(frontend.dct().T),
    )
