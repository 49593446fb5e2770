import os
import sys

import numpy as np
import pytest

from tinyprune.registry import SCHEDULES
from tinyprune.sparsity.schedules import constant, polynomial

BEGIN, END, FREQUENCY, FINAL = 20, 120, 10, 0.8


def curve(schedule, steps: int = 150) -> tuple[list[bool], np.ndarray]:
    due, sparsities = zip(*(schedule(step) for step in range(steps)), strict=True)
    return [bool(flag) for flag in due], np.array([float(value) for value in sparsities])


def test_polynomial_is_the_closed_formula():
    due, sparsities = curve(polynomial(FINAL, BEGIN, END, FREQUENCY))
    progress = np.clip((np.arange(150) - BEGIN) / (END - BEGIN), 0, 1)
    np.testing.assert_allclose(sparsities, FINAL * (1 - (1 - progress) ** 3), atol=1e-6)
    assert np.flatnonzero(due).tolist() == list(range(BEGIN, END + 1, FREQUENCY))


def test_constant_is_the_final_sparsity_from_the_first_step_on():
    due, sparsities = curve(constant(FINAL, BEGIN, END, FREQUENCY))
    np.testing.assert_allclose(sparsities, FINAL, atol=1e-6)
    assert np.flatnonzero(due).tolist() == list(range(BEGIN, END + 1, FREQUENCY))


@pytest.mark.parametrize("name", ["polynomial", "constant"])
def test_tfmot_agrees(name, monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")  # its import sets it; put back after the test
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule as tfmot

    theirs = {
        "polynomial": lambda: tfmot.PolynomialDecay(0.0, FINAL, BEGIN, END, power=3, frequency=FREQUENCY),
        "constant": lambda: tfmot.ConstantSparsity(FINAL, BEGIN, END, FREQUENCY),
    }
    (due, values), (their_due, their_values) = (
        curve(make) for make in (SCHEDULES[name](FINAL, BEGIN, END, FREQUENCY), theirs[name]())
    )
    assert due == their_due
    np.testing.assert_array_equal(values, their_values)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_ends_at_the_final_sparsity_and_never_passes_it(name):
    _, sparsities = curve(SCHEDULES[name](FINAL, 0, 100, 5), 101)
    assert sparsities[100] == pytest.approx(FINAL)
    assert sparsities.max() <= FINAL + 1e-6
    assert np.all(np.diff(sparsities) >= 0)


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_the_wish_for_keras_2_is_not_left_behind(before, monkeypatch):
    """TFMOT asks the process for Keras 2 when it is imported: done again here, as in a fresh process."""
    polynomial(FINAL, BEGIN, END, FREQUENCY)
    for name in [name for name in sys.modules if name.startswith("tensorflow_model_optimization")]:
        monkeypatch.delitem(sys.modules, name)
    if before is None:
        monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    else:
        monkeypatch.setenv("TF_USE_LEGACY_KERAS", before)
    polynomial(FINAL, BEGIN, END, FREQUENCY)
    assert os.environ.get("TF_USE_LEGACY_KERAS") == before
    assert "tensorflow_model_optimization" in sys.modules  # imported again: the test saw what it is about
