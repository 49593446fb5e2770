"""The space of a sweep that names none: it follows from the limits."""

from dataclasses import replace
from typing import Any

from tinyprune.config import SweepConfig, SweepStep
from tinyprune.config.budget import BudgetConfig

#: Weights that go and few values leave less in flash than the units that stay: units may take this
#: much more of it. What weights do not change is held to at once.
_ROOM = {"max_flash": (1.0, 1.5, 2.5)}
_SPARSITIES = (0.0, 0.4, 0.6, 0.8)
_CLUSTERS = (0, 16, 32)


def with_default_space(config: SweepConfig, limits: BudgetConfig) -> SweepConfig:
    """Return a sweep with steps; those of its own stay.

    First units go until the limits are kept, or a few times the flash. Then weights go, and few
    values are left. Either may be left out. It is the same for every task: epochs and rates are
    those that fit it.
    """
    if config.step or not limits.texts():
        return config
    axes: dict[str, Any] = {}
    for name, text in limits.texts().items():
        axes[name] = tuple(_times(text, factor) for factor in _ROOM.get(name, (1.0,)))
    units = SweepStep(optional=True, **axes)
    weights = SweepStep(
        optional=True, structure=("weight",), sparsity=_SPARSITIES, clusters=_CLUSTERS
    )
    return replace(config, step=(units, weights))


def _times(text: str, factor: float) -> str:
    """Return a limit with its unit, times a factor: ``100kB`` -> ``150kB``."""
    if factor == 1:
        return text
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\u00b5\u03bc ")
    unit = text[len(number) :]
    return f"{float(number) * factor:g}{unit}"
