"""Evaluations as tables for a terminal or a pipe."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import filterfalse
from operator import attrgetter
from pathlib import PurePath

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.quantity import LOWER
from tinyprune.metrics.evaluation import Evaluation, Figure, Figures, Row
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.statistics import Estimate
from tinyprune.report.model.number_text import NONE
from tinyprune.report.render.terminal import columns, wrapped

NAME_WIDTH = 20

#: Fewer items than this make intervals too narrow.
_FEW = 20
#: A difference that is not above it has no sign.
_ROUNDING = 1e-9
#: Models side by side, per SNR and per category.
_SIDE_BY_SIDE = 4
_COLUMN_WIDTH = 16
_KEY_WIDTH = 18
_COLUMNS_OF_NOISY = ("median", "over noisy")
_COLUMNS_OF_REFERENCE = ("difference", "95 % interval")
#: Kind of a group in words -> the figures of a row per group of this kind.
_GROUPS: dict[str, Callable[[Row], Mapping[str, Figures]]] = {
    "SNR in dB": attrgetter("by_snr"),
    "category": attrgetter("by_category"),
}
#: Sign of a gain -> word and colour.
_WORDS = {1: ("better", "green"), 0: ("unclear", ""), -1: ("worse", "red")}
#: Stands for an estimate where no item has a value.
_UNKNOWN = Estimate(mean=math.nan, median=None, low=None, high=None, count=0)


def format_evaluation(evaluation: Evaluation) -> RenderableType:
    """A table per metric, then the main metric per SNR and per category; at most 100 columns."""
    evaluation = _with_short_names(evaluation)
    parts: list[RenderableType] = [Text(_title(evaluation), style="bold")]
    for metric in evaluation.metrics:
        parts += [Text(), _metric_table(evaluation, metric)]
    if evaluation.metrics:
        for kind in _GROUPS:
            parts += _group_tables(evaluation, kind)
    parts.append(Text())
    parts += map(Text, _notes(evaluation))
    return Group(*parts)


# --- tables


def _title(evaluation: Evaluation) -> str:
    items = "examples"
    if _has_noisy(evaluation):
        items = "files"
    title = f"{evaluation.items} {items} of the {evaluation.split} split"
    if not _is_compared(evaluation):
        return title
    reference = next(filterfalse(_is_noisy, evaluation.rows))
    return f"{title}; differences to {reference.model}"


def _with_short_names(evaluation: Evaluation) -> Evaluation:
    """The same with files called by no more of their path than tells them apart."""
    models = {row.model for row in evaluation.rows}
    rows = []
    for row in evaluation.rows:
        rows.append(replace(row, model=short_name(row.model, models)))
    return replace(evaluation, rows=tuple(rows))


def short_name(name: str, names: Collection[str]) -> str:
    """The shortest end of a path that only one of several paths has."""
    paths = [PurePath(other).parts for other in names]
    parts = PurePath(name).parts
    for count in range(1, len(parts)):
        end = parts[-count:]
        ends = [path[-count:] for path in paths]
        if ends.count(end) == 1:
            return str(PurePath(*end))
    return str(PurePath(*parts))


def _has_noisy(evaluation: Evaluation) -> bool:
    return any(map(_is_noisy, evaluation.rows))


def _is_noisy(row: Row) -> bool:
    return row.form == "noisy"


def _is_compared(evaluation: Evaluation) -> bool:
    """Return whether something is compared with the reference."""
    return any(row.reference for row in evaluation.rows)


def _metric_table(evaluation: Evaluation, metric: str) -> Table:
    has_noisy = _has_noisy(evaluation)
    is_compared = _is_compared(evaluation)
    numbers = ["mean"]
    last_heading = None
    if has_noisy:
        numbers += _COLUMNS_OF_NOISY
    if is_compared:
        numbers += _COLUMNS_OF_REFERENCE
        last_heading = ""
    table = columns(metric_of(metric).heading, *numbers, left=last_heading)
    for row in evaluation.rows:
        figure = row.metrics[metric]
        cells: list[str | Text] = [_mean_cell(metric, figure.value)]
        if has_noisy:
            cells += _noisy_cells(metric, figure)
        if is_compared:
            cells += _reference_cells(metric, row)
        table.add_row(_name(row), *cells)
    return table


def _noisy_cells(metric: str, figure: Figure) -> list[str]:
    """Median, and improvement over the noisy input."""
    value = _known(figure.value)
    return [_number(metric, value.median), _mean_cell(metric, figure.improvement, "+")]


def _reference_cells(metric: str, row: Row) -> list[str | Text]:
    """Difference to the reference, its interval, and a word; empty for the reference itself."""
    if row.reference is None:
        return ["", "", ""]
    difference = row.metrics[metric].difference
    return [
        change_cell(metric, difference),
        interval_cell(metric, difference),
        _word(metric, difference),
    ]


def _group_tables(evaluation: Evaluation, kind: str) -> list[RenderableType]:
    """The mean of the main metric per group: groups below each other, models side by side.

    Shown are the noisy input and what the device runs.
    """
    shown = [row for row in evaluation.rows if _is_noisy(row) or row.is_device]
    parts: list[RenderableType] = []
    for start in range(0, len(shown), _SIDE_BY_SIDE):
        rows = shown[start : start + _SIDE_BY_SIDE]
        if _GROUPS[kind](rows[0]):
            parts += [Text(), _group_table(evaluation.metrics[0], rows, kind)]
    return parts


def _group_table(metric: str, rows: Sequence[Row], kind: str) -> Table:
    """Some rows side by side, with their figures per group."""
    names = [_column_name(row) for row in rows]
    table = columns(f"{metric_of(metric).heading}\nby {kind}", "items", *names)
    groups = [_GROUPS[kind](row) for row in rows]
    for key, first_figures in groups[0].items():
        first = first_figures[metric]
        items = first.undefined + _known(first.value).count
        means = []
        for figures_of_key in groups:
            mean = _known(figures_of_key[key][metric].value).mean
            means.append(_number(metric, mean))
        table.add_row(wrapped(key, _KEY_WIDTH), str(items), *means)
    return table


def _notes(evaluation: Evaluation) -> Iterator[str]:
    yield "±: half of the 95 % interval of a mean (bootstrap over the items)."
    if _is_compared(evaluation):
        yield (
            "Differences are taken item by item. unclear: their interval holds 0, "
            "so that more items would be needed to tell them from none."
        )
    yield from _engines(evaluation)
    if evaluation.items < _FEW:
        yield f"Of fewer than {_FEW} items, intervals come out somewhat too narrow."
    undefined = [_undefined(evaluation, metric) for metric in evaluation.metrics]
    if any(undefined):
        missing = "; ".join(filter(None, undefined))
        yield (
            "Left out, because undefined (silent, too short, too long for PESQ, no speech): "
            f"{missing}."
        )


def _engines(evaluation: Evaluation) -> Iterator[str]:
    """Say what computed the int8 graphs."""
    names: dict[str, list[str]] = {}
    for row in evaluation.rows:
        if row.engine:
            names.setdefault(row.engine, []).append(_full_name(row))
    if len(names) == 1:
        yield f"Int8 graphs are computed by {next(iter(names))}."
    else:
        for engine, graphs in names.items():
            yield f"Computed by {engine}: {', '.join(graphs)}."


def _undefined(evaluation: Evaluation, metric: str) -> str:
    """``PESQ-WB 2 of noisy input, 1 of baseline float``; empty where every item has the metric."""
    heading = metric_of(metric).heading
    counts = {_full_name(row): row.metrics[metric].undefined for row in evaluation.rows}
    different = set(counts.values())
    if different == {0}:
        return ""
    if len(different) == 1:
        return f"{heading} {different.pop()}"
    parts = [f"{count} of {name}" for name, count in counts.items() if count]
    return f"{heading} {', '.join(parts)}"


# --- cells


def change_cell(metric: str, difference: Estimate | None) -> str:
    """A mean difference with its sign."""
    return _number(metric, _known(difference).mean, "+")


def interval_cell(metric: str, difference: Estimate | None) -> str:
    """``-0.31 to +0.02``."""
    interval = _known(difference)
    if interval.low is None:
        return NONE
    low = _number(metric, interval.low, "+")
    high = _number(metric, interval.high, "+")
    return f"{low} to {high}"


def _full_name(row: Row) -> str:
    model, form = _model_and_form(row)
    return f"{model} {form}"


def _name(row: Row) -> str:
    model, form = _model_and_form(row)
    return f"{wrapped(model, NAME_WIDTH)} {form}"


def _column_name(row: Row) -> str:
    model, form = _model_and_form(row)
    return f"{wrapped(model, _COLUMN_WIDTH)}\n{form}"


def _model_and_form(row: Row) -> tuple[str, str]:
    """The two parts of the name of a row."""
    if _is_noisy(row):
        return "noisy", "input"
    return row.model, row.form


def _known(estimate: Estimate | None) -> Estimate:
    """An estimate whose numbers are all missing instead of none."""
    return estimate or _UNKNOWN


def _number(metric: str, value: float | None, sign: str = "") -> str:
    if value is None or math.isnan(value):
        return NONE
    if abs(value) < _ROUNDING:
        value = 0.0
    return metric_of(metric).format(value, sign)


def _mean_cell(metric: str, estimate: Estimate | None, sign: str = "") -> str:
    """``9.43 ±0.35``."""
    value = _known(estimate)
    mean = _number(metric, value.mean, sign)
    if value.half_width is None:
        return mean
    half = _number(metric, value.half_width)
    return f"{mean} ±{half}"


def _word(metric: str, difference: Estimate | None) -> Text:
    """The sign of a difference, in words as well as colour; unclear if the interval holds 0."""
    change = _known(difference)
    if change.low is None:
        return Text(NONE)
    gain = change.sign
    if metric_of(metric).direction == LOWER:
        gain = -gain
    word, style = _WORDS[gain]
    return Text(word, style=style)
