"""Two variants, or two runs, metric by metric: the change, what a policy allows, the verdict."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tinyprune.artifacts.quality import by_engine
from tinyprune.artifacts.quantity import (
    DRAM,
    HIGHER,
    LOWER,
    NEITHER,
    QUANTITIES,
    SPARSITY,
    UNLIMITED,
)
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.errors import UsageError
from tinyprune.report.model.policy import Policy, Rule
from tinyprune.report.model.references import Reference, SummaryPair, summary_pairs, unmatched_notes
from tinyprune.report.model.summary import metric_names

SCHEMA = 1

BETTER, SAME, ALLOWED, WORSE = "better", "same", "worse, allowed", "WORSE"
MISSING, NEW, IGNORED, SHOWN = "missing", "new", "ignored", "-"

#: Better direction -> the sign of a change that is a loss.
LOSS_SIGN = {HIGHER: -1, LOWER: 1}

#: Name of a metric or quantity -> its value.
Values = dict[str, float]


@dataclass(frozen=True)
class MetricChange:
    """One metric of A and of B.

    Attributes:
        metric: a column of the run summary; its unit is in its name.
        direction: what is better: "higher", "lower", or "-" for what is only information.
        before, after: its value in A and in B; None where there is none.
        change: after - before.
        change_percent: change in percent of A; None of dB and sparsity, and where A is 0.
        allowed: how much worse it may become, in its unit; None where that is not limited, or A has
            none.
        allowed_percent: the same in percent of A, where the policy says it so.
        verdict: "better", "same", "worse, allowed", "WORSE", "missing" (A has it, B has not), "new"
            (B alone has it), "ignored" (by the policy), "-" (only information).
    """

    metric: str
    direction: str
    before: float | None
    after: float | None
    change: float | None
    change_percent: float | None
    allowed: float | None
    allowed_percent: float | None
    verdict: str

    @property
    def failed(self) -> bool:
        """True where the policy does not allow it."""
        return self.verdict in (WORSE, MISSING)


@dataclass(frozen=True)
class VariantChange:
    """One variant of A beside one of B, on one target.

    Attributes:
        target: what both were compiled for.
        before, after: names of the variants.
        metrics: quality first, then costs.
        notes: what makes the two less comparable than they look.
    """

    target: NpuTarget
    before: str
    after: str
    metrics: tuple[MetricChange, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The variants and the target in words."""
        names = self.before
        if self.before != self.after:
            names = f"{self.before} -> {self.after}"
        return f"{names} on {self.target.name}"

    @property
    def failures(self) -> list[MetricChange]:
        """The changes that the policy does not allow."""
        return [metric for metric in self.metrics if metric.failed]


@dataclass(frozen=True)
class Comparison:
    """B beside A.

    Attributes:
        schema: version of this record.
        before, after: A and B as they were given.
        policy: "default", or the file that says what is allowed.
        variants: one entry per target and pair of variants.
        notes: what only one of them has.
    """

    schema: int
    before: str
    after: str
    policy: str
    variants: tuple[VariantChange, ...]
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> list[MetricChange]:
        """The changes that the policy does not allow, of all variants."""
        failures = []
        for variant in self.variants:
            failures += variant.failures
        return failures


def metric_names_of(*references: Reference) -> list[str]:
    """Return the names of the quality metrics that references have."""
    summaries = chain.from_iterable(reference.summaries for reference in references)
    return metric_names(*summaries)


def compare(before: Reference, after: Reference, policy: Policy) -> Comparison:
    """Return B beside A on every target that both were compiled for.

    Raises UsageError if they have nothing in common, or a target with two clocks.
    """
    changes: list[VariantChange] = []
    for pair in summary_pairs(before, after):
        changes += _changes(pair, policy)
    notes = unmatched_notes(before, after)
    return Comparison(SCHEMA, before.text, after.text, policy.name, tuple(changes), notes)


def _changes(pair: SummaryPair, policy: Policy) -> Iterator[VariantChange]:
    qualities = metric_names(pair.before, pair.after)
    for before, after in pair.variants:
        left = _variant(pair.before, before)
        right = _variant(pair.after, after)
        notes = _notes(left, right)
        values = _values(left)
        new_values = _values(right)
        metrics = []
        for name in _shown(qualities, values, new_values):
            value = values.get(name, math.nan)
            new_value = new_values.get(name, math.nan)
            metrics.append(_change(name, value, new_value, policy.rule(name)))
        yield VariantChange(pair.before.target, before, after, tuple(metrics), notes)


def _variant(summary: RunSummary, name: str) -> VariantSummary:
    """The first variant of this name."""
    return [variant for variant in summary.variants if variant.name == name][0]


def _shown(qualities: Sequence[str], before: Values, after: Values) -> list[str]:
    """The names of what is compared.

    Quality that neither of the two has is another variant's; DRAM is unknown in what schema 1
    wrote.
    """
    in_one = before.keys() | after.keys()
    in_both = before.keys() & after.keys()
    shown = [name for name in qualities if name in in_one]
    return shown + [name for name in QUANTITIES if name in in_both]


def _values(variant: VariantSummary) -> Values:
    """The metrics of a variant, those of quality only where they are numbers."""
    values: Values = {}
    for name, value in variant.quality.metrics.items():
        if not math.isnan(value):
            values[name] = value
    for name, quantity in QUANTITIES.items():
        values[name] = quantity.of(variant)

    # Schema 1, which has no size of the file, did not know of DRAM.
    if not variant.report.file_bytes:
        del values[DRAM.name]
    return values


def _number_or_none(value: float) -> float | None:
    if math.isnan(value):
        return None
    return value


def _notes(before: VariantSummary, after: VariantSummary) -> tuple[str, ...]:
    """Say what makes two variants less comparable than they look.

    Raises UsageError for two clocks.
    """
    left = before.report
    right = after.report
    if left.clock_hz != right.clock_hz:
        raise UsageError(
            f"{before.name} was estimated at {left.clock_hz / 1e6:g} MHz and {after.name} at "
            f"{right.clock_hz / 1e6:g} MHz, both on {left.target.name}: compile them for the same "
            "clock"
        )
    notes = []
    if left.vela_version != right.vela_version:
        notes.append(f"A was estimated by Vela {left.vela_version}, B by Vela {right.vela_version}")
    if left.target.vela_config != right.target.vela_config:
        notes.append(
            f"A was compiled with {left.target.vela_config}, B with {right.target.vela_config}"
        )
    scored = _scored(before)
    rescored = _scored(after)
    if scored != rescored:
        notes.append(f"quality was not measured on the same: A on {scored}, B on {rescored}")
    return tuple(notes)


def _scored(variant: VariantSummary) -> str:
    """The data that a quality was measured on, and what computed it."""
    quality = variant.quality
    graph = quality.form + by_engine(quality.engine)
    return f"{quality.utterances} of {quality.split} as {graph}"


def _change(metric: str, before: float, after: float, rule: Rule) -> MetricChange:
    """One metric under its rule; a value that is not a number does not exist."""
    change = after - before
    percent = _percent(metric, change, before)
    limit = rule.limit
    has_allowance = limit is not UNLIMITED and not math.isnan(before)
    return MetricChange(
        metric=metric,
        direction=rule.direction,
        before=_number_or_none(before),
        after=_number_or_none(after),
        change=_number_or_none(change),
        change_percent=_number_or_none(percent),
        allowed=limit.of(before) if has_allowance else None,
        allowed_percent=limit.percent,
        verdict=_verdict(before, after, rule),
    )


def _percent(metric: str, change: float, before: float) -> float:
    """A change in percent of A; not a number where it says nothing.

    It says nothing of dB, which are a ratio, and of sparsity, which begins at about 0.
    """
    is_relative = metric != SPARSITY.name and not metric.endswith("_db")
    if not is_relative or before == 0:
        return math.nan
    return 100 * change / abs(before)


def _verdict(before: float, after: float, rule: Rule) -> str:
    if rule.ignored:
        return IGNORED
    if math.isnan(before):
        return NEW
    if math.isnan(after):
        return MISSING
    if math.isclose(before, after, rel_tol=1e-9):
        return SAME
    if rule.direction == NEITHER:
        return SHOWN

    loss = LOSS_SIGN[rule.direction] * (after - before)
    if loss < 0:
        return BETTER
    # 9.4 - 9.3 is a little more than 0.1 in binary.
    rounding = 1e-9 * max(abs(before), abs(after))
    if loss <= rule.limit.of(before) + rounding:
        return ALLOWED
    return WORSE
