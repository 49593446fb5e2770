"""The state of a folder: names and contents of its files, without times of the day and processes."""

import hashlib
import json
import re
import zipfile
from pathlib import Path

import numpy as np

#: Keys of records that differ from run to run.
_TIMES = ("made", "stamps", "record_sha256", "claim_sha256")
_SECONDS = re.compile(r'"seconds": [-+.e\d]+')
_WRITER = re.compile(r"^\.\d+\.part\.")
_NOT_OF_IT = ("said.txt", "operations.txt")


def state_of(folder: Path) -> str:
    """Return the SHA-256 of what a folder says."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.name not in _NOT_OF_IT:
            name = path.relative_to(folder).with_name(_WRITER.sub(".part.", path.name))
            digest.update(f"{name}\n".encode())
            digest.update(said_in(path) if path.is_file() else b"")
    return digest.hexdigest()


def said_in(path: Path) -> bytes:
    """Return the content of a file without times; of one that is not whole, every byte."""
    try:
        if path.suffix == ".npz":
            return _arrays(path)
        if path.suffix == ".json":
            record = json.loads(path.read_text())
            return json.dumps(_without_times(record), sort_keys=True).encode()
        if path.name.endswith("history.csv"):
            return "".join(line.rpartition(",")[0] for line in path.open()).encode()
    except (ValueError, OSError, KeyError, zipfile.BadZipFile):
        pass
    return path.read_bytes()


def _arrays(path: Path) -> bytes:
    with np.load(path) as arrays:
        said = {name: arrays[name] for name in sorted(arrays)}
    parts = []
    for name, values in said.items():
        content = values.tobytes()
        if values.dtype.kind == "U":
            text = re.sub(r'"claim_sha256": "\w*"', "", str(values))
            content = _SECONDS.sub("", text).encode()
        parts.append(name.encode() + content)
    return b"".join(parts)


def _without_times(record: object) -> object:
    if not isinstance(record, dict):
        return record
    kept = {name: value for name, value in record.items() if name not in _TIMES}
    outputs = kept.get("outputs")
    if isinstance(outputs, dict):  # digests of files, of which some have times in them
        kept["outputs"] = sorted(outputs)
    return kept
