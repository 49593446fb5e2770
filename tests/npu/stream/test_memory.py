"""Feature maps in memory, against addresses that are computed element by element."""

from dataclasses import replace

import numpy as np
import pytest

from tinyprune.errors import TinypruneError
from tinyprune.npu.stream.memory import FeatureMap, FeatureMapView, Memory

# 5 rows, 4 columns, 18 channels of 16 bit; the tiles cut rows at 3 (left) and 2 (right), columns at 3.
TILED = FeatureMap(
    region=1,
    bases=(0, 1000, 2000, 3000),
    height0=3,
    height1=2,
    width0=3,
    stride_y=160,
    stride_x=40,
    stride_c=640,
    is_bricked=False,
    dtype=np.dtype(np.int16),
    zero_point=-3,
    shape=(5, 4, 18),
)
BRICKED = replace(TILED, is_bricked=True, stride_y=320, stride_c=130, bases=(0, 2000, 4000, 6000))


def address(fm: FeatureMap, y: int, x: int, c: int) -> int:
    is_right = x >= fm.width0
    is_low = y >= (fm.height1 if is_right else fm.height0)
    if is_right:
        x -= fm.width0
    if is_low:
        y -= fm.height1 if is_right else fm.height0
    base = fm.bases[is_right + 2 * is_low]
    if fm.is_bricked:
        return base + y * fm.stride_y + c // 16 * fm.stride_c + x * 32 + c % 16 * 2
    return base + y * fm.stride_y + x * fm.stride_x + c * 2


@pytest.mark.parametrize("feature_map", [TILED, BRICKED], ids=["nhwc", "nhcwb16"])
def test_elements_are_read_and_written_where_they_lie(feature_map):
    rng = np.random.default_rng(0)
    content = rng.integers(0, 256, 8000, dtype=np.uint8)
    before = content.copy()
    view = FeatureMapView(feature_map, Memory({1: content}, content[:0], 0))
    values = view.values()
    new = rng.integers(-1000, 1000, feature_map.shape)
    view.write(new)

    expected = before.copy()
    for place in np.ndindex(*feature_map.shape):
        start = address(feature_map, *place)
        assert values[place] == before[start : start + 2].view("<i2")[0] + 3
        expected[start : start + 2] = np.array([new[place]], "<i2").view(np.uint8)
    assert (content == expected).all()  # nothing else was written


def test_a_feature_map_outside_of_its_region_is_one_line():
    memory = Memory({1: np.zeros(100, np.uint8)}, np.zeros(0, np.uint8), 0)
    with pytest.raises(TinypruneError, match="address 0 of region 1, which has 100 bytes"):
        FeatureMapView(TILED, memory)
    with pytest.raises(TinypruneError, match="region 5, which has no memory"):
        FeatureMapView(replace(TILED, region=5), memory)
    with pytest.raises(TinypruneError, match="bytes 90 to 110 of region 1"):
        memory.span(1, 90, 20)
