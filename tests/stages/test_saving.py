import time
import zipfile

import keras
import numpy as np

from tinyprune.stages.saving import save_network


def network(seed):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(4, name="hidden"), keras.layers.Dense(2, name="head")]
    return keras.Sequential([keras.Input((3,), name="input"), *layers], name="tiny")


def saved(folder, seed):
    folder.mkdir()
    model = network(seed)
    assert save_network(model, folder) == ["model.keras", "size.json"]
    return model, (folder / "model.keras").read_bytes()


def test_the_same_weights_are_the_same_bytes(tmp_path):
    _, first = saved(tmp_path / "first", 0)
    time.sleep(2.1)  # times in an archive are of two seconds
    _, second = saved(tmp_path / "second", 0)
    _, other = saved(tmp_path / "other", 1)
    assert first == second
    assert first != other


def test_the_network_comes_back(tmp_path):
    model, _ = saved(tmp_path / "run", 0)
    loaded = keras.models.load_model(tmp_path / "run/model.keras")
    for before, after in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    with zipfile.ZipFile(tmp_path / "run/model.keras") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
