"""The layers of a pruning that become two, and their ranks: by variance, weights and cycles."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import keras

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.coupling import coupling
from tinyprune.compress.low_rank import (
    factor_names,
    first_name,
    matrix,
    split_in_two,
)
from tinyprune.compress.shapes import network_shape
from tinyprune.errors import UsageError
from tinyprune.npu.cost_model import CostModel
from tinyprune.sparsity.factors import (
    Factorisation,
    InputStatistics,
    RankOptions,
    choose_ranks,
    rank_options,
)
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.sparsity.plan import FactorPlan, LayerPlan
from tinyprune.sparsity.unit_sets import Coupling

log = logging.getLogger(__name__)

_IS_FACTOR = "a factor of a low rank already, whose ranks are units: --structure unit takes some"
_IS_MASKED = "has pruned weights, which two factors would bring back: low-rank goes first"
_NOT_NEEDED = "left dense: enough weights go without it"
#: A share of the weights that falls short of what is asked for by more than this is said.
_SHORT = 0.01

#: Cycles of a layer as it is, and of it as two of a rank.
Cycles = Callable[[int], tuple[float, float]]


@dataclass(frozen=True)
class RankChoice:
    """The choice of ranks for a canonical model.

    Attributes:
        inputs: gives the statistics of what layers of a model read, by name.
        target: the accelerator whose cycles count, by the cost model; on one that the model does
            not know, weights alone count.
        frames: time steps of one call on the device; None for a network on examples.
        scope: "global", or "layer" where each loses the same share of its weights.
        round_to: ranks are multiples of it, or those that kernels have.
        masked: keys of kernels with pruned weights.
    """

    inputs: Callable[[keras.Model, Sequence[str]], Mapping[str, InputStatistics]]
    target: NpuTarget
    frames: int | None
    scope: str = "global"
    round_to: int = 8
    masked: Collection[str] = ()

    def __call__(
        self, model: keras.Model, wanted: Sequence[LayerPlan]
    ) -> tuple[tuple[FactorPlan, ...], dict[str, str]]:
        """Return the kernels that become two, and key -> why the others stay whole.

        ``wanted``: plans of the kernels that may; each says what share of the weights is to go.
        """
        reasons = self._unfit(model, wanted)
        fit = [item for item in wanted if item.key not in reasons]
        if not fit:
            return (), reasons
        candidates = {}
        for candidate in self._candidates(model, fit):
            if candidate.options.options:
                candidates[candidate.key] = candidate
            else:
                reasons[candidate.key] = candidate.dearer(self.round_to)
        ranks = self._ranks(candidates)
        for key in candidates:
            if key not in ranks:
                reasons[key] = _NOT_NEEDED
        factors = tuple(candidates[key].plan(model, rank) for key, rank in ranks.items())
        return factors, reasons

    def _unfit(self, model: keras.Model, wanted: Sequence[LayerPlan]) -> dict[str, str]:
        """Return key -> why a kernel is no candidate."""
        factors = factor_names(model)
        reasons = {}
        for item in wanted:
            if item.layer in factors:
                reasons[item.key] = _IS_FACTOR
            elif item.key in self.masked:
                reasons[item.key] = _IS_MASKED
        return reasons

    def _candidates(self, model: keras.Model, fit: Sequence[LayerPlan]) -> Iterator["_Candidate"]:
        inputs = self.inputs(model, [item.layer for item in fit])
        cycles = self._cycles(model, fit)
        for item in fit:
            kernel = matrix(model.get_layer(item.layer))
            found = Factorisation(kernel, inputs[item.layer])
            possible = rank_options(found, self.round_to)
            yield _Candidate(item, found, possible, cycles.get(item.layer))

    def _cycles(self, model: keras.Model, fit: Sequence[LayerPlan]) -> dict[str, Cycles]:
        """Return layer -> its cycles; of none where the target or the network is not known."""
        plans = []
        for item in fit:
            first = first_name(model, item.layer)
            plans.append(FactorPlan(item.layer, item.kernel, first, item.shape, 1, 1.0))
        try:
            before = self._costs(model)
            after = self._costs(split_in_two(model, plans))
        except UsageError as error:
            log.info("low rank: weights alone count: %s", error)
            return {}
        return {plan.layer: _cycles_of(plan, before, after) for plan in plans}

    def _costs(self, model: keras.Model) -> "_Costs":
        coupled = coupling(model)
        shape = network_shape(model, coupled, self.frames)
        return _Costs(CostModel(shape, self.target), shape, coupled)

    def _ranks(self, candidates: Mapping[str, "_Candidate"]) -> dict[str, int]:
        """Return the ranks of the candidates that become two, in the order of the network."""
        pools: dict[tuple[float, str], dict[str, RankOptions]] = {}
        for key, candidate in candidates.items():
            alone = key if self.scope == "layer" else ""
            pool = pools.setdefault((candidate.item.final_sparsity, alone), {})
            pool[key] = candidate.options
        chosen: dict[str, int] = {}
        for (sparsity, _), pool in pools.items():
            ranks = choose_ranks(pool, sparsity)
            self._warn_of_less(pool, ranks, sparsity)
            chosen.update(ranks)
        return {key: chosen[key] for key in candidates if key in chosen}

    def _warn_of_less(
        self, pool: Mapping[str, RankOptions], ranks: Mapping[str, int], sparsity: float
    ) -> None:
        """Say where fewer weights go than the sparsity asks for, because ranks are lowest."""
        weights = sum(options.weights for options in pool.values())
        saved = sum(pool[key].saved(rank) for key, rank in ranks.items())
        if saved / weights < sparsity - _SHORT:
            log.warning(
                "low rank takes %.2f of the weights of %s where sparsity %g is asked for: ranks "
                "are the lowest already; try a smaller --round-to",
                saved / weights,
                ", ".join(pool),
                sparsity,
            )


@dataclass(frozen=True)
class _Costs:
    """The costs of a network. Attributes: model; shape and coupling of the network."""

    model: CostModel
    shape: NetworkShape
    coupling: Coupling

    def of(self, layers: Collection[str], kept: Float64Array) -> float:
        """Return the cycles of the operators of layers, with ``kept`` units of each set."""
        cycles = self.model.operator_cycles(kept)
        total = 0.0
        for row, value in zip(self.model.features.rows, cycles, strict=True):
            if row.operator.name in layers:
                total += float(value)
        return total

    def with_units(self, layer: str, units: int) -> Float64Array:
        """Return units of each set, with a number of those that a layer makes."""
        kept = self.shape.whole.copy()
        unit = self.coupling.outputs[f"{layer}/kernel"][0]
        for number, item in enumerate(self.coupling.sets):
            if item.start <= unit < item.start + item.size:
                kept[number] = units
        return kept


def _cycles_of(plan: FactorPlan, before: _Costs, after: _Costs) -> Cycles:
    """Return the cycles of a layer by its rank."""
    whole = before.of({plan.layer}, before.shape.whole)

    def cycles(rank: int) -> tuple[float, float]:
        both = after.of({plan.first, plan.layer}, after.with_units(plan.first, rank))
        return whole, both

    return cycles


@dataclass(frozen=True)
class _Candidate:
    """A kernel that may become two.

    Attributes:
        item: its plan.
        found: its ranks.
        possible: those that have fewer weights.
        cycles: of its layer, where they are known.
    """

    item: LayerPlan
    found: Factorisation
    possible: RankOptions
    cycles: Cycles | None

    @property
    def key(self) -> str:
        """``layer/kernel``."""
        return self.item.key

    @property
    def options(self) -> RankOptions:
        """The ranks that take fewer cycles too."""
        if self.cycles is None:
            return self.possible
        cheaper = []
        for option in self.possible.options:
            whole, both = self.cycles(option.rank)
            if both < whole:
                cheaper.append(option)
        return replace(self.possible, options=tuple(cheaper))

    def dearer(self, round_to: int) -> str:
        """Return why there is no rank for it."""
        if self.cycles is None or not self.possible.options:
            rank = min(round_to, self.found.rank)
            weights, whole = self.found.weights(rank), self.possible.weights
            return f"left dense: two of rank {rank} have {weights:,} weights, one {whole:,}"
        rank = self.possible.options[-1].rank
        cycles_whole, both = self.cycles(rank)
        taken = f"{both:,.0f} cycles, one {cycles_whole:,.0f}"
        return f"left dense: two operators of rank {rank} take {taken}"

    def plan(self, model: keras.Model, rank: int) -> FactorPlan:
        """Return the plan of both."""
        return FactorPlan(
            layer=self.item.layer,
            kernel=self.item.kernel,
            first=first_name(model, self.item.layer),
            shape=self.item.shape,
            rank=rank,
            kept=float(self.found.kept[rank - 1]),
            cycles=None if self.cycles is None else self.cycles(rank),
        )
