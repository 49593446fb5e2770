"""Dead channels: outputs whose weights are nothing beside the rest of their kernel.

Training with weight decay shrinks the gamma of a BatchNorm that nothing holds up to 1e-30, and
folded into the kernel it makes weights of that size. TFLite has no int8 scale for them, which would
have to fit the bias too: its converter writes zeros. So they are zeros from the beginning, for
masks, grids and counts alike. What such an output computes is its bias, which stays.
"""

import keras
import numpy as np

from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.kinds.lookup import kernel_kind, require_kernel_kind
from tinyprune.sparsity.layout import canonical, restored

NOTHING = 1e-12  # of the largest weight of a kernel
NOTHING_BESIDE_BIAS = 1e-7  # even 10,000 inputs of 10 would not be seen beside it in 8 bits
SMALLEST = 1.2e-16  # weights below which TFLite's converter has no scale


def zero_dead_channels(layer: keras.Layer) -> None:
    """Set to zero, in the kernels of a plain layer, what shares an int8 scale and is dead."""
    kind = require_kernel_kind(layer)
    own_bias = bias(layer)
    for kernel in kernels(layer).values():
        standard = canonical(kernel.numpy(), kind.layout)
        outputs = standard.shape[-1]
        scales = kind.scales(outputs)
        by_scale = np.abs(standard).reshape(-1, scales, outputs // scales).max(axis=(0, 2))
        is_dead = by_scale < max(NOTHING * by_scale.max(), SMALLEST)
        if scales == outputs and own_bias is not None:
            is_dead |= by_scale < NOTHING_BESIDE_BIAS * np.abs(own_bias.numpy())
        if np.any(is_dead & (by_scale > 0)):
            alive = np.repeat(~is_dead, outputs // scales)
            zeroed = np.where(alive, standard, np.float32(0))
            kernel.assign(restored(zeroed, kind.layout, tuple(kernel.shape)))


def describe_dead_channels(model: keras.Model) -> str:
    """Return in words how many outputs of which layers are zeros; empty if there are none."""
    layers = []
    for layer in model.layers:
        kind = kernel_kind(layer)
        if kind is None:
            continue
        for name, kernel in kernels(layer).items():
            standard = canonical(kernel.numpy(), kind.layout)
            outputs = standard.shape[-1]
            dead = outputs - int(standard.reshape(-1, outputs).any(axis=0).sum())
            if dead:
                layers.append(f"{dead} of {outputs} of {layer.name}/{name}")
    return ", ".join(layers)
