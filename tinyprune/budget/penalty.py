"""The penalty of a budget, which closes gates and has nothing to tune.

The loss of a step is that of the task plus

    sum over limits b of  lambda_b max(0, log(R_b(kept) / B_b(t))),

with R_b the usage with ``kept`` units per set (:mod:`tinyprune.budget.limits`) and B_b(t) the usage
that is allowed now: it falls from the initial usage to the budget, geometrically. Under it there is
no penalty (one side only, as in Liberis and Lane 2021, arXiv 2110.08350). lambda_b begins at a part
of the warm-up's loss; it grows while the network is above B_b(t) and shrinks while it is below, so
that it becomes what it must be and no more.

The gradient of the penalty by ``kept`` is refreshed every few steps; between these the penalty is
linear in ``kept``, which costs next to nothing: it is added where the shares learn, not to the
loss. Shares move by the derivative over the sum of lambdas: then the budget's part of it, the
elasticities e = n d log R / d kept of the sets, has no unit, whatever the loss is measured in. The
rate is such that this part alone, step size times sum e^2, would reach the budget SLACK times too
early: most of it has to be held up by the importance of units, and so lambda falls until it is.
"""

import numpy as np
import tensorflow as tf

from tinyprune.array_types import Float64Array, IntArray
from tinyprune.budget.gates import Gates
from tinyprune.budget.limits import ModelledLimits

SOFT = 0.05  # temperature of the gates at first
WARM_UP = 0.1  # of the steps with gates: the importance of units is seen before any goes
ARRIVAL = 0.75  # part of the steps from there to the end of the gates until the budget is reached
REFRESHES = 200  # of the penalty's gradient
STRENGTH = 0.1  # lambda at first, as a part of the loss of the warm-up
LEAST_LOSS = 1e-3  # where the loss of the warm-up is 0
GROWTH = 0.1  # of log lambda per refresh, where log(usage / allowed) is FAR or more
FAR = 0.05
SLACK = 6.0  # how many times too early the budget would be reached if units had no importance
FASTEST = 16.0  # how many times a share could go from 1 to 0 in the steps with gates


class BudgetPenalty:
    """The penalty of one training.

    Attributes:
        strengths: (limits,), the lambdas; 0 until the warm-up is over.
        by_kept: (sets,), gradient of the penalty by the units that are kept.
        losses: of the warm-up so far.
    """

    def __init__(self, limits: int, steps: int, least: IntArray) -> None:
        """For ``steps`` optimizer steps with gates; sets keep ``least`` (sets,) units."""
        self.strengths = np.zeros(limits)
        self.by_kept = tf.Variable(tf.zeros(len(least)), trainable=False)
        self.losses: list[float] = []
        self._steps = steps
        self._least = least
        self._warm = max(1, int(WARM_UP * steps))
        self._step = 0

    def before_step(
        self, step: int, gates: Gates, limits: ModelledLimits, initial: Float64Array
    ) -> None:
        """Rank and cool the gates and refresh the penalty before step ``step``, from 0.

        That happens every few steps.         ``initial``: (limits,), usage at first.
        """
        self._step = step
        if step >= self._warm and step % max(1, self._steps // REFRESHES) == 0:
            self._refresh(gates, limits, initial)

    def after_step(self, loss: float) -> None:
        """Note the losses of the warm-up, which give the penalty its strength."""
        if self._step < self._warm:
            self.losses.append(abs(loss))

    def _refresh(self, gates: Gates, limits: ModelledLimits, initial: Float64Array) -> None:
        progress = (self._step - self._warm) / max(1, self._steps - self._warm)
        if not self.strengths.any():
            self.strengths[:] = STRENGTH * max(float(np.mean(self.losses or [1.0])), LEAST_LOSS)
        gates.rank()
        gates.set_temperature(SOFT * (1 - progress), self._least)

        most = np.array([limit.most for limit in limits.limits])
        falling = initial * (most / initial) ** min(1.0, progress / ARRIVAL)
        allowed = np.maximum(most, falling)
        values, gradient = limits.penalty_gradient(gates.kept().numpy(), self.strengths, allowed)
        self.strengths *= np.exp(GROWTH * np.clip(np.log(values / allowed) / FAR, -1, 1))
        self.by_kept.assign(gradient)

        gates.largest_step.assign(FASTEST / self._steps)
        squares = float(((gradient * gates.sizes) ** 2).sum()) / self.strengths.sum()
        if squares:  # else nothing pushes: the rate stays
            distance = float(np.log(initial / most).max())
            gates.rate.assign(SLACK * distance / ARRIVAL / self._steps / squares)
