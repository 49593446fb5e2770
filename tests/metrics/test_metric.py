"""Metrics say themselves what they are called, in which unit, and what computes them."""

import numpy as np
import pytest

from tinyprune.artifacts.quantity import HIGHER, Allowance
from tinyprune.errors import TinypruneError
from tinyprune.metrics.metric import Metric, metric_of
from tinyprune.registry import METRICS


@pytest.mark.parametrize("name", METRICS)
def test_a_registered_metric_has_its_registered_name(name):
    found = METRICS[name]
    assert isinstance(found, Metric)
    assert found.name == name
    assert found.task in ("speech", "classification")
    assert found.direction == HIGHER
    assert (found.unit == "dB") == name.endswith("_db")


def test_a_metric_computes():
    labels, scores = np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])
    assert METRICS["accuracy"](labels, scores) == 0.5


@pytest.mark.parametrize(
    ("name", "heading", "digits", "allowed"),
    [
        ("loudness_db", "LOUDNESS dB", 2, Allowance(0.1)),
        ("f1", "F1", 3, Allowance(0.01)),
        ("my_own_score", "my-own-score", 3, Allowance(0.01)),
    ],
)
def test_what_is_not_registered_follows_from_its_name(name, heading, digits, allowed):
    found = metric_of(name)
    assert (found.heading, found.digits, found.allowed) == (heading, digits, allowed)
    with pytest.raises(TinypruneError, match="not registered"):
        found(np.zeros(3), np.zeros(3))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *(
            ("si_sdr_db", "SI-SDR dB"),
            ("sdr_db", "SDR dB"),
            ("seg_snr_db", "segSNR dB"),
            ("stoi", "STOI"),
        ),
        *(
            ("estoi", "ESTOI"),
            ("pesq_wb", "PESQ-WB"),
            ("pesq_nb", "PESQ-NB"),
            ("auc", "AUC"),
            ("accuracy", "accuracy"),
        ),
    ],
)
def test_a_metric_has_a_name_for_people(name, label):
    assert metric_of(name).heading == label


@pytest.mark.parametrize(
    ("name", "digits"), [("si_sdr_db", 2), ("accuracy", 3), ("stoi", 3), ("pesq_wb", 2)]
)
def test_a_metric_has_as_many_digits_as_it_means(name, digits):
    assert metric_of(name).digits == digits


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("si_sdr_db", 8.349, "SI-SDR 8.35 dB"),
        ("si_sdr_db", -0.5, "SI-SDR -0.50 dB"),
        ("accuracy", 0.93449, "accuracy 0.934"),
        ("auc", 1.0, "AUC 1.000"),
        ("seg_snr_db", 1.234, "segSNR 1.23 dB"),
        ("pesq_nb", 2.5, "PESQ-NB 2.50"),
    ],
)
def test_a_metric_is_printed_for_a_person(name, value, text):
    assert metric_of(name).in_words(value) == text
