"""A corpus as a CSV file: a line per pair, or per file of speech and noise."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyprune.data.class_folders import SPLIT_FOLDERS
from tinyprune.data.corpora.corpus import AudioFile, CorpusSplit, CorpusSplits, Pair
from tinyprune.data.speech.pair_store import speaker_of
from tinyprune.errors import UsageError
from tinyprune.storage.reading import LARGEST_TEXT, check_file

NAME = "manifest.csv"  # in a folder that `tinyprune data mix` wrote
KINDS = ("speech", "noise", "rir")
_EXPECTED = (
    "expected the columns noisy,clean or speech,noise "
    "(optional: rir, split, speaker, category, snr_db, name)"
)


@dataclass(frozen=True)
class _Line:
    """One line of a manifest.

    Attributes:
        location: file and number of the line, for messages.
        cells: by column, without spaces around them.
        folder: the one that paths are relative to.
    """

    location: str
    cells: dict[str, str]
    folder: Path

    def cell(self, column: str) -> str:
        """Return a cell; "" if it is empty or there is no such column."""
        return self.cells.get(column, "")

    def path(self, column: str) -> Path | None:
        """Return the file that a cell names; None if it is empty.

        Raises UsageError if the file is not there.
        """
        name = self.cell(column)
        if not name:
            return None
        path = self.folder / name
        if not path.is_file():
            raise UsageError(f"{self.location}: {column} {name} does not exist in {self.folder}")
        return path

    def path_of_pair(self, column: str) -> Path:
        """Return the file that a cell names. Raises UsageError if it is empty or not there."""
        path = self.path(column)
        if path is None:
            raise UsageError(
                f"{self.location}: '{column}' is empty: every line needs a noisy and a clean file"
            )
        return path

    def split(self) -> str:
        """Return the split that the line belongs to; "train" if it does not say."""
        text = self.cell("split")
        if not text:
            return "train"
        for split, names in SPLIT_FOLDERS.items():
            if text.lower() in names:
                return split
        raise UsageError(f"{self.location}: split '{text}': expected train, dev or test")

    def snr_db(self) -> float | None:
        """Return the SNR; None if the line does not say. Raises UsageError for another text."""
        text = self.cell("snr_db")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f"{self.location}: snr_db '{text}': expected a number of dB")
        return number


def dataset_of(path: Path) -> str:
    """Return the data set that a CSV file is for, by its first line.

    It is "paired", "mixture", or "" for another file.
    """
    try:
        check_file(path, LARGEST_TEXT, _EXPECTED)
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            first_row = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return ""
    columns = set(map(str.strip, first_row))
    if {"noisy", "clean"} <= columns:
        return "paired"
    return "mixture" if {"speech", "noise"} & columns else ""


def read(path: Path) -> CorpusSplits:
    """Return the splits that a manifest lists.

    With the columns ``noisy`` and ``clean``, every line is a pair; else ``speech``, ``noise`` and
    ``rir`` name files, and a line may leave some of them empty. ``split`` is train (default), dev
    or test; paths are relative to the manifest. Raises UsageError with file and line.
    """
    dataset = dataset_of(path)
    if not dataset:
        raise UsageError(f"{path} is no manifest: {_EXPECTED}")

    lines_by_split: dict[str, list[_Line]] = {}
    for line in _lines(path):
        lines_by_split.setdefault(line.split(), []).append(line)
    if not lines_by_split:
        raise UsageError(f"{path} lists nothing: {_EXPECTED}")

    read_split = _pairs if dataset == "paired" else _files
    return {split: read_split(lines) for split, lines in lines_by_split.items()}


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the lines. Raises UsageError for a line that is too long, or a file of another kind."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, skipinitialspace=True, restval="")
            for row in reader:
                location = f"{path}, line {reader.line_num}"
                if None in row:
                    count = len(reader.fieldnames or ())
                    raise UsageError(f"{location}: expected {count} cells, there are more")
                cells = {column.strip(): cell.strip() for column, cell in row.items()}
                yield _Line(location, cells, path.parent)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no CSV file in UTF-8: {error}") from error


def _pairs(lines: list[_Line]) -> CorpusSplit:
    return CorpusSplit(tuple(_pair(line) for line in lines))


def _pair(line: _Line) -> Pair:
    """Return the pair of a line.

    Its speaker is the cell "speaker", else the beginning of the noisy file's name up to the first
    "_" or "-".
    """
    noisy = line.path_of_pair("noisy")
    clean = line.path_of_pair("clean")
    return Pair(
        noisy,
        clean,
        name=line.cell("name") or Path(line.cell("noisy")).with_suffix("").as_posix(),
        speaker=line.cell("speaker") or speaker_of(noisy, noisy.parent),
        category=line.cell("category"),
        snr_db=line.snr_db(),
    )


def _files(lines: list[_Line]) -> CorpusSplit:
    """Return every file of speech, noise and rooms once, however often it is listed."""
    files: dict[str, dict[Path, AudioFile]] = {kind: {} for kind in KINDS}
    for line in lines:
        paths = {kind: line.path(kind) for kind in KINDS}
        if not any(paths.values()):
            raise UsageError(f"{line.location}: it names no file: {_EXPECTED}")
        for kind, path in paths.items():
            if path is not None:
                files[kind].setdefault(path, _file(line, kind, path))
    return CorpusSplit(
        speech=tuple(files["speech"].values()),
        noise=tuple(files["noise"].values()),
        rirs=tuple(files["rir"].values()),
    )


def _file(line: _Line, kind: str, path: Path) -> AudioFile:
    """Return a file; its group is the speaker or the category of the line, else its folder."""
    name = Path(line.cell(kind))
    group = line.cell("speaker" if kind == "speech" else "category")
    return AudioFile(path, name.as_posix(), group or name.parent.as_posix())
