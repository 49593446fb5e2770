"""The LSTM recurrence as one differentiable function: the hot loop of training.

The input projection of all frames and the gradient of the recurrent kernel are single matrix
products outside the time loop, and the loop's body holds nothing but what depends on the step
before. Everything is time-major inside.
"""

from dataclasses import dataclass

import tensorflow as tf

from tinyprune.compress.gate_functions import SOFT, GateFunctions
from tinyprune.tflite.operators import GATES


@dataclass(frozen=True)
class _Steps:
    """The values of all steps of a forward pass.

    Attributes:
        outputs: h, (frames, batch, units).
        cells: c, of the same shape.
        gates: activated gates i, f, g, o, (frames, batch, 4 * units).
    """

    outputs: tf.Tensor
    cells: tf.Tensor
    gates: tf.Tensor


def lstm(
    projected: tf.Tensor,
    recurrent: tf.Tensor,
    h_range: tuple[tf.Tensor, tf.Tensor] | None = None,
    training: bool = True,
    dropout: tf.Tensor | None = None,
    functions: GateFunctions = SOFT,
) -> tf.Tensor:
    """Return the outputs of an LSTM (Hochreiter & Schmidhuber 1997) from a zero state.

    ``[i f g o] = projected_t + h_{t-1} R`` in Keras' gate order, ``c_t = s(f) c_{t-1} + s(i)
    tanh(g)``, ``h_t = q(s(o) tanh(c_t))``, where ``q`` puts h on its int8 grid with a
    straight-through gradient. Hard functions take the places of the sigmoid s and of tanh.

    Args:
        projected: ``x_t W + b`` for all steps, (frames, batch, 4 * units).
        recurrent: R, (units, 4 * units).
        h_range: ends of the grid of h, scalars; None leaves h in float32.
        training: keep the values that the gradient needs; without it the loop is faster, and
            differentiated by TensorFlow itself.
        dropout: (batch, units) factors of ``h_{t-1}``, the same at every step (Gal & Ghahramani
            2016, arXiv 1512.05287); None leaves it whole.
        functions: of the gates i, f, o, and of g and c.

    Returns:
        h of all steps, (frames, batch, units). Gradients flow to ``projected`` and ``recurrent``.
    """
    loop = _Loop(functions, h_range, dropout)
    if not training:
        (outputs,) = loop.forward(projected, recurrent, keep=False)
        return outputs

    @tf.custom_gradient
    def run(projected: tf.Tensor, recurrent: tf.Tensor) -> tuple:
        steps = _Steps(*loop.forward(projected, recurrent, keep=True))

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return loop.backward(recurrent, steps, upstream)

        return steps.outputs, gradient

    return run(projected, recurrent)


def new_array(like: tf.Tensor, width: int) -> tf.TensorArray:
    """Return an empty array of as many steps, each (batch, width)."""
    return tf.TensorArray(tf.float32, size=tf.shape(like)[0], element_shape=(None, width))


def unstack(values: tf.Tensor) -> tf.TensorArray:
    """Return values (frames, batch, width) as an array of steps."""
    return new_array(values, values.shape[2]).unstack(values)


@dataclass(frozen=True)
class _Loop:
    """Both directions of the loop. Attributes: as of :func:`lstm`."""

    functions: GateFunctions
    h_range: tuple[tf.Tensor, tf.Tensor] | None
    dropout: tf.Tensor | None

    def forward(self, projected: tf.Tensor, recurrent: tf.Tensor, keep: bool) -> list[tf.Tensor]:
        """Outputs (frames, batch, units); kept for the gradient, cells and activated gates too."""
        units = recurrent.shape[0]
        frames = tf.shape(projected)[0]
        inputs = unstack(projected)
        gate, value = self.functions.gate, self.functions.value

        def step(t, h, c, *arrays):  # type: ignore[no-untyped-def]
            before = inputs.read(t) + tf.matmul(dropped(h, self.dropout), recurrent)
            i, f = tf.split(gate(before[:, : 2 * units]), 2, axis=1)
            g = value(before[:, 2 * units : 3 * units])
            o = gate(before[:, 3 * units :])
            c = f * c + i * g
            h = o * value(c)
            if self.h_range is not None:
                low, high = self.h_range
                h = tf.quantization.fake_quant_with_min_max_vars(h, low, high, num_bits=8)
            values = (h, c, tf.concat([i, f, g, o], axis=1)) if keep else (h,)
            written = [array.write(t, kept) for array, kept in zip(arrays, values, strict=True)]
            return (t + 1, h, c, *written)

        zero = tf.zeros((tf.shape(projected)[1], units))
        widths = (units, units, GATES * units) if keep else (units,)
        arrays = [new_array(projected, width) for width in widths]
        _, _, _, *filled = tf.while_loop(lambda t, *_: t < frames, step, (0, zero, zero, *arrays))
        return [array.stack() for array in filled]

    def backward(
        self, recurrent: tf.Tensor, steps: _Steps, upstream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Gradients of ``projected`` and ``recurrent``.

        All factors that do not depend on the loop are made before it.
        """
        units = recurrent.shape[0]
        frames = tf.shape(steps.gates)[0]
        gate_slope, value_slope = self.functions.gate_slope, self.functions.value_slope
        i, f, g, o = tf.split(steps.gates, GATES, axis=2)
        squashed = self.functions.value(steps.cells)
        output_to_o = unstack(squashed * gate_slope(o))
        output_to_cell = unstack(o * value_slope(squashed))
        to_i, to_f, to_g = g * gate_slope(i), delay(steps.cells) * gate_slope(f), i * value_slope(g)
        cell_to_ifg = unstack(tf.concat([to_i, to_f, to_g], axis=2))
        forget = unstack(f)
        transposed = tf.transpose(recurrent)
        arriving = unstack(upstream)

        def step(t, dh, dc, deltas):  # type: ignore[no-untyped-def]
            dh += arriving.read(t)
            dc += dh * output_to_cell.read(t)
            delta_ifg = tf.tile(dc, [1, 3]) * cell_to_ifg.read(t)
            delta_o = dh * output_to_o.read(t)
            delta = tf.concat([delta_ifg, delta_o], axis=1)
            return (
                t - 1,
                dropped(tf.matmul(delta, transposed), self.dropout),
                dc * forget.read(t),
                deltas.write(t, delta),
            )

        zero = tf.zeros((tf.shape(steps.gates)[1], units))
        deltas = new_array(steps.gates, GATES * units)
        *_, deltas = tf.while_loop(lambda t, *_: t >= 0, step, (frames - 1, zero, zero, deltas))
        delta = deltas.stack()
        outputs_before = tf.reshape(dropped(delay(steps.outputs), self.dropout), (-1, units))
        rows = tf.reshape(delta, (-1, GATES * units))
        return delta, tf.matmul(outputs_before, rows, transpose_a=True)


def dropped(h: tf.Tensor, dropout: tf.Tensor | None) -> tf.Tensor:
    """Return h or its gradient, (..., batch, units), times the factors of a dropout."""
    return h if dropout is None else h * dropout


def delay(values: tf.Tensor) -> tf.Tensor:
    """Return values (frames, batch, width) one frame later, zeros first."""
    return tf.concat([tf.zeros_like(values[:1]), values[:-1]], axis=0)
