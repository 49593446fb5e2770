"""Pruning to a budget while a network trains: gates close, units are removed, then int8 is learned.

After Liberis and Lane 2021 (arXiv 2110.08350). In the first epochs gates learn, in float, under the
penalty of the budget (:mod:`tinyprune.budget.penalty`). At the end of an epoch, units whose gates
are closed are removed, and optimizer and gates go on with the rest. Then whole numbers of units are
chosen (:mod:`tinyprune.budget.fitting`), held to the budget by Vela where there is a target, and
the other epochs learn int8.
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
from tinyprune.budget.penalty import SOFT, BudgetPenalty
from tinyprune.budget.tracker import BudgetTracker
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.coupling import coupling
from tinyprune.compress.prepare import calibrate, copy_state, prepare, strip
from tinyprune.compress.remove import carry, remove, without
from tinyprune.errors import CheckFailed
from tinyprune.npu.limits import Limit, exceeded, limits_text
from tinyprune.sparsity.unit_sets import Coupling, Keep, only
from tinyprune.training.compression import Compression, Replacement

log = logging.getLogger(__name__)
#: Part of the MACs: units are removed when that few are left, because it costs a new graph.
REMOVAL_SHARE = 0.7
MAX_COMPILATIONS = 8  # until whole numbers of units keep the budget by Vela


@dataclass(frozen=True)
class BudgetSettings:
    """The settings of a pruning to a budget.

    Attributes:
        limits: the budget.
        round_to: channels of units are left in multiples of it.
        removable: names of the sets that may lose units.
        gate_epochs: number of epochs with gates.
        measure_every: epochs between two measurements by Vela while int8 is learned.
        steps_per_epoch: optimizer steps.
        batch_size: examples in each.
        frames: as in :func:`tinyprune.compress.shapes.network_shape`.
        calibration_batches: calibration inputs of a prepared network.
    """

    limits: tuple[Limit, ...]
    round_to: int
    removable: tuple[str, ...]
    gate_epochs: int
    measure_every: int
    steps_per_epoch: int
    batch_size: int
    frames: int | None
    calibration_batches: Callable[[keras.Model], Any]


class BudgetCompression(Compression):
    """Gates, then int8.

    Attributes:
        template: the plain network that is trained now, in canonical form; its weights are those of
            the prepared one.
        prepared: the network that is trained now.
        removals: numbers of units that were left, by epoch.
        tracker: usage of the budget.
        penalty: of the budget.
    """

    def __init__(
        self, network: keras.Model, settings: BudgetSettings, vela: VelaLoop | None = None
    ) -> None:
        """``network``: plain, in canonical form.

        Raises UsageError if a limit cannot be kept; it says the least that can be reached.
        """
        self._settings = settings
        self._epoch = 0
        self._is_int8 = False
        self.removals: list[Removal] = []
        self.template = network
        self._coupling = self._coupled(network)
        self._names = [unit_set.name for unit_set in self._coupling.sets]
        self._alive = np.arange(self._coupling.units)
        self.tracker = BudgetTracker(
            network, self._coupling, settings.limits, settings.frames, vela
        )
        self._check_reachable()

        self.prepared = prepare(network, masked=False, quantized=False, normalised=True)
        calibrate(self.prepared, settings.calibration_batches(self.prepared))
        self._gates = Gates(self._coupling, temperature=SOFT)
        self._gates.attach(self.prepared)
        steps = settings.gate_epochs * settings.steps_per_epoch
        self.penalty = BudgetPenalty(
            len(settings.limits), steps, self._coupling.multiples(settings.round_to)
        )
        if self.is_met:
            self._is_int8 = True
            self.prepared = self._to_int8()

    @property
    def is_met(self) -> bool:
        """True if the network keeps the budget before anything is removed."""
        return not exceeded(self._settings.limits, self.tracker.initial)

    # --- the interface of a compression

    @property
    def learned(self) -> list[Any]:
        """Shares and the gates themselves."""
        if self._is_int8:
            return []
        return [self._gates.share, self._gates.probe]

    @property
    def variables(self) -> list[Any]:
        """Gates and penalty."""
        return [self.penalty.by_kept, *self._gates.variables]

    def added_loss(self) -> tf.Tensor | float:
        """Return the loss that closed gates are expected to cost.

        The penalty of the budget is added where the gates learn.
        """
        if self._is_int8:
            return 0.0
        return self._settings.batch_size * self._gates.expected_loss()

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """Let the gates learn."""
        if not self._is_int8:
            by_share, by_gate = gradients[-2:]
            self._gates.learn(by_share, by_gate, self.penalty.by_kept)

    def before_step(self, step: int) -> None:
        """Rank and cool the gates, refresh the penalty."""
        if not self._is_int8:
            self.penalty.before_step(step, self._gates, self.tracker.modelled, self.tracker.initial)

    def after_step(self, loss: float) -> None:
        """Bring the penalty to the size of the loss."""
        if not self._is_int8:
            self.penalty.after_step(loss)

    def may_be_best(self, step: int) -> bool:
        """Return whether the epoch has learned int8."""
        del step
        return self._is_int8

    def after_epoch(self, epoch: int) -> Replacement | None:
        """Remove closed units; after the last epoch with gates, fix their number and go to int8."""
        self._epoch = epoch
        self.tracker.collect_report()
        if self._is_int8:
            return self._remove_excess()
        if epoch >= self._settings.gate_epochs:
            return self._finish_gates()
        return self._remove_closed()

    def note(self) -> str:
        """Return the usage of each limit and the number of units that are left."""
        kept = self.tracker.sizes if self._is_int8 else self._gates.kept().numpy()
        usage = limits_text(self._settings.limits, self.tracker.modelled.values(kept))
        return f"{usage}; {kept.sum():.0f} of {self._units} units"

    def state(self) -> dict[str, Any]:
        """Return the units that are alive, and the state of penalty and tracker."""
        return {
            "alive": self._alive.tolist(),
            "is_int8": self._is_int8,
            "strengths": self.penalty.strengths.tolist(),
            "losses": self.penalty.losses,
            "removals": [vars(removal) for removal in self.removals],
            "meter": self.tracker.state(),
        }

    def restore(self, state: dict[str, Any]) -> keras.Model | None:
        """Return the network with the units that are alive, its weights to be loaded."""
        self.penalty.strengths = np.array(state["strengths"])
        self.penalty.losses = state["losses"]
        self.removals = [
            Removal(removal["epoch"], tuple(removal["left"])) for removal in state["removals"]
        ]
        self.tracker.restore(state["meter"])
        self._shrink(np.isin(np.arange(self._units), state["alive"]))
        self._is_int8 = state["is_int8"]
        self.prepared = self._prepared_template()
        self._attach_gates()
        return self.prepared

    def resumed(self) -> None:
        """Compile again what Vela was compiling."""
        if self.tracker.is_waiting:
            self._start_compilation()

    # --- its steps

    def record(self) -> BudgetRecord:
        """Return the budget, the usage now, and the history of both."""
        tracker = self.tracker
        values = zip(self._settings.limits, tracker.initial, tracker.usage, strict=True)
        lines = [
            BudgetLine(limit.name, limit.most, float(before), float(now))
            for limit, before, now in values
        ]
        return BudgetRecord(
            target=tracker.target.name if tracker.target else None,
            lines=tuple(lines),
            sets=tuple(self._names),
            whole=tuple(int(size) for size in self._gates.sizes),
            removals=tuple(self.removals),
            compilations=tracker.expectations,
        )

    @property
    def _units(self) -> int:
        """Number of units before anything was removed."""
        return int(self._gates.sizes.sum())

    @property
    def _multiples(self) -> IntArray:
        """Multiples that the units of each set are left in, (sets,)."""
        return self._coupling.multiples(self._settings.round_to)

    @property
    def _fewest(self) -> Float64Array:
        """The fewest units that may be left of each set, (sets,)."""
        return np.minimum(self.tracker.sizes, self._multiples)

    def _check_reachable(self) -> None:
        least = self.tracker.smallest_usage(self.template, self._coupling, self._fewest)
        has_heads = any(unit_set.width > 1 for unit_set in self._coupling.sets)
        self.tracker.modelled.check_reachable(least, self._settings.round_to, has_heads)

    def _remove_closed(self) -> Replacement | None:
        """Remove units whose gates are closed, if that makes the network much smaller."""
        keep = self._gates.open_units(self._multiples)
        left = [int(keep[unit_set.slice].sum()) for unit_set in self._coupling.sets]
        macs = self.tracker.macs(self.tracker.sizes)
        if self.tracker.macs(left) > REMOVAL_SHARE * macs:
            return None
        replacement = self._remove(keep)
        self._start_compilation()
        return replacement

    def _finish_gates(self) -> Replacement:
        """Fix the numbers of units and go over to int8."""
        removed = self._fix_counts()
        self._is_int8 = True
        self.prepared = self._to_int8()
        slots = removed.slots if removed else lambda layer, name, value: value
        return Replacement(self.prepared, slots)

    def _fix_counts(self) -> Replacement | None:
        """Remove units until whole numbers keep the budget, by Vela where there is a target."""
        tracker = self.tracker
        kept = self._gates.kept().numpy()
        for _ in range(MAX_COMPILATIONS):
            counts = self._fit_counts(kept)
            if counts is None:
                raise self._unreachable()
            keep = self._gates.most_important(counts)
            if tracker.target is None:
                break
            plain = strip(self.prepared, self.template)
            tracker.compile(remove(plain, self._coupling, keep), counts)
            if (tracker.modelled.ratios(counts) <= 1).all():
                break
        removed = self._remove(keep)
        left = zip(self._names, tracker.sizes, self._gates.sizes, strict=True)
        log.info(
            "units left: %s",
            ", ".join(f"{name} {now:.0f} of {before:.0f}" for name, now, before in left),
        )
        return removed

    def _unreachable(self) -> CheckFailed:
        usage = limits_text(self._settings.limits, self.tracker.modelled.values(self._fewest))
        return CheckFailed(f"the budget cannot be kept: at the least it takes {usage}")

    def _fit_counts(self, kept: Float64Array) -> IntArray | None:
        return self.tracker.fit_counts(kept, self._gates.removed_importance, self._multiples)

    def _remove_excess(self) -> Replacement | None:
        """While int8 is learned, ask Vela again and remove units where it has become too much."""
        replacement = None
        sizes = self.tracker.sizes
        if (self.tracker.modelled.ratios(sizes) > 1).any():
            counts = self._fit_counts(sizes)
            if counts is not None:
                replacement = self._remove(self._gates.most_important(counts))
        epochs = self._epoch - self._settings.gate_epochs
        if replacement or epochs % self._settings.measure_every == 0:
            self._start_compilation()
        return replacement

    def _remove(self, keep: Keep) -> Replacement | None:
        """Remove units for good and return the network that the training goes on with."""
        if keep.all():
            return None
        old = self.prepared
        before = self._coupling
        self._shrink(keep)
        self.prepared = self._prepared_template()
        carry(old, self.prepared, before, keep)
        self._attach_gates()
        left = tuple(int(size) for size in self.tracker.sizes)
        self.removals.append(Removal(self._epoch, left))
        return Replacement(
            self.prepared, lambda layer, name, value: without(layer, name, value, before, keep)
        )

    def _prepared_template(self) -> keras.Model:
        """Return the plain network of now with compressed layers, its variables not yet set."""
        return prepare(self.template, masked=False, quantized=self._is_int8, normalised=True)

    def _attach_gates(self) -> None:
        if not self._is_int8:
            self._gates.attach(self.prepared)

    def _shrink(self, keep: Keep) -> None:
        """Remove units from the plain network, its coupling and its gates."""
        self.template = remove(self.template, self._coupling, keep)
        self._alive = self._alive[keep]
        smaller = self._coupled(self.template)
        self._gates = self._gates.restricted(smaller, keep)
        self._coupling = smaller
        self.tracker.follow(self.template, smaller)

    def _to_int8(self) -> keras.Model:
        """Return the same network on int8 grids, with the gates in its weights."""
        prepared = prepare(self.template, masked=False, normalised=True)
        copy_state(self.prepared, prepared)
        calibrate(prepared, self._settings.calibration_batches(prepared), begins=False)
        return prepared

    def _coupled(self, network: keras.Model) -> Coupling:
        return only(coupling(network), self._settings.removable)

    def _start_compilation(self) -> None:
        """Let Vela compile the network as it is while the next epoch runs."""
        if self.tracker.target:
            self.tracker.start_compilation(strip(self.prepared, self.template))
