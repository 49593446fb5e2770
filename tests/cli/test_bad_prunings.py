"""Prunings, models and labelled data that cannot be: one line that says why, and nothing is left of them."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.support.own_network import write_images
from tinyprune.cli import main

WRONG_USAGE, CHECK_FAILED = 2, 3


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_of(result, exit_code=WRONG_USAGE):
    """The one line on stderr."""
    assert result.exit_code == exit_code, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines(keepends=True)
    line = "".join(line for line in lines if not line.startswith("held out for dev: "))
    assert re.fullmatch(r"error: .+\n", line), result.stderr
    assert len(line) < 700
    return line.removeprefix("error: ").rstrip("\n")


def files(folder: Path) -> dict[Path, int]:
    """All files and folders with their times of change, but for the lock."""
    return {
        path: path.stat().st_mtime_ns if path.is_file() else 0
        for path in folder.rglob("*")
        if path.name != ".lock" and "data" not in path.relative_to(folder).parts
    }


# --- prunings of a run
# ------------------------------------------------------------------------------------------------


@pytest.fixture
def unchanged(image_run) -> Callable[..., str]:
    """The error of a command line on the run on pictures, which is as it was afterwards."""

    def error(*arguments, exit_code=WRONG_USAGE):
        before = files(image_run.folder)
        line = error_of(invoke(*arguments, "--run", image_run.folder), exit_code)
        assert files(image_run.folder) == before
        return line

    return error


@pytest.mark.parametrize("more", [(), ("--show-plan",)])
def test_a_block_that_is_larger_than_every_kernel(unchanged, more):
    line = unchanged("prune", "--structure", "block", "--block-size", "64x64", *more)
    assert line.startswith(
        "model 'tiny' has nothing to prune (stem/kernel: a block of 64x64 is larger than the kernel "
    )


def test_a_run_of_more_inputs_than_any_kernel_has_is_one_run(image_run):
    result = invoke("prune", "--structure", "20:32", "--show-plan", "--run", image_run.folder)
    assert result.exit_code == 0
    assert "last run of 24 inputs padded to 32" in result.stdout
    assert "skipped pointwise/kernel: 16 inputs: no run of 32 to choose 20 of" in result.stdout


@pytest.mark.parametrize("more", [(), ("--show-plan",)])
def test_a_run_that_no_kernel_has_the_inputs_for(unchanged, more):
    line = unchanged("prune", "--structure", "30:32", *more)
    assert line.startswith(
        "model 'tiny' has nothing to prune (stem/kernel: 3 inputs: no run of 32 to choose 30 of; "
    )


@pytest.mark.parametrize("name", ["gone", "block-0.80"])
def test_a_base_that_is_not_there(unchanged, name):
    line = unchanged("prune", "--from", name)
    assert line.startswith(f"no finished variant '{name}' in ")
    assert ": it has baseline, weight-0.50, " in line


def test_a_base_that_no_folder_can_be(unchanged):
    assert unchanged("prune", "--from", "../up").startswith(
        "'../up' cannot be the name of a variant: "
    )


def test_a_base_without_a_keras_model(unchanged):
    for more in ((), ("--show-plan",)):
        line = unchanged("prune", "--from", "offline-weight-0.80", *more)
        assert line.startswith(
            "variant 'offline-weight-0.80' was pruned offline and has no Keras model: "
        )


@pytest.mark.parametrize("more", [(), ("--show-plan",)])
def test_an_exclusion_that_fits_nothing(unchanged, more):
    line = unchanged("prune", "--exclude", "haed", *more)
    assert line == (
        "no kernel is called 'haed': the network has stem/kernel, depthwise/kernel, pointwise/kernel, head/kernel"
    )


def test_an_exclusion_of_everything(unchanged):
    line = unchanged("prune", "--exclude", "*")
    assert (
        line
        == "model 'tiny' has nothing to prune (stem/kernel: excluded; depthwise/kernel: excluded)"
    )


@pytest.mark.slow
def test_a_later_level_that_cannot_be_leaves_the_earlier_ones(image_run_copy):
    arguments = ("--sparsity", "0.1", "--epochs", 1, "--then", "block", "--block-size", "64x64")
    line = error_of_last(invoke("prune", *arguments, "--run", image_run_copy))
    assert "has nothing to prune" in line
    assert (image_run_copy / "variants/weight-0.10/int8.tflite").exists()
    assert not (image_run_copy / "variants/weight-0.10-block-64x64-0.80").exists()


def error_of_last(result):
    assert result.exit_code == WRONG_USAGE
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


# --- the offline control
# ----------------------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path) -> Callable[..., str]:
    """The error of ``--offline`` on a file; no new file is left beside it."""

    def error(path, *more):
        folder = path.parent
        before = files(folder)
        line = error_of(invoke("prune", "--run", tmp_path / "run", "--offline", path, *more))
        assert files(folder) == before
        assert not (tmp_path / "run").exists()
        return line

    return error


def test_offline_without_a_file(offline, tmp_path):
    path = tmp_path / "gone.tflite"
    assert offline(path) == f"{path} does not exist: expected a .tflite file"


def test_offline_with_a_float_network(offline, networks):
    line = offline(networks.dense_float())
    assert "float32" in line
    assert "export it as int8 first (tinyprune export)" in line


def test_offline_with_something_else(offline, tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("no flatbuffer " * 100)
    assert offline(path).startswith(f"{path} is not a TFLite file")


def test_offline_with_units(offline, networks):
    assert offline(networks.dense(), "--structure", "unit").startswith(
        "structure 'unit' removes channels, which a "
    )


def test_offline_with_gradients(offline, networks):
    line = offline(networks.dense(), "--importance", "taylor")
    assert line == (
        "importance 'taylor' needs training data, --offline has none: "
        "expected one of: l1, l2, lamp, relative"
    )


def test_offline_with_a_block_that_is_too_large(offline, networks):
    line = offline(networks.dense(), "--structure", "block", "--block-size", "64x64")
    assert "a block of 64x64 is larger than the kernel of shape (16, 32)" in line


def test_offline_over_its_own_input(offline, networks):
    path = networks.dense()
    assert offline(path, "-o", path).startswith(
        f"{path} is the file to prune, which is never overwritten"
    )


@pytest.mark.parametrize(
    "more", [("--structure", "unit"), ("--structure", "block", "--block-size", "64x64")]
)
def test_offline_on_a_graph_of_the_run(unchanged, image_run, more):
    unchanged(
        "prune",
        "--offline",
        image_run.folder / "variants/baseline/int8.tflite",
        "--name",
        "control",
        *more,
    )


# --- networks of one's own
# --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("data") / "images.npz")


@pytest.fixture
def refused(images, tmp_path) -> Callable[..., str]:
    """The error of a training on pictures, which leaves no variant."""

    def error(*arguments, path=images, data="images"):
        run = tmp_path / "run"
        few = ("--epochs", 1, "--batch-size", 8)
        line = error_of(
            invoke("train", "--run", run, "--data", data, "--path", path, *few, *arguments)
        )
        assert files(run) == {}
        return line

    return error


def write_net(folder: Path, layers: str, inputs: str = "(8, 8, 3)") -> None:
    text = f"import keras\nfrom keras import layers\n\n\ndef build():\n    inputs = keras.Input({inputs})\n"
    text += "".join(f"    x = {layer}\n" for layer in layers.splitlines())
    (folder / "odd_net.py").write_text(text + "    return keras.Model(inputs, x, name='odd')\n")


@pytest.fixture
def net(tmp_path, monkeypatch) -> Callable[..., str]:
    """Writes a module with a network; its source for ``--model``."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_net", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(*arguments):
        write_net(tmp_path, *arguments)
        return "odd_net:build"

    yield write
    sys.modules.pop("odd_net", None)


POOLED = "layers.GlobalAveragePooling2D()(x)\nlayers.Dense({})(x)"


@pytest.mark.parametrize(
    ("layers", "inputs", "line"),
    [
        (
            "layers.Conv2D(8, 3)(inputs)\n" + POOLED.format(3),
            "(9, 9, 3)",
            "model 'odd' takes inputs of shape (9, 9, 3): the data have (8, 8, 3)",
        ),
        (
            "layers.Dense(3)(inputs)",
            "(10,)",
            "model 'odd' takes inputs of shape (10,): the data have (8, 8, 3)",
        ),
        (
            "layers.Conv2D(8, 3)(inputs)\n" + POOLED.format(4),
            "(8, 8, 3)",
            "model 'odd' gives outputs of shape (4,): the data need (3,)",
        ),
        (
            "layers.Dense(3)(inputs)",
            "(8, 8, 3)",
            "model 'odd' gives outputs of shape (8, 8, 3): the data need (3,)",
        ),
        (
            "layers.Reshape((64, 3))(inputs)\nlayers.RNN(layers.SimpleRNNCell(8))(x)\nlayers.Dense(3)(x)",
            "(8, 8, 3)",
            "RNN layer 'rnn",
        ),
    ],
    ids=["size", "axes", "classes", "output", "recurrent"],
)
def test_a_network_that_does_not_fit(refused, net, layers, inputs, line):
    assert refused("--model", net(layers, inputs)).startswith(line)


def test_a_network_without_a_kernel(images, net, tmp_path):
    """It can be trained, as far as there is anything, exported and compiled; but there is nothing to prune."""
    source = net("layers.GlobalAveragePooling2D()(inputs)")
    run = tmp_path / "run"
    command = ("train", "--run", run, "--data", "images", "--path", images, "--model", source)
    assert invoke(*command, "--epochs", 1, "--batch-size", 8).exit_code == 0
    before = files(run)
    line = error_of(invoke("prune", "--run", run))
    assert line == "model 'odd' has nothing to prune (no Dense, convolution, LSTM or GRU layers)"
    assert files(run) == before
    shown = invoke("export", "--run", run)
    assert (shown.exit_code, shown.stdout.splitlines()[-1].split()[:3]) == (
        0,
        ["baseline", "int8", "dev"],
    )


def test_a_model_that_is_weights_only(refused, tmp_path):
    import keras

    path = tmp_path / "net.weights.h5"
    keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    ).save_weights(path)
    assert refused("--model", path) == (
        f"{path}: weights only: save the whole model, or give the network as package.module:function "
        "and this file as --weights"
    )


CUSTOM = """
import keras


class Halve(keras.layers.Layer):
    def call(self, x):
        return x / 2
"""


def test_a_model_with_layers_that_nobody_knows(refused, tmp_path, monkeypatch):
    import importlib
    import sys

    import keras

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "odd_layers.py").write_text(CUSTOM)
    layers = [
        importlib.import_module("odd_layers").Halve(),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    path = tmp_path / "net.keras"
    keras.Sequential([keras.Input((8, 8, 3)), *layers]).save(path)
    sys.modules.pop("odd_layers")
    (tmp_path / "odd_layers.py").unlink()
    assert refused("--model", path).startswith(
        f"{path}: it uses 'Halve', which Keras does not know: add --custom "
    )


def test_a_file_that_is_no_model(refused, tmp_path):
    path = tmp_path / "net.keras"
    path.write_bytes(b"no model")
    assert refused("--model", path).startswith(f"{path} is no Keras model: ")


@pytest.mark.parametrize("name", ["nowhere:build", "odd_net:biuld", "odd_net:"])
def test_a_function_that_is_not_there(refused, net, name):
    net("layers.Dense(3)(inputs)")
    refused("--model", name)


# --- labelled data
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrays", [{}, {"x": 1}, {"x_train": 1}, {"x_train": 1, "y_test": 1}])
def test_an_npz_without_the_arrays(refused, tmp_path, arrays):
    path = tmp_path / "images.npz"
    np.savez(path, **{name: np.zeros((4, 8, 8, 3)) for name in arrays})
    assert refused(path=path).startswith(
        f"{path} holds {', '.join(arrays) or 'no array'}: expected x_train with "
    )


def test_an_npz_of_one_class(refused, tmp_path):
    path = write_images(tmp_path / "images.npz", classes=1)
    assert (
        refused(path=path)
        == f"{path} holds only the class '0': a classification task needs at least two"
    )


def test_folders_of_one_class(refused, tmp_path):
    from PIL import Image

    folder = tmp_path / "pictures"
    for number in range(4):
        (folder / "cat").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / f"cat/{number}.png")
    assert (
        refused(path=folder)
        == f"{folder} holds only the class 'cat': a classification task needs at least two"
    )


@pytest.fixture
def words(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for word in ("yes", "no"):
        for number in range(4):
            path = tmp_path / f"words/{word}/{number}_nohash_0.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.normal(size=16_000), 16_000)
    return tmp_path / "words"


def test_a_word_that_is_not_there(refused, words):
    line = refused("--words", "yes,nope", path=words, data="keywords")
    assert line == "unknown word 'nope': did you mean 'no'? expected one of: no, yes"


def test_folders_of_one_word(refused, words):
    import shutil

    shutil.rmtree(words / "no")
    line = refused(path=words, data="keywords")
    assert line == f"{words} holds only the class 'yes': a classification task needs at least two"


def test_a_speech_enhancement_network_on_words(refused, words):
    line = refused("--model", "tinylstm", path=words, data="keywords")
    assert line.startswith(
        "tinylstm takes inputs of shape (frames, bands), and this data has (49, 10, 1): choose "
    )


def test_a_network_for_pictures_on_speech(tmp_path):
    for kind in ("speech", "noise"):
        for number in range(3):
            path = tmp_path / kind / f"{number}/a.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, 0.1 * np.random.default_rng(number).normal(size=16_000), 16_000)
    folders = (
        "--speech",
        tmp_path / "speech",
        "--noise",
        tmp_path / "noise",
        "--epochs",
        1,
        "--batch-size",
        2,
    )
    few = ("--set", "train.frames=10", "--set", "data.dev_utterances=2")
    line = error_of(
        invoke("train", "--run", tmp_path / "run", *folders, *few, "--model", "resnet8")
    )
    assert line.startswith("resnet8 takes inputs of shape (")
    assert not (tmp_path / "run/variants").exists()


def test_a_test_split_that_is_not_there(image_run_copy, image_run):
    """Of a run whose data have none: said before anything is scored."""
    path = Path(image_run.config.data.path)
    with np.load(path) as arrays:
        rest = {name: arrays[name] for name in arrays.files if not name.endswith("_test")}
    kept = path.read_bytes()
    try:
        np.savez(path, **rest)
        line = error_of(invoke("evaluate", "--run", image_run_copy, "--split", "test"))
    finally:
        path.write_bytes(kept)
    assert line.startswith(
        "the data have no 'test' split, only train, dev: add a folder test/, or x_test and y_test"
    )
