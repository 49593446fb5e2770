"""Activation functions for which TFLite has no operator, composed of some that it has.

Each is exact in real numbers. What lies between the operators is on int8 grids of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.activations import PRESCRIBED
from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.kinds.frames import Shape

#: (name of a grid, values) -> the values on it.
OnGrid = Callable[[str, tf.Tensor], tf.Tensor]
#: (values, setting, on_grid) -> the function of the values.
Formula = Callable[[tf.Tensor, float, OnGrid], tf.Tensor]

#: Settings of a grid (FakeQuantize).
_Settings = Mapping[str, Any]

# Klambauer et al. 2017, arXiv 1706.02515.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@dataclass(frozen=True)
class Composition:
    """A function of one number as operators of TFLite.

    Attributes:
        exact: (values, setting) -> the function, by Keras.
        formula: the same of operators that become int8.
        grids: name of what is between two operators -> settings of its grid.
        operators: number of operators.
        setting: the one that Keras takes where none is given.
    """

    exact: Callable[[tf.Tensor, float], tf.Tensor]
    formula: Formula
    grids: Mapping[str, _Settings]
    operators: int
    setting: float = 1.0


_FREE: _Settings = {}
_POSITIVE: _Settings = {"positive": True}
_CHANCE: _Settings = {"fixed": PRESCRIBED["sigmoid"], "positive": True}
_TANH: _Settings = {"fixed": PRESCRIBED["tanh"]}
_SOFTPLUS_GRIDS: Mapping[str, _Settings] = {
    "size": _POSITIVE,
    "chance": _CHANCE,
    "log": _FREE,
    "positive": _POSITIVE,
}


def _elu(values: tf.Tensor, alpha: float, on_grid: OnGrid) -> tf.Tensor:
    """``x`` above 0, ``alpha (e^x - 1)`` below: only what is below has the factor."""
    return tf.nn.leaky_relu(on_grid("elu", tf.nn.elu(values)), alpha)


def _celu(values: tf.Tensor, alpha: float, on_grid: OnGrid) -> tf.Tensor:
    """``x`` above 0, ``alpha (e^(x / alpha) - 1)`` below."""
    return alpha * on_grid("elu", tf.nn.elu(on_grid("scaled", values / alpha)))


def _selu(values: tf.Tensor, setting: float, on_grid: OnGrid) -> tf.Tensor:
    """``s x`` above 0, ``s alpha (e^x - 1)`` below."""
    del setting
    scaled = on_grid("scaled", _SELU_SCALE * on_grid("elu", tf.nn.elu(values)))
    return tf.nn.leaky_relu(scaled, _SELU_ALPHA)


def _log_of_chance(values: tf.Tensor, on_grid: OnGrid) -> tf.Tensor:
    """``log sigmoid(|x|)``: the chance is between 1/2 and 1, where 8 bits are enough for it."""
    size = on_grid("size", tf.abs(values))
    return on_grid("log", tf.math.log(on_grid("chance", tf.sigmoid(size))))


def _softplus(values: tf.Tensor, setting: float, on_grid: OnGrid) -> tf.Tensor:
    """``log(1 + e^x) = relu(x) - log sigmoid(|x|)``."""
    del setting
    return on_grid("positive", tf.nn.relu(values)) - _log_of_chance(values, on_grid)


def _log_sigmoid(values: tf.Tensor, setting: float, on_grid: OnGrid) -> tf.Tensor:
    """``log sigmoid(x) = min(x, 0) + log sigmoid(|x|)``."""
    del setting
    negative = on_grid("negative", values - on_grid("positive", tf.nn.relu(values)))
    return negative + _log_of_chance(values, on_grid)


def _mish(values: tf.Tensor, setting: float, on_grid: OnGrid) -> tf.Tensor:
    """``x tanh(softplus(x))``. Misra 2019, arXiv 1908.08681."""
    softplus = on_grid("softplus", _softplus(values, setting, on_grid))
    return values * on_grid("share", tf.tanh(softplus))


def _softsign(values: tf.Tensor, setting: float, on_grid: OnGrid) -> tf.Tensor:
    """``x / (1 + |x|)``, whose quotient is a product with an inverse root, twice."""
    del setting
    size = on_grid("size", tf.abs(values))
    root = on_grid("root", tf.math.rsqrt(on_grid("more", size + 1.0)))
    return values * on_grid("share", root * root)


def _tanh_shrink(values: tf.Tensor, setting: float, on_grid: OnGrid) -> tf.Tensor:
    """``x - tanh(x)``."""
    del setting
    return values - on_grid("tanh", tf.tanh(values))


def _soft_shrink(values: tf.Tensor, threshold: float, on_grid: OnGrid) -> tf.Tensor:
    """``x`` without what is between ``-threshold`` and ``threshold``."""
    above = on_grid("above", tf.nn.relu(values - threshold))
    below = on_grid("below", tf.nn.relu(-threshold - values))
    return above - below


def _of_keras(name: str) -> Callable[[tf.Tensor, float], tf.Tensor]:
    """Return a function of Keras that has no setting."""
    function = keras.activations.get(name)
    return lambda values, setting: function(values)


#: Name of a function of Keras -> its operators.
COMPOSITIONS: Mapping[str, Composition] = {
    "elu": Composition(keras.activations.elu, _elu, {"elu": _FREE}, 2),
    "celu": Composition(keras.activations.celu, _celu, {"scaled": _FREE, "elu": _FREE}, 3),
    "selu": Composition(_of_keras("selu"), _selu, {"elu": _FREE, "scaled": _FREE}, 3),
    "softplus": Composition(_of_keras("softplus"), _softplus, _SOFTPLUS_GRIDS, 5),
    "log_sigmoid": Composition(
        _of_keras("log_sigmoid"), _log_sigmoid, {**_SOFTPLUS_GRIDS, "negative": _FREE}, 6
    ),
    "mish": Composition(
        _of_keras("mish"), _mish, {**_SOFTPLUS_GRIDS, "softplus": _POSITIVE, "share": _TANH}, 7
    ),
    "softsign": Composition(
        _of_keras("softsign"),
        _softsign,
        dict.fromkeys(("size", "more", "root", "share"), _POSITIVE),
        5,
    ),
    "tanh_shrink": Composition(_of_keras("tanh_shrink"), _tanh_shrink, {"tanh": _TANH}, 2),
    "soft_shrink": Composition(
        keras.activations.soft_shrink,
        _soft_shrink,
        {"above": _POSITIVE, "below": _POSITIVE},
        3,
        setting=0.5,
    ),
}


@keras.saving.register_keras_serializable("tinyprune")
class ComposedFunction(keras.layers.Layer):
    """A function of each number, composed of operators of TFLite.

    Attributes:
        function: its name in :data:`COMPOSITIONS`.
        setting: alpha or threshold of those functions that have one.
        quantized: whether what is between the operators is on int8 grids. The gradient is then
            still that of the function.
    """

    def __init__(
        self,
        function: str,
        setting: float | None = None,
        quantized: bool = False,
        **config: Any,
    ) -> None:
        super().__init__(**config)
        self._composition = COMPOSITIONS[function]
        self.function = function
        self.setting = self._composition.setting if setting is None else setting
        self.quantized = quantized
        self._grids: dict[str, FakeQuantize] = {}
        if quantized:
            for name, settings in self._composition.grids.items():
                self._grids[name] = FakeQuantize(name=name, **settings)

    @property
    def operators(self) -> int:
        """Number of operators."""
        return self._composition.operators

    def build(self, input_shape: Shape) -> None:
        """Do nothing: there are no weights."""

    def call(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the function of values of any shape."""

        def on_grid(name: str, between: tf.Tensor) -> tf.Tensor:
            return self._grids[name](between, training=training) if self._grids else between

        composed = self._composition.formula(values, self.setting, on_grid)
        if not self._grids:
            return composed
        exact = self._composition.exact(values, self.setting)
        return exact + tf.stop_gradient(composed - exact)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the values."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        own = {"function": self.function, "setting": self.setting, "quantized": self.quantized}
        return {**super().get_config(), **own}
