"""Reading audio files of any format that libsndfile knows, as 16 kHz mono float32.

Decoding, averaging and resampling are done in float64, so that samples rounded to 16 bits are the
same on every machine.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array
from tinyprune.audio.pcm import BITS, is_integer
from tinyprune.audio.wav import LEAST_UNKNOWN_SIZE, check_form, read_wav_header
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.listing import list_files
from tinyprune.storage.reading import check_file

if TYPE_CHECKING:
    import soundfile

#: Hz; networks of speech and keywords work at this rate.
SAMPLE_RATE = 16_000
SUFFIXES = (".wav", ".flac", ".ogg")
LONGEST_HOURS = 3  # of a file that is in memory as a whole
BLOCK = 2**18  # frames in memory at once: 5 s at 48 kHz


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Attributes:
        sample_rate: in Hz. channels: number of them. frames: samples per channel.
        subtype: of one sample, as libsndfile calls it. endian: byte order, likewise.
    """

    sample_rate: int
    channels: int
    frames: int
    subtype: str
    endian: str

    @property
    def bits(self) -> int | None:
        """Bits of one sample; None for formats that have no such number, e.g. Vorbis."""
        return BITS.get(self.subtype)

    @property
    def integer(self) -> bool:
        """True if samples are integers, which cannot pass full scale."""
        return is_integer(self.subtype)


def list_audio(folder: Path) -> list[Path]:
    """Return all audio files below a folder that are not hidden, sorted.

    Raises UsageError if the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise UsageError(
            f"folder {folder} does not exist: expected a folder with WAV, FLAC or OGG files"
        )
    files = list_files(folder, SUFFIXES)
    if not files:
        raise UsageError(f"folder {folder} holds no WAV, FLAC or OGG file: check the path")
    return files


def read_header(path: Path) -> Header:
    """Return sampling rate, channels, length and depth of a file.

    Raises TinypruneError if it cannot be read as audio.
    """
    with _opened(path) as file:
        return _header(file, path)


def read_blocks(path: Path) -> Iterator[tuple[Header, Float64Array]]:
    """Yield the header of a file and its samples, float64 (frames, channels), block by block.

    Raises TinypruneError, in the middle too, for a file that is missing, damaged, empty, or holds
    NaN.
    """
    with _opened(path) as file:
        header = _header(file, path)
        if not header.frames:
            raise TinypruneError(f"{path} holds no samples")
        while len(block := file.read(BLOCK, dtype="float64", always_2d=True)):
            if not np.isfinite(block).all():
                raise TinypruneError(f"{path} holds NaN or infinite samples")
            yield header, block


def read_mono(path: Path, sample_rate: int = SAMPLE_RATE) -> Float32Array:
    """Return samples (n,) of a file, channels averaged, resampled.

    Raises TinypruneError if it cannot be read as audio.
    """
    blocks = []
    length = 0
    for block in _resampled(read_blocks(path), sample_rate):
        blocks.append(block)
        length += len(block)
        if length > LONGEST_HOURS * 3600 * sample_rate:
            raise TinypruneError(f"{path} is longer than {LONGEST_HOURS} hours: cut it into files")
    if not length:
        raise TinypruneError(f"{path} holds no samples")
    return np.concatenate(blocks)


def _resampled(
    blocks: Iterator[tuple[Header, Float64Array]], sample_rate: int
) -> Iterator[Float32Array]:
    """Yield blocks (frames, channels) as float32 blocks (n,) at another rate.

    Together they are as if they had been resampled in one piece.
    """
    import soxr

    stream = None
    for header, block in blocks:
        mono = block.mean(axis=1) if header.channels > 1 else block[:, 0]
        if header.sample_rate == sample_rate:
            yield mono.astype(np.float32)
            continue
        if stream is None:
            rates = (header.sample_rate, sample_rate)
            stream = soxr.ResampleStream(*rates, num_channels=1, dtype="float64")
        yield stream.resample_chunk(mono).astype(np.float32)
    if stream is not None:
        yield stream.resample_chunk(np.empty(0), last=True).astype(np.float32)


@contextmanager
def _opened(path: Path) -> Iterator["soundfile.SoundFile"]:
    """Open a file; a problem, now or while it is read, becomes one line that names the file."""
    import soundfile

    try:
        check_file(path, sys.maxsize, "expected a WAV, FLAC or OGG file")
        with soundfile.SoundFile(os.fsencode(path)) as file:
            _check_whole(file)
            if file.frames or file.format not in ("WAV", "WAVEX"):
                yield file
                return
        with _opened_without_length(path) as file:
            yield file
    except TinypruneError:
        raise
    except Exception as error:  # whatever a library says of a file is a problem of that file
        if not path.is_file():
            raise TinypruneError(
                f"{path} does not exist: expected a WAV, FLAC or OGG file"
            ) from error
        raise TinypruneError(
            f"{path} is damaged, or no WAV, FLAC or OGG file ({_reason(path, error)})"
        ) from error


@contextmanager
def _opened_without_length(path: Path) -> Iterator["soundfile.SoundFile"]:
    """Open a WAV whose header was written before its length was known: all the rest is samples."""
    import soundfile

    with path.open("rb") as stream:
        header = read_wav_header(stream, str(path))
        with soundfile.SoundFile(
            _Rest(stream),
            samplerate=header.rate,
            channels=header.channels,
            subtype=header.subtype,
            format="RAW",
            endian="LITTLE",
        ) as file:
            yield file


class _Rest:
    """A stream that begins where another one stands, for libsndfile."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = stream.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the start, the place or the end; return the new place."""
        if whence == os.SEEK_SET:
            offset += self._start
        self._stream.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        """Return the place, from the start."""
        return self._stream.tell() - self._start

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        return self._stream.read(size)


def _reason(path: Path, error: Exception) -> str:
    """Return the problem of a file, in libsndfile's words where it has some."""
    if not path.stat().st_size:
        return "it is empty"
    text: str = getattr(error, "error_string", str(error))
    for prefix in ("Error : ", "Internal error : "):
        text = text.removeprefix(prefix)
    return " ".join(text.rstrip(".").split())


def _check_whole(file: "soundfile.SoundFile") -> None:
    """Raise RuntimeError for a WAV that is cut off, which libsndfile reads without a word."""
    data = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if data and int(data[2]) < int(data[1]) < LEAST_UNKNOWN_SIZE:
        raise RuntimeError(f"it is cut off: {data[2]} of {data[1]} bytes of samples are there")


def _header(file: "soundfile.SoundFile", path: Path) -> Header:
    check_form(str(path), file.samplerate, file.channels)
    return Header(file.samplerate, file.channels, file.frames, file.subtype, file.endian)
