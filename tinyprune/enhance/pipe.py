"""Samples through standard input and output: WAV of known or unknown length, or raw 16-bit PCM, a hop at a time."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.enhance.files import Format, Write, kept
from tinyprune.errors import TinypruneError, UsageError

UNKNOWN = 0xFFFFFFFF  # what a WAV header says that was written before its length was known
_LEAST_UNKNOWN = 0x7FFF0000  # or nearly: some programs leave room for the header, some halve it
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBTYPES = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
}
_TAGS = {subtype: tag for tag, subtype in _SUBTYPES.items()}


def open_pipe(
    stream: BinaryIO, raw: int | None, block_ms: float
) -> tuple[Format, Iterator[Float32Array]]:
    """The format of what a stream brings, and its samples (n, channels), a hop at a time, as soon as they are there.

    Args:
        stream: WAV of PCM or float samples, or with ``raw`` mono PCM of 16 bit, little endian.
        raw: sampling rate of raw samples.
        block_ms: length of one block, milliseconds.

    Raises UsageError for a terminal, TinypruneError for what is no such WAV, or holds NaN.
    """
    if stream.isatty():
        raise UsageError("standard input is a terminal: pipe a WAV into it, or give a file")
    found = Format(raw, 1, "PCM_16", "LITTLE") if raw else _header(stream)
    return found, _blocks(stream, found, max(1, round(block_ms * found.rate / 1000)))


def create_pipe(stream: BinaryIO, found: Format, raw: int | None) -> Write:
    """Write a header, unless it is raw, and return a function that writes blocks and flushes.

    Raises UsageError for a terminal, and where raw samples would have another rate or several
    channels.
    """
    if stream.isatty():
        raise UsageError("standard output is a terminal: send it to a file or a program")
    if raw and (found.rate, found.channels) != (raw, 1):
        raise UsageError(
            f"--raw {raw} is one channel at {raw} Hz, the input has {found.channels} at {found.rate} Hz: "
            "leave --raw away to write WAV"
        )
    subtype = "PCM_16" if raw else kept("WAV", found)
    if not raw:
        stream.write(_wav_header(found, subtype))

    def write(block: Float32Array) -> None:
        stream.write(_encode(block, found.rate, subtype))
        stream.flush()

    return write


# --- bytes
# ------------------------------------------------------------------------------------------------------------


def _blocks(stream: BinaryIO, found: Format, frames: int) -> Iterator[Float32Array]:
    width = _TAGS[found.subtype][1] // 8 * found.channels
    whole = left = UNKNOWN * width if found.frames is None else found.frames * width
    while left > 0 and (content := stream.read(min(frames * width, left))):
        left -= len(content)
        block = _decode(content[: len(content) // width * width], found)
        if not np.isfinite(block).all():
            raise TinypruneError("standard input holds NaN or infinite samples")
        yield block
    if left == whole:
        raise TinypruneError("standard input holds no samples")
    if found.frames is not None and left > 0:
        raise TinypruneError(
            f"standard input is cut off: {found.frames - -(-left // width)} of {found.frames} samples are there"
        )


def _decode(content: bytes, found: Format) -> Float32Array:
    import soundfile

    how = {"samplerate": found.rate, "channels": found.channels, "subtype": found.subtype}
    samples, _ = soundfile.read(
        io.BytesIO(content), dtype="float32", always_2d=True, format="RAW", endian="LITTLE", **how
    )
    return np.asarray(samples, np.float32)


def _encode(block: Float32Array, rate: int, subtype: str) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, block, rate, subtype, "LITTLE", "RAW")
    return content.getvalue()


def _header(stream: BinaryIO) -> Format:
    """What the header of a WAV says; the stream stands at the first sample then."""
    if (start := stream.read(12))[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise TinypruneError(f"standard input {'is no WAV' if start else 'is empty'}: {_EXPECTED}")
    form = b""
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            return _format(form, size)
        content = stream.read(min(size + size % 2, 2**24))
        form = content if name == b"fmt " else form
    raise TinypruneError(f"standard input is a WAV without samples: {_EXPECTED}")


_EXPECTED = "expected a WAV of 8 to 32 bit PCM or float samples, or --raw RATE for 16-bit PCM without a header"


def _format(form: bytes, size: int) -> Format:
    if len(form) < 16:
        raise TinypruneError(f"standard input has a broken header: {_EXPECTED}")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack("<H", form[24:26])
    if (tag, bits) not in _SUBTYPES or not channels or not rate:
        raise TinypruneError(
            f"standard input is a WAV of format {tag} with {channels} channels of {bits} bit at {rate} Hz: {_EXPECTED}"
        )
    known = 0 < size < _LEAST_UNKNOWN
    return Format(
        rate,
        channels,
        _SUBTYPES[tag, bits],
        "LITTLE",
        size // (bits // 8 * channels) if known else None,
    )


def _wav_header(found: Format, subtype: str) -> bytes:
    """A WAV header; where the length is not known, it is what no file has."""
    tag, bits = _TAGS[subtype]
    width = bits // 8 * found.channels
    size = UNKNOWN if found.frames is None else found.frames * width
    form = struct.pack("<HHIIHH", tag, found.channels, found.rate, found.rate * width, width, bits)
    whole = min(UNKNOWN, 4 + 8 + len(form) + 8 + size)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", whole) + chunks
