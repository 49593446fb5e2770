"""Feature maps in memory: tiles, and the two orders in which their elements lie.

A feature map has (height, width, channels) elements. Its place is given by up to four tiles, each
with an address of its own: the upper left one has ``height0`` rows and ``width0`` columns, the one
to the right of it ``height1`` rows. NHWC has the channels of a pixel beside each other. NHCWB16 has
bricks of 16 channels: row, brick, column, channel in the brick.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.errors import TinypruneError

BRICK = 16
LUT_BYTES = 2048

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class Memory:
    """All memory that an operation can reach.

    Attributes:
        regions: bytes by the number of the base address; regions may share memory.
        tables: lookup tables, 2,048 bytes.
        chains: what operations hand to the next one without memory, by the number of the chain.
    """

    regions: dict[int, Bytes]
    tables: Bytes
    chains: dict[int, np.ndarray] = field(default_factory=dict)

    def region(self, number: int) -> Bytes:
        """Return the bytes of a region. Raises TinypruneError for one that has no address."""
        if number not in self.regions:
            raise TinypruneError(f"the stream uses region {number}, which has no memory")
        return self.regions[number]

    def span(self, number: int, start: int, length: int) -> Bytes:
        """Return a part of a region. Raises TinypruneError where it is not in it."""
        content = self.region(number)
        if start < 0 or start + length > len(content):
            raise TinypruneError(
                f"the stream reads bytes {start} to {start + length} of region {number}, "
                f"which has {len(content)}"
            )
        return content[start : start + length]


@dataclass(frozen=True)
class FeatureMap:
    """A feature map.

    Attributes:
        region: number of its region.
        bases: addresses of the four tiles: upper left, upper right, lower left, lower right.
        height0, height1, width0: sizes of the tiles.
        stride_y, stride_x, stride_c: bytes from row to row, column to column, brick to brick.
        is_bricked: NHCWB16, else NHWC.
        dtype: of an element.
        zero_point: the integer that stands for 0.
        shape: (height, width, channels).
        is_chained: it is in no memory, and ``region`` is the number of its chain.
    """

    region: int
    bases: tuple[int, int, int, int]
    height0: int
    height1: int
    width0: int
    stride_y: int
    stride_x: int
    stride_c: int
    is_bricked: bool
    dtype: np.dtype
    zero_point: int
    shape: tuple[int, int, int]
    is_chained: bool = False


@dataclass(frozen=True, eq=False)
class _Tile:
    """The rows and columns of a feature map that lie in one tile, and the tile's elements.

    ``elements``: a view of memory; (rows, columns, channels), or (rows, bricks, columns, 16).
    """

    rows: slice
    columns: slice
    elements: np.ndarray


class FeatureMapView:
    """A feature map as a view of memory, made once and read or written for every inference."""

    def __init__(self, feature_map: FeatureMap, memory: Memory) -> None:
        self.feature_map = feature_map
        self.channels = feature_map.shape[2]
        self._chains = memory.chains
        self._tiles: list[_Tile] = []
        if feature_map.is_chained:
            return
        for number, rows, columns in _parts(feature_map):
            elements = _elements(feature_map, memory, feature_map.bases[number], rows, columns)
            self._tiles.append(_Tile(rows, columns, elements))

    def read(self) -> np.ndarray:
        """Return the elements (height, width, channels); without bricks maybe memory itself."""
        if self.feature_map.is_chained:
            return self._chains[self.feature_map.region]
        if len(self._tiles) == 1:
            return self._pixels(self._tiles[0])
        values = np.empty(self.feature_map.shape, self.feature_map.dtype)
        for tile in self._tiles:
            values[tile.rows, tile.columns] = self._pixels(tile)
        return values

    def values(self) -> IntArray:
        """Return the elements less the zero point."""
        return self.read().astype(np.int64) - self.feature_map.zero_point

    def write(self, values: np.ndarray) -> None:
        """Write elements (height, width, channels), which fit the type."""
        if self.feature_map.is_chained:
            self._chains[self.feature_map.region] = values
            return
        for tile in self._tiles:
            self._write_tile(tile, values[tile.rows, tile.columns])

    def _pixels(self, tile: _Tile) -> np.ndarray:
        if not self.feature_map.is_bricked:
            return tile.elements
        rows, bricks, columns, _ = tile.elements.shape
        pixels = tile.elements.transpose(0, 2, 1, 3).reshape(rows, columns, bricks * BRICK)
        return pixels[..., : self.channels]

    def _write_tile(self, tile: _Tile, values: np.ndarray) -> None:
        if not self.feature_map.is_bricked:
            tile.elements[...] = values
            return
        full = self.channels // BRICK
        rows, columns, _ = values.shape
        if full:
            bricks = values[..., : full * BRICK].reshape(rows, columns, full, BRICK)
            tile.elements[:, :full] = bricks.transpose(0, 2, 1, 3)
        rest = self.channels - full * BRICK
        if rest:
            tile.elements[:, full, :, :rest] = values[..., full * BRICK :]


def _parts(feature_map: FeatureMap) -> Iterator[tuple[int, slice, slice]]:
    """Yield number, rows and columns of each tile that has elements."""
    height, width, _ = feature_map.shape
    left = min(feature_map.width0, width)
    for column_number, start, end in ((0, 0, left), (1, left, width)):
        if start == end:
            continue
        upper = feature_map.height1 if column_number else feature_map.height0
        upper = min(upper, height)
        yield column_number, slice(0, upper), slice(start, end)
        if upper < height:
            yield column_number + 2, slice(upper, height), slice(start, end)


def _elements(
    feature_map: FeatureMap, memory: Memory, base: int, rows: slice, columns: slice
) -> np.ndarray:
    """Return the elements of a tile as a view of memory."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    channels = feature_map.shape[2]
    size = feature_map.dtype.itemsize
    shape: tuple[int, ...] = (height, width, channels)
    strides: tuple[int, ...] = (feature_map.stride_y, feature_map.stride_x, size)
    if feature_map.is_bricked:
        bricks = -(-channels // BRICK)
        shape = (height, bricks, width, BRICK)
        strides = (feature_map.stride_y, feature_map.stride_c, BRICK * size, size)
    region = memory.region(feature_map.region)
    try:
        return np.ndarray(shape, feature_map.dtype, region.data, base, strides)
    except (ValueError, TypeError) as error:
        raise TinypruneError(
            f"the stream uses a feature map {feature_map.shape} at address {base} of region "
            f"{feature_map.region}, which has {len(region)} bytes"
        ) from error
