"""The space of a sweep: every chain of prunings that its steps allow."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tinyprune.config import (
    BudgetPruning,
    MagnitudePruning,
    SweepConfig,
    SweepStep,
    TargetConfig,
    TrainedPruning,
    check,
    from_mapping,
    to_mapping,
)
from tinyprune.config.pruning import DIFFERENTIABLE, LOW_RANK, sparsity_of_pattern
from tinyprune.config.sweep import NO_CLUSTERS

#: A space with more chains than this is not counted any further.
MANY = 10_000
#: Settings that do not change what a variant costs: trials that differ in these alone are compared
#: with each other while they train.
OF_TRAINING = ("learning_rate", "importance")

#: The width of a network that is the baseline itself.
BASELINE_WIDTH = 1.0

Table = dict[str, Any]
#: By axis: the values that there were, and the one that was chosen.
Choices = dict[str, tuple[Sequence[Any], Any]]


class Chooser(Protocol):
    """A way to take one of several values."""

    def __call__(self, axis: str, values: Sequence[Any]) -> Any:
        """Return one of the values of an axis, whose name is ``STEP.SETTING`` or ``width``."""


@dataclass(frozen=True)
class Chain:
    """Prunings one after the other, without the names of their variants.

    Attributes:
        steps: each as a pruning of the baseline.
        width: of the network that the first of them starts from, times that of the baseline.
    """

    steps: tuple[TrainedPruning, ...]
    width: float = BASELINE_WIDTH

    @property
    def text(self) -> str:
        """The chain in a line for people: ``units to cycles 30k, then weight-0.60``."""
        words = [*map(_in_words, self.steps)]
        if self.width != BASELINE_WIDTH:
            words.insert(0, f"width {self.width:g}")
        return ", then ".join(words) or "nothing is pruned"

    def digests(self) -> list[str]:
        """Return a name for each prefix of the chain: what was done up to and with that step."""
        records = self._beginning()
        digests = []
        for step in self.steps:
            records.append(to_mapping(step))
            digests.append(_digest(records))
        return digests

    def family(self, *left_out: str) -> str:
        """Return a name that is the same for chains that differ in some settings only."""
        records = self._beginning()
        for step in self.steps:
            record = to_mapping(step)
            for name in left_out:
                record.pop(name)
            records.append(record)
        return _digest(records)

    def _beginning(self) -> list[Any]:
        """Return what a chain starts from, as plain JSON values; nothing for the baseline."""
        return [] if self.width == BASELINE_WIDTH else [{"width": self.width}]


def draw(config: SweepConfig, target: TargetConfig, choose: Chooser) -> Chain:
    """Return a chain, each of whose values was chosen.

    Settings that mean nothing beside others are not chosen: the sparsity of n:m, the size of blocks
    where there are none. Raises UsageError for values that do not go together.
    """
    width = choose("width", config.width) if config.width else BASELINE_WIDTH
    prunings = []
    for number, step in enumerate(config.step):
        if step.optional and not choose(f"{number}.is_done", (True, False)):
            continue
        table: Table = {}
        for name, values in step.axes.items():
            if _has_meaning(name, table):
                table[name] = choose(f"{number}.{name}", values)
        prunings.append(_pruning(step, table, target))
    return Chain(tuple(prunings), width)


def every_chain(config: SweepConfig, target: TargetConfig) -> Iterator[tuple[Choices, Chain]]:
    """Yield each chain of a space, with what was chosen for it; at most ``MANY``."""
    course: list[int] = []
    for _ in range(MANY):
        replay = _Replay(course)
        chain = draw(config, target, replay)
        yield replay.choices, chain
        course = replay.next_course()
        if not course:
            return


class _Replay:
    """A chooser that follows a course, and takes the first value where the course has ended.

    Attributes:
        choices: what was chosen.
    """

    def __init__(self, course: Sequence[int]) -> None:
        self.choices: Choices = {}
        self._course = list(course)
        self._sizes: list[int] = []

    def __call__(self, axis: str, values: Sequence[Any]) -> Any:
        """Return the value of an axis."""
        turn = len(self._sizes)
        self._sizes.append(len(values))
        if turn == len(self._course):
            self._course.append(0)
        value = values[self._course[turn]]
        self.choices[axis] = (values, value)
        return value

    def next_course(self) -> list[int]:
        """Return the course after this one; empty where this was the last."""
        course = list(self._course)
        while course and course[-1] + 1 == self._sizes[len(course) - 1]:
            course.pop()
        if course:
            course[-1] += 1
        return course


def _has_meaning(name: str, table: Table) -> bool:
    """Return whether a setting changes anything, beside those that were chosen before it."""
    structure = table.get("structure", MagnitudePruning.structure)
    if name == "sparsity":
        return sparsity_of_pattern(structure) is None
    if name == "block_size":
        return bool(structure == "block")
    if name == "importance":
        return bool(structure != LOW_RANK)
    return True


def _pruning(step: SweepStep, table: Table, target: TargetConfig) -> TrainedPruning:
    """Return the pruning of chosen values. Raises UsageError where they do not go together."""
    settings = dict(table)
    if "clusters" in settings and "structure" not in settings:
        settings.setdefault("sparsity", 0.0)
    if settings.get("clusters") == NO_CLUSTERS:
        del settings["clusters"]
    budget = {name: settings.pop(name) for name in step.budget_axes}
    if budget:
        settings["method"] = DIFFERENTIABLE
        settings["budget"] = budget
    settings["target"] = to_mapping(target)
    pruning = from_mapping(settings, TrainedPruning)
    check(pruning)
    return pruning


def _in_words(pruning: TrainedPruning) -> str:
    """Return a pruning as a part of a line for people."""
    if isinstance(pruning, BudgetPruning):
        limits = []
        for name, text in pruning.budget.texts().items():
            limits.append(f"{name.removeprefix('max_')} {text}")
        words = f"units to {' and '.join(limits)}"
    else:
        words = pruning.label
    added = []
    if pruning.learning_rate is not None:
        added.append(f"rate {pruning.learning_rate:g}")
    if pruning.epochs is not None:
        added.append(f"{pruning.epochs} epochs")
    if isinstance(pruning, MagnitudePruning) and pruning.importance is not None:
        added.append(pruning.importance)
    if pruning.seed:
        added.append(f"seed {pruning.seed}")
    if not added:
        return words
    return f"{words} ({', '.join(added)})"


def _digest(records: Sequence[Any]) -> str:
    """Return the SHA-256 of plain JSON values."""
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
