"""What was found of each file or example of a split, and what becomes of it: the quality of a form of a network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.quality import Quality

#: Where more SNRs than these occur, they were measured and not chosen: they are rounded.
CHOSEN_SNRS = 10
ROUNDED_DB = 5


@dataclass(frozen=True)
class ItemScore:
    """The metrics of one file or example.

    Attributes:
        name: of the file or example. speaker: who speaks; empty if unknown.
        category: of the noise, or the class of the example; empty if unknown.
        snr_db: of the noisy input; None if unknown.
        metrics: metric name (registry.METRICS) -> its value; without what is undefined.
    """

    name: str
    speaker: str
    category: str
    snr_db: float | None
    metrics: dict[str, float]


@dataclass(frozen=True)
class Scores:
    """What one form of one model can do on a split, item by item.

    Attributes:
        model: variant or file; "-" is the unprocessed input. form, split: as in
            :class:`tinyprune.artifacts.Quality`.
        metrics: what was asked for, in order.
        items: in the order of the data, which is the same for all models.
        whole: metric name -> value of those that only a set as a whole has (AUC).
    """

    model: str
    form: str
    split: str
    metrics: tuple[str, ...]
    items: tuple[ItemScore, ...]
    whole: dict[str, float] = field(default_factory=dict)

    def values(self, metric: str) -> Float64Array:
        """A metric of every item (n,); NaN where it is undefined."""
        return np.asarray([item.metrics.get(metric, math.nan) for item in self.items], np.float64)


@dataclass(frozen=True)
class Scored:
    """What was found of several models on the same items.

    Attributes:
        split: "dev" or "test". metrics: registered names; the first is the main one.
        noisy: of the unprocessed input; None where that means nothing.
        models: the forms of each model that was named, float first; the first model is the
            reference.
    """

    split: str
    metrics: tuple[str, ...]
    noisy: Scores | None
    models: tuple[tuple[Scores, ...], ...]

    @property
    def rows(self) -> tuple[Scores, ...]:
        """The unprocessed input, then every form of every model."""
        return (
            *([self.noisy] if self.noisy else []),
            *(form for forms in self.models for form in forms),
        )


def quality(scores: Scores) -> Quality:
    """Mean of each metric over the items that have it, over all and per SNR; items that have none are counted."""
    scored = [item for item in scores.items if item.metrics]
    snrs = groups_of_snr(scored)
    by_snr = {
        key: _means([scored[index] for index in rows], scores.metrics) for key, rows in snrs.items()
    }
    means = _means(scored, scores.metrics) | scores.whole
    in_order = {name: means[name] for name in scores.metrics if name in means}
    return Quality(
        scores.form, scores.split, len(scored), len(scores.items) - len(scored), in_order, by_snr
    )


def groups_of_snr(items: Sequence[ItemScore]) -> dict[str, list[int]]:
    """SNR in dB as text, ascending -> the numbers of the items that have it; of many SNRs the nearest 5 dB."""
    known = {item.snr_db for item in items if item.snr_db is not None}
    step = ROUNDED_DB if len(known) > CHOSEN_SNRS else 0
    found: dict[float, list[int]] = {}
    for index, item in enumerate(items):
        if item.snr_db is not None:
            found.setdefault(step * round(item.snr_db / step) if step else item.snr_db, []).append(
                index
            )
    return {f"{snr:g}": found[snr] for snr in sorted(found)}


def groups_of_category(items: Sequence[ItemScore]) -> dict[str, list[int]]:
    """Category, in alphabetical order -> the numbers of its items."""
    found: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if item.category:
            found.setdefault(item.category, []).append(index)
    return {category: found[category] for category in sorted(found)}


def _means(items: Sequence[ItemScore], metrics: Sequence[str]) -> dict[str, float]:
    values = {
        name: [item.metrics[name] for item in items if name in item.metrics] for name in metrics
    }
    return {name: float(np.mean(found)) for name, found in values.items() if found}
