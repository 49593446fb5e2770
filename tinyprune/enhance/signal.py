"""A signal through a network, block by block, in constant memory.

It may have any sampling rate and any number of channels.
"""

import time
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.resampling import LowLatencyResampler
from tinyprune.enhance.denoiser import Denoiser


class SignalStream:
    """Blocks of samples in, enhanced blocks out.

    In all as many samples come out as went in, aligned with them in time.

    Attributes:
        samples: samples per channel that went in. seconds: how long all the work took.
    """

    def __init__(self, denoiser: Denoiser, rate: int, channels: int, is_live: bool = False) -> None:
        """Start a signal of ``rate`` Hz; ``is_live``: somebody waits for what comes out."""
        own = denoiser.front_end.sample_rate
        self._hop = denoiser.front_end.hop
        self._channels = denoiser.channels(channels)
        self._down = _resampler(rate, own, channels, is_live)
        self._up = _resampler(own, rate, channels, is_live)
        self._waiting = np.zeros((0, channels), np.float32)
        self._ahead = self._hop  # what comes out first lies before the signal
        self.samples = 0
        self.seconds = 0.0
        self._made = 0

    def push(self, block: Float32Array) -> Float32Array:
        """Take the next block (n, channels), full scale 1.

        Returns the samples that are finished by now, (m, channels).
        """
        started = time.perf_counter()
        self.samples += len(block)
        made = self._up(self._hops(self._down(block)))
        self._made += len(made)
        self.seconds += time.perf_counter() - started
        return made

    def finish(self) -> Float32Array:
        """The rest of the signal."""
        started = time.perf_counter()
        rest = self._down(self._waiting[:0], last=True)
        # Silence fills the last hop, and one hop more completes it.
        silence = -(len(self._waiting) + len(rest)) % self._hop + self._hop
        made = self._up(self._hops(np.pad(rest, ((0, silence), (0, 0)))), last=True)
        missing = self.samples - self._made
        self.seconds += time.perf_counter() - started
        return np.pad(made[:missing], ((0, max(0, missing - len(made))), (0, 0)))

    @property
    def resampling_seconds(self) -> float:
        """Seconds that resampling both ways adds to the latency of a live signal."""
        ways = (self._down, self._up)
        return sum(way.delay_seconds for way in ways if isinstance(way, LowLatencyResampler))

    def _hops(self, samples: Float32Array) -> Float32Array:
        """The enhanced samples of all complete hops, at the rate of the network."""
        joined = np.concatenate([self._waiting, samples])
        complete = len(joined) // self._hop * self._hop
        self._waiting = joined[complete:]
        made = np.empty_like(joined[:complete])
        for start in range(0, complete, self._hop):
            hop = slice(start, start + self._hop)
            for number, channel in enumerate(self._channels):
                made[hop, number] = channel.enhance(joined[hop, number])
        ahead = self._ahead
        self._ahead = max(0, self._ahead - complete)
        return made[ahead:]


class _SoxrResampler:
    """Samples (n, channels) at another rate, aligned in time, by a long filter."""

    def __init__(self, source: int, target: int, channels: int) -> None:
        import soxr

        self._stream: Any = soxr.ResampleStream(source, target, channels, dtype="float32")

    def __call__(self, samples: Float32Array, last: bool = False) -> Float32Array:
        resampled: Float32Array = self._stream.resample_chunk(np.ascontiguousarray(samples), last)
        return resampled


class _SameRate:
    """Samples as they are."""

    def __call__(self, samples: Float32Array, last: bool = False) -> Float32Array:
        return samples


_Resampler = _SameRate | _SoxrResampler | LowLatencyResampler


def _resampler(source: int, target: int, channels: int, is_live: bool) -> _Resampler:
    if source == target:
        return _SameRate()
    if is_live:
        return LowLatencyResampler(source, target, channels)
    return _SoxrResampler(source, target, channels)
