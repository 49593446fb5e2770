"""Predictions of the cost model against what Vela says, of every network that was compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.quantity import PREDICTED, Quantity
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.artifacts.summary import RunSummary
from tinyprune.npu.cost_constants import has_constants
from tinyprune.report.render.terminal import NONE, columns, wrapped

TITLE = "Predicted against Vela"

#: With more targets than these, each is one line.
_MOST_TABLES = 2
_MOST_NAMED = 3
_NAME_WIDTH, _TARGET_WIDTH = 14, 36


@dataclass(frozen=True)
class PredictedValue:
    """One quantity of one compiled network.

    Attributes:
        quantity: the quantity.
        predicted: by the cost model. measured: by Vela.
    """

    quantity: Quantity
    predicted: float
    measured: float

    @property
    def error(self) -> float | None:
        """Predicted over Vela, minus 1; None where Vela says 0."""
        return self.predicted / self.measured - 1 if self.measured else None

    @property
    def cells(self) -> tuple[str, str, str]:
        """Predicted, Vela and error for a table."""
        form = self.quantity.format
        return form(self.predicted), form(self.measured), format_error(self.error)


@dataclass(frozen=True)
class PredictedVariant:
    """The predictions for one variant on one target.

    Attributes:
        target, variant: their names.
        values: one per quantity, in the order of quantity.PREDICTED.
    """

    target: str
    variant: str
    values: tuple[PredictedValue, ...]


def predicted_values(report: ResourceReport) -> tuple[PredictedValue, ...]:
    """Return the predicted quantities of a compiled network; empty where nothing was predicted."""
    expected = report.predicted
    if expected is None:
        return ()
    return tuple(
        PredictedValue(quantity, quantity.of_report(expected), quantity.of_report(report))
        for quantity in PREDICTED
    )


def predicted_variants(summaries: Sequence[RunSummary]) -> list[PredictedVariant]:
    """Return the predictions of every target and variant that has some."""
    found = []
    for summary in summaries:
        for variant in summary.variants:
            values = predicted_values(variant.report)
            if values:
                found.append(PredictedVariant(summary.target.name, variant.name, values))
    return found


def median_errors(variants: Sequence[PredictedVariant]) -> dict[Quantity, float]:
    """Return quantity -> the median of the sizes of its errors."""
    sizes: dict[Quantity, list[float]] = {}
    for variant in variants:
        for value in variant.values:
            if value.error is not None:
                sizes.setdefault(value.quantity, []).append(abs(value.error))

    errors: dict[Quantity, float] = {}
    for quantity in PREDICTED:
        if quantity in sizes:
            errors[quantity] = median(sizes[quantity])
    return errors


def format_error(error: float | None) -> str:
    """Return a relative error for a table: ``-3.1%``."""
    if error is None:
        return NONE
    return f"{error:+.1%}" if abs(error) < 9.995 else f"{error:+.0%}"


def error_sentence(summaries: Sequence[RunSummary]) -> str:
    """Return the median errors in a sentence; empty where nothing was predicted."""
    variants = predicted_variants(summaries)
    if not variants:
        return ""
    errors = median_errors(variants)
    listed = ", ".join(f"{quantity.label} {error:.1%}" for quantity, error in errors.items())
    compilations = "compilation" if len(variants) == 1 else "compilations"
    return f"median error of {len(variants)} {compilations}: {listed}"


def notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    """Yield the sentence, then the targets that it leaves out."""
    sentence = error_sentence(summaries)
    if not sentence:
        return
    yield sentence

    targets = [summary.target for summary in summaries]
    without = [target.name for target in targets if not has_constants(target)]
    if without:
        more = f" and {len(without) - _MOST_NAMED} more" if len(without) > _MOST_NAMED else ""
        yield f"The cost model has no constants for {', '.join(without[:_MOST_NAMED])}{more}."


def format_predictions(summaries: Sequence[RunSummary]) -> RenderableType | None:
    """Return a table with a line per variant, or per target where there are more than two of them.

    None where nothing was predicted.
    """
    by_target: dict[str, list[PredictedVariant]] = {}
    for variant in predicted_variants(summaries):
        by_target.setdefault(variant.target, []).append(variant)
    if not by_target:
        return None

    parts: list[RenderableType] = [Text(TITLE, style="bold")]
    if len(by_target) > _MOST_TABLES:
        parts.append(_median_table(by_target))
    else:
        parts += [_table(target, variants) for target, variants in by_target.items()]
    return Group(*parts, *map(Text, notes(summaries)))


def _table(target: str, variants: Sequence[PredictedVariant]) -> RenderableType:
    """Every quantity of every variant on one target."""
    heads: list[str] = []
    for quantity in PREDICTED:
        label = quantity.label
        heads += [f"{label}\npredicted", f"{label}\nVela", f"{label}\nerror"]
    table = columns("", *heads)
    for variant in variants:
        cells = [cell for value in variant.values for cell in value.cells]
        table.add_row(wrapped(variant.variant, _NAME_WIDTH), *cells)
    return Group(Text(target), table)


def _median_table(by_target: dict[str, list[PredictedVariant]]) -> RenderableType:
    """The median errors of every target."""
    table = columns("median error", *(quantity.label for quantity in PREDICTED), "networks")
    for target, variants in by_target.items():
        errors = median_errors(variants)
        cells = [f"{errors[one]:.1%}" if one in errors else NONE for one in PREDICTED]
        table.add_row(wrapped(target, _TARGET_WIDTH), *cells, str(len(variants)))
    return table
