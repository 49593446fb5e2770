"""The rows of one experiment as the page sees them: figures of one split, ratios, what is missing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.paper import record
from benchmarks.paper.record import RowRecord, Score, Split
from benchmarks.paper.rows import DENSE, DENSE_INT8, OFFLINE, SPEECH, TFMOT, Row
from tinyprune.storage.run_folder import BASELINE

SHARED, SRAM_ONLY, U85 = (
    "ethos-u55-128-shared-sram",
    "ethos-u55-128-sram-only",
    "ethos-u85-256-dedicated-sram-384kb",
)
TITLES = {SHARED: "U55-128 Shared_Sram", SRAM_ONLY: "U55-128 Sram_Only", U85: "U85-256"}
MAIN = {SPEECH: "sdr_db"}  # what the goals count; of other tasks the accuracy


@dataclass(frozen=True)
class View:
    """What a page shows of a task.

    Attributes:
        task: "speech", ... key: of the experiment; empty: none has begun.
        rows: all there are, in order. records: those that have run, by name.
        split: "test" once rows are scored on it, else "dev". others: keys of other experiments on
            this task.
    """

    task: str
    key: str
    rows: Sequence[Row]
    records: dict[str, RowRecord]
    split: str
    others: Sequence[str] = ()

    @property
    def metric(self) -> str:
        """The main metric."""
        return MAIN.get(self.task, "accuracy")

    @property
    def ran(self) -> list[RowRecord]:
        """The rows that have run, in order."""
        return [self.records[row.name] for row in self.rows if row.name in self.records]

    @property
    def finished(self) -> list[RowRecord]:
        """The rows that have figures on the split."""
        return [found for found in self.ran if found.is_finished and self.scored(found)]

    @property
    def waiting(self) -> list[Row]:
        """The rows that have not run."""
        return [row for row in self.rows if row.name not in self.records]

    @property
    def own(self) -> list[RowRecord]:
        """The finished int8 networks that this project made by training: what goals are reached with."""
        return [
            found for found in self.finished if found.costs and found.way not in (OFFLINE, TFMOT)
        ]

    @property
    def dense(self) -> list[RowRecord]:
        """The finished rows in which nothing is removed."""
        return [found for found in self.finished if found.structure.partition(",")[0] == "dense"]

    def of(self, name: str) -> RowRecord | None:
        """A finished row."""
        return next((found for found in self.finished if found.row == name), None)

    def scored(self, found: RowRecord, split: str | None = None) -> Split | None:
        """The scores of a row on the split of the page, or on another."""
        return found.test if (split or self.split) == "test" else found.dev

    def score(self, found: RowRecord, metric: str, split: str | None = None) -> Score | None:
        """One of its scores."""
        scored = self.scored(found, split)
        return scored.scores.get(metric) if scored else None

    def loss(self, found: RowRecord, split: str | None = None) -> float:
        """How far its main metric is below the float32 baseline; 0 of the baseline itself."""
        score = self.score(found, self.metric, split)
        return -(score.difference or 0.0) if score else float("inf")

    def change(self, found: RowRecord, split: str | None = None) -> str:
        """The same in words of speech: ``-0.11 dB SDR``."""
        return f"{-self.loss(found, split):+.2f} dB SDR"

    def way(self, found: RowRecord) -> list[RowRecord]:
        """A row and before it what it was trained on from, the float32 baseline first."""
        base = found.config.get("base")
        before = self.records.get(DENSE if base == BASELINE else base) if base else None
        return [*(self.way(before) if before else []), found]

    def epochs(self, found: RowRecord) -> int:
        """All the training that a row has had: its own, and that of what it starts from."""
        return sum(one.epochs or one.config.get("epochs") or 0 for one in self.way(found))

    def flash_ratio(self, found: RowRecord) -> float | None:
        """Bytes of the float32 baseline over the whole flash."""
        base = self.of(DENSE)
        return base.file_bytes / found.costs[SHARED].flash_bytes if base and found.costs else None

    def cycles_ratio(self, found: RowRecord, target: str) -> float | None:
        """Cycles of the dense int8 network over those of a row."""
        base = self.of(DENSE_INT8)
        return (
            base.costs[target].cycles / found.costs[target].cycles if base and found.costs else None
        )


Ratio = Callable[[RowRecord], float | None]


def best_within(
    view: View, found: Iterable[RowRecord], ratio: Ratio, limit: float
) -> RowRecord | None:
    """The row with the largest ratio of those that lose at most ``limit`` on dev, where choices are made."""
    fits = [
        (value, one)
        for one in found
        if view.loss(one, "dev") <= limit and (value := ratio(one)) is not None
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def least_loss(
    view: View, found: Iterable[RowRecord], ratio: Ratio, least: float
) -> RowRecord | None:
    """The row that loses least on dev of those with a ratio of at least ``least``."""
    fits = [one for one in found if (value := ratio(one)) is not None and value >= least]
    return min(fits, key=lambda one: view.loss(one, "dev")) if fits else None


def view_of(results: Path, task: str, rows: Sequence[Row], key: str | None = None) -> View:
    """What there is of a task: of the experiment with a key, else of the one with the newest row."""
    keys = record.experiments(results, task)
    chosen = key or (keys[0] if keys else "")
    records = record.read(results, task, chosen) if chosen else {}
    split = "test" if any(found.test for found in records.values()) else "dev"
    own = [row for row in rows if row.task == task]
    return View(task, chosen, own, records, split, [other for other in keys if other != chosen])
