"""The GRU recurrence as one differentiable function, made as that of the LSTM (recurrence.py).

With ``reset_after`` every gradient of a step is the gradient of its output times a factor that is
known before the loop: its body is one product of matrices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from tinyprune.compress.gate_functions import SOFT, GateFunctions
from tinyprune.compress.recurrence import delay, dropped, new_array, unstack
from tinyprune.tflite.operators import RECURRENT

GATES = RECURRENT["gru"]


@dataclass(frozen=True)
class _Steps:
    """The values of all steps of a forward pass, each (frames, batch, ...).

    Attributes:
        outputs: h on its grid, as products and other layers read it.
        states: h as it is carried on.
        gates: activated gates z, r, n, (..., 3 * units).
        inner: with reset_after, what r is multiplied by: the product of h and the kernel of n.
    """

    outputs: tf.Tensor
    states: tf.Tensor
    gates: tf.Tensor
    inner: tf.Tensor


@dataclass(frozen=True)
class GRURecurrence:
    """A GRU (Cho et al. 2014, arXiv 1406.1078) from a zero state.

    In Keras' gate order, with ``q`` the int8 grid of h and a straight-through gradient::

        z, r = sigmoid(x W + q(h) R + b)
        n    = tanh(x W_n + r * (q(h) R_n + b_n))    with reset_after
        n    = tanh(x W_n + q(r * h) R_n)            without
        h    = n + z * (h - n)

    Hard functions take the places of sigmoid and tanh.

    Attributes:
        reset_after: whether r acts after the product with the recurrent kernel.
        h_range: ends of the grid of h, scalars; None leaves h in float32.
        dropout: (batch, units) factors of what the recurrent kernel reads, the same at every step;
            None leaves it whole.
        functions: of the gates z and r, and of the candidate n.
    """

    reset_after: bool
    h_range: tuple[tf.Tensor, tf.Tensor] | None = None
    dropout: tf.Tensor | None = None
    functions: GateFunctions = SOFT

    def run(
        self,
        projected: tf.Tensor,
        recurrent: tf.Tensor,
        bias: tf.Tensor | None,
        training: bool = True,
    ) -> tf.Tensor:
        """Return ``q(h)`` of all steps, (frames, batch, units).

        Gradients flow to the first three arguments.

        Args:
            projected: ``x W + b`` for all steps, (frames, batch, 3 * units).
            recurrent: R, (units, 3 * units).
            bias: that of the recurrent product, (3 * units,); None where there is none.
            training: keep the values that the gradient needs; without it the loop is faster, and
                differentiated by TensorFlow itself.
        """
        if bias is None:
            bias = tf.zeros(recurrent.shape[1])
        if not training:
            (outputs,) = self._forward(projected, recurrent, bias, keep=False)
            return outputs

        @tf.custom_gradient
        def differentiable(projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> tuple:
            steps = _Steps(*self._forward(projected, recurrent, bias, keep=True))

            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
                if self.reset_after:
                    return self._backward_after(recurrent, steps, upstream)
                by_projected, by_recurrent = self._backward_before(recurrent, steps, upstream)
                return by_projected, by_recurrent, tf.zeros_like(bias)

            return steps.outputs, gradient

        return differentiable(projected, recurrent, bias)

    def _on_grid(self, h: tf.Tensor) -> tf.Tensor:
        if self.h_range is None:
            return h
        low, high = self.h_range
        return tf.quantization.fake_quant_with_min_max_vars(h, low, high, num_bits=8)

    def _forward(
        self, projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, keep: bool
    ) -> list[tf.Tensor]:
        """Outputs; kept for the gradient, everything that :class:`_Steps` holds."""
        units = recurrent.shape[0]
        frames = tf.shape(projected)[0]
        inputs = unstack(projected)
        gates_and_candidate = self._step_function(recurrent, bias)

        def step(t, h, output, *arrays):  # type: ignore[no-untyped-def]
            z, r, n, inner = gates_and_candidate(inputs.read(t), h, output)
            h = n + z * (h - n)
            output = self._on_grid(h)
            values = (output, h, tf.concat([z, r, n], axis=1), inner) if keep else (output,)
            written = [array.write(t, value) for array, value in zip(arrays, values, strict=True)]
            return (t + 1, h, output, *written)

        zero = tf.zeros((tf.shape(projected)[1], units))
        widths = (units, units, GATES * units, units) if keep else (units,)
        arrays = [new_array(projected, width) for width in widths]
        start = (0, zero, self._on_grid(zero), *arrays)
        _, _, _, *filled = tf.while_loop(lambda t, *_: t < frames, step, start)
        return [array.stack() for array in filled]

    def _step_function(self, recurrent: tf.Tensor, bias: tf.Tensor) -> Callable:
        """Return the function (projected, h, q(h)) -> z, r, n, inner of one step."""
        units = recurrent.shape[0]
        of_gates = recurrent[:, : 2 * units]
        of_candidate = recurrent[:, 2 * units :]
        gate, value = self.functions.gate, self.functions.value

        def after(projected: tf.Tensor, h: tf.Tensor, output: tf.Tensor) -> tuple:
            del h
            product = tf.matmul(dropped(output, self.dropout), recurrent) + bias
            summed = projected[:, : 2 * units] + product[:, : 2 * units]
            z, r = tf.split(gate(summed), 2, axis=1)
            inner = product[:, 2 * units :]
            return z, r, value(projected[:, 2 * units :] + r * inner), inner

        def before(projected: tf.Tensor, h: tf.Tensor, output: tf.Tensor) -> tuple:
            product = tf.matmul(dropped(output, self.dropout), of_gates)
            z, r = tf.split(gate(projected[:, : 2 * units] + product), 2, axis=1)
            reset = dropped(self._on_grid(r * h), self.dropout)
            inner = tf.matmul(reset, of_candidate)
            return z, r, value(projected[:, 2 * units :] + inner), inner

        return after if self.reset_after else before

    def _backward_after(
        self, recurrent: tf.Tensor, steps: _Steps, upstream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Gradients of ``projected``, ``recurrent`` and ``bias`` with reset_after."""
        z, r, n = tf.split(steps.gates, GATES, axis=2)
        gate_slope = self.functions.gate_slope
        to_z = (delay(steps.states) - n) * gate_slope(z)
        to_n = (1 - z) * self.functions.value_slope(n)
        to_r = to_n * steps.inner * gate_slope(r)
        factors = tf.concat([to_z, to_r, to_n * r], axis=2)

        factors_of_step = unstack(factors)
        update = unstack(z)
        arriving = unstack(upstream)
        transposed = tf.transpose(recurrent)

        def step(t, dh, kept):  # type: ignore[no-untyped-def]
            dh += arriving.read(t)
            delta = tf.tile(dh, [1, GATES]) * factors_of_step.read(t)
            by_product = dropped(tf.matmul(delta, transposed), self.dropout)
            return t - 1, dh * update.read(t) + by_product, kept.write(t, dh)

        by_state = _back_in_time(step, upstream, upstream.shape[2])
        by_product = tf.tile(by_state, [1, 1, GATES]) * factors
        by_projected = tf.concat([by_product[..., : -n.shape[2]], by_state * to_n], axis=2)
        read = dropped(delay(steps.outputs), self.dropout)
        by_recurrent = _rows_times_rows(read, by_product)
        return by_projected, by_recurrent, tf.reduce_sum(by_product, axis=(0, 1))

    def _backward_before(
        self, recurrent: tf.Tensor, steps: _Steps, upstream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Gradients of ``projected`` and ``recurrent`` without reset_after."""
        units = recurrent.shape[0]
        z, r, n = tf.split(steps.gates, GATES, axis=2)
        before = delay(steps.states)
        gate_slope = self.functions.gate_slope
        to_z = unstack((before - n) * gate_slope(z))
        to_n = unstack((1 - z) * self.functions.value_slope(n))
        to_r = unstack(before * gate_slope(r))
        update = unstack(z)
        reset = unstack(r)
        arriving = unstack(upstream)
        gates_transposed = tf.transpose(recurrent[:, : 2 * units])
        candidate_transposed = tf.transpose(recurrent[:, 2 * units :])

        def step(t, dh, deltas):  # type: ignore[no-untyped-def]
            dh += arriving.read(t)
            delta_n = dh * to_n.read(t)
            by_reset = dropped(tf.matmul(delta_n, candidate_transposed), self.dropout)
            delta_gates = tf.concat([dh * to_z.read(t), by_reset * to_r.read(t)], axis=1)
            by_product = dropped(tf.matmul(delta_gates, gates_transposed), self.dropout)
            earlier = dh * update.read(t) + by_reset * reset.read(t) + by_product
            return t - 1, earlier, deltas.write(t, tf.concat([delta_gates, delta_n], axis=1))

        by_projected = _back_in_time(step, upstream, GATES * units)
        read = dropped(delay(steps.outputs), self.dropout)
        read_reset = dropped(self._on_grid(r * before), self.dropout)
        by_gates = _rows_times_rows(read, by_projected[..., : 2 * units])
        by_candidate = _rows_times_rows(read_reset, by_projected[..., 2 * units :])
        return by_projected, tf.concat([by_gates, by_candidate], axis=1)


def _back_in_time(step: Callable, upstream: tf.Tensor, width: int) -> tf.Tensor:
    """Run a step (t, gradient of h, kept values) from the last frame to the first.

    Returns what it kept, (frames, batch, width).
    """
    frames = tf.shape(upstream)[0]
    zero = tf.zeros_like(upstream[0])
    start = (frames - 1, zero, new_array(upstream, width))
    *_, kept = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return kept.stack()


def _rows_times_rows(read: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """Return the gradient of a kernel: what it read, transposed, times gradients of its product.

    Both are (frames, batch, ...).
    """
    rows = tf.reshape(read, (-1, read.shape[2]))
    return tf.matmul(rows, tf.reshape(deltas, (-1, deltas.shape[2])), transpose_a=True)
