import io

import numpy as np
import pytest
from PIL import Image

from tinyprune.report.render.png import png

PALETTE = [number for level in range(16) for number in (level * 17, 255 - level, level)]


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (5, 7)])
def test_another_program_reads_the_same_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 16, shape).astype(np.uint8)
    image = Image.open(io.BytesIO(png(pixels, PALETTE)))
    colours = np.array(PALETTE, np.uint8).reshape(16, 3)
    assert np.array_equal(np.asarray(image.convert("RGB")), colours[pixels])


def test_two_pixels_take_a_byte():
    pixels = np.random.default_rng(0).integers(0, 16, (256, 256)).astype(np.uint8)
    assert len(png(pixels, PALETTE)) < 256 * 256 / 2 * 1.02  # noise cannot be compressed
