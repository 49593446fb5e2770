import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.loading import keras2
from tinyprune.models.loading.own import load

SAVE_WITH_KERAS_2 = Path(__file__).with_name("save_with_keras2.py")

NETWORKS = ["dense", "conv", "branches", "lstm", "wrapped", "nested", "late", "whole", "operations"]


@pytest.fixture(scope="session")
def old_files(tmp_path_factory: pytest.TempPathFactory, layers_of_mine: str) -> Path:
    """A folder of models that Keras 2 saved, with the module of their custom layer."""
    folder = tmp_path_factory.mktemp("keras2")
    (folder / "layers_of_mine.py").write_text(layers_of_mine)
    environment = {
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(folder),
    }
    done = subprocess.run(
        [sys.executable, SAVE_WITH_KERAS_2],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def assert_same_outputs(model: keras.Model, recorded: Path) -> None:
    data = np.load(recorded)
    found = np.asarray(model(data["x"]))
    assert found.shape == data["y"].shape
    np.testing.assert_allclose(found, data["y"], rtol=1e-5, atol=1e-5)
    assert np.ptp(found) > 0.01


def refusal(source: str | Path, custom: tuple[str, ...] = ()) -> str:
    with pytest.raises(UsageError) as caught:
        load(str(source), custom)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- Keras 2
# ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("name", [*NETWORKS, "sequential", "built"])
def test_a_model_of_keras_2_keeps_its_outputs(old_files, name, suffix):
    model = load(str(old_files / f"{name}{suffix}"))
    assert type(model).__module__.startswith("keras.")
    assert_same_outputs(model, old_files / f"{name}.npz")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_custom_layer_of_keras_2(old_files, here, suffix):
    path = old_files / f"mine{suffix}"
    assert_same_outputs(load(str(path), ("layers_of_mine",)), old_files / "mine.npz")
    message = refusal(path)
    assert str(path) in message
    assert "'Scale', which Keras does not know: add --custom package.module" in message


@pytest.mark.slow
def test_layers_keep_their_names_and_the_file_stays(old_files):
    path = old_files / "conv.h5"
    before = path.read_bytes()
    names = [layer.name for layer in load(str(path)).layers]
    with h5py.File(path) as file:
        saved = [
            layer["config"]["name"]
            for layer in json.loads(file.attrs["model_config"])["config"]["layers"]
        ]
    assert names == saved
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_tensorflow_operation_is_a_layer(old_files):
    assert load(str(old_files / "conv.h5")).get_layer("tf.nn.relu6").max_value == 6
    kinds = {type(layer).__name__ for layer in load(str(old_files / "operations.h5")).layers}
    assert kinds >= {
        "ZeroPadding2D",
        "LeakyReLU",
        "Rescaling",
        "Add",
        "Multiply",
        "Subtract",
        "Concatenate",
        "Softmax",
    }


@pytest.mark.slow
def test_an_operation_without_a_layer_is_named(old_files):
    assert "__operators__.getitem" in refusal(old_files / "sliced.h5")


@pytest.mark.slow
def test_hdf5_under_the_name_keras(old_files, tmp_path):
    """As Keras before 2.12 saved it."""
    path = tmp_path / "dense.keras"
    path.write_bytes((old_files / "dense.h5").read_bytes())
    assert_same_outputs(load(str(path)), old_files / "dense.npz")


@pytest.mark.slow
def test_names_of_classes_before_keras_2_3(old_files, tmp_path):
    path = tmp_path / "nested.h5"
    path.write_bytes((old_files / "nested.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"Functional"', '"Model"')
        file.attrs["keras_version"] = "2.2.4"
    assert_same_outputs(load(str(path)), old_files / "nested.npz")


# --- Keras 3
# ----------------------------------------------------------------------------------------------------------


def functional() -> keras.Model:
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 3), keras.layers.ReLU(6.0)]
    )
    inputs = keras.Input((4, 4, 2))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inner(inputs))))


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5", ".H5"])
def test_a_model_of_keras_3_keeps_its_outputs(tmp_path, suffix):
    model, path = functional(), tmp_path / f"net{suffix}"
    model.compile("adam", "mse")
    model.save(tmp_path / f"net{suffix.lower()}")
    (tmp_path / f"net{suffix.lower()}").rename(path)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype(np.float32)
    found = load(str(path))
    np.testing.assert_allclose(found(x), model(x), atol=1e-6)
    assert not found.compiled


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_objects_of_keras_3(here, suffix):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(here)
        from layers_of_mine import Scale, double

        model = keras.Sequential(
            [keras.Input((4,)), Scale(3.0), keras.layers.Dense(2, activation=double)]
        )
        model.save(f"net{suffix}")
    del sys.modules["layers_of_mine"]
    (here / "layers_of_mine.py").rename(here / "renamed.py")
    assert "'Scale', which Keras does not know" in refusal(f"net{suffix}")
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(load(f"net{suffix}", ("renamed",))(x), model(x), atol=1e-6)


# --- files that are no models
# -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("none.keras", "there is no file"),
        (
            "none.onnx",
            "is no model: expected a file (.keras, .h5, .hdf5) or package.module:function",
        ),
        ("", "is a folder"),
        ("weights.h5", "weights only: save the whole model"),
        ("new.weights.h5", "weights only: save the whole model"),
        ("lambda.h5", "is a Lambda, code that would run unseen"),
        ("lambda.keras", "is a Lambda, code that would run unseen"),
    ],
)
def test_a_file_that_is_no_model(old_files, name, part):
    assert part in refusal(old_files / name)


def test_a_lambda_of_keras_3(tmp_path):
    path = tmp_path / "net.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1, name="plus")]).save(
        path
    )
    assert "layer 'plus' is a Lambda" in refusal(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file(tmp_path, suffix, share):
    path = tmp_path / f"net{suffix}"
    functional().save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "damaged or truncated" in refusal(path)


def test_a_zip_that_is_no_model(tmp_path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert "no Keras model: it contains no metadata.json and no model.weights.h5" in refusal(path)


def test_hdf5_that_is_no_model(tmp_path):
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["data"] = [1, 2]
    assert "HDF5, but no Keras model" in refusal(tmp_path / "net.h5")


@pytest.mark.parametrize("config", ["{", "{}", "3", '{"class_name": "Functional", "config": {}}'])
@pytest.mark.parametrize("version", ["2.15.0", "3.5.0", "x"])
def test_a_configuration_that_makes_no_sense(tmp_path, config, version):
    path = tmp_path / "net.keras"
    functional().save(path)
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    assert str(path) in refusal(path)


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_hard_sigmoid_of_keras_2_is_another_function(is_wrapped, tmp_path):
    layer = {
        "class_name": "LSTM",
        "config": {"name": "old", "units": 2, "recurrent_activation": "hard_sigmoid"},
    }
    if is_wrapped:
        layer = {"class_name": "Bidirectional", "config": {"name": "both", "layer": layer}}
    network = {"class_name": "Sequential", "config": {"name": "network", "layers": [layer]}}
    with pytest.raises(UsageError) as caught:
        keras2.load(network, tmp_path / "none.h5", {})
    assert str(caught.value) == (
        "layer 'old' of Keras 2 sets recurrent_activation=hard_sigmoid, which is 0.2 x + 0.5 there "
        "and x / 6 + 0.5 in Keras 3: train the network with Keras 3, or with sigmoid"
    )
