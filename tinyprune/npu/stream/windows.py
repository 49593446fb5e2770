"""Windows of an input as a kernel sees them: padding, upscaling, strides and dilation."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from tinyprune.array_types import BoolArray


class Upscaling(Enum):
    """The way in which the NPU doubles height and width of an input.

    Attributes:
        NONE: it does not.
        NEAREST: every element four times.
        ZEROS: zeros between the elements, for transposed convolutions.
    """

    NONE = 0
    NEAREST = 1
    ZEROS = 2


@dataclass(frozen=True)
class Kernel:
    """A kernel as it moves over an input.

    Attributes:
        height, width: taps.
        stride_y, stride_x: steps.
        dilation_y, dilation_x: distance of taps.
        top, left, bottom, right: padding.
        upscaling: of the input, before it is padded.
    """

    height: int
    width: int
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0
    upscaling: Upscaling = Upscaling.NONE

    @property
    def is_point(self) -> bool:
        """True where a window is one element and windows are all elements, in order."""
        padding = self.top + self.left + self.bottom + self.right
        is_single = self.height * self.width * self.stride_y * self.stride_x == 1
        return is_single and padding == 0 and self.upscaling is Upscaling.NONE

    @property
    def is_padded(self) -> bool:
        """True where there is any padding."""
        return self.top + self.left + self.bottom + self.right > 0

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the rows and columns of the input in memory, for those of the output."""
        rows = (height - 1) * self.stride_y + (self.height - 1) * self.dilation_y + 1
        columns = (width - 1) * self.stride_x + (self.width - 1) * self.dilation_x + 1
        rows -= self.top + self.bottom
        columns -= self.left + self.right
        if self.upscaling is not Upscaling.NONE:
            return -(-rows // 2), -(-columns // 2)
        return rows, columns

    def windows(self, values: np.ndarray, fill: int, height: int, width: int) -> np.ndarray:
        """Return what the kernel sees (output rows, output columns, taps y, taps x, channels).

        Args:
            values: the input (rows, columns, channels).
            fill: the number that padding has.
            height, width: of the output.
        """
        padded = self._padded(self._upscaled(values, height, width), fill)
        y, x, c = padded.strides
        return np.lib.stride_tricks.as_strided(
            padded,
            (height, width, self.height, self.width, padded.shape[2]),
            (y * self.stride_y, x * self.stride_x, y * self.dilation_y, x * self.dilation_x, c),
            writeable=False,
        )

    def is_inside(self, rows: int, columns: int, height: int, width: int) -> BoolArray:
        """Return which taps of which windows are no padding (height, width, taps y, taps x)."""
        inside = np.ones((rows, columns, 1), np.int8)
        return self.windows(inside, 0, height, width)[..., 0].astype(bool)

    def _upscaled(self, values: np.ndarray, height: int, width: int) -> np.ndarray:
        if self.upscaling is Upscaling.NONE:
            return values
        rows, columns, channels = values.shape
        if self.upscaling is Upscaling.NEAREST:
            large = values.repeat(2, axis=0).repeat(2, axis=1)
        else:
            large = np.zeros((2 * rows, 2 * columns, channels), values.dtype)
            large[::2, ::2] = values
        return large

    def _padded(self, values: np.ndarray, fill: int) -> np.ndarray:
        if not self.is_padded:
            return values
        sides = ((self.top, self.bottom), (self.left, self.right), (0, 0))
        return np.pad(values, sides, constant_values=fill)
