"""The record of a pruning to a budget: limits, removed units, compilations."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BudgetLine:
    """One limit of a differentiable pruning, in bytes, cycles, seconds or MACs.

    Attributes:
        name: "flash", "SRAM", "MACs", "cycles" or "latency".
        most: that is allowed.
        before: of the network that was pruned. expected: of the pruned one, by the model that
            trained it.
        measured: by Vela, of the exported network; None without a target, where ``expected`` is
            exact.
    """

    name: str
    most: float
    before: float
    expected: float
    measured: float | None = None

    @property
    def now(self) -> float:
        """The number of the pruned network: measured, else expected."""
        if self.measured is None:
            return self.expected
        return self.measured


@dataclass(frozen=True)
class Removal:
    """Units that were removed while a network trained.

    Attributes:
        epoch: from 1. left: units of each set after it.
    """

    epoch: int
    left: tuple[int, ...]


@dataclass(frozen=True)
class Expectation:
    """One compilation of a network that was still training, limit by limit.

    Attributes:
        expected: what the model said, corrected by the compilation before. measured: what Vela
            said.
    """

    expected: tuple[float, ...]
    measured: tuple[float, ...]


@dataclass(frozen=True)
class BudgetRecord:
    """The way of a network to its budget.

    Attributes:
        target: name of what it was compiled for; None where the network itself is counted.
        lines: the limits.
        sets: names of the sets of units, in the order of ``Removal.left``; whole: units of each at
            first.
        removals: in order.
        compilations: what was compiled while it trained, in order.
    """

    target: str | None
    lines: tuple[BudgetLine, ...]
    sets: tuple[str, ...] = ()
    whole: tuple[int, ...] = ()
    removals: tuple[Removal, ...] = ()
    compilations: tuple[Expectation, ...] = ()
