"""What scores say: means with their intervals, improvement over the noisy input, differences to a reference, a gate."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import Float64Array
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
    """

    model: str
    form: str
    reference: str | None
    is_device: bool
    metrics: Figures
    by_snr: dict[str, Figures] = field(default_factory=dict)
    by_category: dict[str, Figures] = field(default_factory=dict)


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
    """How far a metric falls below the reference, and how far it may.

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
        """Whether the mean falls by no more than the limit; what is unknown does not hold."""
        return self.difference is not None and -self.difference.mean <= self.limit + 1e-9

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval lies on the same side of the limit as the mean."""
        found = self.difference
        if found is None or found.low is None or found.high is None:
            return False
        return (found.low >= -self.limit) if self.holds else (found.high < -self.limit)


def evaluation(scored: Scored) -> Evaluation:
    """Means, intervals and differences of everything that was scored.

    The first model is the reference: every form of the others is compared with the same form of it,
        else with the
    first form that it has, item by item.
    """
    references = [_reference(scored, row) for row in scored.rows]
    device = {id(forms[-1]) for forms in scored.models}
    items = scored.rows[0].items if scored.rows else ()
    overall = _figures(scored, references, range(len(items)), whole=True)
    by_snr, by_category = (
        {key: _figures(scored, references, members) for key, members in groups(items).items()}
        for groups in (groups_of_snr, groups_of_category)
    )
    rows = tuple(
        Row(
            model=row.model,
            form=row.form,
            reference=f"{reference.model} {reference.form}" if reference else None,
            is_device=id(row) in device,
            metrics=overall[index],
            by_snr={key: found[index] for key, found in by_snr.items()},
            by_category={key: found[index] for key, found in by_category.items()},
        )
        for index, (row, reference) in enumerate(zip(scored.rows, references, strict=True))
    )
    return Evaluation(SCHEMA, scored.split, len(items), scored.metrics, rows)


def drops(found: Evaluation, limits: Mapping[str, float]) -> list[Drop]:
    """Every limit (metric name -> largest drop), for what the device runs of every model but the reference."""
    return [
        Drop(row.model, row.form, str(row.reference), metric, limit, row.metrics[metric].difference)
        for row in found.rows
        if row.is_device and row.reference
        for metric, limit in limits.items()
    ]


def _reference(scored: Scored, row: Scores) -> Scores | None:
    """What a row is compared with: like with like, where the reference has that form."""
    first = scored.models[0] if scored.models else ()
    if row is scored.noisy or any(row is one for one in first):
        return None
    return next((one for one in first if one.form == row.form), first[0])


def _figures(
    scored: Scored, references: Sequence[Scores | None], members: Sequence[int], whole: bool = False
) -> list[Figures]:
    """The figures of every row over some of the items; all intervals from the same resampled items."""
    columns = [
        column
        for pair in zip(scored.rows, references, strict=True)
        for column in _columns(scored, *pair)
    ]
    found = iter(
        estimates(np.stack(columns, axis=1)[list(members)])
        if members and columns
        else [None] * len(columns)
    )
    rows = []
    for row, reference in zip(scored.rows, references, strict=True):
        figures = {
            name: _figure(len(members), *(next(found) for _ in range(3))) for name in scored.metrics
        }
        rows.append({**figures, **(_whole(row, reference, len(members)) if whole else {})})
    return [{name: figures[name] for name in scored.metrics} for figures in rows]


def _columns(scored: Scored, row: Scores, reference: Scores | None) -> Iterator[Float64Array]:
    """Value, improvement and difference (n,) of every metric of a row; NaN where there is none."""
    nothing = np.full(len(row.items), math.nan)
    for metric in scored.metrics:
        values = row.values(metric)
        has_noisy = scored.noisy is not None and row is not scored.noisy
        yield values
        yield values - scored.noisy.values(metric) if scored.noisy and has_noisy else nothing
        yield values - reference.values(metric) if reference else nothing


def _figure(
    items: int, value: Estimate | None, improvement: Estimate | None, difference: Estimate | None
) -> Figure:
    return Figure(value, items - (value.count if value else 0), improvement, difference)


def _whole(row: Scores, reference: Scores | None, items: int) -> Figures:
    """The figures that a set has as a whole: no interval, no median."""

    def alone(value: float) -> Estimate:
        return Estimate(value, None, None, None, items)

    return {
        name: Figure(
            alone(value), 0, None, alone(value - reference.whole[name]) if reference else None
        )
        for name, value in row.whole.items()
    }
