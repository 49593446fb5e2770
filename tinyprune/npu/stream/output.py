"""The output stage: what every operation does with its sums before they are written."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.npu.stream import activations
from tinyprune.npu.stream.activations import Function
from tinyprune.npu.stream.memory import FeatureMap, FeatureMapView, Memory
from tinyprune.npu.stream.registers import Unsupported
from tinyprune.npu.stream.rescaling import Rescaling, Rounding

TABLE_SLOT_BYTES = 256
INTERPOLATED_ENTRIES = 512


@dataclass(frozen=True)
class OutputStage:
    """The settings of an output stage.

    Attributes:
        feature_map: what is written.
        has_own_table: sigmoid and tanh read the lookup tables.
        axes: of the results (rows, columns, channels), in the order in which they are written.
        scale, shift: of all channels; None where each channel has its own.
        rounding: how scaled sums become integers.
        function: applied to scaled sums.
        table: number of the lookup table, in units of 256 bytes.
        first_place: the number whose entry is the first in the table.
        has_wide_places: the table has 512 entries, with slopes, for numbers of 16 bit.
        lowest, highest: results, or places in a table, are clipped to these.
    """

    feature_map: FeatureMap
    scale: int | None
    shift: int
    rounding: Rounding
    function: Function
    table: int
    first_place: int
    has_wide_places: bool
    lowest: int
    highest: int
    axes: tuple[int, int, int] = (0, 1, 2)
    has_own_table: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of the results."""
        sizes = dict(zip(self.axes, self.feature_map.shape, strict=True))
        return sizes[0], sizes[1], sizes[2]


class Output:
    """An output stage that writes to memory."""

    def __init__(self, stage: OutputStage, memory: Memory) -> None:
        self.stage = stage
        self._view = FeatureMapView(stage.feature_map, memory)
        self._tables = memory.tables
        self.rescaling = Rescaling(stage.scale or 0, stage.shift, stage.rounding)
        if stage.scale is None:
            self.rescaling = Rescaling(1, 0, stage.rounding)

    def write(self, values: IntArray, rescaling: Rescaling | None = None) -> None:
        """Scale values (height, width, channels), apply the function, clip and write them.

        ``rescaling``: of each channel; default: that of all channels.
        """
        stage = self.stage
        scaled = (rescaling or self.rescaling)(values)
        if stage.function in (Function.SIGMOID, Function.TANH):
            scaled = self._activated(scaled)
        shifted = scaled + stage.feature_map.zero_point
        clipped = np.clip(shifted, stage.lowest, stage.highest)
        if stage.function is Function.TABLE:
            clipped = self._looked_up(clipped)
        self._view.write(clipped.transpose(stage.axes))

    def _activated(self, values: IntArray) -> IntArray:
        """Return sigmoid or tanh, by the table of Ethos-U55 or that in memory."""
        is_sigmoid = self.stage.function is Function.SIGMOID
        if self.stage.has_own_table:
            table = self._tables.view(np.uint32)
            return activations.by_table(values, table, is_sigmoid)
        return activations.sigmoid(values) if is_sigmoid else activations.tanh(values)

    def _looked_up(self, values: IntArray) -> IntArray:
        """Return the entries of the lookup table; its entries are of the output's type."""
        dtype = self.stage.feature_map.dtype
        first = self.stage.table * TABLE_SLOT_BYTES
        if self.stage.has_wide_places:
            table = self._tables[first:].view(np.uint32)[:INTERPOLATED_ENTRIES]
            if len(table) < INTERPOLATED_ENTRIES:
                raise Unsupported(f"a lookup table of 16 bit in slot {self.stage.table}")
            return activations.interpolate(values, table)
        table = self._tables[first : first + TABLE_SLOT_BYTES * dtype.itemsize].view(dtype)
        return activations.look_up(values - self.stage.first_place, table)
