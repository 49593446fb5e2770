"""The normalisation of pictures that fits a network with weights of its own.

Pictures are dark, grey or bright. The class is the nearest of three centres ``c`` to the mean ``m`` of
the pixels: the score ``2 c m - c^2`` is linear in ``m``.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tinyprune.config import ImageData, ModelConfig, RunConfig
from tinyprune.config.recipe import with_values
from tinyprune.stages.train import train_baseline

LEVELS = (20.0, 128.0, 235.0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    labels = np.arange(24) % 3
    pixels = np.broadcast_to(np.array(LEVELS)[labels, None, None, None], (24, 8, 8, 3))
    path = tmp_path_factory.mktemp("pictures") / "images.npz"
    arrays = {"x_train": pixels.astype(np.uint8), "y_train": labels}
    np.savez(path, **arrays, x_dev=arrays["x_train"], y_dev=labels)
    return str(path)


def nearest(path: Path, centres: Sequence[float], *first: keras.Layer) -> str:
    """A file with the network that takes the nearest centre, behind some first layers."""
    head = layers.Dense(3)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), *first, layers.GlobalAveragePooling2D(), head]
    )
    c = np.array(centres)
    head.set_weights([np.tile(2 * c / 3, (3, 1)), -(c**2)])
    model.save(path)
    return str(path)


def train(run: Path, pictures: str, model: str, normalise: str | None = None) -> dict[str, str]:
    """Keep the weights of a file; return the data of the run."""
    data = ImageData(path=pictures, normalise=normalise, augment=False)
    train_baseline(run, RunConfig(data=data, model=ModelConfig(name=model)))
    claim = json.loads((run / "variants/baseline/variant.json").read_text())
    data_of_run: dict[str, str] = claim["data"]
    return data_of_run


def test_a_network_that_scales_its_input_gets_raw_pixels(
    tmp_path: Path, pictures: str, log_lines: list[str]
):
    model = nearest(tmp_path / "own.keras", (-0.8, 0.0, 0.8), layers.Rescaling(1 / 127.5, -1))
    data = train(tmp_path / "run", pictures, model)
    assert data["normalise"] == "none"
    assert "by 'rescaling" in log_lines[0]
    assert "dev accuracy 1.000" in log_lines[-1]
    assert (
        train(tmp_path / "run", pictures, model) == data
    )  # again: it is the one that it began with


def test_the_better_normalisation_is_taken_where_none_is_given(
    tmp_path: Path, pictures: str, log_lines: list[str]
):
    model = nearest(tmp_path / "raw.keras", LEVELS)
    assert train(tmp_path / "run", pictures, model)["normalise"] == "none"
    assert log_lines[0] == (
        "dev accuracy is 0.333 with data.normalise=standard and 1.000 with data.normalise=none, "
        "which is taken"
    )
    assert "dev accuracy 1.000" in log_lines[-1]


def test_the_better_normalisation_is_named_where_another_is_given(
    tmp_path: Path, pictures: str, log_lines: list[str]
):
    model = nearest(tmp_path / "raw.keras", LEVELS)
    assert train(tmp_path / "run", pictures, model, "unit")["normalise"] == "unit"
    assert log_lines[0].endswith("with data.normalise=none: try --set data.normalise=none")
    assert "dev accuracy 0.333" in log_lines[-1]


def test_a_network_that_does_well_keeps_the_usual_normalisation(tmp_path: Path, pictures: str):
    model = nearest(tmp_path / "usual.keras", (-1.2, 0.0, 1.2))
    assert train(tmp_path / "run", pictures, model)["normalise"] == "standard"


def test_a_command_line_leaves_the_normalisation_open():
    config = with_values(RunConfig(), {"data.name": "images", "data.path": "a.npz"})
    assert not config.data.is_settled
    assert config.data.record()["normalise"] is None
    assert (
        RunConfig().data.record()["normalise"] == "standard"
    )  # as older records of speech have it
