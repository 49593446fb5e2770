"""Pictures of at most 16 colours as PNG, by its specification (ISO/IEC 15948)."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: Numbers of colours, from 0 to 15, shape (rows, columns).
Pixels = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BITS, _PALETTE = 4, 3  # of a pixel; the kind of colours
_DEFLATE, _ADAPTIVE, _NOT_INTERLACED = 0, 0, 0
_NOT_FILTERED = 0


def png(pixels: Pixels, palette: Sequence[int]) -> bytes:
    """Return a picture as the content of a PNG file.

    Args:
        pixels: a colour each.
        palette: red, green and blue of each colour, one after the other, from 0 to 255.
    """
    rows, columns = pixels.shape
    header = struct.pack(
        ">IIBBBBB", columns, rows, _BITS, _PALETTE, _DEFLATE, _ADAPTIVE, _NOT_INTERLACED
    )
    even = np.pad(pixels, ((0, 0), (0, columns % 2)))
    packed = even[:, ::2] << _BITS | even[:, 1::2]
    lines = np.pad(packed, ((0, 0), (1, 0)), constant_values=_NOT_FILTERED)
    chunks = [
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", bytes(palette)),
        _chunk(b"IDAT", zlib.compress(lines.tobytes(), level=9)),
        _chunk(b"IEND", b""),
    ]
    return _SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
