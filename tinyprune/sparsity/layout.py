"""The order of a kernel's axes: structures work on ``(spatial..., inputs, outputs)`` for any layer.

``(spatial..., inputs, outputs)`` is what Dense, Conv1D, Conv2D and LSTM kernels have already (the
LSTM's outputs are its four gates); seen as a matrix it is ``(prod(spatial) * inputs, outputs)``.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Layout(StrEnum):
    """The axes of a kernel in Keras."""

    STANDARD = "standard"  # (spatial..., inputs, outputs)
    TRANSPOSED = "transposed"  # (spatial..., outputs, inputs): Conv2DTranspose
    DEPTHWISE = "depthwise"  # (spatial..., channels, multiplier): each output sees one input


def canonical(kernel: npt.NDArray, layout: Layout) -> npt.NDArray:
    """Return the kernel with axes (spatial..., inputs, outputs).

    A depthwise kernel has one input and channels * multiplier outputs.
    """
    if layout is Layout.TRANSPOSED:
        return np.swapaxes(kernel, -1, -2)
    if layout is Layout.DEPTHWISE:
        return kernel.reshape(*kernel.shape[:-2], 1, -1)
    return kernel


def canonical_shape(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Return the shape of :func:`canonical` of a kernel of this shape."""
    return canonical(np.broadcast_to(np.int8(0), shape), layout).shape


def restored(array: npt.NDArray, layout: Layout, shape: tuple[int, ...]) -> npt.NDArray:
    """Return an array with axes (spatial..., inputs, outputs) in the kernel's ``shape``.

    It is the inverse of :func:`canonical`.
    """
    return np.swapaxes(array, -1, -2) if layout is Layout.TRANSPOSED else array.reshape(shape)
