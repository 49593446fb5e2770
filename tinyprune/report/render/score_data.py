"""Evaluations for other programs: JSON, CSV, and the scores file by file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinyprune.metrics.evaluation import Evaluation, Figure, Figures, Row
from tinyprune.metrics.scores import Scored
from tinyprune.metrics.statistics import Estimate
from tinyprune.report.render.plain_data import json_text, rounded_csv

_COLUMNS = (
    "model",
    "form",
    "split",
    "group",
    "value",
    "metric",
    "count",
    "undefined",
    "mean",
    "low",
    "high",
    "median",
    "improvement",
    "improvement_low",
    "improvement_high",
    "reference",
    "difference",
    "difference_low",
    "difference_high",
)


@dataclass(frozen=True)
class _Group:
    """A group of items and its figures.

    Attributes:
        kind: "all", "snr_db" or "category". value: of the SNR or the category.
        figures: metric name -> figure.
    """

    kind: str
    value: str
    figures: Figures


def to_json(evaluation: Evaluation) -> str:
    """The whole record as JSON."""
    return json_text(evaluation)


def to_csv(evaluation: Evaluation) -> str:
    """A line per model, form, group ("all", "snr_db" or "category") and metric.

    An empty cell does not exist.
    """
    lines = []
    for row in evaluation.rows:
        for group in _groups(row):
            for metric, figure in group.figures.items():
                place = (row.model, row.form, evaluation.split, group.kind, group.value, metric)
                lines.append(_line(place, row, figure))
    return rounded_csv(lines)


def files_csv(scored: Scored) -> str:
    """A line per file, model and form with all metrics; an empty cell is undefined."""
    of_set: set[str] = set()
    for row in scored.rows:
        of_set |= set(row.whole)
    metrics = [name for name in scored.metrics if name not in of_set]

    lines: list[dict[str, Any]] = []
    for row in scored.rows:
        for item in row.items:
            line: dict[str, Any] = {
                "file": item.name,
                "speaker": item.speaker,
                "category": item.category,
                "snr_db": item.snr_db,
                "model": row.model,
                "form": row.form,
            }
            for name in metrics:
                line[name] = item.metrics.get(name)
            lines.append(line)
    return rounded_csv(lines)


def _groups(row: Row) -> Iterator[_Group]:
    """All items, then every SNR, then every category."""
    yield _Group("all", "", row.metrics)
    for snr, figures in row.by_snr.items():
        yield _Group("snr_db", snr, figures)
    for category, figures in row.by_category.items():
        yield _Group("category", category, figures)


def _line(place: Sequence[str], row: Row, figure: Figure) -> dict[str, Any]:
    cells = [
        *place,
        *_value_cells(figure),
        *_mean_and_ends(figure.improvement),
        row.reference,
        *_mean_and_ends(figure.difference),
    ]
    return dict(zip(_COLUMNS, cells, strict=True))


def _value_cells(figure: Figure) -> tuple[float | None, ...]:
    """Count, undefined, mean, both ends of its interval, median."""
    value = figure.value
    if value is None:
        return (0, figure.undefined, None, None, None, None)
    return (value.count, figure.undefined, *_mean_and_ends(value), value.median)


def _mean_and_ends(estimate: Estimate | None) -> tuple[float | None, ...]:
    if estimate is None:
        return (None, None, None)
    return (estimate.mean, estimate.low, estimate.high)
