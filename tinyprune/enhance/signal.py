"""A signal of any sampling rate and any number of channels through a network, block by block, in constant memory."""

import time
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.enhance.denoiser import Denoiser


class SignalStream:
    """Blocks of samples in, enhanced blocks out: in all as many samples as went in, aligned with them in time.

    Attributes:
        given: samples per channel that went in. seconds: how long all the work took.
    """

    def __init__(self, denoiser: Denoiser, rate: int, channels: int) -> None:
        own, self._hop = denoiser.front_end.sample_rate, denoiser.front_end.hop
        self._channels = denoiser.channels(channels)
        self._down, self._up = _Resampler(rate, own, channels), _Resampler(own, rate, channels)
        self._waiting = np.zeros((0, channels), np.float32)
        self._ahead = self._hop  # what comes out first lies before the signal
        self.given, self._made, self.seconds = 0, 0, 0.0

    def push(self, block: Float32Array) -> Float32Array:
        """The next block (n, channels), full scale 1; returns what is finished by now, (m, channels)."""
        started = time.perf_counter()
        self.given += len(block)
        made = self._up(self._hops(self._down(block)))
        self._made += len(made)
        self.seconds += time.perf_counter() - started
        return made

    def finish(self) -> Float32Array:
        """The rest of the signal."""
        started = time.perf_counter()
        rest = self._down(self._waiting[:0], last=True)
        silence = (
            -(len(self._waiting) + len(rest)) % self._hop + self._hop
        )  # fills the last hop, and completes it
        made = self._up(self._hops(np.pad(rest, ((0, silence), (0, 0)))), last=True)
        missing = self.given - self._made
        self.seconds += time.perf_counter() - started
        return np.pad(made[:missing], ((0, max(0, missing - len(made))), (0, 0)))

    def _hops(self, samples: Float32Array) -> Float32Array:
        """What the network makes of all whole hops, at its own rate."""
        joined = np.concatenate([self._waiting, samples])
        whole = len(joined) // self._hop * self._hop
        self._waiting = joined[whole:]
        made = np.empty_like(joined[:whole])
        for start in range(0, whole, self._hop):
            hop = slice(start, start + self._hop)
            for number, channel in enumerate(self._channels):
                made[hop, number] = channel.enhance(joined[hop, number])
        ahead, self._ahead = self._ahead, max(0, self._ahead - whole)
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
    """How much later a hop comes out because its rate is changed both ways, at worst; measured on two seconds."""
    own = front_end.sample_rate
    if rate == own:
        return 0.0
    there, back = _Resampler(rate, own, 1), _Resampler(own, rate, 1)
    block = max(1, round(front_end.hop * rate / own))
    given = np.arange(block, 2 * rate, block)
    made = np.cumsum([len(back(there(np.zeros((block, 1), np.float32)))) for _ in given])
    return float((given - made).max()) / rate
