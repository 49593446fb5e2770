"""Reading audio files of any format that libsndfile knows, as 16 kHz mono float32."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinyprune.audio.stft import Array
from tinyprune.errors import TinypruneError, UsageError

SUFFIXES = (".wav", ".flac", ".ogg")


def list_audio(folder: Path) -> list[Path]:
    """All audio files below a folder, sorted. Raises UsageError if the folder is missing or holds none."""
    if not folder.is_dir():
        raise UsageError(f"folder {folder} does not exist: expected a folder with WAV, FLAC or OGG files")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise UsageError(f"folder {folder} holds no WAV, FLAC or OGG file: check the path")
    return files


def read_mono(path: Path, sample_rate: int = 16_000) -> Array:
    """Samples (n,) of a file, channels averaged, resampled. Raises TinypruneError if it cannot be read as audio."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        if not path.is_file():
            raise TinypruneError(f"{path} does not exist: expected a WAV, FLAC or OGG file") from error
        reason = getattr(error, "error_string", str(error)).removeprefix("Error : ").rstrip(".")
        raise TinypruneError(f"{path} is damaged, or no WAV, FLAC or OGG file ({reason})") from error
    mono = samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise TinypruneError(f"{path} holds NaN or infinite samples")
    if rate != sample_rate:
        import soxr

        mono = soxr.resample(mono, rate, sample_rate).astype(np.float32)
    if not len(mono):
        raise TinypruneError(f"{path} holds no samples")
    return mono


def read_all(folder: Path, bad: list[str]) -> Iterator[tuple[Path, Array]]:
    """Every readable file below a folder with its samples; the messages of those that are not go to ``bad``."""
    for path in list_audio(folder):
        try:
            yield path, read_mono(path)
        except TinypruneError as error:
            bad.append(str(error))
