"""The kind of a layer or operation. A new kind is one line here."""

from typing import Any

import keras

from tinyprune.compress.kinds.base import KernelKind, LayerKind
from tinyprune.compress.kinds.cell_lstm import CellOfLSTM
from tinyprune.compress.kinds.conv import Conv1D, Conv2D
from tinyprune.compress.kinds.dense import Dense
from tinyprune.compress.kinds.depthwise import DepthwiseConv1D, DepthwiseConv2D
from tinyprune.compress.kinds.gru import GRU
from tinyprune.compress.kinds.lstm import LSTM
from tinyprune.compress.kinds.mean import Mean, MeanOfGroups
from tinyprune.compress.kinds.passive import (
    OWN_LAYER,
    PASSIVE_LAYERS,
    PASSIVE_OPERATIONS,
    UNKNOWN,
)
from tinyprune.compress.kinds.transposed import Conv1DTranspose, Conv2DTranspose
from tinyprune.sparsity.layout import Layout

KERNEL_KINDS: tuple[KernelKind, ...] = (
    Dense(),
    Conv1D(),
    Conv2D(),
    DepthwiseConv1D(),
    DepthwiseConv2D(),
    Conv1DTranspose(),
    Conv2DTranspose(),
    LSTM(),
    CellOfLSTM(),
    GRU(),
    Mean(),
    MeanOfGroups(),
)
_WITH_KERNELS: dict[type[keras.Layer], KernelKind] = {kind.plain: kind for kind in KERNEL_KINDS}


def layer_kind(operation: Any) -> LayerKind:
    """Return the kind of a layer, plain or compressed, or of an operation such as ``x + y``.

    A user's subclass of a layer is not of the layer's kind.
    """
    module = type(operation).__module__
    if not isinstance(operation, keras.Layer):
        is_of_keras = module.startswith("keras.src.")
        return PASSIVE_OPERATIONS.get(type(operation).__name__, UNKNOWN) if is_of_keras else UNKNOWN
    with_kernels = kernel_kind(operation)
    if with_kernels is not None:
        return with_kernels
    unlisted = UNKNOWN if module.startswith("keras.") else OWN_LAYER
    return PASSIVE_LAYERS.get(type(operation), unlisted)


def kernel_kind(operation: Any) -> KernelKind | None:
    """Return the kind of a layer with kernels, plain or compressed; None of everything else."""
    plain = getattr(type(operation), "plain", type(operation))
    return _WITH_KERNELS.get(plain)


def activation(operation: Any) -> str | None:
    """Return the name of the activation function that an operation is and nothing else, or None."""
    return layer_kind(operation).function(operation)


def require_kernel_kind(layer: keras.Layer) -> KernelKind:
    """Return the kind of a layer with kernels. Raises TypeError if it has none."""
    kind = kernel_kind(layer)
    if kind is None:
        raise TypeError(f"{type(layer).__name__} layer '{layer.name}' has no kernels")
    return kind


def layout(layer: keras.Layer) -> Layout:
    """Return the order of the axes of the layer's kernels. Raises TypeError if it has none."""
    return require_kernel_kind(layer).layout
