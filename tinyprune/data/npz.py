"""Arrays in ``.npz`` and ``.npy`` files, of which nothing is executed."""

import sys
import zipfile
from pathlib import Path

import numpy as np

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.reading import check_file, check_inflation

#: Split -> what its arrays may be called, after ``x_`` or ``y_``.
ARRAY_NAMES = {"train": ("train",), "dev": ("dev", "val", "valid", "validation"), "test": ("test",)}
_EXPECTED = "expected a file of arrays"
_NAMES_OF_CLASSES = ("classes", "class_names", "label_names")


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file. Raises UsageError for a damaged file, or pickled objects."""
    check_file(path, sys.maxsize, _EXPECTED)
    if not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} is damaged, or no .npz file: "
            "expected x_train and y_train, as np.savez writes them"
        )
    try:
        _check_inflation(path)
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except TinypruneError:
        raise
    except Exception as error:  # any malformed content means the same to the reader
        if "allow_pickle" in str(error):
            raise UsageError(
                f"{path} holds pickled objects, which are not loaded: expected plain numbers"
            ) from error
        raise UsageError(
            f"{path} is damaged ({error or type(error).__name__}): expected what np.savez writes"
        ) from error


def load_npy(path: Path) -> np.ndarray:
    """Return the array of a file, memory-mapped.

    Raises UsageError for a damaged file, or pickled objects.
    """
    try:
        check_file(path, sys.maxsize, _EXPECTED)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except TinypruneError:
        raise
    except Exception as error:  # any malformed content means the same to the reader
        raise UsageError(
            f"{path} is damaged, or no .npy file of plain numbers: expected what np.save writes"
        ) from error
    if not isinstance(array, np.ndarray):
        raise UsageError(f"{path} holds several arrays: call it .npz")
    return array


def _check_inflation(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    check_inflation(str(path), size, path.stat().st_size)


def class_names(arrays: dict[str, np.ndarray], ending: str = "") -> tuple[str, ...]:
    """Return the names of the classes that arrays come with; empty where they have none.

    ``ending``: of the name of their array.
    """
    for name in _NAMES_OF_CLASSES:
        if name + ending in arrays:
            return tuple(map(str, arrays[name + ending].ravel().tolist()))
    return ()
