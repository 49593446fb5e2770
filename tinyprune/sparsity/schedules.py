"""Schedules: functions of the optimizer step to ``(should_prune, sparsity)``, as TFMOT's ``PruningSchedule`` has them.

A schedule is any callable of that form; the ones here are TFMOT's own. TFMOT is imported on use only: it loads
TensorFlow and asks the process for Keras 2, which is undone here.
"""

import os
from collections.abc import Callable
from typing import Any

Schedule = Callable[[int], tuple[Any, Any]]


def polynomial(sparsity: float, begin_step: int, end_step: int, frequency: int) -> Schedule:
    """Sparsity grows as ``s (1 - (1 - progress)^3)`` (Zhu & Gupta 2017); TFMOT's PolynomialDecay.

    Args:
        sparsity: final fraction of zeros.
        begin_step, end_step: optimizer steps between which it grows.
        frequency: steps between two updates of the masks.
    """
    return _tfmot().PolynomialDecay(0.0, sparsity, begin_step, end_step, power=3, frequency=frequency)


def constant(sparsity: float, begin_step: int, end_step: int, frequency: int) -> Schedule:
    """The final sparsity from the first step on; TFMOT's ConstantSparsity. Masks follow the weights to ``end_step``."""
    return _tfmot().ConstantSparsity(sparsity, begin_step, end_step, frequency)


def _tfmot() -> Any:
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule

    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    if before is not None:
        os.environ["TF_USE_LEGACY_KERAS"] = before
    return pruning_schedule
