"""Conditioning of samples before the front end, hop by hop, as a device does it.

A network has learned from recordings of certain levels, around zero. Microphones deliver others:
with a constant offset, and tens of decibels quieter.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array
from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd

#: Corner of the high-pass that takes a constant out, in Hz: far below speech.
DC_CORNER_HZ = 2.0
#: Seconds in which the level that is followed falls by a factor e in power.
DECAY_SECONDS = 5.0
#: The most that features are amplified, in dB.
MOST_GAIN_DB = 50.0
LEAST_POWER = 1e-12


@dataclass
class ConditioningState:
    """The memory of conditioning from hop to hop.

    Attributes:
        last_input, last_output: of the high-pass; None where a signal starts.
        power: that is followed, of full scale 1.
    """

    last_input: float | None = None
    last_output: float = 0.0
    power: float = 0.0


@dataclass(frozen=True)
class Conditioning:
    """A high-pass for the samples and a gain for the features.

    Attributes:
        dc_pole: of the high-pass ``y[n] = x[n] - x[n-1] + dc_pole y[n-1]``; 0: there is none.
        level_decay: factor by which the followed power falls per hop.
        most_gain_db: the most that features are amplified.
        usual_dbfs: level of the loudest hops below which features are amplified; None: never.
            It is the median of the training: a network does a little worse on quieter recordings
            even where it has learned them.
    """

    dc_pole: float = 0.0
    level_decay: float = 0.0
    most_gain_db: float = MOST_GAIN_DB
    usual_dbfs: float | None = None

    @classmethod
    def of(cls, frontend: FrontEnd) -> "Conditioning":
        """Return the conditioning of the front end that a network was trained with."""
        return cls(
            dc_pole=1 - 2 * math.pi * DC_CORNER_HZ / frontend.sample_rate,
            level_decay=math.exp(-frontend.hop_seconds / DECAY_SECONDS),
            usual_dbfs=frontend.usual_dbfs,
        )

    def without_dc(self, state: ConditioningState, samples: Float32Array) -> Float32Array:
        """Return a hop of samples (hop,) without its constant part.

        A signal starts as if it had been at the mean of its first hop for ever.
        """
        if not self.dc_pole:
            return samples
        if state.last_input is None:
            state.last_input = float(np.mean(samples, dtype=np.float64))
        impulse, decay = _high_pass(self.dc_pole, len(samples))
        steps = np.diff(samples.astype(np.float64), prepend=state.last_input)
        blocked = impulse @ steps + decay * state.last_output
        state.last_input = float(samples[-1])
        state.last_output = float(blocked[-1])
        return blocked.astype(np.float32)

    def gain(self, state: ConditioningState, samples: Float32Array) -> np.float32:
        """Return the factor of the magnitudes of this hop's frame, at least 1.

        The followed power is that of the loudest hop so far, which falls slowly:
        ``P = max(p, level_decay P)``. Where it is below the usual one of training,
        features are those of that level: ``sqrt(P_usual / P)``, limited to ``most_gain_db``.
        """
        if self.usual_dbfs is None:
            return np.float32(1)
        power = float(np.mean(np.square(samples, dtype=np.float64)))
        state.power = max(power, self.level_decay * state.power, LEAST_POWER)
        gain_db = self.usual_dbfs - 10 * math.log10(state.power)
        return np.float32(10 ** (min(max(gain_db, 0.0), self.most_gain_db) / 20))


def frame_gains(frontend: FrontEnd, signals: Float32Array) -> Float32Array | None:
    """Return the gains of the frames of whole signals, as a stream has them, (batch, frames).

    Signals are (batch, samples), their frames those of :func:`tinyprune.audio.stft.analyse`. None
    where training did not follow the level.
    """
    if not frontend.follows_level:
        return None
    conditioning = Conditioning.of(frontend)
    padded = stft.pad(signals, frontend.hop)[:, frontend.hop :]
    hops = padded.reshape(len(signals), -1, frontend.hop)
    gains = [_gains_of_hops(conditioning, signal) for signal in hops]
    return np.stack(gains)


def _gains_of_hops(conditioning: Conditioning, hops: Float32Array) -> Float32Array:
    """Return the gains (hops,) of the hops of one signal, (hops, hop)."""
    state = ConditioningState()
    return np.stack([conditioning.gain(state, hop) for hop in hops])


@cache
def _high_pass(pole: float, samples: int) -> tuple[Float64Array, Float64Array]:
    """Return a hop's high-pass as a matrix (samples, samples) and a vector (samples,).

    ``y = matrix @ (x[n] - x[n-1]) + vector * y[-1]``, with ``matrix[n, k] = pole^(n - k)`` up to
    the diagonal and ``vector[n] = pole^(n + 1)``. A hop takes one product, and no library has to
    be loaded while samples are waiting.
    """
    places = np.arange(samples)
    impulse = np.tril(pole ** np.maximum(places[:, None] - places, 0).astype(np.float64))
    decay = np.power(pole, places + 1.0, dtype=np.float64)
    return impulse, decay


def loudest_hop_dbfs(signals: Float32Array, hop: int) -> Float64Array:
    """Return the level of the loudest hop of each signal, (n,), of (n, samples), in dB."""
    samples = signals.shape[1] // hop * hop
    hops = signals[:, :samples].reshape(len(signals), -1, hop).astype(np.float64)
    power = np.square(hops).mean(axis=2).max(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, LEAST_POWER)))
