"""Budgets as a gate: which variant keeps which limit, by how much, and which layers weigh most."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.resources import LayerCost, ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.config.budget import Budget
from tinyprune.errors import unknown_name
from tinyprune.report.model.advice import weights_in_sram
from tinyprune.report.model.summary import seconds_per_frame

#: How many layers a verdict names.
HEAVIEST = 3

_KIB = 1024


@dataclass(frozen=True)
class Verdict:
    """Whether one variant keeps one limit on one target.

    Attributes:
        variant: its name. target: name of the target.
        what: "flash", "SRAM", "MACs", "cycles", "latency" or "CPU operators".
        unit: of the numbers: "bytes", "MACs", "cycles", "seconds" or "operators".
        limit: the most that is allowed. value: what it costs. over: value - limit, negative where
            some is to spare.
        holds: whether the limit is kept.
        heaviest: the layers that weigh most, with what they cost: bytes in flash, the most SRAM
            while they run, MACs, cycles (of latency too); of CPU operators their kinds and numbers.
        note: what the value leaves out or includes, or empty.
    """

    variant: str
    target: str
    what: str
    unit: str
    limit: float
    value: float
    over: float
    holds: bool
    heaviest: tuple[tuple[str, float], ...] = ()
    note: str = ""


def check(summary: RunSummary, budget: Budget, variants: Sequence[str] = ()) -> list[Verdict]:
    """Every limit of the budget for every variant that it is for, on the target of the summary.

    It is for the named variants; without names for all but the baseline; where there is only the
    baseline, for that. Raises UsageError for a name that does not exist.
    """
    return check_all([summary], budget, variants)


def check_all(
    summaries: Sequence[RunSummary], budget: Budget, variants: Sequence[str] = ()
) -> list[Verdict]:
    """:func:`check` on several targets; a named variant has to exist on one of them."""
    known = {variant.name for summary in summaries for variant in summary.variants}
    for name in variants:
        if name not in known:
            raise unknown_name("variant", name, known)
    return [
        verdict
        for summary in summaries
        for variant in _gated(summary, variants)
        for verdict in _verdicts(variant, summary.target.name, budget)
    ]


def failed(verdicts: Iterable[Verdict]) -> str | None:
    """One line for CheckFailed: the limit that is exceeded by the largest factor, and how many more; None: all hold."""
    over = sorted((verdict for verdict in verdicts if not verdict.holds), key=_excess, reverse=True)
    if not over:
        return None
    worst = over[0]
    value, excess = shown_amount(worst.value, worst.unit), shown_amount(worst.over, worst.unit)
    limit = shown_limit(worst.limit, worst.unit, "{} ({})")
    line = f"{worst.variant} on {worst.target}: {worst.what} {value}, {excess} over the limit of {limit}"
    heaviest = f"; most weighs {_heaviest_text(worst, 1)}" if worst.heaviest else ""
    return line + heaviest + (f"; and {len(over) - 1} more" if len(over) > 1 else "")


def format_verdicts(verdicts: Sequence[Verdict]) -> RenderableType:
    """A table per target of at most 100 columns: limit, value, what is over or to spare; below it what weighs most."""
    parts: list[RenderableType] = []
    for target in dict.fromkeys(verdict.target for verdict in verdicts):
        found = [verdict for verdict in verdicts if verdict.target == target]
        parts += [Text() for _ in parts[:1]]
        parts += [Text(f"budget on {target}", style="bold"), _table(found), *_below(found)]
    return Group(*parts)


def shown_limit(limit: float, unit: str, form: str) -> str:
    """A limit in the unit of its value; of whole KiB both, so that nobody compares KiB with kB."""
    shown = shown_amount(limit, unit)
    if unit != "bytes" or limit % _KIB:
        return shown
    return form.format(f"{limit / _KIB:.0f} KiB", shown)


def shown_amount(number: float, unit: str) -> str:
    """A number with one decimal more than elsewhere: what is just over a limit must not look like the limit itself."""
    if unit == "seconds":
        return f"{1000 * number:.4g} ms"
    byte = "B" if unit == "bytes" else ""
    return f"{number:.0f} {byte}".strip() if number < 10_000 else f"{number / 1000:.1f} k{byte}"


def _gated(summary: RunSummary, names: Sequence[str]) -> Sequence[VariantSummary]:
    if names:
        return [variant for variant in summary.variants if variant.name in names]
    return summary.variants[1:] or summary.variants


def _verdicts(variant: VariantSummary, target: str, budget: Budget) -> Iterator[Verdict]:
    report, cycles = variant.report, _top(variant.report, lambda layer: layer.cycles)
    count = len(report.cpu_operators)
    note = (
        f"without what runs on the CPU ({', '.join(dict.fromkeys(report.cpu_operators))})"
        if count
        else ""
    )
    stored = "with the weights, which are in SRAM too" if weights_in_sram(report) else ""
    flash = _top(report, lambda layer: layer.encoded_weight_bytes + layer.scale_bytes)
    sram = _top(report, lambda layer: layer.sram_bytes)
    macs = _top(report, lambda layer: layer.macs)
    seconds, cpu = seconds_per_frame(variant), Counter(report.cpu_operators).most_common(HEAVIEST)
    rows = (
        ("flash", "bytes", budget.flash_bytes, report.flash_bytes, flash, ""),
        ("SRAM", "bytes", budget.sram_bytes, report.sram_bytes, sram, stored),
        ("MACs", "MACs", budget.macs, report.macs, macs, note),
        ("cycles", "cycles", budget.cycles, report.cycles, cycles, note),
        ("latency", "seconds", budget.seconds, seconds, cycles, note),
        ("CPU operators", "operators", budget.cpu_operators, count, tuple(cpu), ""),
    )
    for what, unit, limit, value, heaviest, left_out in rows:
        if limit is not None:
            over = value - limit
            yield Verdict(
                variant.name, target, what, unit, limit, value, over, over <= 0, heaviest, left_out
            )


def _top(
    report: ResourceReport, cost: Callable[[LayerCost], float]
) -> tuple[tuple[str, float], ...]:
    layers: list[LayerCost] = sorted(report.layers, key=cost, reverse=True)
    return tuple((layer.name, cost(layer)) for layer in layers[:HEAVIEST] if cost(layer) > 0)


def _excess(verdict: Verdict) -> float:
    return verdict.value / verdict.limit if verdict.limit else float("inf")


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(
        Text("variant"), overflow="fold", width=min(20, max(7, *(len(v.variant) for v in verdicts)))
    )
    table.add_column(Text("budget"), no_wrap=True)
    for name in ("limit", "value"):
        table.add_column(Text(name, justify="right"), justify="right", no_wrap=True)
    table.add_column(Text("verdict"), no_wrap=True)
    for verdict in verdicts:
        numbers = (
            shown_limit(verdict.limit, verdict.unit, "{} = {}"),
            shown_amount(verdict.value, verdict.unit),
        )
        table.add_row(Text(verdict.variant), verdict.what, *numbers, _verdict_text(verdict))
    return table


def _verdict_text(verdict: Verdict) -> Text:
    """Words as well as colour, so that neither a pipe nor a colour-blind reader loses anything."""
    amount = shown_amount(abs(verdict.over), verdict.unit)
    if verdict.holds:
        return Text(f"holds, {amount} to spare" if verdict.over else "holds", style="green")
    return Text(f"OVER by {amount}", style="bold red")


def _below(verdicts: Sequence[Verdict]) -> Iterator[Text]:
    """What weighs most in what is over, and what the values leave out or include; the same is said once."""
    lines: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if not verdict.holds and verdict.heaviest:
            most = f"most weighs {_heaviest_text(verdict, HEAVIEST)}"
            lines.setdefault((verdict.variant, most), []).append(verdict.what)
        if verdict.note:
            lines.setdefault((verdict.variant, verdict.note), []).append(verdict.what)
    yield from (
        Text(f"{variant}, {' and '.join(whats)}: {said}")
        for (variant, said), whats in lines.items()
    )


def _heaviest_text(verdict: Verdict, count: int) -> str:
    unit = "cycles" if verdict.unit == "seconds" else verdict.unit
    word = f" {unit}" if unit in ("cycles", "MACs") else ""
    return ", ".join(
        f"{name} ({shown_amount(amount, unit)}{word})" for name, amount in verdict.heaviest[:count]
    )
