"""Means of scores with intervals, improvements over the noisy input, differences, and a gate."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.scores import Scored, Scores, groups_of_category, groups_of_snr
from tinyprune.metrics.statistics import Estimate, estimates

#: Version of :class:`Evaluation` as JSON.
SCHEMA = 1


@dataclass(frozen=True)
class Figure:
    """One metric of one form of a model.

    Attributes:
        value: over the items that have it; None: none has.
        undefined: how many items have none.
        improvement: of the same items over the noisy input.
        difference: of the same items to the reference.
    """

    value: Estimate | None
    undefined: int
    improvement: Estimate | None = None
    difference: Estimate | None = None


Figures = dict[str, Figure]


@dataclass(frozen=True)
class Row:
    """One form of a model.

    Attributes:
        model: variant or file; "-" is the noisy input. form: as in Quality.
        reference: what its differences are to, "MODEL FORM"; None for the reference itself and the
            noisy input.
        is_device: whether it is the form that the device runs, or else the only one.
        metrics: metric name -> figure, over all items.
        by_snr: SNR in dB, as text -> figures of its items. by_category: the same per category.
        engine: as in Quality.
    """

    model: str
    form: str
    reference: str | None
    is_device: bool
    metrics: Figures
    by_snr: dict[str, Figures] = field(default_factory=dict)
    by_category: dict[str, Figures] = field(default_factory=dict)
    engine: str = ""


@dataclass(frozen=True)
class Evaluation:
    """Every row on the same items.

    Attributes:
        schema: version of this record.
        split: "dev" or "test". items: how many files or examples.
        metrics: registered names; the first is the main one.
        rows: the noisy input, where there is one, then the forms of each model; the first model is
            the reference.
    """

    schema: int
    split: str
    items: int
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Drop:
    """The drop of a metric below the reference, and the largest one that is allowed.

    Of a metric that is better the lower it is, the drop is a rise.

    Attributes:
        model, form, reference: as in Row. metric: registered name.
        limit: the largest drop that is allowed. difference: to the reference, negative where it
            falls; None: unknown.
    """

    model: str
    form: str
    reference: str
    metric: str
    limit: float
    difference: Estimate | None

    @property
    def holds(self) -> bool:
        """True where the mean falls by no more than the limit; what is unknown does not hold."""
        gain = self.gain
        return gain is not None and -gain.mean <= self.limit + 1e-9

    @property
    def is_sure(self) -> bool:
        """True where the whole interval lies on the same side of the limit as the mean."""
        gain = self.gain
        if gain is None:
            return False
        if self.holds:
            return gain.is_at_least(-self.limit)
        return gain.is_below(-self.limit)

    @property
    def gain(self) -> Estimate | None:
        """The difference, negative where the metric becomes worse."""
        if self.difference is None or metric_of(self.metric).loss_sign < 0:
            return self.difference
        return self.difference.negated()


def evaluation(scored: Scored) -> Evaluation:
    """Return means, intervals and differences of everything that was scored.

    The first model is the reference: every form of the others is compared, item by item, with the
    same form of it, else with the first form that it has.
    """
    if not scored.models:
        return Evaluation(SCHEMA, scored.split, 0, scored.metrics, ())

    references = _references(scored)
    items = scored.rows[0].items
    overall = _figures(scored, references, range(len(items)))
    by_snr = _grouped_figures(scored, references, groups_of_snr(items))
    by_category = _grouped_figures(scored, references, groups_of_category(items))
    device = {id(forms[-1]) for forms in scored.models}
    rows = []
    for index, (row, reference) in enumerate(zip(scored.rows, references, strict=True)):
        of_set = _figures_of_set(row.whole, reference.whole if reference else {}, len(items))
        figures = overall[index] | of_set
        reference_name = None
        if reference:
            reference_name = f"{reference.model} {reference.form}"
        rows.append(
            Row(
                model=row.model,
                form=row.form,
                reference=reference_name,
                is_device=id(row) in device,
                metrics={name: figures[name] for name in scored.metrics},
                by_snr=by_snr[index],
                by_category=_figures_of_categories(by_category[index], row, reference),
                engine=row.engine,
            )
        )
    return Evaluation(SCHEMA, scored.split, len(items), scored.metrics, tuple(rows))


def drops(evaluated: Evaluation, limits: Mapping[str, float]) -> list[Drop]:
    """Return every limit for what the device runs of every model but the reference.

    Args:
        evaluated: the models.
        limits: metric name -> largest drop.
    """
    found = []
    for row in evaluated.rows:
        if not row.is_device or row.reference is None:
            continue
        for metric, limit in limits.items():
            drop = Drop(
                model=row.model,
                form=row.form,
                reference=row.reference,
                metric=metric,
                limit=limit,
                difference=row.metrics[metric].difference,
            )
            found.append(drop)
    return found


def _references(scored: Scored) -> list[Scores | None]:
    """The scores that each row is compared with: of the same form, where the reference has that."""
    forms = scored.models[0]
    first_of_form = {scores.form: scores for scores in reversed(forms)}
    without = {id(scores) for scores in (scored.noisy, *forms)}

    references: list[Scores | None] = []
    for row in scored.rows:
        reference = first_of_form.get(row.form, forms[0])
        references.append(None if id(row) in without else reference)
    return references


def _grouped_figures(
    scored: Scored, references: Sequence[Scores | None], groups: Mapping[str, Sequence[int]]
) -> list[dict[str, Figures]]:
    """Group -> its figures, for every row."""
    by_row: list[dict[str, Figures]] = [{} for _ in scored.rows]
    for key, members in groups.items():
        for group, figures in zip(by_row, _figures(scored, references, members), strict=True):
            group[key] = figures
    return by_row


def _figures(
    scored: Scored, references: Sequence[Scores | None], members: Sequence[int]
) -> list[Figures]:
    """The figures of every row over some of the items.

    All intervals come from the same resampled items.
    """
    columns: list[Float64Array] = []
    for row, reference in zip(scored.rows, references, strict=True):
        columns += _columns(scored, row, reference)
    found: list[Estimate | None] = [None] * len(columns)
    if members and columns:
        values = np.stack(columns, axis=1)
        found = estimates(values[list(members)])

    remaining = iter(found)
    rows: list[Figures] = []
    for _ in scored.rows:
        figures = {}
        for name in scored.metrics:
            value = next(remaining)
            improvement = next(remaining)
            difference = next(remaining)
            defined = value.count if value else 0
            figures[name] = Figure(value, len(members) - defined, improvement, difference)
        rows.append(figures)
    return rows


def _columns(scored: Scored, row: Scores, reference: Scores | None) -> Iterator[Float64Array]:
    """Value, improvement and difference (n,) of every metric of a row; NaN where there is none."""
    noisy = None if row is scored.noisy else scored.noisy
    for metric in scored.metrics:
        values = row.values(metric)
        yield values
        yield values - _values(noisy, metric)
        yield values - _values(reference, metric)


def _values(scores: Scores | None, metric: str) -> Float64Array | float:
    """A metric of every item (n,); NaN where there are no scores."""
    if scores:
        return scores.values(metric)
    return math.nan


def _figures_of_set(
    values: Mapping[str, float], reference: Mapping[str, float], items: int
) -> Figures:
    """The figures that a set has as a whole: no interval, no median.

    ``values``, ``reference``: metric name -> value, of a row and of what it is compared with.
    """
    figures = {}
    for name, value in values.items():
        difference = None
        if name in reference:
            difference = _exact(value - reference[name], items)
        figures[name] = Figure(_exact(value, items), 0, None, difference)
    return figures


def _figures_of_categories(
    by_category: Mapping[str, Figures], row: Scores, reference: Scores | None
) -> dict[str, Figures]:
    """The figures of each category, with those that it has as a whole."""
    sizes = {category: len(members) for category, members in groups_of_category(row.items).items()}
    known = reference.whole_of_category if reference else {}
    completed = dict(by_category)
    for category, values in row.whole_of_category.items():
        of_set = _figures_of_set(values, known.get(category, {}), sizes[category])
        completed[category] = by_category[category] | of_set
    return completed


def _exact(value: float, items: int) -> Estimate:
    return Estimate(value, None, None, None, items)
