"""Files of machine sounds: ``MACHINE/train/normal*.wav``, ``MACHINE/test/{normal,anomaly}*.wav``.

So lie the data of DCASE 2020 to 2024, task 2, and of MLPerf Tiny. The parts ``id_XX`` or
``section_XX`` of a name say which machine of its kind it is.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tinyprune.audio.files import SUFFIXES
from tinyprune.errors import UsageError
from tinyprune.storage.listing import list_files

LAYOUT = "MACHINE/train/normal*.wav with MACHINE/test/{normal,anomaly}_id_XX_*.wav"
_MACHINE = re.compile(r"(?:id|section)_\d+")
_KIND = re.compile(r"(?:^|_)(normal|anomaly|abnormal)(?=_|$|\d)")


@dataclass(frozen=True)
class MachineFile:
    """One recording of a machine.

    Attributes:
        path: of the file. name: its path below the folder of the data, with slashes.
        machine: kind and number, e.g. "ToyCar id_01".
        split: "train" or "test". is_anomaly: whether its name says so.
    """

    path: Path
    name: str
    machine: str
    split: str
    is_anomaly: bool


def list_machines(folder: Path) -> list[MachineFile]:
    """Return the recordings in the folder of a machine, or in folders of several, sorted.

    Raises UsageError for a folder without such files, or with anomalies to train on.
    """
    files: list[MachineFile] = []
    for kind in _kinds(folder):
        for split in ("train", "test"):
            files += _files(kind, split, folder)
    trained = [file for file in files if file.split == "train"]
    if not trained:
        raise UsageError(f"{folder} holds no sounds to train on: expected {LAYOUT}")
    for file in trained:
        if file.is_anomaly:
            raise UsageError(f"{file.path} is an anomaly: training is on normal sounds only")
    return files


def _kinds(folder: Path) -> list[Path]:
    """Return the folders of machines: this one, or those in it."""
    if (folder / "train").is_dir():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/train"))


def _files(kind: Path, split: str, root: Path) -> list[MachineFile]:
    files = []
    for path in list_files(kind / split, SUFFIXES):
        found = _KIND.search(path.stem)
        if found is None:
            raise UsageError(f"{path} is neither normal nor anomaly by its name: expected {LAYOUT}")
        number = _MACHINE.search(path.stem)
        machine = f"{kind.name} {number.group()}" if number else kind.name
        name = path.relative_to(root).as_posix()
        files.append(MachineFile(path, name, machine, split, found[1] != "normal"))
    return files
