"""Audio files in and out, block by block.

Format, sampling rate, channels and bits of the input are kept.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import BLOCK, SUFFIXES, list_audio, read_blocks, read_header
from tinyprune.audio.pcm import BITS, to_subtype
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.writing import writing

if TYPE_CHECKING:
    import soundfile

Write = Callable[[Float32Array], None]
#: Bytes of samples that the 32-bit sizes of a WAV can say, with room for its header.
LARGEST_WAV = 2**32 - 2**16
PIECE = 2**15  # samples per channel in one call


@dataclass(frozen=True)
class Format:
    """The form in which samples are stored.

    Attributes:
        rate: Hz. channels: number of them.
        subtype: of one sample, as libsndfile calls it, e.g. "PCM_24". endian: byte order, likewise.
        frames: samples per channel; None where nobody knows yet.
    """

    rate: int
    channels: int
    subtype: str
    endian: str = "FILE"
    frames: int | None = None


def open_file(path: Path) -> tuple[Format, Iterator[Float32Array]]:
    """The format of a file and its blocks of samples (n, channels).

    Raises TinypruneError for a file that is no audio.
    """
    header = read_header(path)  # says in one line what may be wrong with it
    audio = Format(
        header.sample_rate, header.channels, header.subtype, header.endian, header.frames
    )
    return audio, (block.astype(np.float32) for _, block in read_blocks(path))


def blocks(frames: int) -> int:
    """Number of blocks in which a file of this length is read."""
    return -(-frames // BLOCK)


def container(path: Path) -> str:
    """The container that the suffix of a file to be written names.

    Raises UsageError for a suffix that is none of audio.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path}: expected a name that ends in .wav, .flac or .ogg, a folder, or - for a pipe"
        )
    return path.suffix[1:].upper()


def subtype_in(name: str, audio: Format) -> str:
    """The subtype of samples in a container: the input's where it holds it, else its usual one."""
    import soundfile

    # libsndfile writes MPEG into MP3 files only, whatever it says.
    is_mpeg = audio.subtype.startswith("MPEG")
    if soundfile.check_format(name, audio.subtype) and not is_mpeg:
        return audio.subtype
    return str(soundfile.default_subtype(name))


@contextmanager
def create_file(path: Path, audio: Format) -> Iterator[Write]:
    """A function that writes blocks to a file; the file is complete or absent.

    Raises UsageError for a name that is no audio, TinypruneError where it cannot be written.
    """
    import soundfile

    name = container(path)
    subtype = subtype_in(name, audio)
    endian = "FILE"
    if name == "WAV":
        endian = audio.endian
    if name == "WAV" and _wav_bytes(audio, subtype) > LARGEST_WAV:
        name = "RF64"
        endian = "FILE"
    with writing(path) as part:
        try:
            with soundfile.SoundFile(
                os.fsencode(part), "w", audio.rate, audio.channels, subtype, endian, name
            ) as file:
                yield _Writer(path, file).write
        except soundfile.LibsndfileError as error:
            _require_space(part)
            reason = error.error_string.removeprefix("Error : ").rstrip(".")
            raise TinypruneError(
                f"cannot write {path} with {audio.channels} channels at {audio.rate} Hz: {reason}"
            ) from error


def _require_space(path: Path) -> None:
    """Raise OSError where nothing can be added to a file; libsndfile only says "System error"."""
    with path.open("ab") as file:
        file.write(bytes(BLOCK))
        file.flush()
        os.fsync(file.fileno())


def _wav_bytes(audio: Format, subtype: str) -> int:
    """Return the bytes of all samples as far as their number is known."""
    bits = BITS.get(subtype, 16)
    return (audio.frames or 0) * audio.channels * bits // 8


class _Writer:
    """Blocks of samples into an open file."""

    def __init__(self, path: Path, file: "soundfile.SoundFile") -> None:
        self._path = path
        self._file = file
        self._bytes = 0

    def write(self, block: Float32Array) -> None:
        """Write a block (n, channels).

        It goes in pieces: libsndfile's Vorbis encoder puts a whole call on the stack. Raises
        TinypruneError where a WAV of unknown length grows beyond what its header can say.
        """
        self._bytes += block.size * BITS.get(self._file.subtype, 16) // 8
        if self._file.format == "WAV" and self._bytes > LARGEST_WAV:
            raise TinypruneError(
                f"{self._path} would be longer than the 4 GiB of a WAV, "
                "and the input does not say how long it is: choose a name that ends in .flac"
            )
        samples = to_subtype(block, self._file.subtype)
        for start in range(0, len(samples), PIECE):
            self._file.write(samples[start : start + PIECE])


def pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Every audio file below a folder, and where it goes: the same name below another one.

    Raises UsageError where both are the same folder, or there is nothing.
    """
    if target.exists() and not target.is_dir():
        raise UsageError(f"{source} is a folder, so {target} has to be one too: it is a file")
    if source.resolve() == target.resolve():
        raise UsageError(
            f"{target} is the input folder: choose another one, its files would be overwritten"
        )
    files = [path for path in list_audio(source) if target.resolve() not in path.resolve().parents]
    return [(path, target / path.relative_to(source)) for path in files]


def require_other(source: Path, target: Path) -> None:
    """Raise UsageError where the output would replace the input, or something that is no file."""
    if not target.exists():
        return
    if source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself: choose another name")
    if not target.is_file():
        raise UsageError(f"{target} is no ordinary file: give - and redirect standard output")
