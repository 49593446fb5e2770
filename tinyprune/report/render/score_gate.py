"""The gate of an evaluation: how far metrics fall below the reference, and whether they may."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.metrics.evaluation import Drop
from tinyprune.metrics.metric import metric_of
from tinyprune.report.render.scores import NAME_WIDTH, change_cell, interval_cell
from tinyprune.report.render.terminal import columns, first_texts, wrapped

_UNSURE = "not for sure"


def format_drops(drops: Sequence[Drop]) -> RenderableType:
    """The limits that hold and those that do not, and whether the files are enough to say so."""
    table = columns(
        "held to the reference", "metric", "change", "95 % interval", "allowed", left="verdict"
    )
    for drop in drops:
        metric = metric_of(drop.metric)
        table.add_row(
            f"{wrapped(drop.model, NAME_WIDTH)} {drop.form}",
            metric.heading,
            change_cell(drop.metric, drop.difference),
            interval_cell(drop.metric, drop.difference),
            metric.format(metric.loss_sign * drop.limit),
            _verdict(drop),
        )
    parts: list[RenderableType] = [table]
    if any(map(_is_unsure, drops)):
        parts.append(Text(f"{_UNSURE}: the interval includes the limit; more files would tell"))
    return Group(*parts)


def failed(drops: Sequence[Drop]) -> str | None:
    """One line for CheckFailed: the first drop that is too far, and how many more.

    None: all hold.
    """
    failures = [_failure(drop) for drop in drops if not drop.holds]
    if not failures:
        return None
    return first_texts(failures, 1)


def _failure(drop: Drop) -> str:
    name = f"{drop.model} {drop.form}"
    metric = metric_of(drop.metric)
    gain = drop.gain
    if gain is None:
        return (
            f"{name}: {metric.label} is undefined everywhere, it cannot be held to {drop.reference}"
        )
    drop_text = metric.in_words(-gain.mean)
    interval = ""
    if gain.low is not None and gain.high is not None:
        low = metric.format(-gain.high)
        high = metric.format(-gain.low)
        interval = f" (95 % interval {low} to {high})"
    unsure = ""
    if _is_unsure(drop):
        unsure = ", which the interval includes: more files would tell"
    allowed = metric.with_unit(drop.limit)
    side = "below"
    if metric.loss_sign > 0:
        side = "above"
    return f"{name}: {drop_text} {side} {drop.reference}{interval}; allowed {allowed}{unsure}"


def _verdict(drop: Drop) -> Text:
    unsure = ""
    if _is_unsure(drop):
        unsure = f", {_UNSURE}"
    if drop.holds:
        return Text(f"holds{unsure}", style="green")
    return Text(f"TOO FAR{unsure}", style="bold red")


def _is_unsure(drop: Drop) -> bool:
    """Return whether there is an interval and it includes the limit."""
    has_interval = drop.difference is not None and drop.difference.low is not None
    return has_interval and not drop.is_sure
