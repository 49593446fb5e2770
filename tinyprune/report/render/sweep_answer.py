"""The answer of a sweep as text of 80 columns."""

import textwrap
from collections.abc import Sequence

from tinyprune.artifacts.quantity import QUANTITIES
from tinyprune.artifacts.sweep import Candidate, SweepAnswer
from tinyprune.metrics.metric import Metric, metric_of
from tinyprune.report.model.front import half_width, shipped_name

_WIDTH = 80
_MOST_COSTS = 5
#: More candidates than this are shown as far as they are on a front.
_MOST_ROWS = 16


def as_text(found: SweepAnswer) -> str:
    """Return the table of candidates, what their names mean, what failed, and what to ship."""
    shown = shown_candidates(found)
    parts = ["\n".join(_aligned(candidate_rows(found, shown))), _legend(shown)]
    left = len(found.candidates) - len(shown)
    if left:
        parts.append(f"{left} more are on no front")
    parts += _unfinished(found)
    if found.ship is not None:
        lines = ship_lines(found)
        wrapped = [textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in lines]
        parts.append("\n".join(wrapped))
    return "\n\n".join(parts)


def shown_candidates(found: SweepAnswer) -> list[Candidate]:
    """Return the candidates that have a row."""
    if len(found.candidates) <= _MOST_ROWS:
        return list(found.candidates)
    ship = shipped_name(found)
    shown = []
    for candidate in found.candidates:
        if candidate.fronts or candidate.variant == ship:
            shown.append(candidate)
    return shown


def candidate_rows(found: SweepAnswer, shown: Sequence[Candidate]) -> list[list[str]]:
    """Return the cells of a header and of every candidate."""
    metric = metric_of(found.metric)
    quantities = [QUANTITIES[name] for name in columns(found)]
    labels = [quantity.label for quantity in quantities]
    rows = [["", "variant", metric.heading, "+-", *labels, "front", "fits"]]
    for candidate in shown:
        rows.append(
            [
                _mark(found, candidate),
                candidate.variant,
                metric.format(candidate.value),
                _interval(metric, candidate),
                *(quantity.format(candidate.costs[quantity.name]) for quantity in quantities),
                "yes" if candidate.fronts else "",
                "yes" if candidate.keeps else "no",
            ]
        )
    return rows


def columns(found: SweepAnswer) -> list[str]:
    """Return the quantities that have a column: objectives, then limits that any takes of."""
    names = list(found.costs)
    for name in found.limits:
        is_taken = any(candidate.costs[name] for candidate in found.candidates)
        if is_taken and name not in names:
            names.append(name)
    return names[:_MOST_COSTS]


def _mark(found: SweepAnswer, candidate: Candidate) -> str:
    """Return the sign of the variant to ship."""
    if candidate.variant == shipped_name(found):
        return ">"
    return ""


def _interval(metric: Metric, candidate: Candidate) -> str:
    """Return half of the interval over items, or of the spread of seeds where that is wider."""
    width = half_width(candidate)
    if width is None:
        return ""
    return metric.format(width)


def _legend(shown: Sequence[Candidate]) -> str:
    """Return what each name means."""
    lines = []
    for candidate in shown:
        if candidate.chain:
            text = f"{candidate.variant}: {candidate.chain}"
            lines.append(textwrap.fill(text, _WIDTH, subsequent_indent="  "))
    return "\n".join(lines)


def _unfinished(found: SweepAnswer) -> list[str]:
    """Return a paragraph with the trials that failed or were stopped."""
    lines = []
    for trial in found.trials:
        if not trial.is_done:
            text = f"{trial.variant} {trial.status}: {trial.chain}: {trial.reason}"
            lines.append(textwrap.fill(text, _WIDTH, subsequent_indent="  "))
    return ["\n".join(lines)] if lines else []


def ship_lines(found: SweepAnswer) -> list[str]:
    """Return the variant to ship, the next better one, and the score on test, a line each."""
    ship = found.ship
    if ship is None:
        return [f"nothing keeps the limits: {found.nearest}"]
    lines = [f"ship: {ship.variant}, {ship.reason}"]
    if ship.next_better:
        lines.append(f"next better: {ship.next_better}, {ship.next_reason}")
    else:
        lines.append(f"next better: {ship.next_reason}")
    final = found.final
    if final is not None:
        metric = metric_of(found.metric)
        interval = ""
        if final.low is not None and final.high is not None:
            interval = f" ({metric.format(final.low)} to {metric.format(final.high)})"
        lines.append(f"test: {metric.in_words(final.value)}{interval}, scored once")
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells in columns, names to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = []
    for row in rows:
        mark, name, *numbers = row
        cells = [mark.ljust(widths[0]), name.ljust(widths[1])]
        for number, width in zip(numbers, widths[2:], strict=True):
            cells.append(number.rjust(width))
        aligned.append("  ".join(cells).rstrip())
    return aligned
