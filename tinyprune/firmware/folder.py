"""The folder of a firmware: it is made anew, and nothing of anybody else is replaced."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.firmware import FirmwareRecord
from tinyprune.errors import TinypruneError, UsageError, reason
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json, write_json, write_text
from tinyprune.storage.writing import make_folder

RECORD_NAME = "firmware.json"


def check_free(folder: Path) -> None:
    """Raise UsageError unless a folder is empty, not there, or as this command has left it.

    Further files in a folder that this command has made stay there and are in nobody's way.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: expected a folder for the sources (-o DIR)")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    earlier = earlier_record(folder)
    if earlier is None:
        raise UsageError(
            f"{folder} is not empty, and not made by `tinyprune firmware`: choose another -o DIR, "
            "or --force to write into it"
        )
    if not earlier.is_complete:
        return
    for name, digest in earlier.files.items():
        path = folder / name
        if path.is_file() and sha256(path) != digest:
            raise UsageError(
                f"{path} was changed after it was generated: choose another -o DIR, "
                "or --force to replace it"
            )


def write_folder(folder: Path, files: Mapping[str, str], record: FirmwareRecord) -> FirmwareRecord:
    """Write the files of a firmware, each whole or absent, and return their record.

    The record is written before as unfinished, so that what is interrupted can be written again,
    and after. Files of an earlier firmware that are no part of this one are removed. Raises
    TinypruneError where the folder cannot be written.
    """
    earlier = earlier_record(folder)
    old = set(earlier.files) if earlier is not None else set()
    digests = {name: _digest(text) for name, text in files.items()}
    unfinished = dict.fromkeys(old, "") | digests
    try:
        for name in files:
            make_folder((folder / name).absolute().parent)
        write_json(folder / RECORD_NAME, replace(record, files=unfinished))
        for name, text in files.items():
            write_text(folder / name, text)
        for name in sorted(old - set(files)):
            if os.path.lexists(folder / name):  # not where an earlier name could not be written
                (folder / name).unlink()
    except OSError as error:
        raise TinypruneError(f"cannot write into {folder}: {reason(error)}") from error
    finished = replace(record, files=digests, is_complete=True)
    write_json(folder / RECORD_NAME, finished)
    return finished


def keep_record(folder: Path, record: FirmwareRecord) -> FirmwareRecord:
    """Return a record after it was written into the folder."""
    write_json(folder / RECORD_NAME, record)
    return record


def earlier_record(folder: Path) -> FirmwareRecord | None:
    """Return the record of what this command wrote into a folder, or None."""
    path = folder / RECORD_NAME
    if not path.is_file():
        return None
    try:
        record = read_json(path, FirmwareRecord)
    except TinypruneError:
        return None
    is_inside = all(_is_inside(folder, name) for name in record.files)
    return record if is_inside else None


def _is_inside(folder: Path, name: str) -> bool:
    """Return whether a path of a record, which may come from anywhere, lies in the folder."""
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
