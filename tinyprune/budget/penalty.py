"""How a budget pushes gates shut: a penalty with nothing to tune.

The loss of a step is that of the task plus

    sum over limits b of  lambda_b max(0, log(R_b(kept) / B_b(t))),

with R_b what the network takes with ``kept`` units per set (:mod:`tinyprune.budget.limits`) and
B_b(t) what it may
take now: it falls from what the network took at first to the budget, geometrically. Under it there
    is no penalty (one
side only, as in Liberis and Lane 2021, arXiv 2110.08350). lambda_b begins at a part of the
warm-up's loss; it grows while the network is above B_b(t) and shrinks while it is below, so that it
becomes what it must be and no more.

The gradient of the penalty by ``kept`` is refreshed every few steps; between these the penalty is
linear in ``kept``,
which costs next to nothing: it is added where the shares learn, not to the loss. Shares move by the
    derivative over the
sum of lambdas: then the budget's part of it, the elasticities e = n d log R / d kept of the sets,
    has no unit, whatever
the loss is measured in. The rate is such that this part alone, step size times sum e^2, would reach
the budget SLACK
times too early: most of it has to be held up by what units are worth, and so lambda falls until it
    is.
"""

import numpy as np
import tensorflow as tf

from tinyprune.array_types import Float64Array
from tinyprune.budget.gates import Gates
from tinyprune.budget.limits import Limits

SOFT = 0.05  # temperature of the gates at first
WARM_UP = 0.1  # of the steps with gates: what units are worth is seen before any goes
ARRIVAL = 0.75  # part of the way from there to the end of the gates at which the budget is reached
REFRESHES = 200  # of the penalty's gradient
STRENGTH, LEAST_LOSS = (
    0.1,
    1e-3,
)  # lambda at first: a part of the loss of the warm-up, which may be 0
GROWTH, FAR = (
    0.1,
    0.05,
)  # of log lambda, per refresh, where log(what is taken / what may be) is FAR or more
SLACK = 6.0  # how many times faster than needed the budget would be reached if no unit were worth anything
FASTEST = 16.0  # how many times a share could go from 1 to 0 in the steps with gates


class Pressure:
    """The penalty of one training.

    Attributes:
        strengths: (limits,), the lambdas; 0 until the warm-up is over.
        by_kept: (sets,), gradient of the penalty by the units that are kept.
        losses: of the warm-up so far.
    """

    def __init__(self, limits: int, sets: int, steps: int, least: int) -> None:
        """For ``steps`` optimizer steps with gates; every set keeps ``least`` units."""
        self.strengths = np.zeros(limits)
        self.by_kept = tf.Variable(tf.zeros(sets), trainable=False)
        self.losses: list[float] = []
        self._steps, self._least = steps, least
        self._warm, self._step = max(1, int(WARM_UP * steps)), 0

    def before_step(self, step: int, gates: Gates, limits: Limits, before: Float64Array) -> None:
        """Before step ``step``, from 0, if it is time: rank and cool the gates, refresh the penalty.

        ``before``: (limits,), what the network took at first.
        """
        self._step = step
        if step >= self._warm and step % max(1, self._steps // REFRESHES) == 0:
            self._refresh(gates, limits, before)

    def after_step(self, loss: float) -> None:
        """The losses of the warm-up give the penalty its strength."""
        if self._step < self._warm:
            self.losses.append(abs(loss))

    def _refresh(self, gates: Gates, limits: Limits, before: Float64Array) -> None:
        way = (self._step - self._warm) / max(1, self._steps - self._warm)
        if not self.strengths.any():
            self.strengths[:] = STRENGTH * max(float(np.mean(self.losses or [1.0])), LEAST_LOSS)
        gates.rank()
        gates.cool(SOFT * (1 - way), self._least)
        most = np.array([limit.most for limit in limits.limits])
        allowed = np.maximum(most, before * (most / before) ** min(1.0, way / ARRIVAL))
        values, gradient = limits.pull(gates.kept().numpy(), self.strengths, allowed)
        self.strengths *= np.exp(GROWTH * np.clip(np.log(values / allowed) / FAR, -1, 1))
        self.by_kept.assign(gradient)
        gates.fastest.assign(FASTEST / self._steps)
        squares = float(((gradient * gates.sizes) ** 2).sum()) / self.strengths.sum()
        if squares:  # else nothing pushes: the rate stays
            gates.rate.assign(
                SLACK * float(np.log(before / most).max()) / ARRIVAL / self._steps / squares
            )
