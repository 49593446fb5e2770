"""Small images: arrays, an ``.npz``, class folders, and the data set of a path."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyprune.config import ImageData
from tinyprune.data.images.dataset import load
from tinyprune.errors import UsageError


def pixels(count, size=8, channels=3, seed=0):
    return np.random.default_rng(seed).integers(
        0, 256, (count, size, size, channels), dtype=np.uint8
    )


def arrays(count=30, classes=3, **more):
    return {"x_train": pixels(count), "y_train": np.arange(count) % classes} | more


def npz(folder, **content):
    np.savez(folder / "images.npz", **content)
    return folder / "images.npz"


def dataset(path, **settings):
    cache = Path(path).parent / "cache"
    return load(ImageData(**({"path": str(path)} | settings)), cache)


def message(path, **settings):
    with pytest.raises(UsageError) as caught:
        dataset(path, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sizes(data):
    return {name: len(part) for name, part in data.splits.items()}


# --- class folders


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.squeeze()).save(path)
    return path


def folders(folder, classes=("cat", "dog"), count=10, **how):
    for number, name in enumerate(classes):
        for index, image in enumerate(pixels(count, seed=number, **how)):
            save(folder / name / f"{index}.png", image)
    return folder
