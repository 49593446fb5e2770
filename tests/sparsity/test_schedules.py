import os
import sys

import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.registry import SCHEDULES
from tinyprune.sparsity.schedules import constant, linear, one_shot, polynomial

BEGIN, END, FREQUENCY, INITIAL, FINAL = 20, 120, 10, 0.2, 0.8
ARGUMENTS = (INITIAL, FINAL, BEGIN, END, FREQUENCY)


def curve(schedule, steps: int = 150) -> tuple[list[bool], np.ndarray]:
    due, sparsities = zip(*(schedule(step) for step in range(steps)), strict=True)
    return [bool(flag) for flag in due], np.array([float(value) for value in sparsities])


@pytest.mark.parametrize(("make", "power"), [(polynomial, 3), (linear, 1)])
def test_decays_are_the_closed_formula(make, power):
    due, sparsities = curve(make(*ARGUMENTS))
    progress = np.clip((np.arange(150) - BEGIN) / (END - BEGIN), 0, 1)
    np.testing.assert_allclose(
        sparsities, FINAL + (INITIAL - FINAL) * (1 - progress) ** power, atol=1e-6
    )
    assert np.flatnonzero(due).tolist() == list(range(BEGIN, END + 1, FREQUENCY))


def test_constant_is_the_final_sparsity_from_the_first_step_on():
    due, sparsities = curve(constant(*ARGUMENTS))
    np.testing.assert_allclose(sparsities, FINAL, atol=1e-6)
    assert np.flatnonzero(due).tolist() == list(range(BEGIN, END + 1, FREQUENCY))


def test_one_shot_is_a_single_update():
    due, sparsities = curve(one_shot(*ARGUMENTS))
    assert np.flatnonzero(due).tolist() == [BEGIN]
    assert sparsities.tolist() == [INITIAL] * BEGIN + [FINAL] * (150 - BEGIN)


@pytest.mark.parametrize("name", ["polynomial", "linear", "constant"])
def test_tfmot_agrees(name, monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")  # its import sets it; put back after the test
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule as tfmot

    theirs = {
        "polynomial": lambda: tfmot.PolynomialDecay(
            INITIAL, FINAL, BEGIN, END, power=3, frequency=FREQUENCY
        ),
        "linear": lambda: tfmot.PolynomialDecay(
            INITIAL, FINAL, BEGIN, END, power=1, frequency=FREQUENCY
        ),
        "constant": lambda: tfmot.ConstantSparsity(FINAL, BEGIN, END, FREQUENCY),
    }
    (due, values), (their_due, their_values) = (
        curve(make) for make in (SCHEDULES[name](*ARGUMENTS), theirs[name]())
    )
    assert due == their_due
    np.testing.assert_array_equal(values, their_values)


def test_every_class_of_tfmot_can_be_had():
    polynomial(*ARGUMENTS)
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule as tfmot

    ours = {type(SCHEDULES[name](*ARGUMENTS)) for name in SCHEDULES}
    assert ours > set(tfmot.PruningSchedule.__subclasses__())


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_ends_at_the_final_sparsity_and_never_passes_it(name):
    _, sparsities = curve(SCHEDULES[name](INITIAL, FINAL, 0, 100, 5), 101)
    assert sparsities[100] == pytest.approx(FINAL)
    assert sparsities.max() <= FINAL + 1e-6
    assert np.all(np.diff(sparsities) >= 0)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("step", [0, 7])
def test_begin_and_end_at_one_step_is_one_update_to_the_final_sparsity(name, step):
    due, sparsities = curve(SCHEDULES[name](INITIAL, FINAL, step, step, FREQUENCY), 30)
    assert np.flatnonzero(due).tolist() == [step]
    np.testing.assert_allclose(sparsities[step:], FINAL, atol=1e-6)
    assert np.isfinite(sparsities).all()  # TFMOT's own divides 0 by 0 there


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"final": 1.0}, r"a sparsity of 1 is not in \[0, 1\)"),
        ({"final": 80}, r"a sparsity of 80 is not in \[0, 1\): it is a fraction, 80 % is 0.8"),
        ({"initial": -0.1}, r"a sparsity of -0.1 is not in \[0, 1\)"),
        ({"final": float("nan")}, r"a sparsity of nan is not in \[0, 1\)"),
        ({"begin_step": -1}, "begin at step -1 and end at step 120: expected 0 <= begin <= end"),
        ({"end_step": 19}, "begin at step 20 and end at step 19: expected 0 <= begin <= end"),
        ({"end_step": -1}, "begin at step 20 and end at step -1: expected 0 <= begin <= end"),
        ({"frequency": 0}, "every 0 steps: expected 1 or more"),
    ],
)
def test_what_tfmot_refuses_is_an_error_for_a_person(name, changes, says):
    arguments = dict(
        zip(("initial", "final", "begin_step", "end_step", "frequency"), ARGUMENTS, strict=True)
    )
    with pytest.raises(UsageError, match=says):
        SCHEDULES[name](**arguments | changes)


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_the_wish_for_keras_2_is_not_left_behind(before, monkeypatch):
    """TFMOT asks the process for Keras 2 when it is imported: done again here, as in a fresh process."""
    polynomial(*ARGUMENTS)
    for name in [name for name in sys.modules if name.startswith("tensorflow_model_optimization")]:
        monkeypatch.delitem(sys.modules, name)
    if before is None:
        monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    else:
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", before)
    polynomial(*ARGUMENTS)
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before
    assert (
        "tensorflow_model_optimization" in sys.modules
    )  # imported again: the test saw what it is about
