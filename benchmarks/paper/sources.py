"""Where recordings come from and under which licence: what a model card says of the data, counted in their folders."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tinyprune.audio.files import list_audio, read_header
from tinyprune.errors import UsageError

MANIFEST = (
    "MANIFEST.csv"  # beside the splits of the noise: path in its split, source, author, licence
)

#: Beginning of a folder's name -> what it holds, its licence.
SPEECH = {
    "librispeech": ("LibriSpeech, English", "CC BY 4.0"),
    "speechocean762_child": (
        "speechocean762, English of non-native children",
        '"free download for both commercial and non-commercial purposes"',
    ),
    "picovoice_s2i": ("Picovoice speech-to-intent-benchmark, English", "Apache-2.0"),
    "speechocean762": (
        "speechocean762, English of non-native speakers",
        '"free download for both commercial and non-commercial purposes"',
    ),
    "rhasspy_kathleen": ("Rhasspy dataset-voice-kathleen, English", "CC0 1.0"),
    "rhasspy_kerstin": ("Rhasspy dataset-voice-kerstin, German", "CC0 1.0"),
}


@dataclass(frozen=True)
class Source:
    """Recordings of one origin.

    Attributes: kind: "speech" or "noise". name, licence: of the origin. files: how many. seconds:
        how long in all. authors: of each recording, where they have to be named.
    """

    kind: str
    name: str
    licence: str
    files: int
    seconds: float
    authors: tuple[str, ...] = ()


def speech(folder: Path) -> Iterator[Source]:
    """The sources of a folder of speech, one folder each. Raises UsageError for one whose licence is not known here."""
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = [value for name, value in SPEECH.items() if part.name.startswith(name)]
        if not found:
            raise UsageError(
                f"{part}: the licence of these recordings is not known: add them to {Path(__file__).name}"
            )
        seconds = [_seconds(path) for path in list_audio(part)]
        yield Source("speech", *found[0], len(seconds), sum(seconds))


def noise(folder: Path) -> Iterator[Source]:
    """The sources of a folder of noise, by origin and licence, as the manifest beside it says."""
    manifest = folder.parent / MANIFEST
    if not manifest.is_file():
        raise UsageError(
            f"there is no {manifest}: expected path, source, author and licence of every recording"
        )
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    paths = list_audio(folder)
    unknown = [path for path in paths if path.relative_to(folder).as_posix() not in rows]
    if unknown:
        raise UsageError(
            f"{unknown[0]} is not in {manifest}: add it, with its source, author and licence"
        )
    own = [(rows[path.relative_to(folder).as_posix()], path) for path in paths]
    for (name, licence), group in _grouped(own):
        seconds = [_seconds(path) for _, path in group]
        authors = (
            sorted({row["author"] for row, _ in group}, key=str.casefold) if "BY" in licence else []
        )
        yield Source("noise", name, licence, len(group), sum(seconds), tuple(authors))


Listed = tuple[dict[str, str], Path]


def _grouped(own: Iterable[Listed]) -> Iterator[tuple[tuple[str, str], list[Listed]]]:
    def key(one: Listed) -> tuple[str, str]:
        return one[0]["source"], one[0]["licence"].replace("CC-BY", "CC BY")

    for found, group in groupby(sorted(own, key=key), key):
        yield found, list(group)


def _seconds(path: Path) -> float:
    header = read_header(path)
    return header.frames / header.sample_rate
