"""The front end one hop at a time, as a device runs it.

A hop of samples goes in and features come out; a mask goes in and a hop comes out. Whole signals
give the same numbers, for scoring.

The state is a record that the caller owns, as in C. The numbers come from a device's record alone,
or from the front end that a network was trained with; both give the features of training.
"""

from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.conditioning import Conditioning, ConditioningState
from tinyprune.audio.device import DeviceFrontEnd, frontend_of, latency_samples, unpack
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


@dataclass(frozen=True)
class Conditioned:
    """A whole signal after conditioning, up to the hop that completes its last frame.

    Attributes:
        samples: of complete hops, (hops * hop,). gains: factor of the magnitudes of each hop's
            frame, (hops,).
    """

    samples: Float32Array
    gains: Float32Array

    def followed_by_silence(self, hops: int) -> "Conditioned":
        """Return the same signal at a length of ``hops`` hops, which is at least its own."""
        own = len(self.gains)
        hop = len(self.samples) // own
        samples = np.pad(self.samples, (0, (hops - own) * hop))
        return Conditioned(samples, np.pad(self.gains, (0, hops - own), constant_values=1))


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
        smallest_gain: of any band; smaller numbers of a mask are raised to it.
        latency: samples from the moment a sample goes in to the moment it comes out, waiting for
            its hop included.
    """

    def __init__(self, record: FrontEnd | DeviceFrontEnd) -> None:
        frontend = frontend_of(record)
        self.sample_rate = frontend.sample_rate
        self.hop = frontend.hop
        self.bands = frontend.bands
        self.hop_ms = 1000 * frontend.hop_seconds
        self.latency = latency_samples(frontend)
        self._frame = frontend.frame
        self._power = np.float32(frontend.power)
        self._mean = np.asarray(frontend.mean, np.float32)
        self._std = np.asarray(frontend.std, np.float32)
        self.smallest_gain = frontend.smallest_gain
        self._tables = _tables(record)
        self._conditioning = conditioning_of(record)

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
        masked = state.spectrum * (np.maximum(mask, self.smallest_gain) @ self._tables.spread)
        frame = np.fft.irfft(masked, self._frame).astype(np.float32) * self._tables.synthesis
        enhanced = state.tail + frame[: self.hop]
        state.tail = frame[self.hop :]
        return enhanced

    # --- whole signals

    def condition(self, signal: Float32Array) -> Conditioned:
        """Return a signal (n,) as hop after hop of it is conditioned.

        Silence fills the last hop, and one hop more completes the last frame.
        """
        state = ConditioningState()
        hops = []
        gains = []
        for samples in stft.pad(signal, self.hop).reshape(-1, self.hop)[1:]:
            conditioned = self._conditioning.without_dc(state, samples)
            hops.append(conditioned)
            gains.append(self._conditioning.gain(state, conditioned))
        return Conditioned(np.concatenate(hops), np.asarray(gains, np.float32))

    def analyse_whole(self, conditioned: Conditioned) -> tuple[Spectrum, Float32Array]:
        """Return spectra (frames, bins) and normalised features (frames, bands) of a signal.

        They have the very numbers of :meth:`analyse` hop by hop: int8 inputs are rounded, and a
        recurrent network carries on what a last bit has changed. So each frame is multiplied by the
        filterbank alone, as a stream does it.
        """
        hops = conditioned.samples.reshape(-1, self.hop)
        before = np.concatenate([np.zeros((1, self.hop), np.float32), hops[:-1]])
        frames = np.concatenate([before, hops], axis=1) * self._tables.window
        spectrum = np.fft.rfft(frames).astype(np.complex64)
        bands = np.stack([magnitudes @ self._tables.mel for magnitudes in np.abs(spectrum)])
        magnitude = bands * conditioned.gains[:, None]
        return spectrum, (magnitude**self._power - self._mean) / self._std

    def synthesise_whole(
        self, spectrum: Spectrum, masks: Float32Array, samples: int
    ) -> Float32Array:
        """Return the enhanced signal (samples,) of spectra (frames, bins), masks (frames, bands).

        They are the samples of :meth:`synthesise` hop by hop, up to the rounding of float32.
        """
        masked = spectrum * (np.maximum(masks, self.smallest_gain) @ self._tables.spread)
        frames = np.fft.irfft(masked, self._frame).astype(np.float32) * self._tables.synthesis
        hops = frames[:-1, self.hop :] + frames[1:, : self.hop]
        return hops.reshape(-1)[:samples]


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


def conditioning_of(record: FrontEnd | DeviceFrontEnd) -> Conditioning:
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
