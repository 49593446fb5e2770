"""Budgets as a gate: the limits that each variant keeps, and the layers that weigh most."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from tinyprune.artifacts.quantity import (
    CPU_OPERATORS,
    GATED,
    LATENCY,
    SRAM,
    TOTAL_CYCLES,
    LimitedQuantity,
    Quantity,
)
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.config.budget import Budget
from tinyprune.errors import check_name
from tinyprune.report.model.summary import variant_names
from tinyprune.units import BYTES, CYCLES, MACS, Unit

#: How many layers a verdict names.
HEAVIEST = 3

_KIB = 1024

Heaviest = tuple[tuple[str, float], ...]


#: The file of a run folder with the limits that `tinyprune run` held it to.
LIMITS_OF_RUN = "limits.json"


@dataclass(frozen=True)
class Verdict:
    """One limit of one variant on one target, kept or not.

    Attributes:
        variant: its name. target: name of the target.
        quantity: what is limited.
        limit: the most that is allowed. value: what it costs.
        heaviest: the layers that weigh most, with what they cost: bytes in flash, the most SRAM
            while they run, MACs, cycles (of latency too); of CPU operators their kinds and numbers.
        note: what the value leaves out or includes, or empty.
        hint: an option of the compiler that may lower the value, or empty.
    """

    variant: str
    target: str
    quantity: LimitedQuantity
    limit: float
    value: float
    heaviest: Heaviest = ()
    note: str = ""
    hint: str = ""

    @property
    def what(self) -> str:
        """The label of the quantity."""
        return self.quantity.label

    @property
    def unit(self) -> str:
        """The unit of the numbers."""
        return self.quantity.unit.name

    @property
    def over(self) -> float:
        """Value - limit, negative where some is to spare."""
        return self.value - self.limit

    @property
    def holds(self) -> bool:
        """True where the limit is kept."""
        return self.over <= 0

    @property
    def in_words(self) -> str:
        """``OVER by 240 B``, or what is to spare."""
        amount = self.format(abs(self.over))
        if not self.holds:
            return f"OVER by {amount}"
        if self.over:
            return f"holds, {amount} to spare"
        return "holds"

    @property
    def excess(self) -> float:
        """Value / limit; infinite for a limit of 0."""
        if self.limit:
            return self.value / self.limit
        return float("inf")

    def format(self, number: float) -> str:
        """Return a number of the quantity, close enough to be told from the limit."""
        return self.quantity.unit.format_exact(number)

    def format_heaviest(self, count: int) -> str:
        """Return the heaviest layers in words: ``large (200.0 kB), middle (50.0 kB)``."""
        unit = _of_layers(self.quantity).unit
        word = ""
        if unit in (CYCLES, MACS):
            word = f" {unit.name}"
        texts = []
        for name, cost in self.heaviest[:count]:
            texts.append(f"{name} ({unit.format_exact(cost)}{word})")
        return ", ".join(texts)


def check(summary: RunSummary, budget: Budget, variants: Sequence[str] = ()) -> list[Verdict]:
    """Return every limit of the budget for every variant that it is for, on one target.

    It is for the named variants; without names for all but the baseline; where there is only the
    baseline, for that. Raises UsageError for a name that does not exist.
    """
    return check_all([summary], budget, variants)


def check_all(
    summaries: Sequence[RunSummary], budget: Budget, variants: Sequence[str] = ()
) -> list[Verdict]:
    """Return :func:`check` on several targets; a named variant has to exist on one of them."""
    known = set(variant_names(summaries))
    for name in variants:
        check_name("variant", name, known)

    verdicts: list[Verdict] = []
    for summary in summaries:
        for variant in _gated(summary, variants):
            verdicts += _verdicts(variant, summary.target.name, budget)
    return verdicts


def matter(verdicts: Iterable[Verdict]) -> bool:
    """Return whether there is more to say than that nothing runs on the CPU, and nothing may."""
    return any(verdict.quantity is not CPU_OPERATORS or not verdict.holds for verdict in verdicts)


def failure(verdicts: Iterable[Verdict]) -> str | None:
    """Return one line for CheckFailed; None where all limits hold.

    It names the limit that is exceeded by the largest factor, and how many more there are.
    """
    over = [verdict for verdict in verdicts if not verdict.holds]
    if not over:
        return None

    worst = max(over, key=lambda verdict: verdict.excess)
    limit = format_limit(worst.limit, worst.quantity.unit, "{} ({})")
    value = worst.format(worst.value)
    excess = worst.format(worst.over)
    line = (
        f"{worst.variant} on {worst.target}: {worst.what} {value}, "
        f"{excess} over the limit of {limit}"
    )
    if worst.heaviest:
        line += f"; most weighs {worst.format_heaviest(1)}"
    if worst.hint:
        line += f"; {worst.hint}"
    if len(over) > 1:
        line += f"; and {len(over) - 1} more"
    return line


def format_limit(limit: float, unit: Unit, form: str) -> str:
    """Return a limit in the unit of its value; of whole KiB both, put into ``form``.

    So nobody compares KiB with kB.
    """
    text = unit.format_exact(limit)
    kib, rest = divmod(limit, _KIB)
    if unit is not BYTES or rest:
        return text
    return form.format(f"{kib:.0f} KiB", text)


def _gated(summary: RunSummary, names: Sequence[str]) -> Sequence[VariantSummary]:
    if not names:
        pruned = summary.variants[1:]
        return pruned or summary.variants
    return [variant for variant in summary.variants if variant.name in names]


def _verdicts(variant: VariantSummary, target: str, budget: Budget) -> Iterator[Verdict]:
    for quantity in GATED:
        limit = getattr(budget, quantity.option.field)
        if limit is not None:
            report = variant.report
            yield Verdict(
                variant=variant.name,
                target=target,
                quantity=quantity,
                limit=limit,
                value=quantity.of(variant),
                heaviest=_heaviest(quantity, report),
                note=_note(quantity, report),
                hint=_hint(quantity, report),
            )


def _heaviest(quantity: Quantity, report: ResourceReport) -> Heaviest:
    if quantity is CPU_OPERATORS:
        return tuple(Counter(report.cpu_operators).most_common(HEAVIEST))
    of_layer = _of_layers(quantity).of_layer
    costs: list[tuple[str, float]] = []
    for layer in report.layers:
        cost = of_layer(layer)
        if cost > 0:
            costs.append((layer.name, cost))
    costs.sort(key=itemgetter(1), reverse=True)
    return tuple(costs[:HEAVIEST])


def _hint(quantity: Quantity, report: ResourceReport) -> str:
    """Return what Vela could be asked for; it has preferred performance as long as it was not."""
    if quantity is not SRAM or report.target.choices:
        return ""
    return "--optimise size or --arena-limit may lower it"


def _of_layers(quantity: Quantity) -> Quantity:
    """The quantity that layers have a share of: of latency their cycles."""
    if quantity is LATENCY:
        return TOTAL_CYCLES
    return quantity


def _note(quantity: Quantity, report: ResourceReport) -> str:
    """Say what a value leaves out or includes."""
    if quantity is SRAM and report.has_weights_in_sram:
        return "with the weights, which are in SRAM too"
    is_of_npu = _of_layers(quantity).unit in (CYCLES, MACS)
    if is_of_npu and report.cpu_operators:
        operators = ", ".join(dict.fromkeys(report.cpu_operators))
        return f"without what runs on the CPU ({operators})"
    return ""
