"""Means, improvements, differences and the gate, of scores whose arithmetic is plain to see."""

import numpy as np
import pytest

from tinyprune.metrics.evaluation import Drop, drops, evaluation
from tinyprune.metrics.scores import ItemScore, Scored, Scores
from tinyprune.metrics.statistics import Estimate

NOISY = (0.0, 2.0, 4.0, 6.0)


def scores(model, form, sdr, stoi=(0.5,) * 4, **whole):
    items = tuple(
        ItemScore(
            f"{i}.wav",
            "s",
            "ab"[i % 2],
            float(i // 2),
            {"sdr_db": d, "stoi": s} if d is not None else {},
        )
        for i, (d, s) in enumerate(zip(sdr, stoi, strict=True))
    )
    return Scores(model, form, "test", ("sdr_db", "stoi", *whole), items, whole)


def scored(*models, noisy=True, metrics=("sdr_db", "stoi")):
    return Scored("test", metrics, scores("-", "noisy", NOISY) if noisy else None, models)


BASE = scores("baseline", "float", (8, 10, 12, 14)), scores("baseline", "streaming", (7, 9, 11, 13))
OTHER = scores("w", "float", (7, 9, 11, 13)), scores("w", "streaming", (5, 9, 9, 11))


def row(found, model, form):
    return next(row for row in found.rows if (row.model, row.form) == (model, form))


def test_rows_in_order_and_like_with_like():
    found = evaluation(scored(BASE, OTHER))
    assert (found.split, found.items, found.metrics) == ("test", 4, ("sdr_db", "stoi"))
    assert [(row.model, row.form, row.reference, row.is_device) for row in found.rows] == [
        ("-", "noisy", None, False),
        ("baseline", "float", None, False),
        ("baseline", "streaming", None, True),
        ("w", "float", "baseline float", False),
        ("w", "streaming", "baseline streaming", True),
    ]


def test_means_improvements_and_differences():
    figure = row(evaluation(scored(BASE, OTHER)), "w", "streaming").metrics["sdr_db"]
    assert (figure.value.mean, figure.value.median, figure.undefined) == (
        (5 + 9 + 9 + 11) / 4,
        9,
        0,
    )
    assert figure.improvement.mean == (5 + 7 + 5 + 5) / 4
    assert figure.difference.mean == (-2 + 0 - 2 - 2) / 4
    assert (figure.difference.low, figure.difference.high) == (-2, pytest.approx(-0.5))
    noisy = row(evaluation(scored(BASE)), "-", "noisy").metrics["sdr_db"]
    assert (noisy.value.mean, noisy.improvement, noisy.difference) == (3, None, None)


def test_a_form_that_the_reference_does_not_have_is_compared_with_its_first():
    found = evaluation(scored(BASE[:1], BASE[1:], OTHER))
    assert [row.reference for row in found.rows] == [None, None, *3 * ["baseline float"]]
    assert row(found, "baseline", "streaming").metrics["sdr_db"].difference.mean == -1


def test_undefined_items_are_left_out_of_both_and_counted():
    other = (scores("w", "float", (7, None, 11, 13)),)
    figure = row(evaluation(scored(BASE, other)), "w", "float").metrics["sdr_db"]
    assert (figure.value.mean, figure.value.count, figure.undefined) == ((7 + 11 + 13) / 3, 3, 1)
    assert figure.improvement.mean == (7 + 7 + 7) / 3  # over the noisy input of the same three
    assert (figure.difference.mean, figure.difference.count) == (-1, 3)


def test_what_is_undefined_everywhere_is_not_a_number_but_nothing():
    figure = row(
        evaluation(scored(BASE, (scores("w", "float", (None,) * 4),))), "w", "float"
    ).metrics["sdr_db"]
    assert (figure.value, figure.undefined, figure.improvement, figure.difference) == (
        None,
        4,
        None,
        None,
    )


def test_groups_hold_their_items():
    found = row(evaluation(scored(BASE, OTHER)), "w", "streaming")
    assert {key: figures["sdr_db"].value.mean for key, figures in found.by_snr.items()} == {
        "0": 7,
        "1": 10,
    }
    assert {
        key: figures["sdr_db"].difference.mean for key, figures in found.by_category.items()
    } == {"a": -2, "b": -1}


def test_a_figure_of_the_whole_set_has_no_interval():
    models = [
        (scores(name, "int8", (1, 0, 1, 1), auc=auc),) for name, auc in (("a", 0.9), ("b", 0.7))
    ]
    found = evaluation(scored(*models, noisy=False, metrics=("sdr_db", "stoi", "auc")))
    figure = row(found, "b", "int8").metrics["auc"]
    assert figure.value == Estimate(0.7, None, None, None, 4)
    assert figure.difference.mean == pytest.approx(-0.2)
    assert figure.difference.low is figure.improvement is None


def test_nothing_scored_is_no_error():
    assert evaluation(Scored("test", ("sdr_db",), None, ())).rows == ()


# --- the gate
# ---------------------------------------------------------------------------------------------------------


def test_what_the_device_runs_is_held_to_the_reference():
    single = (scores("v", "float", (7, 9, 11, 13)),)
    found = drops(evaluation(scored(BASE, OTHER, single)), {"sdr_db": 1.2, "stoi": 0.0})
    assert [(drop.model, drop.form, drop.metric, drop.holds) for drop in found] == [
        ("w", "streaming", "sdr_db", False),  # falls by 1.5
        ("w", "streaming", "stoi", True),
        ("v", "float", "sdr_db", True),  # falls by 1
        ("v", "float", "stoi", True),
    ]


@pytest.mark.parametrize(
    ("change", "low", "high", "holds", "is_sure"),
    [
        *(
            (-0.05, -0.08, -0.02, True, True),
            (-0.05, -0.2, 0.1, True, False),
            (0.3, 0.1, 0.5, True, True),
        ),
        *(
            (-0.5, -0.6, -0.4, False, True),
            (-0.15, -0.3, 0.0, False, False),
            (-0.1, -0.1, -0.1, True, True),
        ),
    ],
)
def test_a_mean_holds_or_not_and_the_interval_says_how_surely(change, low, high, holds, is_sure):
    drop = Drop("w", "float", "b float", "sdr_db", 0.1, Estimate(change, change, low, high, 9))
    assert (drop.holds, drop.is_sure) == (holds, is_sure)


def test_what_is_unknown_does_not_hold():
    drop = Drop("w", "float", "b float", "sdr_db", 0.1, None)
    assert (drop.holds, drop.is_sure) == (False, False)
    assert np.isfinite(drop.limit)
