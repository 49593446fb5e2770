"""What a network takes of its budget while it trains: by the models, corrected by what Vela says of it."""

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float64Array, IntArray
from tinyprune.artifacts.budget import Expectation
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.budget.fitting import Measure, fitted
from tinyprune.budget.limits import Limits
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.remove import remove
from tinyprune.compress.shapes import network_shape
from tinyprune.npu.limits import Limit, measured
from tinyprune.npu.prediction import nearest_model
from tinyprune.sparsity.resource_model import ResourceModel
from tinyprune.sparsity.unit_sets import Coupling

log = logging.getLogger(__name__)
MARGIN = 0.98  # of the budget by Vela, which encodes the weights that int8 learning ends with a little differently
DOUBT = 0.7  # of the budget: where the smallest network is expected to take more, Vela is asked before the training


class Meter:
    """The limits of a network that loses units.

    Attributes:
        now: of the network as it is.
        before: (limits,), what it took at first.
        compilations: what was expected of each network that Vela looked at, and what it said, limit
            by limit.
    """

    def __init__(
        self,
        network: keras.Model,
        of: Coupling,
        limits: Sequence[Limit],
        frames: int | None,
        vela: VelaLoop | None,
    ) -> None:
        """With Vela, the whole network is compiled at once.

        Args:
            network: plain, in canonical form. of: its coupling.
            limits: the budget.
            frames: as in :func:`tinyprune.compress.shapes.network_shape`.
            vela: what compiles; None: the budget limits the network's own costs.
        """
        self._vela, self._frames, self._limits = vela, frames, tuple(limits)
        self._report = vela.compile(network) if vela else None
        self._modelled = self._model_of(network, of)
        self.compilations: list[tuple[Float64Array, Float64Array]] = []
        self._expected: Float64Array | None = None  # of what Vela is looking at
        self.now = self._limited(network, of, np.ones(len(self._limits)))
        if self._report is not None:
            self._correct(self._report, self.taken)
        self.before = self.taken

    @property
    def taken(self) -> Float64Array:
        """What the network takes as it is, (limits,)."""
        return self.now.values(self.sizes)

    @property
    def sizes(self) -> Float64Array:
        """How many units it has, (sets,)."""
        return self.now.shape.whole

    @property
    def target(self) -> NpuTarget | None:
        """What Vela compiles for."""
        return self._vela.target if self._vela else None

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The compilations as they are recorded."""
        return tuple(
            Expectation(tuple(one.tolist()), tuple(other.tolist()))
            for one, other in self.compilations
        )

    def follow(self, network: keras.Model, of: Coupling) -> None:
        """Go on with another network; arguments as of the class."""
        self.now = self._limited(network, of, self.now.corrections)

    def macs(self, kept: Any) -> float:
        """Multiply-accumulates with ``kept`` (sets,) units."""
        return float(ResourceModel(self.now.shape).macs(np.asarray(kept, np.float64)))

    def least(self, network: keras.Model, of: Coupling, counts: Float64Array) -> Float64Array:
        """What a network takes with ``counts`` (sets,) units, (limits,); where that may be too much, by Vela."""
        if self._vela is None or (self.now.ratios(counts) < DOUBT).all():
            return self.now.values(counts)
        firsts = [np.arange(item.size) < count for item, count in zip(of.sets, counts, strict=True)]
        return measured(
            self._vela.compile(remove(network, of, np.concatenate(firsts))), self._limits
        )

    def fitted(self, kept: Float64Array, lost: Measure, step: int) -> IntArray | None:
        """Whole counts near ``kept`` (sets,) that keep the budget; None where there are none.

        ``lost``, ``step``: as of :func:`tinyprune.budget.fitting.fitted`.
        """
        sizes = [int(size) for size in self.sizes]

        def within(margin: float) -> IntArray | None:
            return fitted(kept, sizes, lambda counts: self.now.ratios(counts) / margin, lost, step)

        found = within(MARGIN) if self._vela else None
        return (
            within(1.0) if found is None else found
        )  # without the margin where there is no room for it

    def compile(self, network: keras.Model, counts: IntArray) -> None:
        """Take what Vela says of a network with ``counts`` (sets,) units; it is waited for. Needs a target."""
        assert self._vela is not None
        self._correct(self._vela.compile(network), self.now.values(counts) / self.now.corrections)

    def look(self, network: keras.Model) -> None:
        """Let Vela look at the network as it is, in the background. Needs a target."""
        assert self._vela is not None
        self._vela.start(network)
        self._expected = self.taken / self.now.corrections

    @property
    def is_waiting(self) -> bool:
        """Whether Vela was asked and has not been heard."""
        return self._expected is not None

    def hear(self) -> None:
        """Take what Vela says of the network that it was looking at, if it was."""
        expected, self._expected = self._expected, None
        if expected is not None and self._vela and (report := self._vela.result()):
            self._correct(report, expected)

    def state(self) -> dict[str, Any]:
        """What was learned of Vela."""
        return {
            "corrections": self.now.corrections.tolist(),
            "is_measured": self.is_waiting,
            "compilations": [[one.tolist() for one in pair] for pair in self.compilations],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what was learned. What Vela was looking at is to be looked at again, where it is waited for."""
        self.now.corrections = np.array(state["corrections"])
        self.compilations = [
            (np.array(one), np.array(other)) for one, other in state["compilations"]
        ]
        self._expected = self.taken if state["is_measured"] else None

    def _model_of(self, network: keras.Model, of: Coupling) -> NpuTarget | None:
        """The target whose cost model is followed; another one's, corrected by Vela, where the target has none."""
        if self._report is None:
            return None
        target = self._report.target
        found = nearest_model(network_shape(network, of, self._frames), self._report)
        if found != target:
            log.info(
                "no cost model for %s: that of %s is used, corrected by Vela",
                target.name,
                found.name,
            )
        return found

    def _limited(self, network: keras.Model, of: Coupling, corrections: Float64Array) -> Limits:
        shape, clock_hz = (
            network_shape(network, of, self._frames),
            self._report.clock_hz if self._report else 1.0,
        )
        return Limits(self._limits, shape, self._modelled, clock_hz, corrections)

    def _correct(self, report: ResourceReport, expected: Float64Array) -> None:
        """Take what Vela says of a network of which the models alone expected ``expected``, (limits,)."""
        found = measured(report, self._limits)
        self.compilations.append((expected * self.now.corrections, found))
        self.now.corrections = found / np.maximum(expected, 1e-12)
