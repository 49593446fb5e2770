"""A signal through a network, block by block, in constant memory.

It may have any sampling rate and any number of channels.
"""

import time
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.enhance.denoiser import Denoiser


class SignalStream:
    """Blocks of samples in, enhanced blocks out.

    In all as many samples come out as went in, aligned with them in time.

    Attributes:
        samples: samples per channel that went in. seconds: how long all the work took.
    """

    def __init__(self, denoiser: Denoiser, rate: int, channels: int) -> None:
        own = denoiser.front_end.sample_rate
        self._hop = denoiser.front_end.hop
        self._channels = denoiser.channels(channels)
        self._down = _Resampler(rate, own, channels)
        self._up = _Resampler(own, rate, channels)
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


class _Resampler:
    """Samples (n, channels) at another rate, aligned in time; at the same rate as they are."""

    def __init__(self, source: int, target: int, channels: int) -> None:
        import soxr

        self._stream: Any = None
        if source != target:
            self._stream = soxr.ResampleStream(source, target, channels, dtype="float32")

    def __call__(self, samples: Float32Array, last: bool = False) -> Float32Array:
        if self._stream is None:
            return samples
        resampled: Float32Array = self._stream.resample_chunk(np.ascontiguousarray(samples), last)
        return resampled


def resampling_seconds(rate: int, front_end: StreamingFrontEnd) -> float:
    """The most that resampling both ways makes a hop late, in seconds; measured on two seconds."""
    own = front_end.sample_rate
    if rate == own:
        return 0.0
    there = _Resampler(rate, own, 1)
    back = _Resampler(own, rate, 1)
    block = max(1, round(front_end.hop * rate / own))
    pushed = np.arange(block, 2 * rate, block)
    silence = np.zeros((block, 1), np.float32)
    made = np.cumsum([len(back(there(silence))) for _ in pushed])
    return float((pushed - made).max()) / rate
