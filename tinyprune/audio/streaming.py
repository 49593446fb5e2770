"""The front end one hop at a time, as a device runs it.

A hop of samples goes in and features come out; a mask goes in and a hop comes out.

The state is a record that the caller owns, as in C. The numbers come from a device's record alone,
or from the front end that a network was trained with; both give the features of training.
"""

from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.conditioning import Conditioning, ConditioningState
from tinyprune.audio.device import DeviceFrontEnd, latency_samples, unpack
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.stft import Spectrum


@dataclass
class StreamState:
    """The memory from hop to hop; all zero where a signal starts.

    Attributes:
        before: the hop of samples before, (hop,).
        spectrum: of the frame that waits for its mask, (bins,).
        tail: second half of the last enhanced frame, (hop,).
        conditioning: of the samples that came in.
    """

    before: Float32Array
    spectrum: Spectrum
    tail: Float32Array
    conditioning: ConditioningState = field(default_factory=ConditioningState)


class StreamingFrontEnd:
    """Framing, features and synthesis, one hop at a time.

    ::

        state = front_end.start()
        for hop in hops:
            enhanced = front_end.synthesise(state, network(front_end.analyse(state, hop)))

    The samples that come out belong to the hop before the one that went in.

    Attributes:
        sample_rate: Hz. hop: samples in and out per call. hop_ms: their length in milliseconds.
        bands: features of a frame, and numbers of its mask.
        latency: samples from the moment a sample goes in to the moment it comes out, waiting for
            its hop included.
    """

    def __init__(self, record: FrontEnd | DeviceFrontEnd) -> None:
        frontend = record.frontend if isinstance(record, DeviceFrontEnd) else record
        self.sample_rate = frontend.sample_rate
        self.hop = frontend.hop
        self.bands = frontend.bands
        self.hop_ms = 1000 * frontend.hop_seconds
        self.latency = latency_samples(frontend)
        self._frame = frontend.frame
        self._power = np.float32(frontend.power)
        self._mean = np.asarray(frontend.mean, np.float32)
        self._std = np.asarray(frontend.std, np.float32)
        self._tables = _tables(record)
        self._conditioning = _conditioning(record)

    def start(self) -> StreamState:
        """Return the state in which a signal starts."""
        bins = self._frame // 2 + 1
        return StreamState(
            before=np.zeros(self.hop, np.float32),
            spectrum=np.zeros(bins, np.complex64),
            tail=np.zeros(self.hop, np.float32),
        )

    def analyse(self, state: StreamState, samples: Float32Array) -> Float32Array:
        """Return normalised features (bands,) of the frame that ends with this hop of samples.

        Samples are (hop,), with a full scale of 1. They are conditioned first: a constant is taken
        out, and features of quiet recordings are those of the quietest that was learned.
        """
        samples = self._conditioning.without_dc(state.conditioning, samples)
        gain = self._conditioning.gain(state.conditioning, samples)
        frame = np.concatenate([state.before, samples]) * self._tables.window
        state.spectrum = np.fft.rfft(frame).astype(np.complex64)
        state.before = np.array(samples, np.float32)
        magnitude = np.abs(state.spectrum) @ self._tables.mel * gain
        return (magnitude**self._power - self._mean) / self._std

    def synthesise(self, state: StreamState, mask: Float32Array) -> Float32Array:
        """Return the enhanced hop (hop,) that the mask (bands,) of the last frame completes."""
        masked = state.spectrum * (mask @ self._tables.spread)
        frame = np.fft.irfft(masked, self._frame).astype(np.float32) * self._tables.synthesis
        enhanced = state.tail + frame[: self.hop]
        state.tail = frame[self.hop :]
        return enhanced


@dataclass(frozen=True)
class _Tables:
    """The arrays of a front end.

    Attributes:
        window, synthesis: windows (frame,). mel: (bins, bands). spread: (bands, bins).
    """

    window: Float32Array
    synthesis: Float32Array
    mel: Float32Array
    spread: Float32Array


def _conditioning(record: FrontEnd | DeviceFrontEnd) -> Conditioning:
    """Return the conditioning: that of the front end, or that of a device's record."""
    if isinstance(record, FrontEnd):
        return Conditioning.of(record)
    return Conditioning(record.dc_pole, record.level_decay, record.most_gain_db, record.usual_dbfs)


def _tables(record: FrontEnd | DeviceFrontEnd) -> _Tables:
    """Return the arrays: computed, or those of a device's record."""
    if isinstance(record, FrontEnd):
        return _Tables(
            window=stft.hann(record.frame),
            synthesis=stft.synthesis_window(record.frame),
            mel=record.mel(),
            spread=record.spread(),
        )
    bins = record.fft // 2 + 1
    mel = unpack(record.mel_first, record.mel_lengths, record.mel_weights, bins)
    spread = unpack(record.spread_first, record.spread_lengths, record.spread_weights, record.bands)
    return _Tables(
        window=np.asarray(record.analysis_window, np.float32),
        synthesis=np.asarray(record.synthesis_window, np.float32),
        mel=np.ascontiguousarray(mel.T),
        spread=np.ascontiguousarray(spread.T),
    )
