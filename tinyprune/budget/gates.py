"""Gates: how open each coupled unit is, learned while a network trains (Liberis and Lane 2021, arXiv 2110.08350).

A set of n units has one learned number, the share s of them that stays. Its units are ranked by
importance, r = 0 for the most important, and

    gate(r) = sigmoid((s n - r - 1/2) / w),    w = max(t n, 1/10),

with the temperature t: a soft step down at rank s n that becomes 0 or 1 as t falls to zero. The
    gates of a set add up
to about s n, the number of units that stay, which is what resources depend on. The derivative by
the share,

    d gate / d s = gate (1 - gate) n / w,

is large at the border and nothing elsewhere: the loss says whether the units that are next to go
    are missed.

The gate of a unit multiplies the weights of every kernel that reads it, so a closed unit is one
that nobody reads, the very network that :func:`tinyprune.compress.remove.remove` makes. What a unit
is worth is the moving average of the squared derivative of the loss by its gate (Molchanov et al.
2019, arXiv 1906.10771). Times the number of examples in a batch it is the Fisher information F of
the gate, the curvature of the loss, so that closing gates costs about

    1/2 sum F (1 - gate)^2

(Theis et al. 2018, arXiv 1801.05787). The shares follow this as well as the derivative itself,
which is nearly 0 as
soon as the weights behind a gate have adapted: a gate and the weights that it multiplies are one
    product.
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
NARROWEST = 0.1  # width of the step in units: with the border between two ranks, both gates are closed or open


class Gates:
    """The gates of a coupling. Every array follows its sets and units; a smaller coupling has gates of its own.

    Attributes:
        coupling: whose units they are.
        sizes: (sets,), how many units each set had before anything was removed.
        share: (sets,), learned: the part of ``sizes`` that stays.
        temperature: scalar; how soft the gates are.
        worth: (units,), moving average of squared derivatives by the gates.
        rate: the learning rate of the shares. fastest: the most by which one changes in a step.
        probe: (units,) of zeros, added to the gates where kernels are read: the derivative by it is
            the task's alone.
    """

    def __init__(
        self, coupling: Coupling, sizes: Float64Array | None = None, temperature: float = 0.1
    ) -> None:
        self.coupling = coupling
        alive = np.array([item.size for item in coupling.sets], np.float64)
        self.sizes = alive if sizes is None else sizes
        self._set_of = np.repeat(np.arange(len(coupling.sets)), alive.astype(int))
        self.temperature = tf.Variable(temperature, dtype=tf.float32, trainable=False)
        self.share = tf.Variable(self._widest(temperature), dtype=tf.float32)
        self.probe = tf.Variable(tf.zeros(coupling.units))
        self.worth = tf.Variable(tf.zeros(coupling.units), trainable=False)
        ranks = np.concatenate([np.arange(size) for size in alive]) if len(alive) else np.empty(0)
        self._ranks = tf.Variable(ranks, dtype=tf.float32, trainable=False)
        self.rate, self.fastest = (tf.Variable(0.0, trainable=False) for _ in range(2))
        self._ends = [
            tf.Variable(end, dtype=tf.float32, trainable=False)
            for end in (0 * alive, self._widest(temperature))
        ]
        self._mean = tf.Variable(tf.zeros(len(alive)), trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        """Everything that a checkpoint needs."""
        return [
            self.share,
            self.temperature,
            self.worth,
            self._ranks,
            self.rate,
            self.fastest,
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
        """How many units of each set stay, (sets,): the sum of its gates."""
        return tf.math.segment_sum(self.values(), self._set_of)

    def missed(self) -> tf.Tensor:
        """What the loss is expected to lose by gates that are not open, ``1/2 sum worth (1 - gate)^2``; see above."""
        return tf.reduce_sum(tf.stop_gradient(self.worth) * (1 - self.values()) ** 2) / 2

    def attach(self, prepared: keras.Model) -> None:
        """Let the kernels of a prepared model be read through the gates."""
        for layer in compressed_layers(prepared):
            layer.gates = self._factors(layer.name)

    def learn(self, by_share: tf.Tensor, by_gate: tf.Tensor, by_kept: tf.Tensor) -> None:
        """In the compiled step: one step down for the shares, and what the units are worth.

        Args:
            by_share: (sets,), derivative of the loss by the shares; its mean counts.
            by_gate: (units,), by the gates, that is by ``probe``.
            by_kept: (sets,), derivative of the budget's penalty by the kept units, as it is now: s
                n of hard gates.
        """
        self.worth.assign(
            MOMENTUM * self.worth + (1 - MOMENTUM) * tf.convert_to_tensor(by_gate) ** 2
        )
        self._mean.assign(STEADY * self._mean + (1 - STEADY) * by_share)
        down = self._mean + by_kept * self.sizes.astype(np.float32)
        step = tf.clip_by_value(self.rate * down, -self.fastest, self.fastest)
        self.share.assign(tf.clip_by_value(self.share - step, *self._ends))

    def rank(self, worth: Float64Array | None = None) -> None:
        """Rank the units of each set anew, by ``worth`` (units,), by default what has been observed."""
        values = self.worth.numpy() if worth is None else worth
        ranks = np.empty(len(values), np.float32)
        for item in self.coupling.sets:
            ranks[item.start + np.argsort(-values[item.slice], kind="stable")] = np.arange(
                item.size
            )
        self._ranks.assign(ranks)

    def cool(self, temperature: float, least: int) -> None:
        """Set the temperature; a share stays between ``least`` units and what opens all of its gates."""
        self.temperature.assign(temperature)
        lowest = np.minimum([item.size for item in self.coupling.sets], least) / self.sizes
        for end, share in zip(self._ends, (lowest, self._widest(temperature)), strict=True):
            end.assign(share)
        self.share.assign(np.clip(self.share.numpy(), *(end.numpy() for end in self._ends)))

    def alive(self, least: int) -> Keep:
        """Units whose gates are not closed, (units,), and some to spare, whose gates may open again.

        Of every set that is as many as are kept, a tenth more, and ``least`` more.
        """
        reserve = SPARE * self.kept().numpy() + least
        keep: Keep = (self.values().numpy() >= CLOSED) | (
            self._ranks.numpy() < reserve[self._set_of]
        )
        return keep

    def best(self, counts: IntArray) -> Keep:
        """The units that stay if ``counts`` (sets,) of each set do, (units,): those of the highest rank."""
        keep: Keep = self._ranks.numpy() < counts[self._set_of]
        return keep

    def lost(self, counts: IntArray) -> Float64Array:
        """What the units are worth together that would go if ``counts`` (sets,) stay, (sets,)."""
        gone = np.where(self.best(counts), 0.0, self.worth.numpy())
        return np.bincount(self._set_of, gone, len(self.sizes)).astype(np.float64)

    def without(self, coupling: Coupling, keep: Keep) -> "Gates":
        """The gates of the coupling that is left when the units that are not in ``keep`` are removed."""
        found = Gates(coupling, self.sizes, float(self.temperature.numpy()))
        found.share.assign(self.share)
        found.worth.assign(self.worth.numpy()[keep])
        for name in ("rate", "fastest", "_mean"):
            getattr(found, name).assign(getattr(self, name))
        found._ends[0].assign(self._ends[0])
        found.rank(-self._ranks.numpy()[keep])
        return found

    def _widest(self, temperature: float) -> Float64Array:
        """The shares at which every gate is open."""
        alive = np.array([item.size for item in self.coupling.sets], np.float64)
        width = np.maximum(temperature * self.sizes, NARROWEST)
        shares: Float64Array = (alive + REACH * width) / self.sizes
        return shares

    def _factors(self, layer: str) -> dict[str, Callable[[], tf.Tensor]]:
        """Kernel name -> what gives the gates of the inputs that it reads, of a shape that fits the kernel's."""
        return {
            key.rpartition("/")[2]: self._factor(
                ids, len(self.coupling.shapes[key]), self.coupling.layouts[key]
            )
            for key, ids in self.coupling.inputs.items()
            if key.rpartition("/")[0] == layer and (ids >= 0).any()
        }

    def _factor(self, ids: IntArray, rank: int, layout: Layout) -> Callable[[], tf.Tensor]:
        """Inputs are the last axis but one; of a transposed convolution the last."""
        shape: Any = [1] * rank
        shape[-1 if layout is Layout.TRANSPOSED else -2] = len(ids)
        index = np.where(
            ids < 0, self.coupling.units, ids
        )  # what is no unit is behind the last gate
        return lambda: tf.reshape(
            tf.gather(tf.concat([self.values() + self.probe, [1.0]], 0), index), shape
        )
