"""Evaluations for a terminal, a pipe, CSV and JSON; scores file by file; the gate."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.quantity import LOWER
from tinyprune.metrics.comparison import Drop, Evaluation, Figure, Row
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.scores import Scored
from tinyprune.metrics.statistics import Estimate
from tinyprune.report.render.terminal import NONE, columns, wrapped
from tinyprune.storage.records import to_jsonable

_NAME_WIDTH = 20
_UNSURE = "not for sure"
_FEW = 20
_ROUNDING = 1e-9  # not a difference that has a sign
_AT_ONCE, _COLUMN_WIDTH, _KEY_WIDTH = 4, 16, 18  # models side by side, per SNR and per category
_COLUMNS = (
    *("model", "form", "split", "group", "value", "metric"),
    *("count", "undefined", "mean", "low", "high", "median"),
    *("improvement", "improvement_low", "improvement_high"),
    *("reference", "difference", "difference_low", "difference_high"),
)


def format_evaluation(found: Evaluation) -> RenderableType:
    """A table per metric, then the main metric per SNR and per category; at most 100 columns."""
    found = _with_short_names(found)
    parts: list[RenderableType] = [Text(_title(found), style="bold")]
    for metric in found.metrics:
        parts += [Text(), _metric_table(found, metric)]
    for attribute, what in (("by_snr", "SNR in dB"), ("by_category", "category")):
        parts += _group_tables(found, attribute, what)
    return Group(*parts, Text(), *(Text(note) for note in _notes(found)))


def to_json(found: Evaluation) -> str:
    """The whole record as JSON."""
    return json.dumps(to_jsonable(found), indent=2) + "\n"


def to_csv(found: Evaluation) -> str:
    """A line per model, form, group ("all", "snr_db" or "category") and metric; an empty cell does not exist."""
    return _csv([_cells(found, row, *place) for row in found.rows for place in _places(row)])


def files_csv(scored: Scored) -> str:
    """A line per file, model and form with all metrics; an empty cell is undefined."""
    metrics = [name for name in scored.metrics if not any(name in row.whole for row in scored.rows)]
    return _csv(
        [
            {
                "file": item.name,
                "speaker": item.speaker,
                "category": item.category,
                "snr_db": item.snr_db,
                "model": row.model,
                "form": row.form,
                **{name: item.metrics.get(name) for name in metrics},
            }
            for row in scored.rows
            for item in row.items
        ]
    )


def format_drops(found: Sequence[Drop]) -> RenderableType:
    """What keeps which limit, and whether the files are enough to say so."""
    table = columns(
        "held to the reference", "metric", "change", "95 % interval", "allowed", left="verdict"
    )
    for drop in found:
        change, interval = (
            _change(drop.metric, drop.difference),
            _interval(drop.metric, drop.difference),
        )
        allowed = metric_of(drop.metric).format(-drop.limit)
        cells = [metric_of(drop.metric).heading, change, interval, allowed]
        table.add_row(f"{wrapped(drop.model, _NAME_WIDTH)} {drop.form}", *cells, _verdict(drop))
    note = f"{_UNSURE}: the interval includes the limit; more files would tell"
    return Group(table, *([Text(note)] if any(map(_is_unsure, found)) else []))


def failed(found: Sequence[Drop]) -> str | None:
    """One line for CheckFailed: the first drop that is too far, and how many more; None: all hold."""
    over = [drop for drop in found if not drop.holds]
    if not over:
        return None
    drop, more = over[0], f"; and {len(over) - 1} more" if len(over) > 1 else ""
    name, metric = f"{drop.model} {drop.form}", metric_of(drop.metric)
    if drop.difference is None:
        return f"{name}: {metric.label} is undefined everywhere, it cannot be held to {drop.reference}{more}"
    fell = metric.in_words(-drop.difference.mean)
    low, high = drop.difference.low, drop.difference.high
    interval = (
        ""
        if low is None or high is None
        else f" (95 % interval {metric.format(-high)} to {metric.format(-low)})"
    )
    unsure = "" if not _is_unsure(drop) else ", which the interval includes: more files would tell"
    return f"{name}: {fell} below {drop.reference}{interval}; allowed {metric.with_unit(drop.limit)}{unsure}{more}"


# --- tables
# -----------------------------------------------------------------------------------------------------------


def _title(found: Evaluation) -> str:
    kind = "files" if _noisy(found) else "examples"
    reference = next((row.model for row in found.rows if row.form != "noisy"), None)
    compared = f"; differences to {reference}" if any(row.reference for row in found.rows) else ""
    return f"{found.items} {kind} of the {found.split} split{compared}"


def _with_short_names(found: Evaluation) -> Evaluation:
    """The same with files called by no more of their path than tells them apart."""
    names = {row.model: PurePath(row.model).parts for row in found.rows}
    short = {}
    for name, parts in names.items():
        ends = (PurePath(*parts[-count:]) for count in range(1, len(parts) + 1))
        short[name] = next(
            str(end)
            for end in ends
            if [other[-len(end.parts) :] for other in names.values()].count(end.parts) == 1
        )
    return replace(found, rows=tuple(replace(row, model=short[row.model]) for row in found.rows))


def _noisy(found: Evaluation) -> Row | None:
    return next((row for row in found.rows if row.form == "noisy"), None)


def _metric_table(found: Evaluation, metric: str) -> Table:
    has_noisy, compared = _noisy(found) is not None, any(row.reference for row in found.rows)
    numbers = ["mean", *(["median", "over noisy"] if has_noisy else [])]
    numbers += ["difference", "95 % interval"] if compared else []
    table = columns(metric_of(metric).heading, *numbers, left="" if compared else None)
    for row in found.rows:
        figure = row.metrics[metric]
        cells: list[str | Text] = [_with_half(metric, figure.value)]
        if has_noisy:
            median = figure.value.median if figure.value else None
            cells += [_number(metric, median), _with_half(metric, figure.improvement, "+")]
        if compared:
            is_other, change = row.reference is not None, figure.difference
            cells += [_change(metric, change), _interval(metric, change)] if is_other else ["", ""]
            cells.append(_word(metric, change) if is_other else "")
        table.add_row(_name(row), *cells)
    return table


def _group_tables(found: Evaluation, attribute: str, what: str) -> Iterator[RenderableType]:
    """The mean of the main metric per group: groups below each other, what the device runs side by side."""
    groups = getattr(found.rows[0], attribute) if found.rows else {}
    if not groups or not found.metrics:
        return
    metric, shown = (
        found.metrics[0],
        [row for row in found.rows if row.form == "noisy" or row.is_device],
    )
    for start in range(0, len(shown), _AT_ONCE):
        rows = shown[start : start + _AT_ONCE]
        names = [f"{wrapped(row.model, _COLUMN_WIDTH)}\n{row.form}" for row in rows]
        names = [
            "noisy\ninput" if row.form == "noisy" else name
            for row, name in zip(rows, names, strict=True)
        ]
        table = columns(f"{metric_of(metric).heading}\nby {what}", "items", *names)
        for key in groups:
            figures: list[Figure] = [getattr(row, attribute)[key][metric] for row in rows]
            count = (figures[0].value.count if figures[0].value else 0) + figures[0].undefined
            cells = [
                _number(metric, figure.value.mean if figure.value else None) for figure in figures
            ]
            table.add_row(wrapped(key, _KEY_WIDTH), str(count), *cells)
        yield Text()
        yield table


def _notes(found: Evaluation) -> Iterator[str]:
    yield "±: half of the 95 % interval of a mean (bootstrap over the items)."
    if any(row.reference for row in found.rows):
        yield (
            "Differences are taken item by item. unclear: their interval holds 0, so that more items would be needed "
            "to tell them from none."
        )
    if found.items < _FEW:
        yield f"Of fewer than {_FEW} items, intervals come out somewhat too narrow."
    missing = [text for metric in found.metrics if (text := _undefined(found, metric))]
    if missing:
        yield f"Left out, because undefined (silent, too short, too long for PESQ, no speech): {'; '.join(missing)}."


def _undefined(found: Evaluation, metric: str) -> str:
    """``PESQ-WB 2 of noisy input, 1 of baseline float``; empty where every item has the metric."""
    counts = {_title_of(row): row.metrics[metric].undefined for row in found.rows}
    if len(set(counts.values())) == 1:
        count = next(iter(counts.values()))
        return f"{metric_of(metric).heading} {count}" if count else ""
    return f"{metric_of(metric).heading} " + ", ".join(
        f"{count} of {name}" for name, count in counts.items() if count
    )


def _title_of(row: Row) -> str:
    return "noisy input" if row.form == "noisy" else f"{row.model} {row.form}"


def _name(row: Row) -> str:
    return "noisy input" if row.form == "noisy" else f"{wrapped(row.model, _NAME_WIDTH)} {row.form}"


def _number(metric: str, value: float | None, sign: str = "") -> str:
    if value is None:
        return NONE
    return metric_of(metric).format(0.0 if abs(value) < _ROUNDING else value, sign)


def _with_half(metric: str, found: Estimate | None, sign: str = "") -> str:
    """``9.43 ±0.35``."""
    if found is None:
        return NONE
    half = found.half_width
    return _number(metric, found.mean, sign) + (
        "" if half is None else f" ±{_number(metric, half)}"
    )


def _change(metric: str, found: Estimate | None) -> str:
    return _number(metric, found.mean if found else None, "+")


def _interval(metric: str, found: Estimate | None) -> str:
    if found is None or found.low is None:
        return NONE
    return f"{_number(metric, found.low, '+')} to {_number(metric, found.high, '+')}"


def _word(metric: str, found: Estimate | None) -> Text:
    """Whether a difference can be told from zero; in words as well as colour."""
    if found is None or found.low is None:
        return Text(NONE)
    better = found.sign * (-1 if metric_of(metric).direction == LOWER else 1)
    return [Text("unclear"), Text("better", style="green"), Text("worse", style="red")][better]


def _verdict(drop: Drop) -> Text:
    unsure = f", {_UNSURE}" if _is_unsure(drop) else ""
    return (
        Text(f"holds{unsure}", style="green")
        if drop.holds
        else Text(f"TOO FAR{unsure}", style="bold red")
    )


def _is_unsure(drop: Drop) -> bool:
    """Whether there is an interval and it includes the limit."""
    return not drop.is_sure and drop.difference is not None and drop.difference.low is not None


# --- CSV
# --------------------------------------------------------------------------------------------------------------


def _places(row: Row) -> Iterator[tuple[str, str, str, Figure]]:
    """Group, its value, metric and figure of everything in a row."""
    groups = {"all": {"": row.metrics}, "snr_db": row.by_snr, "category": row.by_category}
    for group, members in groups.items():
        for key, figures in members.items():
            for metric, figure in figures.items():
                yield group, key, metric, figure


def _cells(
    found: Evaluation, row: Row, group: str, key: str, metric: str, figure: Figure
) -> dict[str, Any]:
    value = figure.value
    where = (row.model, row.form, found.split, group, key, metric)
    own = (
        value.count if value else 0,
        figure.undefined,
        *_mean_and_ends(value),
        value and value.median,
    )
    others = (
        *_mean_and_ends(figure.improvement),
        row.reference,
        *_mean_and_ends(figure.difference),
    )
    return dict(zip(_COLUMNS, (*where, *own, *others), strict=True))


def _mean_and_ends(found: Estimate | None) -> tuple[float | None, ...]:
    return (found.mean, found.low, found.high) if found else (None, None, None)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: f"{cell:.6g}" if isinstance(cell, float) else cell for key, cell in row.items()}
        for row in rows
    )
    return text.getvalue()
