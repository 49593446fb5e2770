import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.loading.own import is_own, load

FUNCTIONS = """
import keras, tinyprune.errors

def build():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="only")], name="mine")

def build_wide(units):
    return None

def nothing():
    return 3

def unbuilt():
    return keras.Sequential([keras.layers.Dense(2)])

def subclassed():
    class Mine(keras.Model):
        def call(self, x):
            return x
    return Mine()

def two():
    a, b = keras.Input((2,), name="left"), keras.Input((2,), name="right-side")
    added = keras.layers.Add(name="sum")([a, b])
    return keras.Model([a, b], [added, keras.layers.Subtract(name="difference")([a, b])])

def listed():
    x = keras.Input((2,))
    return keras.Model({"x": x}, [keras.layers.Dense(3)(x)], name="listed")

def old():
    import tf_keras
    return tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2, name="only")])

def leaves():
    raise SystemExit(0)

def fails():
    raise ValueError("first line\\nsecond line")

constant = 3
"""


@pytest.fixture
def nets(here: Path) -> None:
    """Modules in the current folder, two of them broken."""
    (here / "nets").mkdir()
    (here / "nets" / "mine.py").write_text(FUNCTIONS)
    (here / "broken.py").write_text("import no_such_thing")
    (here / "wrong.py").write_text("x = (")


def refusal(source: str | Path, custom: tuple[str, ...] = ()) -> str:
    with pytest.raises(UsageError) as caught:
        load(str(source), custom)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- functions
# --------------------------------------------------------------------------------------------------------


def test_a_function_of_the_current_folder(nets):
    path = list(sys.path)
    model = load("nets.mine:build")
    assert (model.name, model.layers[0].name, model.count_params()) == ("mine", "only", 4 * 2 + 2)
    assert sys.path == path


def test_a_function_that_returns_a_model_of_keras_2(nets):
    model = load("nets.mine:old")
    assert isinstance(model, keras.Sequential)
    assert model.layers[0].name == "only"


def test_several_inputs_and_outputs_have_the_names_of_their_layers(nets):
    model = load("nets.mine:two")
    assert list(model.input) == ["left", "right_side"]
    made = model({"left": np.full((1, 2), 3.0), "right_side": np.ones((1, 2))})
    assert {name: np.asarray(made[name]).tolist() for name in made} == {
        "sum": [[4, 4]],
        "difference": [[2, 2]],
    }


def test_one_output_comes_without_a_list(nets):
    model = load("nets.mine:listed")
    assert model.name == "listed"
    assert model(np.ones((2, 2), np.float32)).shape == (2, 3)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("nets.mine:bild", "has no function 'bild': did you mean build"),
        ("nets.mine:constant", "has no function 'constant'"),
        (
            "nets.mine:build_wide",
            "called without arguments, failed: TypeError: build_wide() missing 1 required",
        ),
        ("nets.mine:fails", "failed: ValueError: first line"),
        ("nets.mine:leaves", "failed: SystemExit: 0"),
        ("nets.mine:nothing", "gives an object of type int: expected a keras.Model"),
        ("nets.mine:unbuilt", "has no input shape: start it with keras.Input(shape)"),
        (
            "nets.mine:subclassed",
            "Mine is a subclass of keras.Model: expected a functional or Sequential model",
        ),
        ("nets.yours:build", "there is no module 'nets.yours'"),
        ("nowhere:build", "there is no module 'nowhere'"),
        ("broken:build", "module 'broken' cannot be imported: No module named 'no_such_thing'"),
        ("wrong:build", "module 'wrong' cannot be imported: SyntaxError: '(' was never closed"),
        ("nets/mine.py:build", "is a path: expected the name of a module, e.g. nets.mine"),
        ("./mine.py:build", "'./mine.py' is a path: expected the name of a module, e.g. mine"),
        ("nets.mine:", "names no model: expected a file"),
        (":build", "names no model: expected a file"),
    ],
)
def test_a_function_that_gives_no_model(nets, source, part):
    assert part in refusal(source)


def test_a_custom_module_that_does_not_exist(nets):
    assert "there is no module 'no_layers'" in refusal("nets.mine:build", ("no_layers",))


# --- names
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["net.keras", "NET.H5", "a.hdf5", "package.module:function", "./net", "nets/net"]
)
def test_names_of_own_models(name):
    assert is_own(name)


@pytest.mark.parametrize("name", ["tinylstm", "ds_cnn", "resnet-8", ""])
def test_names_of_registered_models(name):
    assert not is_own(name)


def test_telling_a_name_from_a_file_loads_nothing_heavy():
    code = "import sys, tinyprune.models.loading.own; print(sorted({'tensorflow', 'keras', 'h5py'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


# --- weights in a file of their own


def built() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="only")])


def test_weights_of_a_function_may_be_in_a_file(nets, here: Path):
    model = built()
    for name in ("new.weights.h5", "whole.h5", "whole.keras"):
        save = model.save_weights if name == "new.weights.h5" else model.save
        save(here / name)
        loaded = load("nets.mine:build", weights=str(here / name))
        np.testing.assert_array_equal(loaded.layers[0].kernel, model.layers[0].kernel)


def test_weights_of_keras_2_fit_a_function_of_either(nets, here: Path):
    import tf_keras

    old = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2, name="only")])
    old.save_weights(here / "old.h5")
    for source in ("nets.mine:build", "nets.mine:old"):
        loaded = load(source, weights=str(here / "old.h5"))
        np.testing.assert_array_equal(loaded.get_weights()[0], old.get_weights()[0])


def test_weights_that_do_not_fit_are_one_line(nets, here: Path):
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(2, name="only")]).save_weights(
        here / "wide.weights.h5"
    )
    (here / "text.h5").write_text("no weights")
    for name, part in (
        ("wide.weights.h5", "do not fit nets.mine:build: "),
        ("text.h5", "do not fit nets.mine:build: "),
        ("gone.h5", "there is no file gone.h5: expected weights of nets.mine:build"),
        ("a.tflite", "'a.tflite' holds no weights: expected a file (.keras, .h5, .hdf5)"),
    ):
        with pytest.raises(UsageError) as caught:
            load("nets.mine:build", weights=name)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)
