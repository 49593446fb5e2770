"""Fronts and the variant to ship, on scores that are written down."""

import numpy as np
import pytest

from tinyprune.artifacts.sweep import DONE, FAILED, TrialRecord
from tinyprune.npu import targets
from tinyprune.report.render.sweep_answer import as_text
from tinyprune.search.answer import Question, answer

ITEMS = 40


def scores(value, ripple=0.0):
    """Items with this mean; every other one is a ripple above it, the others below."""
    return value + ripple * np.resize([1.0, -1.0], ITEMS)


def found(values, limits, family=None, metric="si_sdr_db", ripples=None):
    """The answer of variants ``name -> (metric, flash)``; the first is the baseline."""
    records = []
    for number, (name, (value, flash)) in enumerate(values.items()):
        chain = f"weights of {name}" if number else ""
        own = (family or {}).get(name, name)
        records.append(
            TrialRecord(number, name, chain, own, DONE, value=value, costs={"flash_bytes": flash})
        )
    records.append(TrialRecord(99, "broken", "too much", "broken", FAILED, reason="it is full"))
    baseline, *trials = records
    question = Question(targets.resolve("ethos-u55-128"), metric, ("flash_bytes",), limits)
    ripples = ripples or {}
    return answer(
        question, baseline, trials, lambda name: scores(values[name][0], ripples.get(name, 0.0))
    )


def test_the_best_that_keeps_the_limit_is_shipped_and_the_next_better_has_a_price():
    answered = found(
        {"baseline": (9.0, 20_000), "a": (8.5, 9000), "b": (8.0, 5000)}, {"flash_bytes": 1e4}
    )
    assert answered.ship.variant == "a"
    assert answered.ship.reason == "the best SI-SDR of what keeps the limits"
    assert answered.ship.next_better == "baseline"
    assert answered.ship.next_reason == "0.50 dB better for +11 kB flash, above the limits"
    assert [each.keeps for each in answered.candidates] == [True, True, False]


def test_a_difference_inside_its_interval_is_a_tie_and_the_cheaper_one_wins():
    """The items of b differ from those of a by 0.1 dB +- 1 dB: 1.96 / sqrt(40) = 0.31."""
    values = {"baseline": (1.0, 90_000), "a": (8.0, 9000), "b": (7.9, 5000)}
    tied = found(values, {}, ripples={"b": 1.0})
    assert tied.ship.variant == "b"
    assert tied.ship.tied == ("a",)
    assert "ties with the best, a (they differ by 0.10, within +-0.3" in tied.ship.reason
    assert tied.ship.next_better == ""
    assert found(values, {}).ship.variant == "a"  # each item is worse by 0.1 dB: no tie


def test_the_spread_of_seeds_widens_what_ties():
    """Seeds of a differ by 0.4 dB: sd = 0.28, and 1.96 * sqrt(2) * 0.28 = 0.78 dB."""
    values = {"baseline": (1.0, 90_000), "a": (8.0, 9000), "a2": (7.6, 9100), "b": (7.5, 5000)}
    answered = found(values, {}, family={"a": "a", "a2": "a"})
    assert answered.ship.variant == "b"
    by_name = {each.variant: each for each in answered.candidates}
    assert by_name["a"].seeds == 2
    assert by_name["a"].seed_spread == pytest.approx(0.2)


def test_a_metric_that_is_better_the_lower_it_is():
    values = {"baseline": (0.1, 90_000), "a": (0.2, 9000), "b": (0.3, 9500)}
    answered = found(values, {"flash_bytes": 1e4}, metric="mse")
    assert answered.ship.variant == "a"
    fronts = {each.variant: bool(each.fronts) for each in answered.candidates}
    assert fronts == {"baseline": True, "a": True, "b": False}


def test_where_nothing_keeps_the_limits_the_nearest_is_named():
    answered = found({"baseline": (9.0, 20_000), "a": (8.5, 12_000)}, {"flash_bytes": 1e4})
    assert answered.ship is None
    assert answered.nearest == "the nearest is a: flash 12 kB of 10 kB"


def test_the_text_fits_80_columns_and_names_everything():
    values = {"baseline": (9.0, 200_000)}
    for number in range(30):
        values[f"sweep-{number + 1}"] = (8 + number / 100 * (-1) ** number, 9000 + 1000 * number)
    answered = found(values, {"flash_bytes": 5e4})
    text = as_text(answered)
    assert max(map(len, text.splitlines())) <= 80
    assert "\n> " in text
    assert "more are on no front" in text
    assert "broken failed: too much: it is full" in text
    assert "ship: " in text
