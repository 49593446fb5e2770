"""Records of a sweep: its trials, and the answer that they give."""

from dataclasses import dataclass, field

from tinyprune.artifacts.resources import NpuTarget

SCHEMA = 1
#: Folder of a sweep in that of its run, and the record of its answer there.
FOLDER, ANSWER = "sweep", "answer.json"
DONE, FAILED, STOPPED = "done", "failed", "stopped"


@dataclass(frozen=True)
class TrialRecord:
    """The outcome of one trial.

    Attributes:
        number: of the trial, from 0.
        variant: its last variant, that of the whole chain.
        chain: the prunings in words.
        family: name of the chain without its seeds: other seeds of it have the same.
        status: "done", "failed", or "stopped" where others of its size were ahead.
        reason: why it failed or was stopped, in a line.
        value: the metric on dev, of the form that the device runs; None where there is none.
        costs: name of a quantity -> what the variant takes of it.
        seconds: that it took.
    """

    number: int
    variant: str
    chain: str
    family: str
    status: str
    reason: str = ""
    value: float | None = None
    costs: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """True where its variant was measured."""
        return self.status == DONE


@dataclass(frozen=True)
class Candidate:
    """A variant that can be shipped.

    Attributes:
        variant, chain, value, costs: as of its trial; the baseline has no chain.
        half_width: half of the 95 % interval of the metric over the items of dev; None where a set
            as a whole has the metric only.
        seeds: how many seeds of the same chain were tried.
        seed_spread: half of the distance between the best and the worst of them; None for one.
        keeps: whether every limit is kept.
        fronts: costs in which it is on the Pareto front with the metric.
    """

    variant: str
    chain: str
    value: float
    costs: dict[str, float]
    half_width: float | None
    seeds: int
    seed_spread: float | None
    keeps: bool
    fronts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shipped:
    """The variant that is recommended.

    Attributes:
        variant: its name.
        reason: in a line.
        tied: variants that keep the limits too, and whose metric cannot be told from its.
        next_better: variant that is surely better, and costs least; empty where there is none.
        next_reason: what that one would cost, in a line.
    """

    variant: str
    reason: str
    tied: tuple[str, ...]
    next_better: str
    next_reason: str


@dataclass(frozen=True)
class FinalScore:
    """The score on test of what is shipped, which is measured once.

    Attributes:
        variant: its name. sha256: of its graph.
        value: the metric. low, high: ends of its 95 % interval.
    """

    variant: str
    sha256: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class FinalScores:
    """The scores on test that a sweep has measured, one for each graph that it shipped."""

    scores: tuple[FinalScore, ...]


@dataclass(frozen=True)
class SweepAnswer:
    """Everything that a sweep has found.

    Attributes:
        schema: version of this record.
        target: what variants were compiled for.
        metric: its name.
        costs: names of the quantities that are objectives.
        limits: name of a quantity -> the most that is allowed.
        candidates: the baseline, then the variants of trials that are done, cheapest first.
        trials: all trials.
        ship: None where nothing keeps the limits.
        nearest: where nothing does: what comes nearest, in a line.
        final: the score on test; None where it was not asked for.
    """

    schema: int
    target: NpuTarget
    metric: str
    costs: tuple[str, ...]
    limits: dict[str, float]
    candidates: tuple[Candidate, ...]
    trials: tuple[TrialRecord, ...]
    ship: Shipped | None
    nearest: str = ""
    final: FinalScore | None = None
