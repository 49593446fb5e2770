"""Images in folders ``CLASS/*.png`` or ``.jpg``, decoded once to one size and form."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.data import class_folders
from tinyprune.data.class_folders import LabelledFile, LabelledFiles
from tinyprune.data.images.arrays import Images, ImageSplits
from tinyprune.errors import UsageError
from tinyprune.storage.writing import write_arrays

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg")
_GREY = ("1", "L", "I", "F")  # how the names of Pillow's modes of one channel begin
_ORIENTATION = 0x0112  # of EXIF
_FIRST_TURNED = 5  # from this orientation on, width and height change places
_MOST_CHANNELS = 3
_MOST_BYTES = 4 * 2**30  # of the pixels of one data set, as bytes
Size = tuple[int, int]  # width, height


class _Unreadable(Exception):
    """The message of a file that is no image."""


def read_folders(folder: Path, image_size: int | None, cache: Path) -> ImageSplits:
    """Return the images of class folders, resized to the size of the first.

    ``image_size`` squared is another size. They are in colour, or grey if all are. Those that
    cannot be read are left out, with one warning. The pixels go to ``cache``. Raises UsageError for
    a folder without images.
    """
    files = class_folders.list_splits(folder, SUFFIXES, "PNG or JPEG")
    class_folders.check_known(files)
    all_files = [file for split_files in files.values() for file in split_files]
    key = class_folders.cache_key(folder, all_files, image_size)
    path = cache / f"{folder.name}-{key}.npz"
    if not path.exists():
        write_arrays(path, _decoded(folder, files, image_size))

    splits = {}
    with np.load(path, allow_pickle=False) as arrays:
        for split, split_files in files.items():
            rows = np.flatnonzero(arrays[f"{split}_kept"])
            kept = [split_files[row] for row in rows]
            splits[split] = Images(
                pixels=arrays[f"{split}_pixels"],
                labels=np.array([file.label for file in kept]),
                names=tuple(file.name for file in kept),
            )
    _check_trained(files["train"], splits["train"], folder)
    return ImageSplits(splits)


def _check_trained(files: list[LabelledFile], train: Images, folder: Path) -> None:
    """Raise UsageError for a class without a readable file for training."""
    classes = {file.label for file in files}
    missing = classes.difference(train.labels.tolist())
    if missing:
        raise UsageError(f"no image of '{min(missing)}' in {folder} can be used for training")


def _decoded(folder: Path, files: LabelledFiles, image_size: int | None) -> dict[str, np.ndarray]:
    """Return the arrays of each split: ``SPLIT_pixels`` and ``SPLIT_kept``.

    The first are the pixels of the readable images, (m, height, width, channels), the second are
    truth values (n,) of the files that they are of.
    """
    decoder = _Decoder.for_files(files, image_size)
    arrays: dict[str, np.ndarray] = {}
    for split, split_files in files.items():
        pixels = decoder.decode(split_files)
        if not len(pixels):
            problem = decoder.problems[split_files[0].name]
            raise UsageError(
                f"none of the {len(split_files)} images for {split} in {folder} can be used, "
                f"e.g. {problem}"
            )
        is_kept = [file.name not in decoder.problems for file in split_files]
        arrays[f"{split}_pixels"] = pixels
        arrays[f"{split}_kept"] = np.array(is_kept)

    if decoder.problems:
        total = sum(len(split_files) for split_files in files.values())
        first_problem = next(iter(decoder.problems.values()))
        log.warning(
            "%d of %d images in %s were left out, e.g. %s",
            len(decoder.problems),
            total,
            folder,
            first_problem,
        )
    return arrays


@dataclass(frozen=True)
class _Decoder:
    """The common form of the images of a data set.

    Attributes:
        size: (width, height). grey: True for one channel, else colour.
        problems: name of each file that cannot be read -> the reason.
    """

    size: Size
    grey: bool
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def for_files(cls, files: LabelledFiles, image_size: int | None) -> "_Decoder":
        """Return the form that the headers of the images give; nothing is decoded."""
        problems: dict[str, str] = {}
        sizes = []
        is_grey = []
        for split_files in files.values():
            for file in split_files:
                try:
                    size, grey = _read_header(file.path)
                except _Unreadable as error:
                    problems[file.name] = str(error)
                    continue
                sizes.append(size)
                is_grey.append(grey)

        size = _common_size(sizes, image_size)
        _check_memory(len(sizes), size)
        return cls(size, all(is_grey), problems)

    def decode(self, files: list[LabelledFile]) -> np.ndarray:
        """Return the pixels of the readable files, uint8 (m, height, width, channels)."""
        width, height = self.size
        channels = 1 if self.grey else 3
        pixels = np.empty((len(files), height, width, channels), np.uint8)
        count = 0
        for file in files:
            if file.name in self.problems:
                continue
            try:
                pixels[count] = self._read(file.path).reshape(pixels.shape[1:])
            except _Unreadable as error:
                self.problems[file.name] = str(error)
                continue
            count += 1
        return pixels[:count]

    def _read(self, path: Path) -> np.ndarray:
        """Decode an image."""
        from PIL import Image, ImageOps

        with _opened(path) as image:
            upright = _eight_bit(ImageOps.exif_transpose(image))
            converted = upright.convert("L" if self.grey else "RGB")
            if converted.size != self.size:
                converted = converted.resize(self.size, Image.Resampling.BILINEAR)
            return np.asarray(converted)


def _common_size(sizes: list[Size], image_size: int | None) -> Size:
    """Return the size that images are brought to; it is said where that changes some of them."""
    if image_size:
        return image_size, image_size
    if not sizes:
        return 1, 1
    different = sorted(set(sizes))
    if len(different) > 1:
        smallest, largest = different[0], different[-1]
        log.warning(
            "images of %d sizes, %dx%d to %dx%d: all are brought to %dx%d, that of the first; "
            "--image-size N makes them N x N",
            len(different),
            *smallest,
            *largest,
            *sizes[0],
        )
    return sizes[0]


def _check_memory(count: int, size: Size) -> None:
    """Raise UsageError for so many images of a size that they do not fit into memory."""
    width, height = size
    taken = count * width * height * _MOST_CHANNELS
    if taken > _MOST_BYTES:
        raise UsageError(
            f"{count} images of {width}x{height} take {taken / 2**30:.0f} GiB, and at most "
            f"{_MOST_BYTES / 2**30:.0f} are loaded: make them smaller, e.g. --image-size 96"
        )


def _read_header(path: Path) -> tuple[Size, bool]:
    """Return the (width, height) of an upright image, and whether it is grey."""
    with _opened(path) as image:
        is_turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
        size = image.size[::-1] if is_turned else image.size
        return size, image.mode.startswith(_GREY)


def _eight_bit(image: Any) -> Any:
    """Return an image of 16 bits as one of 8: Pillow would make everything above 255 white."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    high_byte = np.asarray(image).astype(np.int64) >> 8
    return Image.fromarray(high_byte.clip(0, 255).astype(np.uint8))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an image; a problem, now or while it is read, becomes one line that names the file."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:  # whatever a library says of a file is a problem of that file
        reason = str(error).partition("\n")[0]
        if isinstance(error, Image.UnidentifiedImageError):
            reason = "unknown format"
        raise _Unreadable(f"{path} is damaged, or no PNG or JPEG file ({reason})") from error
