"""Samples through standard input and output, a hop at a time.

They are WAV of known or unknown length, or raw 16-bit PCM.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.enhance.files import Format, Write, subtype_in
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
    """The format of a stream, and its samples (n, channels), a hop at a time, as they come.

    Args:
        stream: WAV of PCM or float samples, or with ``raw`` mono PCM of 16 bit, little endian.
        raw: sampling rate of raw samples.
        block_ms: length of one block, milliseconds.

    Raises UsageError for a terminal, TinypruneError for what is no such WAV, or holds NaN.
    """
    if stream.isatty():
        raise UsageError("standard input is a terminal: pipe a WAV into it, or give a file")
    audio = Format(raw, 1, "PCM_16", "LITTLE") if raw else _header(stream)
    return audio, _blocks(stream, audio, max(1, round(block_ms * audio.rate / 1000)))


def create_pipe(stream: BinaryIO, audio: Format, raw: int | None) -> Write:
    """Write a header, unless it is raw, and return a function that writes blocks and flushes.

    Raises UsageError for a terminal, and where raw samples would have another rate or several
    channels.
    """
    if stream.isatty():
        raise UsageError("standard output is a terminal: send it to a file or a program")
    if raw and (audio.rate, audio.channels) != (raw, 1):
        raise UsageError(
            f"--raw {raw} is one channel at {raw} Hz, "
            f"the input has {audio.channels} at {audio.rate} Hz: leave --raw away to write WAV"
        )
    subtype = "PCM_16" if raw else subtype_in("WAV", audio)
    if not raw:
        stream.write(_wav_header(audio, subtype))

    def write(block: Float32Array) -> None:
        stream.write(_encode(block, audio.rate, subtype))
        stream.flush()

    return write


# --- bytes


def _blocks(stream: BinaryIO, audio: Format, frames: int) -> Iterator[Float32Array]:
    width = _TAGS[audio.subtype][1] // 8 * audio.channels
    size = _size(audio, width)
    left = size
    while left > 0:
        content = stream.read(min(frames * width, left))
        if not content:
            break
        left -= len(content)
        block = _decode(content[: len(content) // width * width], audio)
        if not np.isfinite(block).all():
            raise TinypruneError("standard input holds NaN or infinite samples")
        yield block
    if left == size:
        raise TinypruneError("standard input holds no samples")
    if audio.frames is not None and left > 0:
        present = audio.frames - -(-left // width)
        raise TinypruneError(
            f"standard input is cut off: {present} of {audio.frames} samples are there"
        )


def _size(audio: Format, width: int) -> int:
    """Bytes of all samples, ``width`` each; as many as there can be where nobody knows."""
    return (UNKNOWN if audio.frames is None else audio.frames) * width


def _decode(content: bytes, audio: Format) -> Float32Array:
    import soundfile

    samples, _ = soundfile.read(
        io.BytesIO(content),
        dtype="float32",
        always_2d=True,
        samplerate=audio.rate,
        channels=audio.channels,
        subtype=audio.subtype,
        format="RAW",
        endian="LITTLE",
    )
    return np.asarray(samples, np.float32)


def _encode(block: Float32Array, rate: int, subtype: str) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, block, rate, subtype, "LITTLE", "RAW")
    return content.getvalue()


def _header(stream: BinaryIO) -> Format:
    """The format in the header of a WAV; the stream stands at the first sample then."""
    start = stream.read(12)
    if not start:
        raise TinypruneError(f"standard input is empty: {_EXPECTED}")
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise TinypruneError(f"standard input is no WAV: {_EXPECTED}")
    form = b""
    while True:
        chunk = stream.read(8)
        if len(chunk) < 8:
            raise TinypruneError(f"standard input is a WAV without samples: {_EXPECTED}")
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            return _format(form, size)
        content = stream.read(min(size + size % 2, 2**24))
        if name == b"fmt ":
            form = content


_EXPECTED = (
    "expected a WAV of 8 to 32 bit PCM or float samples, "
    "or --raw RATE for 16-bit PCM without a header"
)


def _format(form: bytes, size: int) -> Format:
    if len(form) < 16:
        raise TinypruneError(f"standard input has a broken header: {_EXPECTED}")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack("<H", form[24:26])
    if (tag, bits) not in _SUBTYPES or not channels or not rate:
        raise TinypruneError(
            f"standard input is a WAV of format {tag} "
            f"with {channels} channels of {bits} bit at {rate} Hz: {_EXPECTED}"
        )
    is_known = 0 < size < _LEAST_UNKNOWN
    frames = size // (bits // 8 * channels) if is_known else None
    return Format(rate, channels, _SUBTYPES[tag, bits], "LITTLE", frames)


def _wav_header(audio: Format, subtype: str) -> bytes:
    """A WAV header; where the length is not known, it is what no file has."""
    tag, bits = _TAGS[subtype]
    width = bits // 8 * audio.channels
    size = UNKNOWN if audio.frames is None else audio.frames * width
    form = struct.pack("<HHIIHH", tag, audio.channels, audio.rate, audio.rate * width, width, bits)
    riff_size = min(UNKNOWN, 4 + 8 + len(form) + 8 + size)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", riff_size) + chunks
