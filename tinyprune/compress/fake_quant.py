"""Int8 as TFLite will compute it, in float32 with straight-through gradients.

Jacob et al. 2018, arXiv 1712.05877.
"""

from collections.abc import Callable
from enum import Enum

import keras
import tensorflow as tf

MOMENTUM = 0.99


def fake_quantize_kernel(kernel: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return a kernel on the symmetric int8 grid, ``s * round(k / s)`` with ``s = max |k| / 127``.

    The maximum is over ``axes``. The gradient is that of the identity: with this scale nothing is
    ever clipped. An all-zero slice stays zero.

    Args:
        kernel: float32, any shape.
        axes: axes that share one scale (all but the channel axis for per-channel scales).
    """
    scale = _scale(kernel, axes)
    quantized = tf.round(tf.math.divide_no_nan(kernel, scale)) * scale
    return kernel + tf.stop_gradient(quantized - kernel)


def in_steps(kernel: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return a kernel in steps of its int8 grid, not rounded: ``k / s``, in [-127, 127]."""
    return tf.math.divide_no_nan(kernel, _scale(kernel, axes))


def fake_cluster_kernel(kernel: tf.Tensor, axes: list[int], palette: tf.Tensor) -> tf.Tensor:
    """Return a kernel on the int8 grid with few values: each weight takes the nearest of them.

    The grid is the one whose step 127 is the largest value of the palette, so that the converter,
    which makes the largest weight of a channel 127, finds the same integers. The gradient is that
    of the identity.

    Args:
        kernel, axes: as of :func:`fake_quantize_kernel`.
        palette: (values,) ascending, in steps of :func:`in_steps`
            (:func:`tinyprune.sparsity.clusters.palette`).
    """
    borders = (palette[1:] + palette[:-1]) / 2
    steps = in_steps(kernel, axes)
    nearest = tf.searchsorted(borders, tf.reshape(steps, [-1]))
    largest = tf.reduce_max(tf.abs(palette))
    integers = tf.round(tf.math.divide_no_nan(palette, largest) * 127.0)
    clustered = tf.reshape(tf.gather(integers, nearest), tf.shape(kernel))
    scale = _scale(kernel, axes) * largest / 127.0
    return kernel + tf.stop_gradient(clustered * scale - kernel)


def _scale(kernel: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return the int8 scale of each channel of a kernel."""
    return tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True) / 127.0


@tf.custom_gradient
def relu_on_grid(values: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Return ``relu(values)`` on the int8 grid from 0 to ``high``.

    The gradient is that of the ReLU: 1 above 0, else 0. Rounding is passed straight through, and so
    is the upper end of the range: it follows the largest value of each batch, so hardly any value
    is above it, and finding those would take two more passes over all values.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.raw_ops.ReluGrad(gradients=upstream, features=values), None

    return tf.quantization.fake_quant_with_min_max_vars(values, 0.0, high, num_bits=8), gradient


@tf.custom_gradient
def on_two_ended_grid(
    values: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, Callable]:
    """Return values on the int8 grid from ``low`` to ``high``, with the gradient of the identity.

    The range follows the extremes of each batch, so hardly any value is outside. Stopping their
    gradients would take two passes over all values, and two sums that nobody reads.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        return upstream, None, None

    return tf.quantization.fake_quant_with_min_max_vars(values, low, high, num_bits=8), gradient


class Observe(Enum):
    """The way in which an activation quantizer sets its range from the values that pass.

    AVERAGE, in training: the moving average of each batch's extremes. EXTREMES, in calibration: the
    smallest and the largest value seen; everything passes unquantized.
    """

    AVERAGE = "average"
    EXTREMES = "extremes"


class FakeQuantize(keras.layers.Layer):
    """Asymmetric int8 of an activation tensor, one scale for all of it; the range always holds 0.

    Attributes:
        low, high: the range, scalar variables.
        fixed: a range that TFLite prescribes, or None if it is observed.
        positive: whether negative values become 0, so that the range begins there: the values are
            those of a ReLU, before it or after it.
        observe: see :class:`Observe`; read when a graph is traced.
    """

    def __init__(
        self,
        fixed: tuple[float, float] | None = None,
        positive: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.fixed = fixed
        self.positive = positive
        self.observe = Observe.AVERAGE
        low, high = fixed or (0.0, 0.0)
        self.low = self._end("low", low)
        self.high = self._end("high", high)

    def _end(self, name: str, value: float) -> keras.Variable:
        initializer = keras.initializers.Constant(value)
        return self.add_weight(name=name, shape=(), initializer=initializer, trainable=False)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Do nothing: nothing depends on the shape."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the values."""
        return input_shape

    @property
    def passing(self) -> bool:
        """True while values pass unquantized, because their range is still being measured."""
        return self.observe is Observe.EXTREMES

    @property
    def cuts_negative(self) -> bool:
        """True where the grid begins at 0, so that a ReLU before it would change nothing."""
        return self.positive and not self.passing

    def reset(self) -> None:
        """Forget the range, before a calibration."""
        if not self.fixed:
            self.low.assign(0.0)
            self.high.assign(0.0)

    def record(self, values: tf.Tensor) -> None:
        """Take the extremes of a batch, any shape, into the range."""
        if self.fixed:
            return
        self._follow(self.high, tf.maximum(tf.reduce_max(values), 0.0), tf.maximum)
        if not self.positive:
            self._follow(self.low, tf.minimum(tf.reduce_min(values), 0.0), tf.minimum)

    def _follow(self, end: keras.Variable, extreme: tf.Tensor, widest: Callable) -> None:
        """Move one end of the range to, or towards, the extreme of a batch."""
        moved = MOMENTUM * end.value + (1 - MOMENTUM) * extreme
        end.assign(widest(end.value, extreme) if self.passing else moved)

    def on_grid(self, values: tf.Tensor) -> tf.Tensor:
        """Return values on the int8 grid; the gradient passes straight through the rounding.

        A positive grid has the gradient of a ReLU (:func:`relu_on_grid`), any other one that of the
        identity (:func:`on_two_ended_grid`).
        """
        if self.positive:
            return relu_on_grid(values, self.high.value)
        return on_two_ended_grid(values, self.low.value, self.high.value)

    def call(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Record the range when training or calibrating, and quantize unless calibrating."""
        if training or self.passing:
            self.record(values)
        return values if self.passing else self.on_grid(values)
