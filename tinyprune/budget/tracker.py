"""Usage of a budget while a network trains: by the models, corrected by what Vela says."""

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float64Array, IntArray
from tinyprune.artifacts.budget import Expectation
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.budget.fitting import Measure, fit_counts
from tinyprune.budget.limits import ModelledLimits
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.remove import remove
from tinyprune.compress.shapes import network_shape
from tinyprune.npu.limits import Limit, measured
from tinyprune.npu.prediction import nearest_model
from tinyprune.sparsity.resource_model import ResourceModel
from tinyprune.sparsity.unit_sets import Coupling

log = logging.getLogger(__name__)
#: Part of the budget by Vela that is aimed at: it encodes the weights that int8 learning ends with.
MARGIN = 0.98
#: Part of the budget: where the smallest network is expected to take more, Vela is asked before the
#: training.
DOUBT = 0.7


class BudgetTracker:
    """The usage of a budget by a network that loses units.

    Attributes:
        modelled: limits of the network as it is.
        initial: (limits,), usage at first.
        compilations: (expected, measured) usage of each network that Vela compiled, limit by limit.
    """

    def __init__(
        self,
        network: keras.Model,
        coupling: Coupling,
        limits: Sequence[Limit],
        frames: int | None,
        vela: VelaLoop | None,
    ) -> None:
        """Track a network. With Vela, the whole network is compiled at once.

        Args:
            network: plain, in canonical form.
            coupling: of the network.
            limits: the budget.
            frames: as in :func:`tinyprune.compress.shapes.network_shape`.
            vela: compiles networks; None: the budget limits the network's own costs.
        """
        self._vela = vela
        self._frames = frames
        self._limits = tuple(limits)
        self._report = vela.compile(network) if vela else None
        self._model_target = self._target_of_model(network, coupling)
        self.compilations: list[tuple[Float64Array, Float64Array]] = []
        self._expected: Float64Array | None = None  # of the network that Vela is compiling
        self.modelled = self._limits_of(network, coupling, np.ones(len(self._limits)))
        if self._report is not None:
            self._correct(self._report, self.usage)
        self.initial = self.usage

    @property
    def usage(self) -> Float64Array:
        """Usage by the network as it is, (limits,)."""
        return self.modelled.values(self.sizes)

    @property
    def sizes(self) -> Float64Array:
        """Number of units it has, (sets,)."""
        return self.modelled.shape.whole

    @property
    def target(self) -> NpuTarget | None:
        """The target that Vela compiles for."""
        if self._vela:
            return self._vela.target
        return None

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The compilations as they are recorded."""
        return tuple(
            Expectation(tuple(expected.tolist()), tuple(measured_usage.tolist()))
            for expected, measured_usage in self.compilations
        )

    def follow(self, network: keras.Model, coupling: Coupling) -> None:
        """Go on with another network; arguments as of the class."""
        self.modelled = self._limits_of(network, coupling, self.modelled.corrections)

    def macs(self, kept: Any) -> float:
        """Return the multiply-accumulates with ``kept`` (sets,) units."""
        return float(ResourceModel(self.modelled.shape).macs(np.asarray(kept, np.float64)))

    def smallest_usage(
        self, network: keras.Model, coupling: Coupling, counts: Float64Array
    ) -> Float64Array:
        """Return the usage with ``counts`` (sets,) units, (limits,).

        It is measured by Vela where it may be too much.
        """
        if self._vela is None or (self.modelled.ratios(counts) < DOUBT).all():
            return self.modelled.values(counts)
        pairs = zip(coupling.sets, counts, strict=True)
        keep = np.concatenate([np.arange(unit_set.size) < count for unit_set, count in pairs])
        report = self._vela.compile(remove(network, coupling, keep))
        return measured(report, self._limits)

    def fit_counts(
        self, kept: Float64Array, removed_importance: Measure, multiples: IntArray
    ) -> IntArray | None:
        """Return whole counts near ``kept`` (sets,) that keep the budget; None if there are none.

        With Vela a margin is kept, if there is room for it. ``removed_importance``, ``multiples``:
        as of :func:`tinyprune.budget.fitting.fit_counts`.
        """
        sizes = [int(size) for size in self.sizes]

        def within(margin: float) -> IntArray | None:
            def ratios(counts: IntArray) -> Float64Array:
                return self.modelled.ratios(counts) / margin

            return fit_counts(kept, sizes, ratios, removed_importance, multiples)

        counts = within(MARGIN) if self._vela else None
        if counts is None:
            return within(1.0)
        return counts

    def compile(self, network: keras.Model, counts: IntArray) -> None:
        """Compile a network with ``counts`` (sets,) units and wait for it. Needs a target."""
        expected = self.modelled.values(counts) / self.modelled.corrections
        self._correct(self._compiler.compile(network), expected)

    def start_compilation(self, network: keras.Model) -> None:
        """Let Vela compile the network as it is in the background. Needs a target."""
        self._compiler.start(network)
        self._expected = self.usage / self.modelled.corrections

    @property
    def _compiler(self) -> VelaLoop:
        assert self._vela is not None, "it is asked only where there is a target"
        return self._vela

    @property
    def is_waiting(self) -> bool:
        """True while the report of a compilation is not collected."""
        return self._expected is not None

    def collect_report(self) -> None:
        """Take the report of the compilation that was started, if one was."""
        expected = self._expected
        self._expected = None
        if expected is None or self._vela is None:
            return
        report = self._vela.result()
        if report:
            self._correct(report, expected)

    def state(self) -> dict[str, Any]:
        """Return what was learned of Vela."""
        return {
            "corrections": self.modelled.corrections.tolist(),
            "is_measured": self.is_waiting,
            "compilations": [[one.tolist() for one in pair] for pair in self.compilations],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what was learned.

        A compilation that was not collected is to be started again by whoever waits for it.
        """
        self.modelled.corrections = np.array(state["corrections"])
        self.compilations = [
            (np.array(expected), np.array(measured_usage))
            for expected, measured_usage in state["compilations"]
        ]
        self._expected = self.usage if state["is_measured"] else None

    def _target_of_model(self, network: keras.Model, coupling: Coupling) -> NpuTarget | None:
        """Return the target whose cost model is followed.

        It is another one, corrected by Vela, where the target has no cost model.
        """
        if self._report is None:
            return None
        target = self._report.target
        nearest = nearest_model(network_shape(network, coupling, self._frames), self._report)
        if nearest != target:
            log.info(
                "no cost model for %s: that of %s is used, corrected by Vela",
                target.name,
                nearest.name,
            )
        return nearest

    def _limits_of(
        self, network: keras.Model, coupling: Coupling, corrections: Float64Array
    ) -> ModelledLimits:
        shape = network_shape(network, coupling, self._frames)
        clock_hz = self._report.clock_hz if self._report else 1.0
        return ModelledLimits(self._limits, shape, self._model_target, clock_hz, corrections)

    def _correct(self, report: ResourceReport, expected: Float64Array) -> None:
        """Correct the models by a report of a network of which they alone expected ``expected``."""
        values = measured(report, self._limits)
        self.compilations.append((expected * self.modelled.corrections, values))
        self.modelled.corrections = values / np.maximum(expected, 1e-12)
