"""A fixed set of noisy and clean files: mixtures of a split, written once, the same bytes on every machine."""

import csv
import hashlib
import io
import json
import re
import shutil
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.clips import FULL_SCALE, ClipStore
from tinyprune.data.corpora import layouts, manifest
from tinyprune.data.corpora.corpus import Part, files_in, some
from tinyprune.data.speech.fixed_mixtures import (
    MAX_UTTERANCE_SECONDS,
    Draw,
    draws,
    mixed,
    noise_name,
)
from tinyprune.data.speech.mixing import SAMPLE_RATE, Mixture, Split
from tinyprune.data.speech.mixture import open_files
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track
from tinyprune.storage.records import write_json, write_text
from tinyprune.storage.writing import writing

REQUEST, DECODED = "mix.json", ".decoded"
CEILING = 0.99  # of full scale: what is louder is turned down, speech and noise together
COLUMNS = ("name", "noisy", "clean", "speech", "noise", "category", "snr_db", "speaker", "room") + (
    "sha256_noisy",
    "sha256_clean",
)
_STEM = 40  # letters of a file's name that are kept
_FORMAT = 1  # of what is written: another one is another set


@dataclass(frozen=True)
class MixRequest:
    """What is to be mixed how.

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
    """What was written.

    Attributes:
        folder: where. mixtures: number. minutes: of all. speakers, snrs_db, categories: that occur.
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
    """Where speech and noise come from.

    Attributes:
        speech, noise, rirs: folders. path: a corpus in a known layout or a CSV manifest instead of
            speech and noise.
        split: of that corpus; None: the last of train, dev and test that it has.
    """

    speech: Path | None = None
    noise: Path | None = None
    rirs: Path | None = None
    path: Path | None = None
    split: str | None = None

    def part(self) -> Part:
        """The files. Raises UsageError for what is missing or does not go together."""
        if self.path is None:
            if self.speech is None or self.noise is None or self.split is not None:
                raise UsageError(
                    "give --speech DIR and --noise DIR, or --path CORPUS, which may have a --split"
                )
            part = Part(speech=files_in(self.speech), noise=files_in(self.noise))
        elif self.speech is None and self.noise is None:
            part = _part_of(self.path, self.split)
        else:
            raise UsageError(
                "--path has its own speech and noise: leave out --speech and --noise, or --path"
            )
        return replace(part, rirs=files_in(self.rirs)) if self.rirs else part

    def folders(self) -> list[Path]:
        """The folders that are read."""
        return [
            path
            for path in (self.speech, self.noise, self.rirs, self.path)
            if path is not None and path.is_dir()
        ]


def _part_of(path: Path, name: str | None) -> Part:
    """A split of a corpus of speech and noise."""
    corpus = layouts.recognise(path)
    known = [split for split in ("train", "dev", "test") if split in corpus.splits]
    if corpus.dataset != "mixture" or not known:
        raise UsageError(
            f"{path} ({corpus.layout}) has no speech and noise to mix: give --speech DIR and --noise DIR"
        )
    if name is not None and name not in known:
        raise UsageError(f"{path} has no split '{name}': expected one of: {', '.join(known)}")
    part = corpus.splits[name or known[-1]]
    if not (part.speech and part.noise):
        raise UsageError(
            f"{path} has no speech or no noise in the split '{name or known[-1]}': it needs both"
        )
    return part


def write_set(folder: Path, source: MixSource, request: MixRequest) -> MixSummary:
    """Write ``noisy/*.wav`` and ``clean/*.wav`` (16 kHz, 16 bit), ``manifest.csv``, and ``mix.json`` with the request.

    Interrupted, the same request finishes it. Raises UsageError for a folder that holds something
    else, or that is the input.
    """
    _check_place(folder, source)
    settings = json.loads(json.dumps({"format": _FORMAT, **asdict(request)}))
    _check_same(folder, settings)
    with _decoded(source.part(), folder) as split:
        settings |= {kind: _hash(store) for kind, store in vars(split).items()}
        _check_same(folder, settings)
        write_json(folder / REQUEST, settings)
        return _write(folder, split, request)


def _check_place(folder: Path, source: MixSource) -> None:
    """Raise UsageError if writing there would touch the input, or what is not ours."""
    for root in source.folders():
        if root.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise UsageError(f"{folder} is in the input folder {root}: give a folder outside of it")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: give a new folder")
    others = sorted(path.name for path in folder.glob("[!.]*"))
    if others and REQUEST not in others:
        raise UsageError(f"{folder} holds something else ({some(others)}): give a new folder")


def _check_same(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raise UsageError if the folder was begun with other settings."""
    path = folder / REQUEST
    if not path.exists():
        return
    try:
        old = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TinypruneError(
            f"{path} cannot be read ({error}): delete {folder} and run again"
        ) from error
    changed = [
        f"other {name}"
        if name in Split.__dataclass_fields__
        else f"{name}: {old.get(name)}, now {value}"
        for name, value in settings.items()
        if old.get(name) != value
    ]
    if changed:
        raise UsageError(
            f"{folder} holds another set ({'; '.join(changed)}): give a new folder, or delete that one"
        )


@contextmanager
def _decoded(part: Part, folder: Path) -> Iterator[Split]:
    """The clips, decoded into the folder for as long as they are needed; only an interruption leaves them there."""
    cache = folder / DECODED
    try:
        speech, noise = (open_files(kind, getattr(part, kind), cache) for kind in layouts.MIXTURE)
        yield Split(speech, noise, open_files("rirs", part.rirs, cache) if part.rirs else None)
    except TinypruneError:
        shutil.rmtree(cache, ignore_errors=True)
        with suppress(OSError):  # it holds other things, or never was
            folder.rmdir()
        raise
    shutil.rmtree(cache)


def _hash(store: ClipStore | None) -> str | None:
    """Of the samples and names of all clips."""
    if store is None:
        return None
    return hashlib.sha256(
        repr((store.names, store.groups, store.index.sha256)).encode()
    ).hexdigest()


def _write(folder: Path, split: Split, request: MixRequest) -> MixSummary:
    count = request.count or len(split.speech)
    drawn = draws(split, request.snrs_db, count, request.seed, request.babble)
    rows, samples, loud = [], 0, 0
    for number, draw in enumerate(track(drawn, "mixing", count), start=1):
        mixture, name = mixed(split, draw, request.seconds), _name(split, draw, number, count)
        gain = min(
            1.0,
            CEILING
            / max(1e-9, *(float(np.abs(part).max()) for part in (mixture.noisy, mixture.clean))),
        )
        hashes = [
            _write_wav(folder / kind / name, getattr(mixture, kind), gain)
            for kind in ("noisy", "clean")
        ]
        rows.append([*_cells(split, draw, mixture, name), *hashes])
        samples, loud = samples + len(mixture.clean), loud + (gain < 1)
    text = _csv(rows)
    write_text(folder / manifest.NAME, text)
    return MixSummary(
        folder=folder.as_posix(),
        mixtures=count,
        minutes=round(samples / SAMPLE_RATE / 60, 2),
        speakers=len({split.speech.speakers[draw.speech] for draw in drawn}),
        snrs_db=tuple(sorted({draw.snr_db for draw in drawn})),
        categories=len({row[COLUMNS.index("category")] for row in rows}),
        in_rooms=sum(draw.room is not None for draw in drawn),
        babble=sum(bool(draw.talkers) for draw in drawn),
        turned_down=loud,
        manifest_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _name(split: Split, draw: Draw, number: int, count: int) -> str:
    """A file's name: its number, the SNR, what speaks and what is heard beside it."""
    noise = "babble" if draw.talkers else _stem(split.noise.names[draw.noise])
    return f"{number:0{max(4, len(str(count)))}d}_{draw.snr_db:+g}dB_{_stem(split.speech.names[draw.speech])}_{noise}.wav"


def _stem(name: str) -> str:
    """What is before the suffix of a clip's name, in letters that every file system has."""
    return re.sub(r"[^A-Za-z0-9]+", "-", Path(name).stem).strip("-")[:_STEM]


def _cells(split: Split, draw: Draw, mixture: Mixture, name: str) -> Iterator[str]:
    """The cells of a line of the manifest, but for the hashes."""
    yield from (Path(name).stem, f"noisy/{name}", f"clean/{name}")
    yield from (
        split.speech.names[draw.speech],
        noise_name(split, draw),
        mixture.category,
        f"{draw.snr_db:g}",
    )
    yield mixture.speaker
    yield split.rirs.names[draw.room] if split.rirs is not None and draw.room is not None else ""


def _write_wav(path: Path, signal: Float32Array, gain: float) -> str:
    """Write 16-bit samples and return the SHA-256 of the file; nothing in it but a header of 44 bytes and samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        wav.writeframes(
            np.rint(signal.astype(np.float64) * (FULL_SCALE * gain)).astype("<i2").tobytes()
        )
    with writing(path) as part:
        part.write_bytes(file.getvalue())
    return hashlib.sha256(file.getvalue()).hexdigest()


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue()
