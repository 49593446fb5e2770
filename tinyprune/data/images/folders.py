"""Images in folders ``CLASS/*.png`` or ``.jpg``: decoded once, to one size and one number of channels."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.data import class_folders
from tinyprune.data.class_folders import File
from tinyprune.data.images.arrays import Found, Images
from tinyprune.errors import UsageError
from tinyprune.storage.writing import write_arrays

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg")
_GREY = ("1", "L", "I", "F")  # how the names of Pillow's modes of one channel begin
_ORIENTATION, _FIRST_TURNED = 0x0112, 5  # of EXIF: from 5 on, width and height change places
Size = tuple[int, int]


class _Unreadable(Exception):
    """The message of a file that is no image."""


def from_folders(folder: Path, image_size: int | None, cache: Path) -> Found:
    """The images of class folders, resized to the size of the first, or to ``image_size`` squared.

    In colour, or grey if all are. What cannot be read is left out, with one warning. The pixels go
    to ``cache``. Raises UsageError for a folder without images.
    """
    splits = class_folders.splits(folder, SUFFIXES, "PNG or JPEG")
    class_folders.check_known(splits)
    everything = [file for files in splits.values() for file in files]
    path = cache / f"{folder.name}-{class_folders.cache_key(folder, everything, image_size)}.npz"
    if not path.exists():
        write_arrays(path, _decoded(folder, splits, image_size))
    found = {}
    with np.load(path, allow_pickle=False) as arrays:
        for split, files in splits.items():
            kept = [file for file, good in zip(files, arrays[f"{split}_kept"], strict=True) if good]
            labels, names = (
                np.array([file.label for file in kept]),
                tuple(file.name for file in kept),
            )
            found[split] = Images(arrays[f"{split}_pixels"], labels, names)
    for label in sorted(
        {file.label for file in splits["train"]} - set(found["train"].labels.tolist())
    ):
        raise UsageError(f"no image of '{label}' in {folder} can be used for training")
    return found, ()


def _decoded(
    folder: Path, splits: dict[str, list[File]], image_size: int | None
) -> dict[str, np.ndarray]:
    """Of each split the pixels of what can be read, (m, height, width, channels), and which files those are, (n,)."""
    bad: dict[str, str] = {}
    headers = [
        header for files in splits.values() for file in files if (header := _header(file, bad))
    ]
    grey = all(is_grey for is_grey, _ in headers)
    size = (image_size, image_size) if image_size else next((found for _, found in headers), (1, 1))
    arrays: dict[str, np.ndarray] = {}
    for split, files in splits.items():
        pixels = np.empty((len(files), size[1], size[0], 1 if grey else 3), np.uint8)
        count = 0
        for file in files:
            if file.name not in bad and _read(file, grey, size, pixels[count], bad):
                count += 1
        if not count:
            first = next(bad[file.name] for file in files)
            raise UsageError(
                f"none of the {len(files)} images for {split} in {folder} can be used, e.g. {first}"
            )
        arrays[f"{split}_pixels"] = pixels[:count]
        arrays[f"{split}_kept"] = np.array([file.name not in bad for file in files])
    if bad:
        total = sum(map(len, splits.values()))
        log.warning(
            "%d of %d images in %s were left out, e.g. %s",
            len(bad),
            total,
            folder,
            next(iter(bad.values())),
        )
    return arrays


def _header(file: File, bad: dict[str, str]) -> tuple[bool, Size] | None:
    """Whether an image is grey, and its (width, height) as it is to be seen; nothing is decoded."""
    try:
        with _opened(file.path) as image:
            turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
            return image.mode.startswith(_GREY), image.size[::-1] if turned else image.size
    except _Unreadable as error:
        bad[file.name] = str(error)
        return None


def _read(file: File, grey: bool, size: Size, pixels: np.ndarray, bad: dict[str, str]) -> bool:
    """Decode an image into ``pixels`` (height, width, channels)."""
    from PIL import Image, ImageOps

    try:
        with _opened(file.path) as image:
            eight_bit = _eight_bit(ImageOps.exif_transpose(image)).convert("L" if grey else "RGB")
            resized = (
                eight_bit
                if eight_bit.size == size
                else eight_bit.resize(size, Image.Resampling.BILINEAR)
            )
            pixels[...] = np.asarray(resized).reshape(pixels.shape)
    except _Unreadable as error:
        bad[file.name] = str(error)
    return file.name not in bad


def _eight_bit(image: Any) -> Any:
    """An image of 16 bits as one of 8: Pillow itself would make everything above 255 white."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = (
            "unknown format"
            if isinstance(error, Image.UnidentifiedImageError)
            else str(error).splitlines()[0]
        )
        raise _Unreadable(f"{path} is damaged, or no PNG or JPEG file ({reason})") from error
