"""Files in folders of classes, for sounds and images alike: ``[SPLIT/]CLASS/.../FILE``."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tinyprune.errors import UsageError
from tinyprune.storage.listing import list_files

#: The split -> the names that its folder may have.
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class LabelledFile:
    """One file of a class.

    Attributes:
        path: of the file. name: its path below the folder of the data, with slashes. label: name of
            its class.
    """

    path: Path
    name: str
    label: str


#: The files of each split.
LabelledFiles = dict[str, list[LabelledFile]]


def list_splits(folder: Path, suffixes: tuple[str, ...], formats: str) -> LabelledFiles:
    """Return the files of each split, sorted; without a folder ``train/`` everything is "train".

    Folders that begin with "." or "_" are no classes. Raises UsageError for a folder without class
    folders.

    Args:
        folder: of the data. suffixes: of the files, in lower case.
        formats: such files, in words for errors, e.g. "PNG or JPEG".
    """
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise UsageError(
            f"{folder} {problem}: expected a folder with CLASS/FILE of {formats} files"
        )

    splits = {}
    for split, root in _split_roots(folder).items():
        files = _files(root, folder, suffixes)
        if not files:
            raise UsageError(
                f"folder {root} holds no CLASS/FILE of {formats} files: check the path"
            )
        splits[split] = files
    return splits


def _split_roots(folder: Path) -> dict[str, Path]:
    """Return the folder of each split; without one for training, everything is for training."""
    roots: dict[str, Path] = {}
    for split, names in SPLIT_FOLDERS.items():
        paths = [folder / name for name in names if (folder / name).is_dir()]
        if len(paths) > 1:
            raise UsageError(f"{paths[0]} and {paths[1]} are both for {split}: keep one of them")
        if paths:
            roots[split] = paths[0]
    return roots if "train" in roots else {"train": folder}


def _files(root: Path, folder: Path, suffixes: tuple[str, ...]) -> list[LabelledFile]:
    """Return the files of all classes below a root, named by their paths below the folder."""
    files = []
    for class_folder in sorted(root.iterdir()):
        if not class_folder.is_dir() or class_folder.name.startswith((".", "_")):
            continue
        for path in list_files(class_folder, suffixes):
            name = path.relative_to(folder).as_posix()
            files.append(LabelledFile(path, name, class_folder.name))
    return files


def check_known(splits: LabelledFiles) -> None:
    """Raise UsageError for a class of dev or test that training does not have."""
    known = {file.label for file in splits["train"]}
    for files in splits.values():
        for file in files:
            if file.label not in known:
                raise UsageError(
                    f"{file.path} is of class '{file.label}', which the training files do not have"
                )


def cache_key(folder: Path, files: list[LabelledFile], *settings: object) -> str:
    """Return a short text that changes with the files and the settings.

    Of the files it changes with their names, sizes, times and classes.
    """
    stats = []
    for file in files:
        stat = file.path.stat()
        stats.append((file.name, file.label, stat.st_size, stat.st_mtime_ns))
    content = repr((folder.resolve().as_posix(), stats, settings))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
