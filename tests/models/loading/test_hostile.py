"""Files of strangers: nothing in them is run, nothing beside them is read, and they stay small."""

import json
import os
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.loading import bounds
from tinyprune.models.loading.own import load
from tinyprune.models.loading.vetting import vetted

SECRET = b"root:x:0:0:root:/root:/bin/bash\n" * 64


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "net.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head")]).save(path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edited(good: Path, path: Path, edit, members=()) -> Path:
    """A copy of a file whose configuration has been edited, with other members beside."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                edit(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
        for name, content in members:
            new.writestr(name, content)
    return path


def dense(config: dict) -> dict:
    return config["config"]["layers"][1]


# --- names
# --------------------------------------------------------------------------------------------------

LAMBDA = {"class_name": "Lambda", "config": {"name": "x", "function": "relu"}}
BAD = {
    "a lambda": (LAMBDA, "is a Lambda, code that would run unseen"),
    "a lambda by its other name": (
        {"class_name": "Dense", "registered_name": "keras>Lambda", "config": {}},
        "is a Lambda",
    ),
    "a lambda in a layer": (
        {"class_name": "TimeDistributed", "config": {"layer": LAMBDA}},
        "is a Lambda",
    ),
    "a vocabulary": (
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd", "name": "words"}},
        "layer 'words' is a StringLookup, which runs code or reads files",
    ),
    "a graph of TensorFlow": (
        {"class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
        "is a TFSMLayer",
    ),
    "a type by its module": (
        {"class_name": "__typespec__", "spec_name": "Popen", "module": "subprocess", "config": []},
        "is a __typespec__",
    ),
    "a module": (
        {"module": "os", "class_name": "Dense", "config": {}},
        "wants to import 'os', which is not Keras",
    ),
    "a function of a module": (
        {"module": "os", "class_name": "function", "config": "system"},
        "uses 'system', which Keras does not know",
    ),
    "a function of Keras that loads a file": (
        {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        "uses 'get_file', which Keras does not know",
    ),
    "a class of Keras that saves a file": (
        {"module": "keras.callbacks", "class_name": "ModelCheckpoint", "config": {}},
        "uses 'ModelCheckpoint', which Keras does not know",
    ),
    "an operation that reads": (
        {"class_name": "TFOpLambda", "config": {"function": "io.read_file", "name": "x"}},
        r"tf.io.read_file of Keras 2 has no layer",
    ),
    "a name that is none": ({"class_name": ["Dense"], "config": {}}, "is no name of a class"),
}


@pytest.mark.parametrize(("table", "line"), BAD.values(), ids=BAD)
def test_a_name_that_is_more_than_data_is_refused(table, line):
    config = {"class_name": "Sequential", "config": {"layers": [table]}}
    with pytest.raises(UsageError, match=line):
        vetted(json.dumps(config), {}, frozenset())


def test_what_only_a_training_needs_is_not_looked_at():
    config = {
        "class_name": "Sequential",
        "config": {"layers": []},
        "compile_config": {"loss": {"class_name": "function", "config": "my_loss"}},
    }
    vetted(json.dumps(config), {}, frozenset())


def test_what_the_user_named_may_stand_there():
    table = {"class_name": "Mine", "module": "mine", "registered_name": "Mine", "config": {}}
    text = json.dumps({"class_name": "Sequential", "config": {"layers": [table]}})
    with pytest.raises(UsageError, match="'Mine', which Keras does not know: add --custom"):
        vetted(text, {}, frozenset())
    vetted(text, {"Mine": keras.layers.Dense}, frozenset())


@pytest.mark.parametrize("text", ["", "null", "[" * 100_000, b"\xff\xfe\x00", "1" * 10_000])
def test_a_configuration_that_is_none(text):
    with pytest.raises(UsageError, match="its configuration is damaged"):
        vetted(text, {}, frozenset())


def test_a_file_with_such_a_name_is_refused(good, tmp_path):
    def disguised(config):
        dense(config)["registered_name"] = "keras>Lambda"

    assert "is a Lambda" in refusal(edited(good, tmp_path / "a.keras", disguised))


# --- what is in other files
# --------------------------------------------------------------------------------------------------


def whole_h5(path: Path) -> Path:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head")]).save(path)
    return path


def test_a_link_to_another_file_is_not_followed(tmp_path):
    other = whole_h5(tmp_path / "other.h5")
    path = whole_h5(tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        del file["model_weights/head"]
        file["model_weights/head"] = h5py.ExternalLink(str(other), "/model_weights/head")
    assert "is a link to another file" in refusal(path)


def test_an_array_in_another_file_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", (4, 2), "f4", external=[(str(secret), 0, 32)])
    assert "the numbers of '//kernel' are in another file" in refusal(path)


def test_links_in_a_circle_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("a")["again"] = file["/"]
    bounds.check_hdf5(tmp_path / "a.h5")


def test_a_member_that_would_be_written_outside(good, tmp_path):
    path = edited(good, tmp_path / "a.keras", lambda config: None, [("../../x", b"")])
    assert "'../../x' in it would be written outside" in refusal(path)


# --- sizes
# --------------------------------------------------------------------------------------------------


def test_an_archive_that_inflates_to_3_gb_is_not_unpacked(good, tmp_path):
    """The sizes of the directory are what is believed and the most that is read: 3 GiB are said."""
    path = edited(good, tmp_path / "a.keras", lambda config: None, [("assets/zeros", b"0" * 9)])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"assets/zeros"))
    content[place + 24 : place + 28] = (3 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    assert "takes 3,072 MiB, the most that is read is 768 MiB" in refusal(path)


def test_arrays_that_are_larger_than_their_file_are_not_read(tmp_path):
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", (2**31, 2**31), "f4", chunks=(64, 64))
    assert path.stat().st_size < 10_000
    assert "the most that is read is 768 MiB" in refusal(path)


def test_a_layer_of_a_billion_units_is_not_made(good, tmp_path):
    def wide(config):
        dense(config)["config"]["units"] = 2**31

    message = refusal(edited(good, tmp_path / "a.keras", wide))
    assert "with layer 'head' the network takes" in message


def repeat(count: int) -> keras.Model:
    features = keras.Input((4,))
    return keras.Model(features, keras.layers.RepeatVector(count, name="again")(features))


def test_layers_that_make_a_billion_numbers_of_four(tmp_path):
    path = tmp_path / "net.keras"
    repeat(2**30).save(path)
    assert refusal(path) == (
        f"{path}: layer 'again' makes ?x1073741824x4: "
        "the layers take more than 1,024 MiB for one example"
    )


def test_what_is_inside_of_a_model_in_a_model_counts(tmp_path):
    path = tmp_path / "net.keras"
    features = keras.Input((4,))
    keras.Model(features, repeat(2**27)(features)).save(path)
    assert "layer 'again' makes ?x134217728x4" in refusal(path)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.keras")
    assert "is a FIFO or a device, no file" in refusal(tmp_path / "a.keras")


def test_weights_that_are_nan(tmp_path):
    path = whole_h5(tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        kernels = []
        file.visititems(lambda name, found: kernels.append(name) if "kernel" in name else None)
        file[kernels[-1]][0, 0] = np.nan
    assert "head/kernel' are NaN or infinite" in refusal(path)
