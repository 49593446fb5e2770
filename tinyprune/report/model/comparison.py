"""Two variants, or two runs, metric by metric: what changed, what a policy allows, and the verdict."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tinyprune.artifacts.quantity import HIGHER, NEITHER, QUANTITIES
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.errors import UsageError
from tinyprune.report.model.policy import Policy, Rule
from tinyprune.report.model.references import Pair, Reference, left_out, pairs
from tinyprune.report.model.summary import metric_names, summary_rows

SCHEMA = 1

BETTER, SAME, ALLOWED, WORSE = "better", "same", "worse, allowed", "WORSE"
MISSING, NEW, IGNORED, SHOWN = "missing", "new", "ignored", "-"


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
        """Whether the policy does not allow it."""
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
        """Which variants on which target, in words."""
        names = self.before if self.before == self.after else f"{self.before} -> {self.after}"
        return f"{names} on {self.target.name}"

    @property
    def failures(self) -> list[MetricChange]:
        """What the policy does not allow."""
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
        """What the policy does not allow, of all variants."""
        return [metric for variant in self.variants for metric in variant.failures]


def metric_names_of(*references: Reference) -> list[str]:
    """Names of the quality metrics that references have."""
    names = (
        name for one in references for summary in one.summaries for name in metric_names(summary)
    )
    return list(dict.fromkeys(names))


def compare(before: Reference, after: Reference, policy: Policy) -> Comparison:
    """B beside A on every target that both were compiled for.

    Raises UsageError if they have nothing in common, or a target with two clocks.
    """
    changes = tuple(change for pair in pairs(before, after) for change in _changes(pair, policy))
    return Comparison(
        SCHEMA, before.text, after.text, policy.name, changes, left_out(before, after)
    )


def _changes(pair: Pair, policy: Policy) -> Iterator[VariantChange]:
    before, after = _values(pair.before), _values(pair.after)
    names = list(dict.fromkeys([*metric_names(pair.before), *metric_names(pair.after)]))
    for left, right in pair.variants:
        one, other = _variant(pair.before, left), _variant(pair.after, right)
        notes = _notes(one, other)
        mine, its = before[left], after[right]
        # Quality that neither of the two has is another variant's; DRAM is unknown in what schema 1
        # wrote.
        shown = [name for name in names if mine.get(name) is not None or its.get(name) is not None]
        costs = [name for name in QUANTITIES if name in mine and name in its]
        metrics = (
            _change(name, mine.get(name), its.get(name), policy.rule(name))
            for name in (*shown, *costs)
        )
        yield VariantChange(pair.before.target, left, right, tuple(metrics), notes)


def _variant(summary: RunSummary, name: str) -> VariantSummary:
    return next(variant for variant in summary.variants if variant.name == name)


def _values(summary: RunSummary) -> dict[str, dict[str, float | None]]:
    """The metrics of every variant; NaN is no value."""
    wanted = [*metric_names(summary), *QUANTITIES]
    found: dict[str, dict[str, float | None]] = {}
    for row, variant in zip(summary_rows(summary), summary.variants, strict=True):
        values = {name: row[name] for name in wanted if name in row}
        if variant.report.file_bytes:  # else it is from schema 1, which did not know of DRAM
            values["dram_bytes"] = variant.report.dram_bytes
        finite = {
            name: None if value is None or math.isnan(value) else value
            for name, value in values.items()
        }
        found.setdefault(variant.name, finite)
    return found


def _notes(before: VariantSummary, after: VariantSummary) -> tuple[str, ...]:
    """What makes two variants less comparable than they look. Raises UsageError for two clocks."""
    left, right = before.report, after.report
    if left.clock_hz != right.clock_hz:
        raise UsageError(
            f"{before.name} was estimated at {left.clock_hz / 1e6:g} MHz and {after.name} at "
            f"{right.clock_hz / 1e6:g} MHz, both on {left.target.name}: compile them for the same clock"
        )
    notes = []
    if left.vela_version != right.vela_version:
        notes.append(f"A was estimated by Vela {left.vela_version}, B by Vela {right.vela_version}")
    if left.target.vela_config != right.target.vela_config:
        notes.append(
            f"A was compiled with {left.target.vela_config}, B with {right.target.vela_config}"
        )
    scored = [
        f"{one.quality.utterances} of {one.quality.split} as {one.quality.form}"
        for one in (before, after)
    ]
    if scored[0] != scored[1]:
        notes.append(f"quality was not measured on the same: A on {scored[0]}, B on {scored[1]}")
    return tuple(notes)


def _change(metric: str, before: float | None, after: float | None, rule: Rule) -> MetricChange:
    """One metric under its rule."""
    change = percent = None
    if before is not None and after is not None:
        change = after - before
        percent = 100 * change / abs(before) if before and not _has_no_percent(metric) else None
    allowed = None if rule.ignored or rule.direction == NEITHER else rule.allowed
    return MetricChange(
        metric,
        rule.direction,
        before,
        after,
        change,
        percent,
        None if allowed is None or before is None else allowed.of(before),
        100 * allowed.amount if allowed and allowed.relative else None,
        _verdict(before, after, rule),
    )


def _has_no_percent(metric: str) -> bool:
    """Whether its share of what it was before says nothing: dB are a ratio, and a sparsity begins at about 0."""
    return metric == "sparsity" or metric.endswith("_db")


def _verdict(before: float | None, after: float | None, rule: Rule) -> str:
    if rule.ignored:
        return IGNORED
    if before is None or after is None:
        return NEW if before is None else MISSING
    if math.isclose(before, after, rel_tol=1e-9):
        return SAME
    if rule.direction == NEITHER:
        return SHOWN
    loss = before - after if rule.direction == HIGHER else after - before
    if loss < 0:
        return BETTER
    # 9.4 - 9.3 is a little more than 0.1 in binary.
    fits = rule.allowed is None or loss <= rule.allowed.of(before) + 1e-9 * max(
        abs(before), abs(after)
    )
    return ALLOWED if fits else WORSE
