"""Sweeps: values of the settings of prunings that are tried out, and how long that may take."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyprune.artifacts.quantity import FLASH, LATENCY, SRAM, TOTAL_CYCLES
from tinyprune.config.budget import LIMITS, BudgetConfig
from tinyprune.config.family import Fields, fields_of
from tinyprune.config.pruning import PruneConfig
from tinyprune.config.settings import (
    COUNT,
    POSITIVE,
    SEED,
    Complaint,
    Config,
    Option,
    Rule,
    one_of,
    setting,
    setting_of,
)
from tinyprune.errors import UsageError

#: Name of an objective -> what is made small, besides the metric that is made good.
COSTS = {quantity.label.lower(): quantity for quantity in (FLASH, SRAM, TOTAL_CYCLES, LATENCY)}
SAMPLERS = ("auto", "grid", "random", "tpe", "nsga2")
#: Axes that a chain without a budget takes its groups from.
GROUP_AXES = ("structure", "sparsity", "block_size", "clusters")
NO_CLUSTERS = 0
#: What the numbers of channels and units of a network are multiplied by.
WIDTH = Rule(lambda value: 0.01 <= value <= 16, "a factor from 0.01 to 16, e.g. 0.5")
_LIMITS: Fields = {name: fields_of(BudgetConfig)[name] for name in LIMITS}


def _axis(name: str) -> Any:
    """Return the field of the values of a setting of prunings, which are each as in a recipe."""
    help_text = setting_of(_settings()[name]).help.partition("  [default")[0]
    return setting((), f"Values that are tried. {help_text}")


def _limit_axis(name: str) -> Any:
    """Return the field of the values of a limit that units are removed for."""
    example = LIMITS[name].option.example
    meaning = f"{LIMITS[name].label} that units are removed for, e.g. {example}"
    return setting((), f"Values that are tried. The most {meaning}.", is_text_of_number=True)


def _settings() -> Fields:
    """Return the settings that have axes: those of prunings and of their budgets."""
    return {**PruneConfig.family.fields, **_LIMITS}


@dataclass(frozen=True)
class SweepStep(Config):
    """A step of every chain: a pruning that starts from what the step before has made.

    Each axis has the values that are tried; a trial takes one of each. A step with a budget removes
    whole units until it is kept, any other prunes by magnitude.
    """

    optional: bool = setting(False, "Whether it is also tried to leave the step out.")
    structure: tuple[str, ...] = _axis("structure")
    sparsity: tuple[float, ...] = _axis("sparsity")
    block_size: tuple[str, ...] = _axis("block_size")
    clusters: tuple[int, ...] = setting(
        (),
        "Values that are tried. The most int8 values that are left in a kernel; 0: as many as "
        "there are.",
    )
    importance: tuple[str, ...] = _axis("importance")
    max_flash: tuple[str, ...] = _limit_axis("max_flash")
    max_sram: tuple[str, ...] = _limit_axis("max_sram")
    max_macs: tuple[str, ...] = _limit_axis("max_macs")
    max_cycles: tuple[str, ...] = _limit_axis("max_cycles")
    max_latency: tuple[str, ...] = _limit_axis("max_latency")
    learning_rate: tuple[float, ...] = _axis("learning_rate")
    epochs: tuple[int, ...] = _axis("epochs")
    seed: tuple[int, ...] = _axis("seed")

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The axes that have values, by name."""
        axes = {}
        for field in dataclasses.fields(self):
            values = getattr(self, field.name)
            if field.name != "optional" and values:
                axes[field.name] = values
        return axes

    @property
    def budget_axes(self) -> list[str]:
        """Names of its axes that are limits of a budget."""
        return [name for name in self.axes if name in _LIMITS]

    def complaints(self) -> list[Complaint]:
        """Return a step that has nothing to try, values that make no sense, and axes that clash."""
        if not self.axes:
            example = "give values, e.g. sparsity = [0.5, 0.7, 0.9]"
            return [("axes", f"the space is empty: {example}")]
        complaints = []
        for name, values in self.axes.items():
            complaints += _complaints_of_axis(name, values)
        clashing = [name for name in self.axes if name in (*GROUP_AXES, "importance")]
        if self.budget_axes and clashing:
            budget = self.budget_axes[0]
            why = f"{budget} removes whole units until it is kept: give {clashing[0]} another step"
            complaints.append((clashing[0], why))
        return complaints


def _complaints_of_axis(name: str, values: Sequence[Any]) -> list[Complaint]:
    """Return what is wrong with the values of an axis."""
    if len(set(values)) < len(values):
        return [(name, f"expected each value once, got {', '.join(map(str, values))}")]
    for index, value in enumerate(values):
        is_off = name == "clusters" and value == NO_CLUSTERS
        complaint = "" if is_off else _complaint(name, value)
        if complaint:
            return [(f"{name}.{index}", complaint)]
    return []


def _complaint(name: str, value: Any) -> str:
    """Return what is wrong with a value of an axis; empty if nothing is."""
    try:
        if name == "width":
            WIDTH.check(value, name)
        elif name in LIMITS:
            BudgetConfig(**{name: value}).resolved()
        else:
            setting_of(_settings()[name]).rule.check(value, name)
    except UsageError as error:
        return str(error).removeprefix(f"{name}: ")
    return ""


@dataclass(frozen=True)
class SweepConfig(Config):
    """A sweep: which chains of prunings are tried, and how many."""

    sampler: str = setting(
        "auto",
        "Way to choose what is tried next: grid, random, tpe (Bayesian), nsga2 (evolution), or "
        "auto: everything where it is no more than --trials, else tpe.",
        option=Option("--sampler", metavar="NAME"),
        rule=one_of(SAMPLERS),
    )
    trials: int = setting(
        20, "Number of chains that are tried.", option=Option("--trials", "count"), rule=COUNT
    )
    hours: float | None = setting(
        None,
        "Hours after which no other trial begins.  [default: no limit]",
        option=Option("--hours", "positive"),
        rule=POSITIVE,
    )
    costs: tuple[str, ...] = setting(
        ("flash", "cycles"),
        "Cost that is to be small beside a good metric: flash, sram, cycles or latency. May be "
        "repeated.  [default: flash and cycles]",
        option=Option("--cost", "texts", "NAME"),
    )
    halving: bool = setting(
        True,
        "Whether trials that are behind others of the same size stop early (successive halving).",
        option=Option("--halving/--no-halving", "switch"),
    )
    seed: int = setting(0, "Seed of the sampler.", rule=SEED)
    width: tuple[float, ...] = setting(
        (),
        "Values that are tried. The width of the network that a chain begins with, times that of "
        "the recipe's; 1: the baseline.",
    )
    step: tuple[SweepStep, ...] = setting((), "Steps of the chains, in their order.")

    def complaints(self) -> list[Complaint]:
        """Return objectives that do not exist, and that there are none."""
        if not self.costs:
            return [("costs", f"there is no objective beside the metric: {_EXPECTED_COSTS}")]
        for index, cost in enumerate(self.costs):
            if cost not in COSTS:
                return [(f"costs.{index}", f"unknown cost '{cost}': {_EXPECTED_COSTS}")]
        return _complaints_of_axis("width", self.width)


_EXPECTED_COSTS = f"expected one or more of: {', '.join(COSTS)}"
