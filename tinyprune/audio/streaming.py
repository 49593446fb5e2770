"""The front end one hop at a time, as a device runs it: a hop of samples in, features out; a mask in, a hop out.

The state is a record that the caller owns, as in C. The numbers come from a device's record alone,
or from the front end that a network was trained with; both give the features of training.
"""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.device import DeviceFrontEnd, latency_samples, unpack
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.stft import Spectrum


@dataclass
class StreamState:
    """What is remembered from hop to hop; all zero where a signal starts.

    Attributes:
        before: the hop of samples before, (hop,).
        spectrum: of the frame that waits for its mask, (bins,).
        tail: second half of the last enhanced frame, (hop,).
    """

    before: Float32Array
    spectrum: Spectrum
    tail: Float32Array


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
        self.sample_rate, self.hop, self.bands = frontend.sample_rate, frontend.hop, frontend.bands
        self.hop_ms, self.latency = 1000 * frontend.hop_seconds, latency_samples(frontend)
        self._frame, self._power = frontend.frame, np.float32(frontend.power)
        self._mean, self._std = (
            np.asarray(values, np.float32) for values in (frontend.mean, frontend.std)
        )
        self._window, self._synthesis, self._mel, self._spread = _tables(record)

    def start(self) -> StreamState:
        """The state in which a signal starts."""
        bins = self._frame // 2 + 1
        return StreamState(
            np.zeros(self.hop, np.float32),
            np.zeros(bins, np.complex64),
            np.zeros(self.hop, np.float32),
        )

    def analyse(self, state: StreamState, samples: Float32Array) -> Float32Array:
        """Normalised features (bands,) of the frame that ends with this hop of samples (hop,), full scale 1."""
        frame = np.concatenate([state.before, samples]) * self._window
        state.spectrum = np.fft.rfft(frame).astype(np.complex64)
        state.before = np.array(samples, np.float32)
        return ((np.abs(state.spectrum) @ self._mel) ** self._power - self._mean) / self._std

    def synthesise(self, state: StreamState, mask: Float32Array) -> Float32Array:
        """The enhanced hop of samples (hop,) that the mask (bands,) of the last frame completes."""
        masked = state.spectrum * (mask @ self._spread)
        frame = np.fft.irfft(masked, self._frame).astype(np.float32) * self._synthesis
        enhanced = state.tail + frame[: self.hop]
        state.tail = frame[self.hop :]
        return enhanced


def _tables(
    record: FrontEnd | DeviceFrontEnd,
) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
    """Window, synthesis window, mel matrix (bins, bands) and spread matrix (bands, bins)."""
    if isinstance(record, FrontEnd):
        return (
            stft.hann(record.frame),
            stft.synthesis_window(record.frame),
            record.mel(),
            record.spread(),
        )
    window, synthesis = (
        np.asarray(values, np.float32)
        for values in (record.analysis_window, record.synthesis_window)
    )
    mel = unpack(record.mel_first, record.mel_lengths, record.mel_weights, record.fft // 2 + 1)
    spread = unpack(record.spread_first, record.spread_lengths, record.spread_weights, record.bands)
    return window, synthesis, np.ascontiguousarray(mel.T), np.ascontiguousarray(spread.T)
