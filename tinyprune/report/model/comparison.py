"""Two variants, or two runs, metric by metric: the change, what a policy allows, the verdict."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyprune.artifacts.quantity import DRAM, HIGHER, NEITHER, QUANTITIES, SPARSITY
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.errors import UsageError
from tinyprune.report.model.policy import Policy, Rule
from tinyprune.report.model.references import Reference, SummaryPair, summary_pairs, unmatched_notes
from tinyprune.report.model.summary import metric_names

SCHEMA = 1

BETTER, SAME, ALLOWED, WORSE = "better", "same", "worse, allowed", "WORSE"
MISSING, NEW, IGNORED, SHOWN = "missing", "new", "ignored", "-"

#: Name of a metric or quantity -> its value; None where there is none.
Values = dict[str, float | None]


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
        names = self.before if self.before == self.after else f"{self.before} -> {self.after}"
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
        return [metric for variant in self.variants for metric in variant.failures]


def metric_names_of(*references: Reference) -> list[str]:
    """Return the names of the quality metrics that references have."""
    names: dict[str, None] = {}
    for reference in references:
        for summary in reference.summaries:
            names |= dict.fromkeys(metric_names(summary))
    return list(names)


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
    before, after = _values(pair.before), _values(pair.after)
    qualities = dict.fromkeys([*metric_names(pair.before), *metric_names(pair.after)])
    for left, right in pair.variants:
        notes = _notes(_variant(pair.before, left), _variant(pair.after, right))
        values, new_values = before[left], after[right]
        metrics = tuple(
            _change(name, values.get(name), new_values.get(name), policy.rule(name))
            for name in _shown(list(qualities), values, new_values)
        )
        yield VariantChange(pair.before.target, left, right, metrics, notes)


def _variant(summary: RunSummary, name: str) -> VariantSummary:
    """The first variant of this name."""
    return [variant for variant in summary.variants if variant.name == name][0]


def _shown(qualities: Sequence[str], before: Values, after: Values) -> list[str]:
    """The names of what is compared.

    Quality that neither of the two has is another variant's; DRAM is unknown in what schema 1
    wrote.
    """
    values = [(name, before.get(name), after.get(name)) for name in qualities]
    shown = [name for name, one, other in values if one is not None or other is not None]
    return shown + [name for name in QUANTITIES if name in before and name in after]


def _values(summary: RunSummary) -> dict[str, Values]:
    """The metrics of every variant; NaN is no value."""
    found: dict[str, Values] = {}
    for variant in summary.variants:
        values: Values = {}
        for name in metric_names(summary):
            values[name] = _finite(variant.quality.metrics.get(name))
        for name, quantity in QUANTITIES.items():
            # Schema 1, which has no size of the file, did not know of DRAM.
            if quantity is not DRAM or variant.report.file_bytes:
                values[name] = _finite(quantity.of(variant))
        found.setdefault(variant.name, values)
    return found


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _notes(before: VariantSummary, after: VariantSummary) -> tuple[str, ...]:
    """Say what makes two variants less comparable than they look.

    Raises UsageError for two clocks.
    """
    left, right = before.report, after.report
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
    scored, rescored = _scored(before), _scored(after)
    if scored != rescored:
        notes.append(f"quality was not measured on the same: A on {scored}, B on {rescored}")
    return tuple(notes)


def _scored(variant: VariantSummary) -> str:
    """The data that a quality was measured on."""
    quality = variant.quality
    return f"{quality.utterances} of {quality.split} as {quality.form}"


def _change(metric: str, before: float | None, after: float | None, rule: Rule) -> MetricChange:
    """One metric under its rule."""
    is_limited = not rule.ignored and rule.direction != NEITHER
    allowed = rule.allowed if is_limited else None
    change = None if before is None or after is None else after - before
    return MetricChange(
        metric=metric,
        direction=rule.direction,
        before=before,
        after=after,
        change=change,
        change_percent=_percent(metric, change, before),
        allowed=allowed.of(before) if allowed and before is not None else None,
        allowed_percent=100 * allowed.amount if allowed and allowed.relative else None,
        verdict=_verdict(before, after, rule),
    )


def _percent(metric: str, change: float | None, before: float | None) -> float | None:
    """A change in percent of A.

    None of dB, which are a ratio, and of sparsity, which begins at about 0.
    """
    if metric == SPARSITY.name or metric.endswith("_db"):
        return None
    return 100 * change / abs(before) if before and change is not None else None


def _verdict(before: float | None, after: float | None, rule: Rule) -> str:
    if rule.ignored:
        return IGNORED
    if before is None:
        return NEW
    if after is None:
        return MISSING
    if math.isclose(before, after, rel_tol=1e-9):
        return SAME
    if rule.direction == NEITHER:
        return SHOWN
    loss = before - after if rule.direction == HIGHER else after - before
    if loss < 0:
        return BETTER
    return ALLOWED if _is_allowed(loss, before, after, rule) else WORSE


def _is_allowed(loss: float, before: float, after: float, rule: Rule) -> bool:
    if rule.allowed is None:
        return True
    # 9.4 - 9.3 is a little more than 0.1 in binary.
    rounding = 1e-9 * max(abs(before), abs(after))
    return loss <= rule.allowed.of(before) + rounding
