"""Gates: how open each coupled unit is, learned while a network trains.

After Liberis and Lane 2021 (arXiv 2110.08350). A set of n units has one learned number, the share s
of them that stays. Its units are ranked by importance, r = 0 for the most important, and

    gate(r) = sigmoid((s n - r - 1/2) / w),    w = max(t n, 1/10),

with the temperature t: a soft step down at rank s n that becomes 0 or 1 as t falls to zero. The
gates of a set add up to about s n, the number of units that stay, which is what resources depend
on. The derivative by the share,

    d gate / d s = gate (1 - gate) n / w,

is large at the border and nothing elsewhere: the loss says whether the units that are next to go
are missed.

The gate of a unit multiplies the weights of every kernel that reads it, so a closed unit is one
that nobody reads: the very network that :func:`tinyprune.compress.remove.remove` makes. The
importance of a unit is the moving average of the squared derivative of the loss by its gate
(Molchanov et al. 2019, arXiv 1906.10771). Times the number of examples in a batch it is the Fisher
information F of the gate, the curvature of the loss, so that closing gates costs about

    1/2 sum F (1 - gate)^2

(Theis et al. 2018, arXiv 1801.05787). The shares follow this as well as the derivative itself,
which is nearly 0 as soon as the weights behind a gate have adapted: a gate and the weights that it
multiplies are one product.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import Float64Array, IntArray
from tinyprune.compress.prepare import compressed_layers
from tinyprune.sparsity.layout import Layout
from tinyprune.sparsity.unit_sets import Coupling, Keep

CLOSED = 0.01  # a gate below it is closed; one above 1 - CLOSED is open
REACH = float(np.log(1 / CLOSED - 1))  # how many widths a gate needs from one half to there
MOMENTUM = 0.98  # of the importance
STEADY = 0.9  # momentum of the derivative by the shares
SPARE = 1.1  # times as many units as are kept stay when closed ones are removed
#: Width of the step in units: with the border between two ranks, both gates are closed or open.
NARROWEST = 0.1


class Gates:
    """The gates of a coupling.

    Every array follows its sets and units; a smaller coupling has gates of its own.

    Attributes:
        coupling: of the units.
        sizes: (sets,), number of units that each set had before anything was removed.
        share: (sets,), learned: the part of ``sizes`` that stays.
        temperature: scalar; how soft the gates are.
        importance: (units,), moving average of squared derivatives by the gates.
        rate: the learning rate of the shares.
        largest_step: largest change of a share in a step.
        probe: (units,) of zeros, added to the gates where kernels are read: the derivative by it is
            the task's alone.
    """

    def __init__(
        self, coupling: Coupling, sizes: Float64Array | None = None, temperature: float = 0.1
    ) -> None:
        self.coupling = coupling
        alive = np.array([unit_set.size for unit_set in coupling.sets], np.float64)
        self.sizes = alive if sizes is None else sizes
        self._set_of = np.repeat(np.arange(len(coupling.sets)), alive.astype(int))
        self.temperature = tf.Variable(temperature, dtype=tf.float32, trainable=False)
        self.share = tf.Variable(self._open_shares(temperature), dtype=tf.float32)
        self.probe = tf.Variable(tf.zeros(coupling.units))
        self.importance = tf.Variable(tf.zeros(coupling.units), trainable=False)
        ranks = np.concatenate([np.arange(size) for size in alive]) if len(alive) else np.empty(0)
        self._ranks = tf.Variable(ranks, dtype=tf.float32, trainable=False)
        self.rate = tf.Variable(0.0, trainable=False)
        self.largest_step = tf.Variable(0.0, trainable=False)
        shares = (0 * alive, self._open_shares(temperature))
        self._ends = [tf.Variable(end, dtype=tf.float32, trainable=False) for end in shares]
        self._mean = tf.Variable(tf.zeros(len(alive)), trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        """Variables that a checkpoint needs."""
        return [
            self.share,
            self.temperature,
            self.importance,
            self._ranks,
            self.rate,
            self.largest_step,
            *self._ends,
            self._mean,
        ]

    def values(self) -> tf.Tensor:
        """The gates, (units,) in (0, 1)."""
        width = tf.maximum(self.temperature * self.sizes.astype(np.float32), NARROWEST)
        middle = (self.share * self.sizes.astype(np.float32) - 0.5) / width
        return tf.sigmoid(
            tf.gather(middle, self._set_of) - self._ranks / tf.gather(width, self._set_of)
        )

    def kept(self) -> tf.Tensor:
        """Return the number of units of each set that stay, (sets,): the sum of its gates."""
        return tf.math.segment_sum(self.values(), self._set_of)

    def expected_loss(self) -> tf.Tensor:
        """Return the loss that gates which are not open are expected to cost, a scalar.

        It is ``1/2 sum importance (1 - gate)^2``; see above.
        """
        return tf.reduce_sum(tf.stop_gradient(self.importance) * (1 - self.values()) ** 2) / 2

    def attach(self, prepared: keras.Model) -> None:
        """Let the kernels of a prepared model be read through the gates."""
        for layer in compressed_layers(prepared):
            layer.gates = self._factors(layer.name)

    def learn(self, by_share: tf.Tensor, by_gate: tf.Tensor, by_kept: tf.Tensor) -> None:
        """Move the shares one step down, and average the importance. Part of the compiled step.

        Args:
            by_share: (sets,), derivative of the loss by the shares; its mean counts.
            by_gate: (units,), by the gates, that is by ``probe``.
            by_kept: (sets,), derivative of the budget's penalty by the kept units as it is now,
                with the slope of hard gates.
        """
        self.importance.assign(
            MOMENTUM * self.importance + (1 - MOMENTUM) * tf.convert_to_tensor(by_gate) ** 2
        )
        self._mean.assign(STEADY * self._mean + (1 - STEADY) * by_share)
        down = self._mean + by_kept * self.sizes.astype(np.float32)
        step = tf.clip_by_value(self.rate * down, -self.largest_step, self.largest_step)
        self.share.assign(tf.clip_by_value(self.share - step, *self._ends))

    def rank(self, importance: Float64Array | None = None) -> None:
        """Rank the units of each set anew.

        ``importance``: (units,); default: the one that has been observed.
        """
        values = self.importance.numpy() if importance is None else importance
        ranks = np.empty(len(values), np.float32)
        for unit_set in self.coupling.sets:
            ranks[unit_set.start + np.argsort(-values[unit_set.slice], kind="stable")] = np.arange(
                unit_set.size
            )
        self._ranks.assign(ranks)

    def set_temperature(self, temperature: float, least: IntArray | int) -> None:
        """Set the temperature and the ends of the shares.

        A share stays between ``least`` (sets,) units and the share at which all of its gates are
        open.
        """
        self.temperature.assign(temperature)
        lowest = np.minimum([unit_set.size for unit_set in self.coupling.sets], least) / self.sizes
        for end, share in zip(self._ends, (lowest, self._open_shares(temperature)), strict=True):
            end.assign(share)
        self.share.assign(np.clip(self.share.numpy(), *(end.numpy() for end in self._ends)))

    def open_units(self, least: IntArray | int) -> Keep:
        """Return the units whose gates are not closed, and some to spare, (units,).

        The gates of those may open again.

        Of every set that is as many as are kept, a tenth more, and ``least`` (sets,) more.
        """
        reserve = SPARE * self.kept().numpy() + least
        keep: Keep = (self.values().numpy() >= CLOSED) | (
            self._ranks.numpy() < reserve[self._set_of]
        )
        return keep

    def most_important(self, counts: IntArray) -> Keep:
        """Return the ``counts`` (sets,) units of each set that have the highest rank, (units,)."""
        keep: Keep = self._ranks.numpy() < counts[self._set_of]
        return keep

    def removed_importance(self, counts: IntArray) -> Float64Array:
        """Return the importance of all units that go if ``counts`` (sets,) stay, (sets,)."""
        gone = np.where(self.most_important(counts), 0.0, self.importance.numpy())
        return np.bincount(self._set_of, gone, len(self.sizes)).astype(np.float64)

    def restricted(self, coupling: Coupling, keep: Keep) -> "Gates":
        """Return the gates of the coupling that is left when only the units in ``keep`` stay."""
        smaller = Gates(coupling, self.sizes, float(self.temperature.numpy()))
        smaller.share.assign(self.share)
        smaller.importance.assign(self.importance.numpy()[keep])
        for name in ("rate", "largest_step", "_mean"):
            getattr(smaller, name).assign(getattr(self, name))
        smaller._ends[0].assign(self._ends[0])
        smaller.rank(-self._ranks.numpy()[keep])
        return smaller

    def _open_shares(self, temperature: float) -> Float64Array:
        """Return the shares at which every gate is open, (sets,)."""
        alive = np.array([unit_set.size for unit_set in self.coupling.sets], np.float64)
        width = np.maximum(temperature * self.sizes, NARROWEST)
        shares: Float64Array = (alive + REACH * width) / self.sizes
        return shares

    def _factors(self, layer: str) -> dict[str, Callable[[], tf.Tensor]]:
        """Return kernel name -> function that returns the gates of the inputs that it reads.

        They are of a shape that fits the kernel's.
        """
        return {
            key.rpartition("/")[2]: self._factor(
                ids, len(self.coupling.shapes[key]), self.coupling.layouts[key]
            )
            for key, ids in self.coupling.inputs.items()
            if key.rpartition("/")[0] == layer and (ids >= 0).any()
        }

    def _factor(self, ids: IntArray, rank: int, layout: Layout) -> Callable[[], tf.Tensor]:
        """Return the function of one kernel.

        Its inputs are the last axis but one; of a transposed convolution the last.
        """
        shape: Any = [1] * rank
        shape[-1 if layout is Layout.TRANSPOSED else -2] = len(ids)
        index = np.where(
            ids < 0, self.coupling.units, ids
        )  # what is no unit is behind the last gate
        return lambda: tf.reshape(
            tf.gather(tf.concat([self.values() + self.probe, [1.0]], 0), index), shape
        )
