"""A fixed set of noisy and clean files: mixtures of a split, written once.

The same request writes the same bytes on every machine.
"""

import csv
import hashlib
import io
import json
import re
import shutil
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.data.clips import FULL_SCALE, ClipStore
from tinyprune.data.corpora import layouts, manifest
from tinyprune.data.corpora.corpus import CorpusSplit, files_in_each, first_few
from tinyprune.data.speech.fixed_mixtures import (
    MAX_UTTERANCE_SECONDS,
    DrawnMixture,
    draw_mixtures,
    mix,
    noise_name,
)
from tinyprune.data.speech.mixing import NoisyUtterance, SpeechAndNoise
from tinyprune.data.speech.mixture import open_files
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track
from tinyprune.storage.cells import harmless_record
from tinyprune.storage.reading import parse_table
from tinyprune.storage.records import write_json, write_text
from tinyprune.storage.writing import writing

REQUEST = "mix.json"
DECODED = ".decoded"
CEILING = 0.99  # of full scale: what is louder is turned down, speech and noise together
_STEM = 40  # letters of a file's name that are kept
_FORMAT = 1  # of what is written: another one is another set


@dataclass(frozen=True)
class MixRequest:
    """The mixtures that are to be written.

    Attributes:
        snrs_db: go round. count: of mixtures; None: one for each clip of speech.
        seconds: no mixture is longer. babble: fraction whose noise is other speakers. seed: of all
            draws.
    """

    snrs_db: tuple[float, ...]
    count: int | None = None
    seconds: float = MAX_UTTERANCE_SECONDS
    babble: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class MixSummary:
    """The mixtures that were written.

    Attributes:
        folder: of the set. mixtures: number. minutes: of all. speakers, snrs_db, categories: that
            occur.
        in_rooms, babble: mixtures with an impulse response, with babble. turned_down: those that
            would have clipped.
        manifest_sha256: of the manifest, which has the hashes of all files: equal on two machines,
            all is equal.
    """

    folder: str
    mixtures: int
    minutes: float
    speakers: int
    snrs_db: tuple[float, ...]
    categories: int
    in_rooms: int
    babble: int
    turned_down: int
    manifest_sha256: str


@dataclass(frozen=True)
class MixSource:
    """The place that speech and noise come from.

    Attributes:
        speech, noise, rirs: folders. path: a corpus in a known layout or a CSV manifest instead of
            speech and noise.
        split: of that corpus; None: the last of train, dev and test that it has.
    """

    speech: tuple[Path, ...] = ()
    noise: tuple[Path, ...] = ()
    rirs: tuple[Path, ...] = ()
    path: Path | None = None
    split: str | None = None

    def files(self) -> CorpusSplit:
        """Return the files to mix. Raises UsageError for folders that do not go together."""
        if self.path is None:
            files = self._files_of_folders()
        elif not self.speech and not self.noise:
            files = _files_of_corpus(self.path, self.split)
        else:
            raise UsageError(
                "--path has its own speech and noise: leave out --speech and --noise, or --path"
            )
        return replace(files, rirs=files_in_each(self.rirs)) if self.rirs else files

    def _files_of_folders(self) -> CorpusSplit:
        if not self.speech or not self.noise or self.split is not None:
            raise UsageError(
                "give --speech DIR and --noise DIR, or --path CORPUS, which may have a --split"
            )
        return CorpusSplit(speech=files_in_each(self.speech), noise=files_in_each(self.noise))

    def folders(self) -> list[Path]:
        """Return the folders that are read."""
        paths = [*self.speech, *self.noise, *self.rirs]
        if self.path is not None:
            paths.append(self.path)
        return [path for path in paths if path.is_dir()]


def _files_of_corpus(path: Path, name: str | None) -> CorpusSplit:
    """Return a split of a corpus of speech and noise; without a name the last that it has."""
    corpus = layouts.recognise(path)
    names = [split for split in ("train", "dev", "test") if split in corpus.splits]
    if corpus.dataset != "mixture" or not names:
        raise UsageError(
            f"{path} ({corpus.layout}) has no speech and noise to mix: "
            "give --speech DIR and --noise DIR"
        )
    if name is None:
        name = names[-1]
    if name not in names:
        raise UsageError(f"{path} has no split '{name}': expected one of: {', '.join(names)}")

    split = corpus.splits[name]
    if not (split.speech and split.noise):
        raise UsageError(f"{path} has no speech or no noise in the split '{name}': it needs both")
    return split


def write_set(folder: Path, source: MixSource, request: MixRequest) -> MixSummary:
    """Write ``noisy/*.wav`` and ``clean/*.wav``, ``manifest.csv``, and ``mix.json``.

    Samples are 16 bit at 16 kHz; the last file holds the request. Interrupted, the same request
    finishes the set. Raises UsageError for a folder that holds something else, or that is the
    input.
    """
    _check_place(folder, source)
    settings = json.loads(json.dumps({"format": _FORMAT, **asdict(request)}))
    _check_same(folder, settings)
    with _decoded(source.files(), folder) as split:
        settings |= {kind: _content_hash(store) for kind, store in vars(split).items()}
        _check_same(folder, settings)
        write_json(folder / REQUEST, settings)
        return _write(folder, split, request)


def _check_place(folder: Path, source: MixSource) -> None:
    """Raise UsageError if writing there would touch the input, or files of another origin."""
    target = folder.resolve()
    for root in source.folders():
        if root.resolve() in (target, *target.parents):
            raise UsageError(f"{folder} is in the input folder {root}: give a folder outside of it")

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: give a new folder")
    others = sorted(path.name for path in folder.glob("[!.]*"))
    if others and REQUEST not in others:
        raise UsageError(f"{folder} holds something else ({first_few(others)}): give a new folder")


def _check_same(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raise UsageError if the folder was begun with other settings."""
    path = folder / REQUEST
    if not path.exists():
        return
    try:
        old = parse_table(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TinypruneError(
            f"{path} cannot be read ({error}): delete {folder} and run again"
        ) from error

    changes = []
    for name, value in settings.items():
        if old.get(name) == value:
            continue
        is_hash = name in SpeechAndNoise.__dataclass_fields__
        changes.append(f"other {name}" if is_hash else f"{name}: {old.get(name)}, now {value}")
    if changes:
        raise UsageError(
            f"{folder} holds another set ({'; '.join(changes)}): "
            "give a new folder, or delete that one"
        )


@contextmanager
def _decoded(files: CorpusSplit, folder: Path) -> Iterator[SpeechAndNoise]:
    """Decode the clips into the folder for as long as they are needed.

    Only an interruption leaves them there.
    """
    cache = folder / DECODED
    try:
        speech = open_files("speech", files.speech, cache)
        noise = open_files("noise", files.noise, cache)
        rirs = open_files("rirs", files.rirs, cache) if files.rirs else None
        yield SpeechAndNoise(speech, noise, rirs)
    except TinypruneError:
        shutil.rmtree(cache, ignore_errors=True)
        with suppress(OSError):  # it holds other things, or never was
            folder.rmdir()
        raise
    shutil.rmtree(cache)


def _content_hash(store: ClipStore | None) -> str | None:
    """Return a hash of the samples and names of all clips."""
    if store is None:
        return None
    content = repr((store.names, store.groups, store.index.sha256))
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class _Line:
    """One line of the manifest; the fields are its columns."""

    name: str
    noisy: str
    clean: str
    speech: str
    noise: str
    category: str
    snr_db: str
    speaker: str
    room: str
    sha256_noisy: str
    sha256_clean: str


def _write(folder: Path, split: SpeechAndNoise, request: MixRequest) -> MixSummary:
    """Write the mixtures one by one, then the manifest."""
    count = request.count or len(split.speech)
    drawn = draw_mixtures(split, request.snrs_db, count, request.seed, request.babble)
    lines = []
    samples = 0
    turned_down = 0
    for number, draw in enumerate(track(drawn, "mixing", count), start=1):
        mixture = mix(split, draw, request.seconds)
        gain = _gain(mixture)
        name = _file_name(split, draw, number, count)
        lines.append(_write_mixture(folder, split, draw, mixture, name, gain))
        samples += len(mixture.clean)
        turned_down += gain < 1

    text = _csv(lines)
    write_text(folder / manifest.NAME, text)
    return MixSummary(
        folder=folder.as_posix(),
        mixtures=count,
        minutes=round(samples / SAMPLE_RATE / 60, 2),
        speakers=len({split.speech.speakers[draw.speech] for draw in drawn}),
        snrs_db=tuple(sorted({draw.snr_db for draw in drawn})),
        categories=len({line.category for line in lines}),
        in_rooms=sum(draw.room is not None for draw in drawn),
        babble=sum(bool(draw.babble) for draw in drawn),
        turned_down=turned_down,
        manifest_sha256=hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(),
    )


def _gain(mixture: NoisyUtterance) -> float:
    """Return the factor, at most 1, that brings both files of a mixture below the ceiling."""
    noisy_peak = float(np.abs(mixture.noisy).max())
    clean_peak = float(np.abs(mixture.clean).max())
    return min(1.0, CEILING / max(1e-9, noisy_peak, clean_peak))


def _write_mixture(
    folder: Path,
    split: SpeechAndNoise,
    draw: DrawnMixture,
    mixture: NoisyUtterance,
    name: str,
    gain: float,
) -> _Line:
    """Write the two files of a mixture, and return its line of the manifest."""
    return _Line(
        name=Path(name).stem,
        noisy=f"noisy/{name}",
        clean=f"clean/{name}",
        speech=split.speech.names[draw.speech],
        noise=noise_name(split, draw),
        category=mixture.category,
        snr_db=f"{draw.snr_db:g}",
        speaker=mixture.speaker,
        room=_room_name(split, draw),
        sha256_noisy=_write_wav(folder / "noisy" / name, mixture.noisy, gain),
        sha256_clean=_write_wav(folder / "clean" / name, mixture.clean, gain),
    )


def _room_name(split: SpeechAndNoise, draw: DrawnMixture) -> str:
    if split.rirs is None or draw.room is None:
        return ""
    return split.rirs.names[draw.room]


def _file_name(split: SpeechAndNoise, draw: DrawnMixture, number: int, count: int) -> str:
    """Return the name of a mixture's files: its number, SNR, speech and noise."""
    digits = max(4, len(str(count)))
    speech = _stem(split.speech.names[draw.speech])
    noise = "babble" if draw.babble else _stem(split.noise.names[draw.noise])
    return f"{number:0{digits}d}_{draw.snr_db:+g}dB_{speech}_{noise}.wav"


def _stem(name: str) -> str:
    """Return a clip's name without its suffix, in letters that every file system has."""
    return re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:_STEM]


def _write_wav(path: Path, signal: Float32Array, gain: float) -> str:
    """Write 16-bit samples, and return the SHA-256 of the file.

    There is nothing in it but a header of 44 bytes and samples.
    """
    samples = np.rint(signal.astype(np.float64) * (FULL_SCALE * gain)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        wav.writeframes(samples.tobytes())
    with writing(path) as part:
        part.write_bytes(file.getvalue())
    return hashlib.sha256(file.getvalue()).hexdigest()


def _csv(lines: Sequence[_Line]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_Line.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(harmless_record(asdict(line)) for line in lines)
    return text.getvalue()
