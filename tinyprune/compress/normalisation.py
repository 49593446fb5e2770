"""Normalisations of one example by its own mean and variance, as layers that int8 TFLite has.

LayerNormalization (Ba et al. 2016, arXiv 1607.06450) and RMSNormalization (Zhang & Sennrich 2019,
arXiv 1910.07467) over channels, GroupNormalization (Wu & He 2018, arXiv 1803.08494) over positions
and the channels of a group. A mean over channels is a product with a constant matrix, which stays
on every NPU.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.kinds.channel_layers import ChannelScale, InverseRoot
from tinyprune.compress.kinds.mean import channel_mean, group_mean, group_weights
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


def group_normalisation(layer: Any, name: str) -> Parts:
    """Return ``gamma (x - mean) / sqrt(variance + epsilon) + beta``, over positions and a group."""
    scale = ChannelScale(has_gamma=layer.scale, has_beta=layer.center, name=f"{name}_scale")
    return _GroupNormalisation(layer, name, scale, is_centred=True)


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
        self._means: dict[str, keras.Layer] = {}
        self._copy: Parts | None = None

    def __call__(self, values: Any) -> Any:
        """Return (..., channels)."""
        if not self._is_understood(values):
            self._copy = self._copy or copied(self._layer, self._name)
            return self._copy(values)
        if self._is_centred:
            values = self._centred([values, self._mean("mean", values, 0.0)])
        squares = self._squares([values, values])
        variance = self._mean("variance", squares, self._layer.epsilon)
        normalised = self._normalised([values, self._root(variance)])
        return self._scale(normalised)

    def _is_understood(self, values: Any) -> bool:
        """Return whether the normalisation of these values is over channels."""
        return np.atleast_1d(self._layer.axis).tolist() in ([-1], [values.ndim - 1])

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


class _GroupNormalisation(_Normalisation):
    """The layers of a normalisation over positions and the channels of a group.

    The mean over positions comes first: that over channels is then of one position.
    """

    _POOLS = {
        2: None,
        3: layers.GlobalAveragePooling1D,
        4: layers.GlobalAveragePooling2D,
    }  # rank of the values -> the mean over their positions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pools: dict[str, keras.Layer] = {}
        self._offsets: dict[str, float] = {}

    def _is_understood(self, values: Any) -> bool:
        """Return whether channels come last, behind at most two axes of positions."""
        return super()._is_understood(values) and values.ndim in self._POOLS

    def _mean(self, part: str, values: Any, offset: float) -> Any:
        """The mean plus an offset, (batch, 1, ..., channels), or 1 in place of the channels."""
        channels = values.shape[-1]
        groups = self._layer.groups
        means = self._over_positions(part, values)
        if groups == 1:
            return super()._mean(part, means, offset)
        if groups == channels and offset == 0:
            return means
        self._offsets[part] = offset
        if part not in self._means:
            self._means[part] = group_mean(channels, f"{self._name}_{part}")
        return self._means[part](means)

    def _over_positions(self, part: str, values: Any) -> Any:
        """The mean over all positions, (batch, 1, ..., channels)."""
        pool = self._POOLS[values.ndim]
        if pool is None:
            return values
        if part not in self._pools:
            self._pools[part] = pool(keepdims=True, name=f"{self._name}_{part}_positions")
        return self._pools[part](values)

    def set_weights(self, values: Sequence[Any]) -> None:
        """Set gamma and beta, and the means."""
        super().set_weights(values)
        for part, offset in self._offsets.items():
            mean = self._means[part]
            graph.set_weights(mean, group_weights(mean.units, self._layer.groups, offset))
