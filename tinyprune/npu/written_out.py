"""Bytes of what Vela writes out inside of a softmax and of a product of feature maps.

They were read off Vela's own list of tensors (``vela --verbose-allocation``).
"""

from collections.abc import Mapping
from typing import Any

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.npu.cost_features import BRICK, Features, above, stored
from tinyprune.sparsity.resource_model import Arrays

_WORD = 4  # bytes of a number inside of these operators
_MAPS_OF_A_RECIPROCAL = 3  # one brick per row each: 1 / x is found by Newton's method


class Scratch:
    """SRAM and constants that such operators need besides their inputs and outputs.

    A softmax keeps ``exp(x)`` of all rows and one number per row. Beside them it holds the shifted
    ``exp(x)`` that is summed, or the maps of a reciprocal, or on Ethos-U55 and U65 the reciprocal
    copied along its row, by adding zeros that lie in flash. Those also multiply feature maps
    element by element, with one sum for each row.

    Args:
        features: of the network.
        target: where it runs.
        arrays: the array library.
    """

    def __init__(self, features: Features, target: NpuTarget, arrays: Arrays) -> None:
        self._arrays = arrays
        self._is_element_by_element = target.family != "ethos-u85"
        self._softmaxes = [
            number for number, kind in enumerate(features.kinds) if kind.startswith("softmax")
        ]

    def sram_bytes(self, found: Mapping[str, Any]) -> Any:
        """Return the bytes beside inputs and outputs while each row runs, (rows,).

        Args:
            found: features of the rows.
        """
        arrays = self._arrays
        channels = found["channels_in"]
        beside = channels
        if self._is_element_by_element:
            beside = stored(channels, arrays) + 1.0
        beside = arrays.maximum(beside, _MAPS_OF_A_RECIPROCAL * BRICK + 0.0 * channels)
        per_row = stored(channels, arrays) + beside + 1.0
        # Neither the scores nor the chances are there at the peak.
        own = found["read"] + found["made"]
        softmax = _WORD * found["softmax_rows"] * per_row
        softmax = arrays.maximum(softmax - own, 0.0 * own)
        if not self._is_element_by_element:
            return softmax
        return softmax + _WORD * found["product_rows"] * (channels + 1.0)

    def constant_bytes(self, found: Mapping[str, Any]) -> Any:
        """Return the bytes of zeros that are added; softmaxes of one size share them.

        Args:
            found: features of the rows.
        """
        total = 0.0
        if not self._is_element_by_element:
            return total
        sizes = found["softmax_rows"] * found["channels_in"] * _WORD
        for place, number in enumerate(self._softmaxes):
            is_new = 1.0
            for other in self._softmaxes[:place]:
                is_new = is_new * self._differ(sizes[number], sizes[other])
            total = total + is_new * sizes[number]
        return total

    def _differ(self, one: Any, other: Any) -> Any:
        """Return 1 where two sizes are not the same, else 0."""
        return above(self._arrays.maximum(one - other, other - one), self._arrays)
