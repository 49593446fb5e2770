"""Audio files in and out, block by block.

Format, sampling rate, channels and bits of the input are kept.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import BLOCK, SUFFIXES, list_audio, read_blocks, read_header
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.writing import writing

Write = Callable[[Float32Array], None]


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
    import soundfile

    header = read_header(path)  # says in one line what may be wrong with it
    info = soundfile.info(path)
    audio = Format(header.sample_rate, header.channels, info.subtype, info.endian, header.frames)
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

    if soundfile.check_format(name, audio.subtype):
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
    endian = audio.endian if name == "WAV" else "FILE"
    with writing(path) as part:
        try:
            with soundfile.SoundFile(
                part, "w", audio.rate, audio.channels, subtype, endian, name
            ) as file:
                yield lambda block: _write(file, block)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.removeprefix("Error : ").rstrip(".")
            raise TinypruneError(
                f"cannot write {path} with {audio.channels} channels at {audio.rate} Hz: {reason}"
            ) from error


def _write(file: object, block: Float32Array, most: int = 2**15) -> None:
    """Write a block in pieces: libsndfile's Vorbis encoder puts a whole call on the stack."""
    for start in range(0, len(block), most):
        file.write(block[start : start + most])  # type: ignore[attr-defined]


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
