"""``images``: pictures with labels, from an ``.npz``, CIFAR-10's pickles or class folders."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.config import ImageData
from tinyprune.config.data import STANDARD
from tinyprune.data.class_numbers import checked_labels, numbered_labels
from tinyprune.data.examples import Examples
from tinyprune.data.images import arrays
from tinyprune.data.images.arrays import ImageSplits
from tinyprune.data.images.folders import read_folders
from tinyprune.data.labelled import LabelledDataset, check_classes, hold_out_examples
from tinyprune.data.moments import moments
from tinyprune.errors import UsageError

SMALLEST_SIDE = 8  # pixels of a grey image of floats without a channel axis
CROP = 4  # pixels that an image is padded by before it is cropped
#: Normalisation of bytes -> what is taken off, and what the rest is divided by.
_OF_BYTES = {"unit": (0.0, 255.0), "signed": (127.5, 127.5), "none": (0.0, 1.0)}


@dataclass(frozen=True)
class ImageFrontEnd:
    """Normalisation of pixels, ``(x - mean) / std``.

    Attributes:
        shape: (height, width, channels), or (d,) of other features.
        normalise: origin of mean and std, "standard", "unit", "signed" or "none".
        mean, std: per channel.
    """

    shape: tuple[int, ...]
    normalise: str = "standard"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def features(self, raw: np.ndarray) -> Float32Array:
        """Return features float32 (n, *shape) of pixels (n, *shape), uint8 or float."""
        mean = np.asarray(self.mean, np.float32)
        std = np.asarray(self.std, np.float32)
        return (raw.astype(np.float32) - mean) / std


def load(config: ImageData, cache: Path) -> LabelledDataset:
    """Pictures with labels: an .npz with x_train and y_train, CIFAR-10's python pickles, or folders
    CLASS/*.png.

    Decoded files go to ``cache``. Without dev data, a part of each class is held out. Raises
    UsageError for anything else.
    """
    if not config.path:
        raise UsageError(
            "the images need an .npz, CIFAR-10's folder or one with CLASS/*.png: give --path PATH"
        )
    path = Path(config.path).expanduser()
    images = _read(path, config.image_size, cache)
    classes, splits = _examples(images, path)
    if "dev" not in splits:
        splits = _hold_out(splits, config.hold_out, config.seed)

    train = splits["train"].inputs
    has_pixels = train.ndim == 4
    augment = vary if config.augment and has_pixels else None
    frontend = _front_end(train, config.normalise or STANDARD)
    return LabelledDataset(splits, classes, frontend, config.seed, augment)


def _read(path: Path, image_size: int | None, cache: Path) -> ImageSplits:
    """Return the images at a path, whichever of the three it is."""
    if not path.exists():
        raise UsageError(
            f"{path} does not exist: expected an .npz, CIFAR-10's folder or one with CLASS/*.png"
        )
    if path.is_dir():
        if not arrays.is_cifar(path):
            return read_folders(path, image_size, cache)
        images = arrays.read_cifar(path)
    elif path.suffix == ".npz":
        images = arrays.read_npz(path)
    else:
        raise UsageError(
            f"{path} is no .npz file: expected one, CIFAR-10's folder or one with CLASS/*.png"
        )

    size = images.splits["train"].pixels.shape[1:3]
    if image_size and size != (image_size, image_size):
        raise UsageError(
            f"image_size {image_size}: only image files are resized, "
            f"and {path} holds arrays of {size}"
        )
    return images


def _examples(images: ImageSplits, path: Path) -> tuple[tuple[str, ...], dict[str, Examples]]:
    """Return the classes, and the examples of each split.

    Raises UsageError for arrays that do not go together.
    """
    pixels = {}
    for split, part in images.splits.items():
        pixels[split] = _checked_pixels(part.pixels, f"{path}: x_{split}")
    labels = {}
    for split, part in images.splits.items():
        labels[split] = checked_labels(part.labels, len(part.pixels), f"{path}: y_{split}")
    classes, labels = numbered_labels(labels, images.class_names, path)
    trained = tuple(classes[label] for label in np.unique(labels["train"]))
    check_classes(trained, path)

    splits = {}
    for split, part in images.splits.items():
        splits[split] = Examples(pixels[split], labels[split], part.names)
    _check_shapes(splits, path)
    return classes, splits


def _check_shapes(splits: dict[str, Examples], path: Path) -> None:
    """Raise UsageError for splits of different shapes."""
    expected = splits["train"].inputs.shape[1:]
    for split, examples in splits.items():
        shape = examples.inputs.shape[1:]
        if shape != expected:
            raise UsageError(
                f"{path}: train and {split} are of different shapes, {expected} and {shape}"
            )


def _hold_out(splits: dict[str, Examples], fraction: float, seed: int) -> dict[str, Examples]:
    """Return the splits with a fraction of each class of training as dev."""
    others = dict(splits)
    train = others.pop("train")
    is_dev = hold_out_examples(train.labels, fraction, seed)
    return {"train": train.only(~is_dev), "dev": train.only(is_dev), **others}


def _checked_pixels(pixels: np.ndarray, name: str) -> np.ndarray:
    """Return pixels (n, height, width, channels) or features (n, d).

    They are uint8 if they are integers of a byte, else float32. Raises UsageError for an array that
    is neither, or that is empty or not finite. ``name`` is that of the array in messages.
    """
    if pixels.dtype.kind not in "buif" or pixels.ndim not in (2, 3, 4) or not pixels.size:
        raise UsageError(
            f"{name} is {pixels.dtype} of shape {pixels.shape}: "
            "expected numbers (n, height, width, channels)"
        )
    if _are_bytes(pixels):
        return np.ascontiguousarray(_with_channels(pixels), np.uint8)
    if not np.isfinite(pixels).all():
        raise UsageError(f"{name} holds NaN or infinite values")
    if pixels.ndim == 3 and (pixels.min() < 0 or min(pixels.shape[1:]) < SMALLEST_SIDE):
        raise UsageError(
            f"{name} holds floats of shape {pixels.shape}, which look like windows of sensors: "
            "train on them with --arrays FILE; or give grey images a channel axis, (n, height, "
            "width, 1)"
        )
    return np.ascontiguousarray(_with_channels(pixels), np.float32)


def _with_channels(pixels: np.ndarray) -> np.ndarray:
    """Return grey images (n, height, width) with a channel; anything else as it is."""
    return pixels[..., None] if pixels.ndim == 3 else pixels


def _are_bytes(pixels: np.ndarray) -> bool:
    """Return whether numbers are integers from 0 to 255."""
    if pixels.dtype == np.uint8:
        return True
    is_integer = pixels.dtype.kind in "bui"
    return is_integer and pixels.min() >= 0 and pixels.max() <= 255


def _front_end(pixels: np.ndarray, normalise: str) -> ImageFrontEnd:
    """Return the front end of training pixels (n, ..., channels).

    "unit" and "signed" are for bytes: floats have their range already.
    """
    channels = pixels.shape[-1]
    mean = np.zeros(channels)
    std = np.ones(channels)
    if normalise == "standard":
        mean, std = moments(pixels)
    elif pixels.dtype == np.uint8:
        offset, scale = _OF_BYTES[normalise]
        mean = np.full(channels, offset)
        std = np.full(channels, scale)
    return ImageFrontEnd(
        shape=pixels.shape[1:],
        normalise=normalise,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
    )


def vary(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return other versions of images (n, height, width, channels).

    Half of them are mirrored, and all are cropped out of a wider frame, which continues the image
    by 4 pixels on each side as a mirror does. He et al. 2016, "Deep Residual Learning for Image
    Recognition", section 4.2, have zeros there, which are no neutral grey before normalisation.
    """
    count, height, width, _ = images.shape
    is_mirrored = rng.random((count, 1, 1, 1)) < 0.5
    mirrored = np.where(is_mirrored, images[:, :, ::-1], images)
    padded = np.pad(mirrored, [(0, 0), (CROP, CROP), (CROP, CROP), (0, 0)], mode="reflect")
    tops, lefts = rng.integers(0, 2 * CROP + 1, (2, count))
    crops = []
    for image, top, left in zip(padded, tops, lefts, strict=True):
        crops.append(image[top : top + height, left : left + width])
    return np.stack(crops)
