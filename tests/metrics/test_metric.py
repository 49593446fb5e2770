"""Metrics say themselves what they are called, in which unit, and which is better."""

import pytest

from tinyprune.artifacts.quantity import HIGHER, LOWER, Allowance
from tinyprune.metrics.metric import KNOWN, metric_of
from tinyprune.registry import METRICS


def test_every_registered_metric_says_what_it_is():
    assert list(KNOWN) == list(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_the_facts_about_a_registered_metric(name):
    found = metric_of(name)
    assert found.name == name
    assert found.tasks
    assert found.direction == (LOWER if name in ("mse", "mae") else HIGHER)
    assert (found.unit == "dB") == name.endswith("_db")


@pytest.mark.parametrize(
    ("name", "heading", "digits", "allowed"),
    [
        ("loudness_db", "LOUDNESS dB", 2, Allowance(0.1)),
        ("ssim", "SSIM", 3, Allowance(0.01)),
        ("angle_error", "angle error", 3, Allowance(0.05, relative=True)),
        ("pesq", "PESQ", 2, Allowance(0.01)),
        ("my_own_score", "my_own_score", 3, Allowance(0.01)),
    ],
)
def test_what_is_not_registered_follows_from_its_name(name, heading, digits, allowed):
    found = metric_of(name)
    assert (found.heading, found.digits, found.allowed) == (heading, digits, allowed)


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
