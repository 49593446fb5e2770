"""Figures of sweeps, and the limits that follow from them."""

import pytest

from tinyprune.metrics import sweep
from tinyprune.metrics.sweep import SweptFile


def files(pairs, which="snr", condition="5 dB", has_noise=True, model="m", category=""):
    """Files of (input, output) in dB, called 0.wav, 1.wav, ..."""
    found = []
    for number, (before, after) in enumerate(pairs):
        name = f"folder/{number}.wav"
        place = (which, condition, model, "streaming", name, category, has_noise)
        found.append(SweptFile(*place, before, after))
    return found


def limits(*groups):
    swept = [file for group in groups for file in group]
    return [limit.text for limit in sweep.report(swept, "dev").limits]


def test_means_gains_and_the_worst_file():
    [row] = sweep.report(files([(0.0, 6.0), (4.0, 3.0), (2.0, 3.0)]), "dev").rows
    assert (row.files, row.input_db, row.output_db, row.gain_db) == (3, 2.0, 4.0, 2.0)
    assert (row.worst_db, row.worst_file) == (-1.0, "folder/1.wav")
    assert row.harmed == 1  # of -1 dB; 0.5 dB would be allowed


def test_half_a_db_is_no_harm():
    [row] = sweep.report(files([(4.0, 3.5), (4.0, 3.4)]), "dev").rows
    assert row.harmed == 1


def test_clean_speech_is_ranked_by_what_is_left():
    swept = files([(60.0, 30.0), (60.0, 14.0)], "clean", "as it is", has_noise=False)
    [row] = sweep.report(swept, "dev").rows
    assert (row.output_db, row.worst_db, row.harmed) == (22.0, 14.0, 1)


def test_categories_are_over_all_snrs():
    swept = files([(0, 5)], condition="0 dB", category="rain")
    swept += files([(0, 5)], condition="0 dB", category="dog")
    swept += files([(10, 13)], condition="10 dB", category="rain")
    rows = sweep.report(swept, "dev").rows
    assert [(row.condition, row.files, row.gain_db) for row in rows] == [
        ("0 dB", 2, 5),
        ("10 dB", 1, 3),
        ("dog", 1, 5),
        ("rain", 2, 4),
    ]


def test_one_harmed_file_of_ten_is_in_the_table_and_two_are_a_limit():
    good = [(0.0, 5.0)] * 8
    assert not limits(files([*good, (0.0, 5.0), (0.0, -3.0)]))
    assert limits(files([*good, (0.0, -1.0), (0.0, -3.0)])) == [
        "snr: recordings become worse at 5 dB (2 of 10 files), the worst by 3.0 dB (5 dB, 9): "
        "leave such recordings as they are"
    ]


def test_what_is_worse_in_the_mean_is_a_limit():
    [text] = limits(files([(5.0, 4.8)]))
    assert text.startswith("snr: recordings become worse at 5 dB (0 of 1 files), the worst by 0.2")


@pytest.mark.parametrize(
    ("left", "is_limit"), [((30.0, 25.0), False), ((30.0, 14.9), True), ((24.0, 24.0), True)]
)
def test_clean_speech_has_to_come_through(left, is_limit):
    """At least 25 dB in the mean and 15 dB of the worst file."""
    swept = files([(60.0, value) for value in left], "clean", "as it is", has_noise=False)
    assert bool(limits(swept)) == is_limit


def test_levels_are_held_to_the_best_one():
    loud = files([(0.0, 8.0)], "level", "-10 dBFS")
    assert not limits(loud, files([(0.0, 7.6)], "level", "-65 dBFS"))
    assert limits(loud, files([(0.0, 7.0)], "level", "-65 dBFS")) == [
        "level: less is gained than at the best level at -65 dBFS (by 1.0 dB): "
        "bring recordings to a usual level"
    ]


def test_each_model_has_its_own_limits():
    found = sweep.report(files([(0.0, 5.0)]) + files([(0.0, -5.0)], model="other"), "dev")
    assert [limit.model for limit in found.limits] == ["other"]
    assert found.models == [("m", "streaming"), ("other", "streaming")]
