import numpy as np
import pytest

from tinyprune.artifacts.quality import Quality
from tinyprune.metrics.scores import (
    ItemScore,
    Scored,
    Scores,
    groups_of_category,
    groups_of_snr,
    quality,
)


def item(snr_db, category="hum", **metrics):
    return ItemScore("a", "s", category, snr_db, metrics)


def scores(*items, metrics=("sdr_db", "stoi"), **more):
    return Scores("m", "float", "dev", metrics, items, **more)


def test_quality_is_the_mean_over_all_and_per_snr():
    found = quality(
        scores(
            item(-3.0, sdr_db=0.0, stoi=0.5),
            item(6.0, sdr_db=20.0, stoi=0.7),
            item(6.0, sdr_db=40.0),
        )
    )
    assert found == Quality(
        *("float", "dev", 3, 0),
        metrics={
            "sdr_db": pytest.approx((0 + 20 + 40) / 3),
            "stoi": pytest.approx((0.5 + 0.7) / 2),
        },
        by_snr={"-3": {"sdr_db": 0.0, "stoi": 0.5}, "6": {"sdr_db": (20.0 + 40) / 2, "stoi": 0.7}},
        half_widths={
            "sdr_db": pytest.approx(1.96 * 20 / 3**0.5),  # 0, 20, 40 deviate by 20
            "stoi": pytest.approx(1.96 * 0.02**0.5 / 2**0.5),
        },
    )


def test_items_without_any_metric_are_counted_and_have_no_snr():
    found = quality(scores(item(0.0, sdr_db=1.0), item(3.0), item(3.0)))
    assert (found.utterances, found.undefined, list(found.by_snr)) == (1, 2, ["0"])


def test_nothing_but_undefined_items_have_no_metrics():
    assert quality(scores(item(0.0))) == Quality("float", "dev", 0, 1, {}, {})


def test_figures_of_the_whole_set_stand_in_their_place():
    found = quality(
        scores(item(None, accuracy=1.0), metrics=("auc", "accuracy"), whole={"auc": 0.5})
    )
    assert list(found.metrics.items()) == [("auc", 0.5), ("accuracy", 1.0)]
    assert found.by_snr == {}


def test_values_of_a_metric_are_nan_where_it_is_undefined():
    assert np.array_equal(
        scores(item(0.0, stoi=0.5), item(0.0)).values("stoi"), [0.5, np.nan], equal_nan=True
    )


def test_few_snrs_are_groups_of_their_own_and_many_are_rounded():
    assert groups_of_snr([item(2.5), item(-3.0), item(None), item(2.5)]) == {
        "-3": [1],
        "2.5": [0, 3],
    }
    many = [item(snr) for snr in np.arange(-6, 6, 1.0)]  # -6 ... 5
    assert list(groups_of_snr(many)) == ["-5", "0", "5"]
    assert groups_of_snr(many)["-5"] == [0, 1, 2, 3]  # -6, -5, -4, -3


def test_categories_are_groups_in_alphabetical_order():
    assert groups_of_category([item(0.0, "wind"), item(0.0, ""), item(0.0, "car")]) == {
        "car": [2],
        "wind": [0],
    }


def test_rows_are_the_noisy_input_and_every_form():
    one, two = scores(item(0.0)), scores(item(1.0))
    assert Scored("dev", ("stoi",), None, ((one,), (two, one))).rows == (one, two, one)
    assert Scored("dev", ("stoi",), two, ((one,),)).rows == (two, one)
