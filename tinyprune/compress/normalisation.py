"""LayerNormalization and RMSNormalization over channels, as layers that int8 TFLite has.

Ba et al. 2016, arXiv 1607.06450; Zhang & Sennrich 2019, arXiv 1910.07467. The mean is a product
with a constant matrix, which stays on every NPU.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.kinds.channel_layers import ChannelScale, InverseRoot
from tinyprune.compress.kinds.mean import ChannelMean, channel_mean
from tinyprune.compress.parts import Parts, copied


def layer_normalisation(layer: Any, name: str) -> Parts:
    """Return ``gamma (x - mean) / sqrt(variance + epsilon) + beta``."""
    if layer.rms_scaling:
        return copied(layer, name)
    scale = ChannelScale(has_gamma=layer.scale, has_beta=layer.center, name=f"{name}_scale")
    return _Normalisation(layer, name, scale, is_centred=True)


def rms_normalisation(layer: Any, name: str) -> Parts:
    """Return ``gamma x / sqrt(mean of squares + epsilon)``."""
    scale = ChannelScale(has_beta=False, name=f"{name}_scale")
    return _Normalisation(layer, name, scale, is_centred=False)


class _Normalisation(Parts):
    """The layers of a normalisation over channels; over other axes a copy of the layer."""

    def __init__(self, layer: Any, name: str, scale: ChannelScale, is_centred: bool) -> None:
        super().__init__()
        self._layer = layer
        self._name = name
        self._is_centred = is_centred
        self._centred = layers.Subtract(name=f"{name}_centred")
        self._squares = layers.Multiply(name=f"{name}_squares")
        self._root = InverseRoot(name=f"{name}_root")
        self._normalised = layers.Multiply(name=f"{name}_normalised")
        self._scale = scale
        self._means: dict[str, ChannelMean] = {}
        self._copy: Parts | None = None

    def __call__(self, values: Any) -> Any:
        """Return (..., channels)."""
        if np.atleast_1d(self._layer.axis).tolist() not in ([-1], [values.ndim - 1]):
            self._copy = self._copy or copied(self._layer, self._name)
            return self._copy(values)
        if self._is_centred:
            values = self._centred([values, self._mean("mean", values, 0.0)])
        squares = self._squares([values, values])
        variance = self._mean("variance", squares, self._layer.epsilon)
        normalised = self._normalised([values, self._root(variance)])
        return self._scale(normalised)

    def _mean(self, part: str, values: Any, offset: float) -> Any:
        """The mean over channels plus an offset, (..., 1)."""
        if part not in self._means:
            name = f"{self._name}_{part}"
            self._means[part] = channel_mean(values.shape[-1], offset, name)
        return self._means[part](values)

    @property
    def weights(self) -> Sequence[Any]:
        """Gamma and beta, where there are some."""
        return self._scale.weights if self._copy is None else self._copy.weights

    def set_weights(self, values: Sequence[Any]) -> None:
        """Set gamma and beta."""
        if self._copy is None:
            graph.set_weights(self._scale, values)
        else:
            self._copy.set_weights(values)
