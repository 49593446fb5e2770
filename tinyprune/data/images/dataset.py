"""``images``: pictures with labels, from arrays in an ``.npz``, from CIFAR-10's pickles or from class folders."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.config import DataConfig
from tinyprune.data.images import arrays
from tinyprune.data.images.arrays import Found, Images
from tinyprune.data.images.folders import from_folders
from tinyprune.data.labelled import Examples, LabelledDataset, check_classes, hold_out_examples
from tinyprune.errors import UsageError

CROP = 4  # pixels that an image is padded by before it is cropped
_CHUNK = 1024


@dataclass(frozen=True)
class ImageFrontEnd:
    """Normalisation of pixels, ``(x - mean) / std``.

    Attributes:
        shape: (height, width, channels), or (d,) of other features.
        normalise: how mean and std came about, "standard", "unit" or "none".
        mean, std: per channel.
    """

    shape: tuple[int, ...]
    normalise: str = "standard"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def features(self, raw: np.ndarray) -> Float32Array:
        """Features float32 (n, *shape) of pixels (n, *shape), uint8 or float."""
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        return (raw.astype(np.float32) - mean) / std


def load(config: DataConfig, cache: Path) -> LabelledDataset:
    """Pictures with labels: an .npz with x_train and y_train, CIFAR-10's python pickles, or folders CLASS/*.png.

    Decoded files go to ``cache``. Raises UsageError for what is none of these.
    """
    if not config.path:
        raise UsageError(
            "the images need an .npz, CIFAR-10's folder or one with CLASS/*.png: give --path PATH"
        )
    path = Path(config.path).expanduser()
    found, names = _read(path, config.image_size, cache)
    pixels = {
        split: _pixels(images.pixels, f"{path}: x_{split}") for split, images in found.items()
    }
    classes, labels = _labels(path, found, names)
    check_classes(tuple({classes[label] for label in np.unique(labels["train"])}), path)
    splits = {
        split: Examples(pixels[split], labels[split], images.names)
        for split, images in found.items()
    }
    for split, examples in splits.items():
        if examples.inputs.shape[1:] != pixels["train"].shape[1:]:
            shapes = " and ".join(
                str(part.shape[1:]) for part in (pixels["train"], examples.inputs)
            )
            raise UsageError(f"{path}: train and {split} are of different shapes, {shapes}")
    if "dev" not in splits:
        held = hold_out_examples(splits["train"].labels, config.hold_out, config.seed)
        rest = {split: examples for split, examples in splits.items() if split != "train"}
        splits = {"train": splits["train"].only(~held), "dev": splits["train"].only(held), **rest}
    varied = vary if config.augment and pixels["train"].ndim == 4 else None
    return LabelledDataset(
        splits, classes, _frontend(splits["train"].inputs, config.normalise), config.seed, varied
    )


def _read(path: Path, image_size: int | None, cache: Path) -> Found:
    """What lies at a path, whichever of the three it is."""
    if not path.exists():
        raise UsageError(
            f"{path} does not exist: expected an .npz, CIFAR-10's folder or one with CLASS/*.png"
        )
    if path.is_dir() and not arrays.is_cifar(path):
        return from_folders(path, image_size, cache)
    if path.is_file() and path.suffix != ".npz":
        raise UsageError(
            f"{path} is no .npz file: expected one, CIFAR-10's folder or one with CLASS/*.png"
        )
    found = arrays.from_cifar(path) if path.is_dir() else arrays.from_npz(path)
    shape = found[0]["train"].pixels.shape[1:3]
    if image_size and shape != (image_size, image_size):
        raise UsageError(
            f"image_size {image_size}: only image files are resized, and {path} holds arrays of {shape}"
        )
    return found


def _pixels(pixels: np.ndarray, where: str) -> np.ndarray:
    """Pixels (n, height, width, channels) or features (n, d): uint8 if they are whole numbers of a byte, else float32.

    Raises UsageError for an array that is neither, or that is empty or not finite.
    """
    if pixels.dtype.kind not in "buif" or pixels.ndim not in (2, 3, 4) or not pixels.size:
        raise UsageError(
            f"{where} is {pixels.dtype} of shape {pixels.shape}: expected numbers (n, height, width, channels)"
        )
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.dtype == np.uint8 or (
        pixels.dtype.kind in "bui" and pixels.min() >= 0 and pixels.max() <= 255
    ):
        return np.ascontiguousarray(pixels, np.uint8)
    if not np.isfinite(pixels).all():
        raise UsageError(f"{where} holds NaN or infinite values")
    return np.ascontiguousarray(pixels, np.float32)


def _labels(
    path: Path, found: dict[str, Images], names: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """The classes, and the labels of each split as places in them, int64 (n,)."""
    given = {split: _flat(images, f"{path}: y_{split}") for split, images in found.items()}
    named = bool(names) and given["train"].dtype.kind != "U"
    values = np.arange(len(names)) if named else np.unique(given["train"])
    for split, labels in given.items():
        for label in labels[~np.isin(labels, values)][:1]:
            known = f"0 to {len(names) - 1}, the named classes" if named else "those of y_train"
            raise UsageError(f"{path}: y_{split} holds the label {label}: expected {known}")
    classes = names if named else tuple(map(str, values.tolist()))
    return classes, {
        split: np.searchsorted(values, labels).astype(np.int64) for split, labels in given.items()
    }


def _flat(images: Images, where: str) -> np.ndarray:
    """Labels (n,), whole numbers or texts, of (n,) or (n, 1). Raises UsageError for anything else."""
    labels = images.labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != images.pixels.shape[:1]:
        raise UsageError(
            f"{where} is of shape {images.labels.shape} for {len(images.pixels)} examples: expected one label each"
        )
    if labels.dtype.kind == "f" and np.array_equal(labels, np.round(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "buiU":
        raise UsageError(f"{where} is {labels.dtype}: expected numbers or names of classes")
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)


def _frontend(pixels: np.ndarray, normalise: str) -> ImageFrontEnd:
    """The front end of training pixels (n, ..., channels); "unit" is for bytes, what is float has its range already."""
    shape, channels = pixels.shape[1:], pixels.shape[-1]
    mean, std = np.zeros(channels), np.ones(channels)
    if normalise == "standard":
        mean, std = _moments(pixels)
    elif normalise == "unit" and pixels.dtype == np.uint8:
        std = np.full(channels, 255.0)
    return ImageFrontEnd(shape, normalise, tuple(map(float, mean)), tuple(map(float, std)))


def _moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel; the deviation of a constant one is given as 1."""
    axes, count = tuple(range(pixels.ndim - 1)), pixels.size // pixels.shape[-1]
    parts = [pixels[start : start + _CHUNK] for start in range(0, len(pixels), _CHUNK)]
    mean = sum(part.sum(axis=axes, dtype=np.float64) for part in parts) / count
    std = np.sqrt(sum(np.square(part - mean).sum(axis=axes) for part in parts) / count)
    return mean, np.where(std > 1e-6, std, 1.0)


def vary(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other versions of images (n, height, width, channels): half of them mirrored, all cropped out of a wider frame.

    The frame continues the image as a mirror does, 4 pixels on each side (He et al. 2016, "Deep
    Residual Learning for Image Recognition", section 4.2, with zeros there, which are no neutral
    grey before normalisation).
    """
    count, height, width, _ = images.shape
    mirrored = np.where(rng.random((count, 1, 1, 1)) < 0.5, images[:, :, ::-1], images)
    padded = np.pad(mirrored, [(0, 0), (CROP, CROP), (CROP, CROP), (0, 0)], mode="reflect")
    tops, lefts = rng.integers(0, 2 * CROP + 1, (2, count))
    cuts = zip(padded, tops, lefts, strict=True)
    return np.stack([image[top : top + height, left : left + width] for image, top, left in cuts])
