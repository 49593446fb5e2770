"""Schedules: functions of the optimizer step to ``(should_prune, sparsity)``.

TFMOT's ``PruningSchedule`` has that form, and so may any callable. TFMOT 0.8.1 has two classes:
"polynomial" and "linear" are its PolynomialDecay, "constant" is its ConstantSparsity. All factories
take the same arguments. TFMOT is imported on use only: it loads TensorFlow and asks the process for
Keras 2, which is undone here.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any

from tinyprune.errors import UsageError

Schedule = Callable[[int], tuple[Any, Any]]


def polynomial(
    initial: float, final: float, begin_step: int, end_step: int, frequency: int
) -> Schedule:
    """Sparsity grows fast, then slowly: ``final + (initial - final) (1 - progress)^3`` (Zhu & Gupta
    2017).

    TFMOT's PolynomialDecay. With ``begin_step == end_step``, where TFMOT divides by zero, it is
    :func:`one_shot`.

    Args:
        initial, final: fractions of zeros at and before ``begin_step``, and at ``end_step``.
        begin_step, end_step: optimizer steps between which it grows.
        frequency: steps between two updates of the masks, counted from ``begin_step``.

    Raises:
        UsageError: for numbers that TFMOT refuses (all schedules do).
    """
    return _decay(3, initial, final, begin_step, end_step, frequency)


def linear(
    initial: float, final: float, begin_step: int, end_step: int, frequency: int
) -> Schedule:
    """Sparsity grows evenly: ``initial + (final - initial) progress``; TFMOT's PolynomialDecay of
    power 1.

    Arguments and errors are those of :func:`polynomial`.
    """
    return _decay(1, initial, final, begin_step, end_step, frequency)


def constant(
    initial: float, final: float, begin_step: int, end_step: int, frequency: int
) -> Schedule:
    """The final sparsity from ``begin_step`` on, masks follow the weights to ``end_step``; TFMOT's
    ConstantSparsity.

    Arguments and errors are those of :func:`polynomial`; ``initial`` has no influence.
    """
    _check(initial, final, begin_step, end_step, frequency)
    return _tfmot().ConstantSparsity(final, begin_step, end_step, frequency)


def one_shot(
    initial: float, final: float, begin_step: int, end_step: int, frequency: int
) -> Schedule:
    """Everything at ``begin_step``: one update to the final sparsity, then the masks stay as they
    are.

    Arguments and errors are those of :func:`polynomial`; ``end_step`` and ``frequency`` have no
    influence.
    """
    _check(initial, final, begin_step, end_step, frequency)
    return lambda step: (step == begin_step, final if step >= begin_step else initial)


def _decay(
    power: int, initial: float, final: float, begin_step: int, end_step: int, frequency: int
) -> Schedule:
    _check(initial, final, begin_step, end_step, frequency)
    if begin_step == end_step:
        return one_shot(initial, final, begin_step, end_step, frequency)
    return _tfmot().PolynomialDecay(
        initial, final, begin_step, end_step, power=power, frequency=frequency
    )


def _check(initial: float, final: float, begin_step: int, end_step: int, frequency: int) -> None:
    """Raise UsageError where TFMOT refuses, and for its "-1 = for ever": a training has an end."""
    for sparsity in (initial, final):
        if not 0 <= sparsity < 1:
            raise UsageError(
                f"a sparsity of {sparsity:g} is not in [0, 1): it is a fraction, 80 % is 0.8"
            )
    if not 0 <= begin_step <= end_step:
        raise UsageError(
            f"a schedule cannot begin at step {begin_step} and end at step {end_step}: "
            "expected 0 <= begin <= end"
        )
    if frequency < 1:
        raise UsageError(f"masks cannot be updated every {frequency} steps: expected 1 or more")


def _tfmot() -> Any:
    """TFMOT's schedules.

    Its import would make ``tf.keras`` Keras 2 for users' modules too: that is settled first.
    """
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    assert importlib.import_module("tensorflow").keras.__version__
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule

    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    if before is not None:
        os.environ["TF_USE_LEGACY_KERAS"] = before
    return pruning_schedule
