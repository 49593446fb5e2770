"""Predictions of the cost model beside Vela's figures, for a terminal."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import starmap

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.quantity import PREDICTED
from tinyprune.artifacts.summary import RunSummary
from tinyprune.report.model import predictions
from tinyprune.report.model.number_text import shown_number
from tinyprune.report.model.predictions import PredictedVariant
from tinyprune.report.render.terminal import Fitting, columns, wrapped

#: With more targets than these, each is one line.
_MOST_TABLES = 2
_NAME_WIDTH, _TARGET_WIDTH = 14, 36


def format_predictions(summaries: Sequence[RunSummary]) -> RenderableType | None:
    """Return a table with a line per variant, or per target where there are more than two of them.

    None where nothing was predicted.
    """
    by_target: dict[str, list[PredictedVariant]] = defaultdict(list)
    for variant in predictions.predicted_variants(summaries):
        by_target[variant.target].append(variant)
    if not by_target:
        return None

    parts: list[RenderableType] = [Text(predictions.TITLE, style="bold")]
    if len(by_target) > _MOST_TABLES:
        parts.append(_median_table(by_target))
    else:
        parts += starmap(_table, by_target.items())
    sentences = map(Text, predictions.notes(summaries))
    return Group(*parts, *sentences)


def _table(target: str, variants: Sequence[PredictedVariant]) -> RenderableType:
    """Every quantity of every variant on one target; a narrow terminal lacks Vela's own."""
    wide = _columns(variants, ("predicted", "Vela", "error"), slice(None))
    narrow = _columns(variants, ("predicted", "error"), slice(None, None, 2))
    return Group(Text(target), Fitting(wide, narrow))


def _columns(
    variants: Sequence[PredictedVariant], heads: Sequence[str], chosen: slice
) -> RenderableType:
    """Columns of every quantity, those of its three cells that are chosen."""
    titles = [f"{quantity.label}\n{head}" for quantity in PREDICTED for head in heads]
    table = columns("", *titles)
    for variant in variants:
        cells: list[str] = []
        for value in variant.values:
            cells += value.cells[chosen]
        table.add_row(wrapped(variant.variant, _NAME_WIDTH), *cells)
    return table


def _median_table(by_target: dict[str, list[PredictedVariant]]) -> RenderableType:
    """The median errors of every target."""
    table = columns("median error", *(quantity.label for quantity in PREDICTED), "networks")
    for target, variants in by_target.items():
        errors = predictions.median_errors(variants)
        cells = [shown_number(errors.get(quantity), "{:.1%}".format) for quantity in PREDICTED]
        table.add_row(wrapped(target, _TARGET_WIDTH), *cells, str(len(variants)))
    return table
