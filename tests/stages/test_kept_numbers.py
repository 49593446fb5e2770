"""A network of numbers in a file that keeps its weights: it gives numbers in the unit of the data."""

import json

import keras
import numpy as np

from tinyprune.config import ArrayData, ModelConfig, RunConfig
from tinyprune.stages.train import train_baseline


def test_numbers_and_inputs_of_a_file_are_taken_as_they_are(tmp_path, log_lines):
    x = np.random.default_rng(0).normal([5, -300], [1, 40], (200, 2)).astype(np.float32)
    np.savez(tmp_path / "file.npz", x=x, y=x @ [100.0, 2.0] + 7)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.layers[0].set_weights([np.array([[100.0], [2.0]]), np.array([7.0])])
    network.save(tmp_path / "linear.keras")

    data = ArrayData(arrays=str(tmp_path / "file.npz"))
    model = ModelConfig(name=str(tmp_path / "linear.keras"))
    train_baseline(tmp_path / "run", RunConfig(data=data, model=model))
    assert any("baseline: dev R2 1.000" in line for line in log_lines)
    frontend = json.loads((tmp_path / "run/variants/baseline/frontend.json").read_text())
    assert (frontend["mean"], frontend["std"]) == ([0, 0], [1, 1])
    assert (frontend["output_mean"], frontend["output_std"]) == ([0], [1])
    assert frontend["normalise"] == "none"
