"""A corpus as a CSV file: a line per pair, or per file of speech and noise."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from tinyprune.data.class_folders import SPLIT_FOLDERS
from tinyprune.data.corpora.corpus import AudioFile, Pair, Part
from tinyprune.data.speech.pair_store import speaker_of
from tinyprune.errors import UsageError

NAME = "manifest.csv"  # in a folder that `tinyprune data mix` wrote
KINDS = ("speech", "noise", "rir")
_EXPECTED = "expected the columns noisy,clean or speech,noise (optional: rir, split, speaker, category, snr_db, name)"
Row = tuple[str, dict[str, str]]


def dataset(path: Path) -> str:
    """The data set that a CSV file is for, by its first line: "paired", "mixture", or "" for another file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns = {column.strip() for column in next(csv.reader(file), [])}
    except (OSError, UnicodeDecodeError, csv.Error):
        return ""
    if {"noisy", "clean"} <= columns:
        return "paired"
    return "mixture" if {"speech", "noise"} & columns else ""


def read(path: Path) -> dict[str, Part]:
    """The splits that a manifest lists.

    With the columns ``noisy`` and ``clean``, every line is a pair; else ``speech``, ``noise`` and
    ``rir`` name files, and a line may leave some of them empty. ``split`` is train (default), dev
    or test; paths are relative to the manifest. Raises UsageError with file and line.
    """
    kind, splits = dataset(path), dict[str, list[Row]]()
    if not kind:
        raise UsageError(f"{path} is no manifest: {_EXPECTED}")
    for where, row in _rows(path):
        splits.setdefault(_split(row.get("split", ""), where), []).append((where, row))
    if not splits:
        raise UsageError(f"{path} lists nothing: {_EXPECTED}")
    part = _pairs if kind == "paired" else _files
    return {split: part(rows, path.parent) for split, rows in splits.items()}


def _rows(path: Path) -> Iterator[Row]:
    """Where each line is, and its cells by column, without spaces around them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True, restval="")
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row:
                    raise UsageError(
                        f"{where}: expected {len(reader.fieldnames or ())} cells, there are more"
                    )
                yield where, {column.strip(): cell.strip() for column, cell in row.items()}
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no CSV file in UTF-8: {error}") from error


def _split(text: str, where: str) -> str:
    """The split that a cell names; training if it is empty."""
    for split, names in SPLIT_FOLDERS.items():
        if text.lower() in names or (not text and split == "train"):
            return split
    raise UsageError(f"{where}: split '{text}': expected train, dev or test")


def _pairs(rows: list[Row], folder: Path) -> Part:
    return Part(tuple(_pair(where, row, folder) for where, row in rows))


def _pair(where: str, row: dict[str, str], folder: Path) -> Pair:
    """One line; who speaks is the column "speaker", else what stands before the first "_" or "-" of a noisy file."""
    noisy, clean = (_path(where, row, column, folder) for column in ("noisy", "clean"))
    for column, path in (("noisy", noisy), ("clean", clean)):
        if path is None:
            raise UsageError(
                f"{where}: '{column}' is empty: every line needs a noisy and a clean file"
            )
    assert noisy is not None and clean is not None
    name = row.get("name") or Path(row["noisy"]).with_suffix("").as_posix()
    return Pair(
        noisy,
        clean,
        name,
        row.get("speaker") or speaker_of(noisy, noisy.parent),
        row.get("category", ""),
        _snr_db(where, row),
    )


def _files(rows: list[Row], folder: Path) -> Part:
    """Every file once, however often it is listed."""
    found: dict[str, dict[Path, AudioFile]] = {kind: {} for kind in KINDS}
    for where, row in rows:
        paths = {kind: _path(where, row, kind, folder) for kind in KINDS}
        if not any(paths.values()):
            raise UsageError(f"{where}: it names no file: {_EXPECTED}")
        for kind, path in paths.items():
            if path is not None:
                group = (
                    row.get("speaker" if kind == "speech" else "category")
                    or Path(row[kind]).parent.as_posix()
                )
                found[kind].setdefault(path, AudioFile(path, Path(row[kind]).as_posix(), group))
    speech, noise, rirs = (tuple(files.values()) for files in found.values())
    return Part(speech=speech, noise=noise, rirs=rirs)


def _path(where: str, row: dict[str, str], column: str, folder: Path) -> Path | None:
    """The file that a cell names; None if it is empty. Raises UsageError if the file is not there."""
    if not row.get(column):
        return None
    path = folder / row[column]
    if not path.is_file():
        raise UsageError(f"{where}: {column} {row[column]} does not exist in {folder}")
    return path


def _snr_db(where: str, row: dict[str, str]) -> float | None:
    text = row.get("snr_db", "")
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise UsageError(f"{where}: snr_db '{text}': expected a number of dB")
    return number
