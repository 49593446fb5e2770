"""Evaluations as tables for a terminal or a pipe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.quantity import LOWER
from tinyprune.metrics.comparison import Evaluation, Figure, Figures, Row
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.statistics import Estimate
from tinyprune.report.render.terminal import NONE, columns, wrapped

NAME_WIDTH = 20

#: Fewer items than this make intervals too narrow.
_FEW = 20
#: A difference that is not above it has no sign.
_ROUNDING = 1e-9
#: Models side by side, per SNR and per category.
_SIDE_BY_SIDE = 4
_COLUMN_WIDTH = 16
_KEY_WIDTH = 18
_NOISY = "noisy input"
_COLUMNS_OF_NOISY = ("median", "over noisy")
_COLUMNS_OF_REFERENCE = ("difference", "95 % interval")


def format_evaluation(evaluation: Evaluation) -> RenderableType:
    """A table per metric, then the main metric per SNR and per category; at most 100 columns."""
    evaluation = _with_short_names(evaluation)
    parts: list[RenderableType] = [Text(_title(evaluation), style="bold")]
    for metric in evaluation.metrics:
        parts += [Text(), _metric_table(evaluation, metric)]
    if evaluation.rows and evaluation.metrics:
        by_snr = [row.by_snr for row in evaluation.rows]
        by_category = [row.by_category for row in evaluation.rows]
        parts += _group_tables(evaluation, by_snr, "SNR in dB")
        parts += _group_tables(evaluation, by_category, "category")
    parts.append(Text())
    parts += map(Text, _notes(evaluation))
    return Group(*parts)


# --- tables


def _title(evaluation: Evaluation) -> str:
    items = "files" if _has_noisy(evaluation) else "examples"
    title = f"{evaluation.items} {items} of the {evaluation.split} split"
    if not _is_compared(evaluation):
        return title
    reference = [row.model for row in evaluation.rows if not _is_noisy(row)][0]
    return f"{title}; differences to {reference}"


def _with_short_names(evaluation: Evaluation) -> Evaluation:
    """The same with files called by no more of their path than tells them apart."""
    paths = {row.model: PurePath(row.model).parts for row in evaluation.rows}
    rows = []
    for row in evaluation.rows:
        rows.append(replace(row, model=_short_name(row.model, list(paths.values()))))
    return replace(evaluation, rows=tuple(rows))


def _short_name(name: str, paths: Sequence[tuple[str, ...]]) -> str:
    """The shortest end of a path that only one of the paths has."""
    parts = PurePath(name).parts
    for count in range(1, len(parts)):
        end = parts[-count:]
        if [path[-count:] for path in paths].count(end) == 1:
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
    if has_noisy:
        numbers += _COLUMNS_OF_NOISY
    if is_compared:
        numbers += _COLUMNS_OF_REFERENCE
    table = columns(metric_of(metric).heading, *numbers, left="" if is_compared else None)
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
    median = figure.value.median if figure.value else None
    return [_number(metric, median), _mean_cell(metric, figure.improvement, "+")]


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


def _group_tables(
    evaluation: Evaluation, groups: Sequence[Mapping[str, Figures]], kind: str
) -> list[RenderableType]:
    """The mean of the main metric per group: groups below each other, models side by side.

    Args:
        evaluation: with at least one row and metric; shown are the noisy input and what the device
            runs.
        groups: of every row: SNR or category -> figures.
        kind: the kind of groups in words.
    """
    keys = list(groups[0])
    if not keys:
        return []
    shown = []
    for row, figures_of_key in zip(evaluation.rows, groups, strict=True):
        if _is_noisy(row) or row.is_device:
            shown.append((row, figures_of_key))
    parts: list[RenderableType] = []
    for start in range(0, len(shown), _SIDE_BY_SIDE):
        table = _group_table(
            evaluation.metrics[0], shown[start : start + _SIDE_BY_SIDE], keys, kind
        )
        parts += [Text(), table]
    return parts


def _group_table(
    metric: str,
    rows: Sequence[tuple[Row, Mapping[str, Figures]]],
    keys: Sequence[str],
    kind: str,
) -> Table:
    """Some rows side by side, with their figures per group."""
    names = [_column_name(row) for row, _ in rows]
    table = columns(f"{metric_of(metric).heading}\nby {kind}", "items", *names)
    for key in keys:
        figures = [figures_of_key[key][metric] for _, figures_of_key in rows]
        first = figures[0]
        items = first.undefined + (first.value.count if first.value else 0)
        means = [_number(metric, _mean(figure.value)) for figure in figures]
        table.add_row(wrapped(key, _KEY_WIDTH), str(items), *means)
    return table


def _column_name(row: Row) -> str:
    if _is_noisy(row):
        return "noisy\ninput"
    return f"{wrapped(row.model, _COLUMN_WIDTH)}\n{row.form}"


def _notes(evaluation: Evaluation) -> Iterator[str]:
    yield "±: half of the 95 % interval of a mean (bootstrap over the items)."
    if _is_compared(evaluation):
        yield (
            "Differences are taken item by item. unclear: their interval holds 0, "
            "so that more items would be needed to tell them from none."
        )
    if evaluation.items < _FEW:
        yield f"Of fewer than {_FEW} items, intervals come out somewhat too narrow."
    undefined = [_undefined(evaluation, metric) for metric in evaluation.metrics]
    missing = "; ".join(filter(None, undefined))
    if missing:
        yield (
            "Left out, because undefined (silent, too short, too long for PESQ, no speech): "
            f"{missing}."
        )


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
    return _number(metric, _mean(difference), "+")


def interval_cell(metric: str, difference: Estimate | None) -> str:
    """``-0.31 to +0.02``."""
    if difference is None or difference.low is None:
        return NONE
    return f"{_number(metric, difference.low, '+')} to {_number(metric, difference.high, '+')}"


def _full_name(row: Row) -> str:
    return _NOISY if _is_noisy(row) else f"{row.model} {row.form}"


def _name(row: Row) -> str:
    return _NOISY if _is_noisy(row) else f"{wrapped(row.model, NAME_WIDTH)} {row.form}"


def _mean(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.mean


def _number(metric: str, value: float | None, sign: str = "") -> str:
    if value is None:
        return NONE
    if abs(value) < _ROUNDING:
        value = 0.0
    return metric_of(metric).format(value, sign)


def _mean_cell(metric: str, estimate: Estimate | None, sign: str = "") -> str:
    """``9.43 ±0.35``."""
    if estimate is None:
        return NONE
    mean = _number(metric, estimate.mean, sign)
    half = estimate.half_width
    return mean if half is None else f"{mean} ±{_number(metric, half)}"


def _word(metric: str, difference: Estimate | None) -> Text:
    """The sign of a difference, in words as well as colour; unclear if the interval holds 0."""
    if difference is None or difference.low is None:
        return Text(NONE)
    is_lower_better = metric_of(metric).direction == LOWER
    gain = -difference.sign if is_lower_better else difference.sign
    if gain == 0:
        return Text("unclear")
    return Text("better", style="green") if gain > 0 else Text("worse", style="red")
