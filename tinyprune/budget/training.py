"""The course of a differentiable pruning: gates that a budget pushes shut, units removed at epoch ends, then int8.

After Liberis and Lane 2021 (arXiv 2110.08350). In the first epochs gates learn, in float, under the
pressure of the budget (:mod:`tinyprune.budget.penalty`); at the end of one, units whose gates are
closed are removed, and optimizer and gates go on with what is left. Then counts are made whole
(:mod:`tinyprune.budget.fitting`), held to the budget by Vela where there is a target, and the rest
of the epochs learns int8.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import Float64Array, IntArray
from tinyprune.artifacts.budget import BudgetLine, BudgetRecord, Removal
from tinyprune.budget.gates import Gates
from tinyprune.budget.penalty import SOFT, Pressure
from tinyprune.budget.tracker import Meter
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.coupling import coupling
from tinyprune.compress.prepare import calibrate, copy_state, prepare, strip
from tinyprune.compress.remove import carry, remove, without
from tinyprune.errors import CheckFailed
from tinyprune.npu.limits import Limit, exceeded, limits_text
from tinyprune.sparsity.unit_sets import Coupling, Keep, only
from tinyprune.training.compression import Course, Replacement

log = logging.getLogger(__name__)
WORTH = 0.7  # of the multiply-accumulates: units are removed when that few are left, because it costs a new graph
TRIES = 8  # compilations until whole counts keep the budget by Vela


@dataclass(frozen=True)
class Ask:
    """What a differentiable pruning is asked for.

    Attributes:
        limits: the budget.
        step: units are left in multiples of it.
        removable: names of the sets that may lose units.
        gate_epochs: how many epochs have gates. measure_every: of the others, between two looks by
            Vela.
        steps_per_epoch: optimizer steps. batch_size: examples in each.
        frames: as in :func:`tinyprune.compress.shapes.network_shape`.
        batches: calibration inputs of a prepared network.
    """

    limits: tuple[Limit, ...]
    step: int
    removable: tuple[str, ...]
    gate_epochs: int
    measure_every: int
    steps_per_epoch: int
    batch_size: int
    frames: int | None
    batches: Callable[[keras.Model], Any]


class Gating(Course):
    """Gates, then int8.

    Attributes:
        template: the plain network that is trained now, in canonical form; its weights are those of
            the prepared one.
        prepared: the network that is trained now.
        removals: what was removed when.
        meter: what the network takes. pressure: of the budget.
    """

    def __init__(self, network: keras.Model, ask: Ask, vela: VelaLoop | None = None) -> None:
        """``network``: plain, in canonical form.

        Raises UsageError if a limit cannot be kept, saying the least that can be reached.
        """
        self._ask = ask
        self.removals: list[Removal] = []
        self._epoch = 0
        self._is_int8 = False
        self.template, self._coupling = network, self._coupled(network)
        self._names = [item.name for item in self._coupling.sets]
        self._alive = np.arange(self._coupling.units)
        self.meter = Meter(network, self._coupling, ask.limits, ask.frames, vela)
        fewest = np.minimum(self.meter.sizes, ask.step)
        self.meter.now.check_reachable(self.meter.least(network, self._coupling, fewest), ask.step)
        self.prepared = prepare(network, masked=False, quantized=False, normalised=True)
        calibrate(self.prepared, ask.batches(self.prepared))
        self._gates = Gates(self._coupling, temperature=SOFT)
        self._gates.attach(self.prepared)
        steps = ask.gate_epochs * ask.steps_per_epoch
        self.pressure = Pressure(len(ask.limits), len(self._names), steps, ask.step)
        if self.is_met:
            self._is_int8 = True
            self.prepared = self._int8()

    @property
    def is_met(self) -> bool:
        """Whether the network keeps the budget before anything is removed."""
        return not exceeded(self._ask.limits, self.meter.before)

    # --- what the training asks
    # -----------------------------------------------------------------------------------

    @property
    def learned(self) -> list[Any]:
        """Shares and the gates themselves."""
        return [] if self._is_int8 else [self._gates.share, self._gates.probe]

    @property
    def variables(self) -> list[Any]:
        """Gates and pressure."""
        return [self.pressure.by_kept, *self._gates.variables]

    def penalty(self) -> tf.Tensor | float:
        """What closed gates are expected to cost; what the budget asks for comes in where the gates learn."""
        return 0.0 if self._is_int8 else self._ask.batch_size * self._gates.missed()

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """The gates learn."""
        if not self._is_int8:
            by_share, by_gate = gradients[-2:]
            self._gates.learn(by_share, by_gate, self.pressure.by_kept)

    def before_step(self, step: int) -> None:
        """Gates are ranked and cooled, the pressure is refreshed."""
        if not self._is_int8:
            self.pressure.before_step(step, self._gates, self.meter.now, self.meter.before)

    def after_step(self, loss: float) -> None:
        """The pressure has the size of the loss."""
        if not self._is_int8:
            self.pressure.after_step(loss)

    def counts(self, step: int) -> bool:
        """Epochs of int8 do."""
        del step
        return self._is_int8

    def after_epoch(self, epoch: int) -> Replacement | None:
        """Remove what is closed; when the gates are done, make counts whole and go over to int8."""
        self._epoch = epoch
        self.meter.hear()
        if self._is_int8:
            return self._still_too_much()
        if epoch >= self._ask.gate_epochs:
            removed = self._settle()
            self._is_int8 = True
            self.prepared = self._int8()
            return Replacement(
                self.prepared, removed.slots if removed else lambda layer, name, value: value
            )
        keep = self._gates.alive(self._ask.step)
        left = [int(keep[item.slice].sum()) for item in self._coupling.sets]
        if self.meter.macs(left) > WORTH * self.meter.macs(self.meter.sizes):
            return None
        found = self._removed(keep)
        self._look()
        return found

    def note(self) -> str:
        """What it takes and how many units are left."""
        kept = self.meter.sizes if self._is_int8 else self._gates.kept().numpy()
        return f"{limits_text(self._ask.limits, self.meter.now.values(kept))}; {kept.sum():.0f} of {self._units} units"

    def state(self) -> dict[str, Any]:
        """Which units are alive, and what the penalty has come to."""
        return {
            "alive": self._alive.tolist(),
            "is_int8": self._is_int8,
            "strengths": self.pressure.strengths.tolist(),
            "losses": self.pressure.losses,
            "removals": [vars(removal) for removal in self.removals],
            "meter": self.meter.state(),
        }

    def restore(self, state: dict[str, Any]) -> keras.Model | None:
        """The network with the units that are alive, its weights to be loaded."""
        self.pressure.strengths, self.pressure.losses = (
            np.array(state["strengths"]),
            state["losses"],
        )
        self.removals = [
            Removal(**{**one, "left": tuple(one["left"])}) for one in state["removals"]
        ]
        self.meter.restore(state["meter"])
        self._shrink(np.isin(np.arange(self._units), state["alive"]))
        self._is_int8 = state["is_int8"]
        self.prepared = prepare(
            self.template, masked=False, quantized=self._is_int8, normalised=True
        )
        if not self._is_int8:
            self._gates.attach(self.prepared)
        return self.prepared

    def resumed(self) -> None:
        """What Vela was looking at, it looks at again."""
        if self.meter.is_waiting:
            self._look()

    # --- what it does
    # ---------------------------------------------------------------------------------------------

    def record(self) -> BudgetRecord:
        """What the budget was, what the network takes now, and how it came to that."""
        meter = self.meter
        return BudgetRecord(
            target=meter.target.name if meter.target else None,
            lines=tuple(
                BudgetLine(limit.name, limit.most, float(before), float(value))
                for limit, before, value in zip(
                    self._ask.limits, meter.before, meter.taken, strict=True
                )
            ),
            sets=tuple(self._names),
            whole=tuple(int(size) for size in self._gates.sizes),
            removals=tuple(self.removals),
            compilations=meter.expectations,
        )

    @property
    def _units(self) -> int:
        return int(self._gates.sizes.sum())

    def _settle(self) -> Replacement | None:
        """Whole counts that keep the budget, by Vela where there is a target; the other units go."""
        kept, meter = self._gates.kept().numpy(), self.meter
        for _ in range(TRIES):
            counts = self._fitted(kept)
            if counts is None:
                taken = meter.now.values(np.minimum(meter.sizes, self._ask.step))
                raise CheckFailed(
                    f"the budget cannot be kept: at the least it takes {limits_text(self._ask.limits, taken)}"
                )
            keep = self._gates.best(counts)
            if meter.target is None:
                break
            meter.compile(remove(strip(self.prepared, self.template), self._coupling, keep), counts)
            if (meter.now.ratios(counts) <= 1).all():
                break
        removed = self._removed(keep)
        left = zip(self._names, meter.sizes, self._gates.sizes, strict=True)
        log.info(
            "units left: %s",
            ", ".join(f"{name} {few:.0f} of {many:.0f}" for name, few, many in left),
        )
        return removed

    def _fitted(self, kept: Float64Array) -> IntArray | None:
        return self.meter.fitted(kept, self._gates.lost, self._ask.step)

    def _still_too_much(self) -> Replacement | None:
        """While int8 is learned, Vela is asked again; what has become too much loses a few more units."""
        found = None
        sizes = self.meter.sizes
        if (self.meter.now.ratios(sizes) > 1).any() and (counts := self._fitted(sizes)) is not None:
            found = self._removed(self._gates.best(counts))
        if found or (self._epoch - self._ask.gate_epochs) % self._ask.measure_every == 0:
            self._look()
        return found

    def _removed(self, keep: Keep) -> Replacement | None:
        """Remove units for good and say what the training goes on with."""
        if keep.all():
            return None
        old, before = self.prepared, self._coupling
        self._shrink(keep)
        self.prepared = prepare(
            self.template, masked=False, quantized=self._is_int8, normalised=True
        )
        carry(old, self.prepared, before, keep)
        if not self._is_int8:
            self._gates.attach(self.prepared)
        self.removals.append(Removal(self._epoch, tuple(int(size) for size in self.meter.sizes)))
        return Replacement(
            self.prepared, lambda layer, name, value: without(layer, name, value, before, keep)
        )

    def _shrink(self, keep: Keep) -> None:
        """The network, its coupling and gates without units."""
        self.template = remove(self.template, self._coupling, keep)
        self._alive = self._alive[keep]
        smaller = self._coupled(self.template)
        self._gates = self._gates.without(smaller, keep)
        self._coupling = smaller
        self.meter.follow(self.template, smaller)

    def _int8(self) -> keras.Model:
        """The same network on int8 grids, with the gates in its weights."""
        prepared = prepare(self.template, masked=False, normalised=True)
        copy_state(self.prepared, prepared)
        calibrate(prepared, self._ask.batches(prepared), begins=False)
        return prepared

    def _coupled(self, network: keras.Model) -> Coupling:
        return only(coupling(network), self._ask.removable)

    def _look(self) -> None:
        """Let Vela look at the network as it is while the next epoch runs."""
        if self.meter.target:
            self.meter.look(strip(self.prepared, self.template))
