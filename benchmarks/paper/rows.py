"""The rows of the tables as data, in the order in which they are run: what says most comes first.

A row is a level of a ladder: it starts from the row before, so it needs few epochs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any

from tinyprune.config import (
    BudgetConfig,
    BudgetPruning,
    MagnitudePruning,
    OfflinePruning,
    PruneConfig,
    TargetConfig,
)
from tinyprune.config.pruning import FUSED, RankedPruning, TrainedPruning
from tinyprune.errors import UsageError
from tinyprune.storage.run_folder import BASELINE

LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.975)
BLOCKS = ("16x16", "1x16", "16x1", "4x4")
LONG = 60  # epochs of a row that a goal is worth
FLOAT, INT8, JOINT, OFFLINE, CLUSTERED, TFMOT = (
    "float",
    "int8",
    "joint",
    "offline",
    "clustered",
    "tfmot",
)
DENSE, DENSE_INT8, DENSE_TRAINED = "dense-float32", "dense-int8", "dense-int8-trained"
SPEECH, KEYWORDS, IMAGES = TASKS = ("speech", "keywords", "images")

#: What ``unit-0.50`` takes on ethos-u55-128 (Shared_Sram), and what the goals ask of TinyLSTM
#: (Sram_Only).
HALF = {
    KEYWORDS: BudgetConfig(max_flash="12.2kB", max_cycles="46k"),
    IMAGES: BudgetConfig(max_flash="24.2kB", max_cycles="90k"),
}
GOALS = (BudgetConfig(max_cycles="24k"), BudgetConfig(max_cycles="16k"))  # 6.7 and 10 times fewer
ROOMY = BudgetConfig(
    max_cycles="36k"
)  # more units than the goals leave, for the flash goal by their weights

#: The units that are removed, and the levels of weights from there. Flash is about 1.4 B per weight
#: that is left and 10 B per output channel of each of the LSTMs' eight matrices, so fewer units pay
#: for more weights: these are the levels around 92 kB (from 30 and 60 % of the units they won
#: nothing). Cycles under Sram_Only follow the weights that are multiplied, zero or not: 70 % and
#: more.
COMBINED = {0.5: (0.7, 0.8, 0.85, 0.9), 0.7: (0.4, 0.6, 0.75)}

#: Finished rows whose weights share few values, without training: how many in a kernel.
CLUSTERS = {
    DENSE_INT8: (32,),
    "weight-0.90": (16,),
    "differentiable-cycles-36k": (32,),
    "differentiable-cycles-36k-weight-0.60": (32, 16, 8),
    "differentiable-cycles-36k-weight-0.77": (16,),
    "differentiable-cycles-24k-weight-0.50-longer": (16,),
    "differentiable-cycles-16k-weight-0.50": (16,),
}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        task: "speech", "keywords" or "images".
        name: of the row and of its variant.
        structure: what it has in common with the other points on its line in the pictures.
        way: "float", "int8" (the baseline exported), "joint", "offline" (pruned as int8, no
            training), "clustered" (its int8 weights share few values, no training) or "tfmot".
        config: of the pruning; None for the baseline.
    """

    task: str
    name: str
    structure: str
    way: str
    config: PruneConfig | None = None

    def __post_init__(self) -> None:
        """Keep the form of LSTM layers that the rows were trained with."""
        if isinstance(self.config, TrainedPruning) and self.config.cell is None:
            object.__setattr__(self, "config", replace(self.config, cell=FUSED))

    @property
    def id(self) -> str:
        """``speech/weight-0.90``."""
        return f"{self.task}/{self.name}"

    @property
    def is_trained(self) -> bool:
        """Whether it is no offline pruning."""
        return not isinstance(self.config, OfflinePruning)

    @property
    def variant(self) -> str:
        """The variant of the run folder."""
        return self.name if self.config else BASELINE


def all_rows(quick: bool = False) -> list[Row]:
    """Every row, in order of priority; ``quick``: a few of toy size."""
    rows = _quick() if quick else (*_speech(), *_classes(KEYWORDS, 60), *_classes(IMAGES, 30))
    return [_ranked_as_in_the_table(row) for row in rows]


def _ranked_as_in_the_table(row: Row) -> Row:
    """The row with the importance that its table was made with; the default is another one now."""
    if not isinstance(row.config, RankedPruning):
        return row
    return replace(row, config=replace(row.config, importance="l1", floor=0.0))


def choose(rows: Iterable[Row], pattern: str | None) -> list[Row]:
    """The rows whose id or name fits a pattern, and what they start from. Raises UsageError if none fits."""
    rows = list(rows)
    fits = [
        row for row in rows if not pattern or fnmatch(row.id, pattern) or fnmatch(row.name, pattern)
    ]
    if not fits:
        raise UsageError(
            f"--only '{pattern}': no row fits; expected e.g. 'speech/weight-*'; --list shows them all"
        )
    wanted = {name.id for row in fits for name in (row, *_bases(row, rows))}
    return [row for row in rows if row.id in wanted]


def find(identity: str, quick: bool = False) -> Row:
    """A row by its id."""
    return next(row for row in all_rows(quick) if row.id == identity)


def label(level: float) -> str:
    """A level in a name, with at least two decimals: 0.5 -> "0.50", 0.975 -> "0.975"."""
    return max(f"{level:.2f}", f"{level:.3f}".rstrip("0"), key=len)


def ladder(
    task: str,
    structure: str,
    levels: Sequence[float],
    epochs: tuple[int, int],
    base: str = BASELINE,
    **settings: Any,
) -> Iterator[Row]:
    """Prunings of one structure, each level from the one before.

    Args:
        task, base: where it starts.
        structure: "weight", "unit", or "block RxC".
        levels: fractions of zeros, or of units removed; they rise.
        epochs: of the first level and of each other one.
        settings: of every pruning.
    """
    kind, _, size = structure.partition(" ")
    prefix = ("" if base == BASELINE else f"{base}-") + structure.replace(" ", "-")
    line = structure if base == BASELINE else f"{base} then {structure}"
    gone = 0.0  # of the units: those that are removed cannot be counted again
    for number, level in enumerate(levels):
        name, own = f"{prefix}-{label(level)}", level
        if kind == "unit":
            own, gone = round(1 - (1 - level) / (1 - gone), 6), level
        more = {"block_size": size} if size else {}
        config = MagnitudePruning(
            name=name,
            base=base,
            structure=kind,
            sparsity=own,
            epochs=epochs[number > 0],
            **more,
            **settings,
        )
        yield Row(task, name, line, JOINT, config)
        base = name


def _dense(task: str, epochs: int) -> Iterator[Row]:
    yield Row(task, DENSE, "dense", FLOAT)
    yield Row(task, DENSE_INT8, "dense", INT8)
    config = MagnitudePruning(name=DENSE_TRAINED, sparsity=0.0, epochs=epochs)
    yield Row(task, DENSE_TRAINED, "dense", JOINT, config)


def _offline(task: str, levels: Iterable[float]) -> Iterator[Row]:
    for level in levels:
        name = f"offline-weight-{label(level)}"
        yield Row(task, name, "offline weight", OFFLINE, OfflinePruning(name=name, sparsity=level))


def _n_of_m(task: str, epochs: int, base: str = BASELINE) -> Row:
    name = "2-4" if base == BASELINE else f"{base}-2-4"
    line = "2:4" if base == BASELINE else f"{base} then 2:4"
    return Row(
        task,
        name,
        line,
        JOINT,
        MagnitudePruning(name=name, base=base, structure="2:4", epochs=epochs),
    )


def _speech() -> Iterator[Row]:
    yield from (rows := list(_trained()))
    yield from (_clustered(row, number) for row in rows for number in CLUSTERS.get(row.name, ()))


def _clustered(row: Row, number: int) -> Row:
    name = f"{row.name}-{number}-clusters"
    return Row(
        row.task,
        name,
        CLUSTERED,
        CLUSTERED,
        OfflinePruning(name=name, base=row.variant, clusters=number),
    )


def _trained() -> Iterator[Row]:
    dense = list(_dense(SPEECH, 10))
    units = list(
        ladder(SPEECH, "unit", (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975), (12, 10))
    )
    combined = [row for gone, levels in COMBINED.items() for row in _combined(gone, levels)]
    yield from dense
    yield from ladder(SPEECH, "weight", LEVELS, (14, 10))
    yield from units[:7]
    yield from combined
    yield _slower(next(row for row in units if row.name == "unit-0.75"), 0.795)
    yield from _to_budgets()
    yield (control := _longer(dense[-1]))
    yield _longer(control)
    yield from _offline(SPEECH, LEVELS)
    yield _n_of_m(SPEECH, 12)
    yield _n_of_m(SPEECH, 10, "unit-0.50")
    for size in BLOCKS:
        yield from ladder(SPEECH, f"block {size}", LEVELS, (12, 8) if size == BLOCKS[0] else (8, 6))
    yield from _rivals()
    yield from units[7:]


def _to_budgets() -> Iterator[Row]:
    """Units that the training chooses, to budgets of cycles, and weights from there."""
    target = TargetConfig(memory_mode="Sram_Only")
    base = BASELINE
    for budget in GOALS:
        goal = _differentiable(SPEECH, budget, target, LONG, base)
        (sparse,) = ladder(SPEECH, "weight", (0.5,), (LONG, LONG), goal.name)
        yield from (goal, sparse, _longer(sparse))
        base = goal.name
    roomy = _differentiable(SPEECH, ROOMY, target, LONG)
    *levels, near, last = ladder(SPEECH, "weight", (0.6, 0.7, 0.77, 0.85), (LONG, 20), roomy.name)
    yield from (roomy, *levels, _long(near), _long(last))


def _rivals() -> Iterator[Row]:
    """TFMOT's pipeline, and ours in as many epochs: from the baseline at once."""
    tfmot = MagnitudePruning(name="tfmot-weight-0.90", sparsity=0.9, epochs=14, distill=False)
    yield Row(SPEECH, tfmot.variant, "TFMOT weight", TFMOT, tfmot)
    ours = replace(tfmot, name="weight-0.90-at-once", distill=True)
    yield Row(SPEECH, ours.variant, "weight, at once", JOINT, ours)


def _combined(gone: float, levels: Sequence[float]) -> Iterator[Row]:
    return ladder(SPEECH, "weight", levels, (10, 10), f"unit-{label(gone)}")


def _longer(row: Row) -> Row:
    """The same masks, trained on: what is near a goal may come to it."""
    return _long(row, name=f"{row.name}-longer", base=row.name)


def _slower(row: Row, level: float) -> Row:
    """From a row of units to a level a little further, in small steps."""
    assert row.config is not None
    gone, name = float(row.name.rpartition("-")[2]), f"unit-{label(level)}"
    own = round(1 - (1 - level) / (1 - gone), 6)
    return _long(row, name=name, base=row.name, sparsity=own)


def _long(row: Row, **changed: Any) -> Row:
    """A row that is no level of a ladder: it has more epochs, so no point on the same line."""
    assert row.config is not None
    config = replace(row.config, epochs=LONG, **changed)
    line = row.structure.partition(",")[0]
    return replace(row, name=config.variant, structure=f"{line}, {LONG} epochs", config=config)


def _differentiable(
    task: str, budget: BudgetConfig, target: TargetConfig, epochs: int, base: str = BASELINE
) -> Row:
    """Units that the training chooses, to a budget by Vela."""
    name = f"differentiable-{budget.label}"
    config = BudgetPruning(name=name, base=base, budget=budget, target=target, epochs=epochs)
    return Row(task, name, "differentiable", JOINT, config)


def _classes(task: str, epochs: int) -> Iterator[Row]:
    """The smaller tables."""
    rest = epochs // 2
    yield from _dense(task, rest)
    yield from ladder(task, "weight", (0.8, 0.9), (epochs, rest))
    yield from ladder(task, "unit", (0.5, 0.7), (epochs, rest))
    yield _n_of_m(task, epochs)
    yield _differentiable(task, HALF[task], TargetConfig(), epochs)


def _quick() -> Iterator[Row]:
    yield from list(_dense(SPEECH, 1))[:2]
    yield from (weights := list(ladder(SPEECH, "weight", (0.8, 0.9), (2, 1))))
    yield from ladder(SPEECH, "unit", (0.5,), (2, 1))
    yield from ladder(SPEECH, "weight", (0.8,), (1, 1), "unit-0.50")
    yield _clustered(weights[-1], 16)
    yield from _offline(SPEECH, (0.9,))


def _bases(row: Row, rows: Sequence[Row]) -> list[Row]:
    """What a row starts from, nearest first."""
    found = [
        base
        for base in rows
        if row.config and base.task == row.task and base.name == row.config.base
    ]
    return [*found, *(far for near in found for far in _bases(near, rows))]
