"""Predictions of the cost model against what Vela says, of every network that was compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tinyprune.artifacts.quantity import PREDICTED, Quantity
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.artifacts.summary import RunSummary
from tinyprune.npu.cost_constants import has_constants
from tinyprune.report.model.number_text import shown_error
from tinyprune.units import counted

TITLE = "Predicted against Vela"

_MOST_NAMED = 3


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
        if not self.measured:
            return None
        return self.predicted / self.measured - 1

    @property
    def cells(self) -> tuple[str, str, str]:
        """Predicted, Vela and error for a table."""
        form = self.quantity.format
        return form(self.predicted), form(self.measured), shown_error(self.error)


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
    medians: dict[Quantity, float] = {}
    values_of_variants = [variant.values for variant in variants]
    for values in zip(*values_of_variants, strict=True):
        sizes = [abs(value.error) for value in values if value.error is not None]
        if sizes:
            medians[values[0].quantity] = median(sizes)
    return medians


def error_sentence(summaries: Sequence[RunSummary]) -> str:
    """Return the median errors in a sentence; empty where nothing was predicted."""
    variants = predicted_variants(summaries)
    if not variants:
        return ""
    errors = median_errors(variants)
    texts = [f"{quantity.label} {error:.1%}" for quantity, error in errors.items()]
    compilations = counted(len(variants), "compilation")
    return f"median error of {compilations}: {', '.join(texts)}"


def notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    """Yield the sentence, then the targets that it leaves out."""
    sentence = error_sentence(summaries)
    if not sentence:
        return
    yield sentence

    without = []
    for summary in summaries:
        if not has_constants(summary.target):
            without.append(summary.target.name)
    if not without:
        return
    names = ", ".join(without[:_MOST_NAMED])
    more = len(without) - _MOST_NAMED
    if more > 0:
        names += f" and {more} more"
    yield f"The cost model has no constants for {names}."
