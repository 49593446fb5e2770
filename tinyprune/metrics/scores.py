"""Scores of each file or example of a split, and the quality that they make."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.quality import Quality
from tinyprune.metrics.statistics import normal_half_width

Key = TypeVar("Key", float, str)

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
    """The scores of one form of one model on a split, item by item.

    Attributes:
        model: variant or file; "-" is the unprocessed input. form, split: as in
            :class:`tinyprune.artifacts.Quality`.
        metrics: registered names, in the order in which they are shown.
        items: in the order of the data, which is the same for all models.
        whole: metric name -> value of those that only a set as a whole has (AUC).
        whole_of_category: category of items -> the same of these items, where it says something.
        engine: as in :class:`tinyprune.artifacts.Quality`.
    """

    model: str
    form: str
    split: str
    metrics: tuple[str, ...]
    items: tuple[ItemScore, ...]
    whole: dict[str, float] = field(default_factory=dict)
    whole_of_category: dict[str, dict[str, float]] = field(default_factory=dict)
    engine: str = ""

    def values(self, metric: str) -> Float64Array:
        """A metric of every item (n,); NaN where it is undefined."""
        return np.asarray([item.metrics.get(metric, math.nan) for item in self.items], np.float64)


@dataclass(frozen=True)
class Scored:
    """The scores of several models on the same items.

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
        rows = [self.noisy] if self.noisy else []
        for forms in self.models:
            rows += forms
        return tuple(rows)


def quality(scores: Scores) -> Quality:
    """Return the mean of each metric over the items that have it, over all and per SNR.

    Items that have none are counted.
    """
    scored = [item for item in scores.items if item.metrics]
    means = _means(scored, scores.metrics) | scores.whole
    by_snr = {}
    for snr, indices in groups_of_snr(scored).items():
        group = [scored[index] for index in indices]
        by_snr[snr] = _means(group, scores.metrics)
    return Quality(
        form=scores.form,
        split=scores.split,
        utterances=len(scored),
        undefined=len(scores.items) - len(scored),
        metrics={name: means[name] for name in scores.metrics if name in means},
        by_snr=by_snr,
        half_widths=_half_widths(scores),
        engine=scores.engine,
    )


def _half_widths(scores: Scores) -> dict[str, float]:
    """Half of the 95 % interval of the mean of each metric that at least two items have."""
    widths = {}
    for name in scores.metrics:
        width = normal_half_width(scores.values(name))
        if width is not None:
            widths[name] = width
    return widths


def groups_of_snr(items: Sequence[ItemScore]) -> dict[str, list[int]]:
    """Return SNR in dB as text, ascending -> the numbers of the items that have it.

    Of many SNRs it is the nearest 5 dB.
    """
    snrs: dict[int, float] = {}
    for index, item in enumerate(items):
        if item.snr_db is not None:
            snrs[index] = item.snr_db

    is_measured = len(set(snrs.values())) > CHOSEN_SNRS
    if is_measured:
        for index, snr in snrs.items():
            snrs[index] = ROUNDED_DB * round(snr / ROUNDED_DB)

    groups = _grouped(snrs)
    return {f"{snr:g}": indices for snr, indices in groups.items()}


def groups_of_category(items: Sequence[ItemScore]) -> dict[str, list[int]]:
    """Return category, in alphabetical order -> the numbers of its items."""
    categories = {index: item.category for index, item in enumerate(items) if item.category}
    return _grouped(categories)


def _grouped(keys: Mapping[int, Key]) -> dict[Key, list[int]]:
    """The numbers of the items of each key, keys in order."""
    groups: dict[Key, list[int]] = defaultdict(list)
    for index, key in keys.items():
        groups[key].append(index)
    return dict(sorted(groups.items()))


def _means(items: Sequence[ItemScore], metrics: Sequence[str]) -> dict[str, float]:
    """The mean of each metric that some item has."""
    means = {}
    for name in metrics:
        values = [item.metrics[name] for item in items if name in item.metrics]
        if values:
            means[name] = float(np.mean(values))
    return means
