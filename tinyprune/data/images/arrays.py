"""Images and labels as arrays on a disk: ``.npz`` files, and CIFAR-10's pickles for Python."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.data.npz import ARRAY_NAMES, class_names, load_npz
from tinyprune.errors import UsageError

_CIFAR_SHAPE = (3, 32, 32)


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one split, as they lie on the disk.

    Attributes:
        pixels: (n, height, width) or (n, height, width, channels), or other features (n, d).
        labels: (n,) or (n, 1), numbers or names.
        names: of the files; empty for arrays.
    """

    pixels: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageSplits:
    """The splits of a data set of images.

    Attributes:
        splits: "train", and "dev" and "test" where they are there.
        class_names: of the classes, label i is the i-th; empty where the data do not say.
    """

    splits: dict[str, Images]
    class_names: tuple[str, ...] = ()


def read_npz(path: Path) -> ImageSplits:
    """Return the arrays x_train, y_train, and x_dev (x_val, ...), x_test with theirs.

    Nothing in the file is executed. Raises UsageError for a file that has no such arrays.
    """
    arrays = load_npz(path)
    splits = {}
    for split, names in ARRAY_NAMES.items():
        for name in names:
            if f"x_{name}" in arrays and f"y_{name}" in arrays:
                splits[split] = Images(arrays[f"x_{name}"], arrays[f"y_{name}"])

    if "train" not in splits or _has_single_half(arrays):
        content = ", ".join(arrays) or "no array"
        raise UsageError(
            f"{path} holds {content}: expected x_train with y_train, "
            "and where there are, x_dev with y_dev, x_test with y_test"
        )
    return ImageSplits(splits, class_names(arrays))


def _has_single_half(arrays: dict[str, np.ndarray]) -> bool:
    """Return whether an x_NAME has no y_NAME, or the other way round."""
    names = {side: set[str]() for side in ("x", "y")}
    for array_name in arrays:
        side, underscore, name = array_name.partition("_")
        if underscore and side in names:
            names[side].add(name)
    return names["x"] != names["y"]


def is_cifar(folder: Path) -> bool:
    """Return whether a folder holds CIFAR-10's batches for Python."""
    return any(folder.glob("data_batch_*"))


def read_cifar(folder: Path) -> ImageSplits:
    """Return the batches data_batch_* and test_batch of CIFAR-10.

    They are pickles; only plain values and NumPy arrays are loaded from them. Raises UsageError for
    anything else. Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    batches = [_cifar_batch(path) for path in sorted(folder.glob("data_batch_*"))]
    pixels = np.concatenate([batch.pixels for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    splits = {"train": Images(pixels, labels)}
    if (folder / "test_batch").is_file():
        splits["test"] = _cifar_batch(folder / "test_batch")

    class_names: tuple[str, ...] = ()
    if (folder / "batches.meta").is_file():
        names = _unpickled(folder / "batches.meta").get("label_names", [])
        class_names = tuple(map(_text, names))
    return ImageSplits(splits, class_names)


def _cifar_batch(path: Path) -> Images:
    """Return one batch: ``data`` (n, 3072) uint8, one colour after the other, and ``labels``."""
    batch = _unpickled(path)
    pixels = np.asarray(batch.get("data"))
    labels = np.asarray(batch.get("labels"))
    if pixels.dtype != np.uint8 or pixels.shape != (*labels.shape, np.prod(_CIFAR_SHAPE)):
        raise UsageError(
            f"{path} is no batch of CIFAR-10: expected 'data', uint8 (n, 3072), and n 'labels'"
        )
    return Images(pixels.reshape(-1, *_CIFAR_SHAPE).transpose(0, 2, 3, 1), labels)


class _ArraysOnly(pickle.Unpickler):
    """A reader of plain values and NumPy arrays.

    A pickle may name any function, and would have it called.
    """

    def find_class(self, module: str, name: str) -> Any:
        package = module.split(".")[0]
        if package == "numpy" and name in _ALLOWED:
            return _ALLOWED[name]
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return _encoded
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only arrays are loaded")


#: The names in pickles of arrays, of whatever NumPy they were made with.
_ALLOWED = {
    "_reconstruct": np.zeros(1).__reduce__()[0],
    "_frombuffer": np.zeros(1).__reduce_ex__(5)[0],
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}


def _encoded(text: str, encoding: str) -> bytes:
    """Return bytes as ``_codecs.encode`` does, of no other codec than that of bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the codec {encoding}")
    return text.encode(encoding)


def _unpickled(path: Path) -> dict[str, Any]:
    """Return the dictionary in a pickle of Python 2 or 3, with keys as text."""
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
        return {_text(key): value for key, value in content.items()}
    except Exception as error:  # any malformed content means the same to the reader
        reason = str(error) or type(error).__name__
        raise UsageError(f"{path} cannot be read as a batch of CIFAR-10 ({reason})") from error


def _text(name: Any) -> str:
    """Return a name of Python 2 or 3 as text."""
    return name.decode() if isinstance(name, bytes) else str(name)
