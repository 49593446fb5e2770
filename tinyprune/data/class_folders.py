"""Files whose class is the folder that they lie in, for sounds and images alike: ``[SPLIT/]CLASS/.../FILE``."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tinyprune.errors import UsageError

#: The split -> what its folder may be called.
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class File:
    """One file of a class.

    Attributes:
        path: of the file. name: its path below the folder of the data, with slashes. label: name of
            its class.
    """

    path: Path
    name: str
    label: str


def splits(folder: Path, suffixes: tuple[str, ...], what: str) -> dict[str, list[File]]:
    """The files of each split, sorted; without a folder ``train/`` everything is "train".

    Folders that begin with "." or "_" are no classes. Raises UsageError for a folder without class
    folders.

    Args:
        folder: of the data.
        suffixes: of the files, in lower case. what: such files, in words for errors, e.g. "PNG or
            JPEG".
    """
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise UsageError(f"{folder} {problem}: expected a folder with CLASS/FILE of {what} files")
    roots = _roots(folder)
    found = {split: _files(root, folder, suffixes) for split, root in roots.items()}
    for split, files in found.items():
        if not files:
            raise UsageError(
                f"folder {roots[split]} holds no CLASS/FILE of {what} files: check the path"
            )
    return found


def _roots(folder: Path) -> dict[str, Path]:
    """The folder of each split; where there is none for training, everything is for training."""
    roots: dict[str, Path] = {}
    for split, names in SPLIT_FOLDERS.items():
        found = [folder / name for name in names if (folder / name).is_dir()]
        if len(found) > 1:
            raise UsageError(f"{found[0]} and {found[1]} are both for {split}: keep one of them")
        if found:
            roots[split] = found[0]
    return roots if "train" in roots else {"train": folder}


def _files(root: Path, folder: Path, suffixes: tuple[str, ...]) -> list[File]:
    classes = sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
    )
    return [
        File(path, path.relative_to(folder).as_posix(), parent.name)
        for parent in classes
        for path in sorted(parent.rglob("*"))
        if path.suffix.lower() in suffixes and path.is_file()
    ]


def check_known(splits: dict[str, list[File]]) -> None:
    """Raise UsageError for a class of dev or test that training does not have."""
    known = {file.label for file in splits["train"]}
    for files in splits.values():
        for file in files:
            if file.label not in known:
                raise UsageError(
                    f"{file.path} is of class '{file.label}', which the training files do not have"
                )


def cache_key(folder: Path, files: list[File], *settings: object) -> str:
    """A short text that changes with the list of files, any of their sizes, times or classes, or a setting."""
    stats = [
        (file.name, file.label, file.path.stat().st_size, file.path.stat().st_mtime_ns)
        for file in files
    ]
    return hashlib.sha256(
        repr((folder.resolve().as_posix(), stats, settings)).encode()
    ).hexdigest()[:16]
