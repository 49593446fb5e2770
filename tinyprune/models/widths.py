"""Widths of the registered networks: what their numbers of channels are multiplied by.

Howard et al. 2017, "MobileNets", arXiv 1704.04861, section 3.3.
"""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from tinyprune.errors import UsageError

#: Arguments of networks that are numbers of channels or units; ``width`` multiplies them itself.
SIZES = ("channels", "filters", "hidden", "units")
MULTIPLE = 8  # what numbers are rounded to: an NPU computes as many outputs at a time


def sizes(build: Callable[..., keras.Model], name: str, width: float) -> dict[str, Any]:
    """Return the arguments of a registered network in a width; none where it is 1.

    Args:
        build: the function that builds it.
        name: of the network, for the error.
        width: the factor. Numbers are rounded to multiples of 8, and are 8 at least.

    Raises UsageError for a network whose width is fixed.
    """
    if width == 1:
        return {}
    parameters = inspect.signature(build).parameters
    if "width" in parameters:
        return {"width": width}
    scaled = {}
    for size in SIZES:
        if size in parameters:
            scaled[size] = _scaled(parameters[size].default, width)
    if not scaled:
        raise UsageError(f"model.width: {name} has one width only: expected 1, got {width:g}")
    return scaled


def _scaled(size: Any, width: float) -> Any:
    """Return a number of channels, or one for each layer, times a width."""
    if isinstance(size, tuple):
        return tuple(_scaled(each, width) for each in size)
    return max(MULTIPLE, int(size * width / MULTIPLE + 0.5) * MULTIPLE)
