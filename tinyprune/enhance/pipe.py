"""Samples through standard input and output, a hop at a time.

They are WAV of known or unknown length, or raw 16-bit PCM.
"""

import io
import struct
from collections.abc import Iterator
from io import BufferedReader
from typing import BinaryIO

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.pcm import BITS, to_subtype
from tinyprune.audio.wav import EXPECTED_WAV, TAGS, UNKNOWN_SIZE, frame_bytes, read_wav_header
from tinyprune.enhance.files import Format, Write
from tinyprune.errors import TinypruneError, UsageError

_EXPECTED = f"{EXPECTED_WAV}, or --raw RATE for 16-bit PCM without a header"


def open_pipe(
    stream: BufferedReader, raw: int | None, block_ms: float
) -> tuple[Format, Iterator[Float32Array]]:
    """The format of a stream, and its samples (n, channels) as they come.

    Args:
        stream: WAV of PCM, float, mu-law or A-law samples; with ``raw``, mono PCM of 16 bit, little
            endian.
        raw: sampling rate of raw samples.
        block_ms: the longest block, milliseconds.

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
    subtype = _subtype(audio, raw)
    if not raw:
        stream.write(_wav_header(audio, subtype))

    def write(block: Float32Array) -> None:
        stream.write(_encode(block, audio.rate, subtype))
        stream.flush()

    return write


# --- bytes


def _header(stream: BinaryIO) -> Format:
    """Return the format in the header of a WAV; the stream stands at the first sample then."""
    header = read_wav_header(stream, "standard input", _EXPECTED)
    return Format(header.rate, header.channels, header.subtype, "LITTLE", header.frames)


def _subtype(audio: Format, raw: int | None) -> str:
    """Return the form of written samples: the input's where it is PCM or float, else 16 bit."""
    is_plain = audio.subtype.startswith("PCM") or audio.subtype in ("FLOAT", "DOUBLE")
    if raw or not is_plain or audio.subtype not in TAGS:
        return "PCM_16"
    return audio.subtype


def _blocks(stream: BufferedReader, audio: Format, frames: int) -> Iterator[Float32Array]:
    width = frame_bytes(audio.subtype, audio.channels)
    size = _size(audio, width)
    left = size
    content = b""
    while left > 0:
        # What is there, without waiting for a whole block: others are waiting for it.
        read = stream.read1(min(frames * width, left))
        if not read:
            break
        left -= len(read)
        content += read
        complete = len(content) // width * width
        block = _decode(content[:complete], audio)
        content = content[complete:]
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
    """Return the bytes of all samples, ``width`` each; as many as there can be if unknown."""
    return (UNKNOWN_SIZE if audio.frames is None else audio.frames) * width


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
    soundfile.write(content, to_subtype(block, subtype), rate, subtype, "LITTLE", "RAW")
    return content.getvalue()


def _wav_header(audio: Format, subtype: str) -> bytes:
    """Return a WAV header; a length that is unknown, or too long for it, is what no file has."""
    width = frame_bytes(subtype, audio.channels)
    size = UNKNOWN_SIZE if audio.frames is None else min(UNKNOWN_SIZE, audio.frames * width)
    bytes_per_second = audio.rate * width
    form = struct.pack(
        "<HHIIHH",
        TAGS[subtype],
        audio.channels,
        audio.rate,
        bytes_per_second,
        width,
        BITS[subtype],
    )
    riff_size = min(UNKNOWN_SIZE, 4 + 8 + len(form) + 8 + size)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", riff_size) + chunks
