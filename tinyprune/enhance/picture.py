"""Spectrograms of a signal before and after, gathered while it goes by, in constant memory."""

from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array, FloatArray
from tinyprune.audio.stft import hann
from tinyprune.storage.writing import writing
from tinyprune.units import format_seconds

COLUMNS = 2048  # at most: above it, two neighbours become one
RANGE_DB = 80.0
_FRAME_SECONDS = 0.032
_FLOOR = 1e-12


class Spectrogram:
    """Power of Hann frames at 50 % overlap, mean over the channels.

    Long signals have several frames to a column.

    Attributes:
        rate: Hz. pooled: frames in one column.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.pooled = 1
        self._hop = max(1, round(_FRAME_SECONDS * rate / 2))
        self._window = hann(2 * self._hop)
        self._waiting: Float32Array | None = None
        self._columns: list[Float32Array] = []
        self._sum = np.zeros(self._hop + 1, np.float32)
        self._summed = 0

    def push(self, block: Float32Array) -> None:
        """The next samples (n, channels), full scale 1."""
        if self._waiting is None:
            self._waiting = np.zeros((self._hop, block.shape[1]), np.float32)
        joined = np.concatenate([self._waiting, block])
        frames = max(0, len(joined) // self._hop - 1)
        for start in range(0, frames * self._hop, self._hop):
            self._add(joined[start : start + 2 * self._hop])
        self._waiting = joined[frames * self._hop :]

    def columns(self) -> Float32Array:
        """Levels (bins, columns) in dB; a sine of full scale has 0 dB."""
        columns: list[FloatArray] = [*self._columns]
        if self._summed:
            columns.append(self._sum / self._summed)
        power = np.stack(columns or [self._sum], axis=1)
        return np.asarray(10 * np.log10(np.maximum(power, _FLOOR)), np.float32)

    @property
    def seconds(self) -> float:
        """Length of what the columns show, at least a frame."""
        return max(1, len(self._columns) * self.pooled + self._summed) * self._hop / self.rate

    def _add(self, frame: Float32Array) -> None:
        spectrum = np.fft.rfft(frame * self._window[:, None], axis=0)
        power = np.abs(spectrum / (self._hop / 2)) ** 2
        self._sum = self._sum + power.mean(axis=1).astype(np.float32)
        self._summed += 1
        if self._summed == self.pooled:
            self._columns.append(self._sum / np.float32(self.pooled))
            self._sum = np.zeros_like(self._sum)
            self._summed = 0
        if len(self._columns) == COLUMNS:
            self._columns = [
                (a + b) / np.float32(2)
                for a, b in zip(self._columns[::2], self._columns[1::2], strict=True)
            ]
            self.pooled *= 2


def draw(path: Path, title: str, before: Spectrogram, after: Spectrogram) -> None:
    """Write both, one above the other on the same colours, as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    levels = before.columns()
    top = float(np.ceil(levels.max() / 5) * 5)
    for axis, name, shown in zip(axes, ("before", "after"), (before, after), strict=True):
        image = axis.imshow(
            shown.columns(),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top - RANGE_DB,
            vmax=top,
            extent=(0, shown.seconds, 0, shown.rate / 2000),
            interpolation="nearest",
        )
        axis.set_ylabel("frequency (kHz)")
        axis.set_title(name, loc="left", fontsize=10)
    axes[1].set_xlabel(f"time (s){_pooling(before)}")
    figure.colorbar(image, ax=axes, label="level (dB re full-scale sine)", pad=0.01)
    figure.suptitle(title, fontsize=11)
    _save(figure, path)


def _pooling(shown: Spectrogram) -> str:
    """The part of the signal that one column stands for, where that is more than a frame."""
    if shown.pooled == 1:
        return ""
    return f"; each column is the mean of {format_seconds(shown.pooled * _FRAME_SECONDS / 2)}"


def _save(figure: Any, path: Path) -> None:
    with writing(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower())
