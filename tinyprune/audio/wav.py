"""The header of a WAV, read from a stream that cannot go back."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from tinyprune.audio.pcm import BITS
from tinyprune.errors import TinypruneError

#: Size in a header that was written before its length was known.
UNKNOWN_SIZE = 0xFFFFFFFF
#: Or nearly: some programs leave room for the header, some halve it.
LEAST_UNKNOWN_SIZE = 0x7FFF0000
EXPECTED_WAV = "expected a WAV of 8 to 32 bit PCM, float, mu-law or A-law samples"
_EXTENSIBLE = 0xFFFE
#: Rates of recordings, and the most microphones; other numbers are those of a damaged header.
RATES = (1_000, 768_000)
MOST_CHANNELS = 64
_SUBTYPES = {
    (1, 8): "PCM_U8",
    (1, 16): "PCM_16",
    (1, 24): "PCM_24",
    (1, 32): "PCM_32",
    (3, 32): "FLOAT",
    (3, 64): "DOUBLE",
    (6, 8): "ALAW",
    (7, 8): "ULAW",
}
#: Format tag of a WAV, by libsndfile's name of its samples.
TAGS = {subtype: tag for (tag, _), subtype in _SUBTYPES.items()}


@dataclass(frozen=True)
class WavHeader:
    """The facts in the header of a WAV.

    Attributes:
        rate: Hz. channels: number of them.
        subtype: of one sample, as libsndfile calls it, e.g. "PCM_24".
        frames: samples per channel; None where the header was written before that was known.
    """

    rate: int
    channels: int
    subtype: str
    frames: int | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return frame_bytes(self.subtype, self.channels)


def check_form(name: str, rate: int, channels: int) -> None:
    """Raise TinypruneError for a rate, in Hz, or a number of channels that no recording has."""
    lowest, highest = RATES
    if not lowest <= rate <= highest or not 1 <= channels <= MOST_CHANNELS:
        raise TinypruneError(
            f"{name} has {channels} channels at {rate} Hz: expected 1 to {MOST_CHANNELS} channels "
            f"at {lowest} to {highest} Hz"
        )


def frame_bytes(subtype: str, channels: int) -> int:
    """Return the bytes of one sample of every channel."""
    return BITS[subtype] // 8 * channels


def read_wav_header(stream: BinaryIO, name: str, expected: str = EXPECTED_WAV) -> WavHeader:
    """Read up to the first sample.

    Args:
        stream: at the beginning of the WAV; stands at its first sample afterwards.
        name, expected: what messages call the stream, and say about what would be right.

    Raises TinypruneError for what is no WAV, or one whose samples have another form.
    """
    start = stream.read(12)
    if not start:
        raise TinypruneError(f"{name} is empty: {expected}")
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise TinypruneError(f"{name} is no WAV: {expected}")
    form = b""
    while True:
        chunk = stream.read(8)
        if len(chunk) < 8:
            raise TinypruneError(f"{name} is a WAV without samples: {expected}")
        kind, size = struct.unpack("<4sI", chunk)
        if kind == b"data":
            return _parsed(form, size, name, expected)
        content = stream.read(min(size + size % 2, 2**24))
        if kind == b"fmt ":
            form = content


def _parsed(form: bytes, size: int, name: str, expected: str) -> WavHeader:
    if len(form) < 16:
        raise TinypruneError(f"{name} has a broken header: {expected}")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack("<H", form[24:26])
    subtype = _SUBTYPES.get((tag, bits))
    if subtype is None or not channels or not rate:
        raise TinypruneError(
            f"{name} is a WAV of format {tag} "
            f"with {channels} channels of {bits} bit at {rate} Hz: {expected}"
        )
    check_form(name, rate, channels)
    header = WavHeader(rate, channels, subtype, None)
    if 0 < size < LEAST_UNKNOWN_SIZE:
        return WavHeader(rate, channels, subtype, size // header.frame_bytes)
    return header
