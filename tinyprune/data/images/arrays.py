"""Images and labels as arrays on a disk: ``.npz`` files, and CIFAR-10's pickles for Python."""

import pickle
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.errors import UsageError

ARRAY_NAMES = {"train": ("train",), "dev": ("dev", "val", "valid", "validation"), "test": ("test",)}
_CIFAR_SHAPE = (3, 32, 32)
_NAMES_OF_CLASSES = ("classes", "class_names", "label_names")


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one split, as they were found.

    Attributes:
        pixels: (n, height, width) or (n, height, width, channels), or other features (n, d).
        labels: (n,) or (n, 1), numbers or names.
        names: of the files; empty for arrays.
    """

    pixels: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] = ()


#: The splits, and the names of the classes where the data say them: label i is the i-th.
Found = tuple[dict[str, Images], tuple[str, ...]]


def from_npz(path: Path) -> Found:
    """The arrays x_train, y_train, and x_dev (x_val, ...), x_test with theirs where they are there.

    Nothing in the file is executed. Raises UsageError for a file that has no such arrays.
    """
    if not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} is damaged, or no .npz file: expected x_train and y_train, as np.savez writes them"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise UsageError(
                f"{path} holds pickled objects, which are not loaded: expected plain numbers"
            ) from error
        raise UsageError(
            f"{path} is damaged ({error or type(error).__name__}): expected what np.savez writes"
        ) from error
    found = {
        split: Images(arrays[f"x_{name}"], arrays[f"y_{name}"])
        for split, names in ARRAY_NAMES.items()
        for name in names
        if f"x_{name}" in arrays and f"y_{name}" in arrays
    }
    halves = [
        name
        for name in arrays
        if name[:2] in ("x_", "y_") and "yx"["xy".index(name[0])] + name[1:] not in arrays
    ]
    if "train" not in found or halves:
        has = ", ".join(arrays) or "no array"
        raise UsageError(
            f"{path} holds {has}: expected x_train with y_train, "
            "and where there are, x_dev with y_dev, x_test with y_test"
        )
    names = next((arrays[name] for name in _NAMES_OF_CLASSES if name in arrays), np.array([]))
    return found, tuple(map(str, names.ravel().tolist()))


def is_cifar(folder: Path) -> bool:
    """Whether a folder holds CIFAR-10's batches for Python."""
    return any(folder.glob("data_batch_*"))


def from_cifar(folder: Path) -> Found:
    """The batches data_batch_* and test_batch of CIFAR-10 (Krizhevsky 2009, "Learning Multiple Layers of Features").

    They are pickles; only plain values and NumPy arrays are loaded from them. Raises UsageError for
    anything else.
    """
    found = {"train": _joined([_cifar_batch(path) for path in sorted(folder.glob("data_batch_*"))])}
    if (folder / "test_batch").is_file():
        found["test"] = _cifar_batch(folder / "test_batch")
    names: tuple[str, ...] = ()
    if (folder / "batches.meta").is_file():
        known = _unpickled(folder / "batches.meta").get("label_names", [])
        names = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in known)
    return found, names


def _joined(batches: list[Images]) -> Images:
    pixels, labels = (
        np.concatenate(parts)
        for parts in zip(*((b.pixels, b.labels) for b in batches), strict=True)
    )
    return Images(pixels, labels)


def _cifar_batch(path: Path) -> Images:
    """One batch: ``data`` (n, 3072) uint8, one colour after the other, and ``labels``, a list."""
    batch = _unpickled(path)
    pixels, labels = np.asarray(batch.get("data")), np.asarray(batch.get("labels"))
    if pixels.dtype != np.uint8 or pixels.shape != (*labels.shape, np.prod(_CIFAR_SHAPE)):
        raise UsageError(
            f"{path} is no batch of CIFAR-10: expected 'data', uint8 (n, 3072), and n 'labels'"
        )
    return Images(pixels.reshape(-1, *_CIFAR_SHAPE).transpose(0, 2, 3, 1), labels)


class _ArraysOnly(pickle.Unpickler):
    """Loads plain values and NumPy arrays: a pickle may name any function, and would have it called."""

    def find_class(self, module: str, name: str) -> Any:
        package = module.split(".")[0]
        if package == "numpy" and name in _ALLOWED:
            return _ALLOWED[name]
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return _encoded
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only arrays are loaded")


#: What pickles of arrays name, whatever NumPy they were made with.
_ALLOWED = {
    "_reconstruct": np.zeros(1).__reduce__()[0],
    "_frombuffer": np.zeros(1).__reduce_ex__(5)[0],
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}


def _encoded(text: str, encoding: str) -> bytes:
    """What ``_codecs.encode`` does for bytes, and no other codec."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the codec {encoding}")
    return text.encode(encoding)


def _unpickled(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle of Python 2 or 3, with keys as text."""
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
        return {
            key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()
        }
    except Exception as error:  # any malformed content means the same to the reader
        raise UsageError(
            f"{path} cannot be read as a batch of CIFAR-10 ({str(error) or type(error).__name__})"
        ) from error
