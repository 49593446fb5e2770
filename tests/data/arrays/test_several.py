"""Arrays of several inputs and outputs: their names, meanings, splits and normalisation."""

import numpy as np
import pytest

from tinyprune.config import ArrayData
from tinyprune.data.arrays.dataset import load
from tinyprune.errors import UsageError
from tinyprune.storage.records import from_jsonable, to_jsonable

COUNT = 40
RNG = np.random.default_rng(0)
ARRAYS = {
    "x_Picture": RNG.normal(size=(COUNT, 4, 4, 1)),
    "x_angle": 10 * RNG.normal(size=(COUNT, 3)) + 5,
    "y_kind": np.array(["cat", "dog"] * (COUNT // 2)),
    "y_box": 100 * RNG.normal(size=(COUNT, 2)) + 7,
    "y_alarm": RNG.integers(0, 2, (COUNT, 2)),
}


def loaded(folder, arrays=ARRAYS, **settings):
    path = folder / "file.npz"
    np.savez(path, **arrays)
    return load(ArrayData(arrays=str(path), **settings), folder)


def test_each_output_is_understood_as_if_it_were_alone(tmp_path):
    dataset = loaded(tmp_path)
    assert {name: output.task for name, output in dataset.outputs.items()} == {
        "alarm": "multilabel",
        "box": "regression",
        "kind": "classification",
    }
    assert dataset.outputs["kind"].classes == ("cat", "dog")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 32,
        "dev": 4,
        "test": 4,
    }
    # held out alike of both kinds, as there are as many cats as dogs
    assert dataset.splits["dev"].labels["kind"].tolist().count(1) == 2


def test_inputs_and_numbers_are_normalised_each_by_itself(tmp_path):
    dataset = loaded(tmp_path, normalise="Picture=none")
    inputs, targets = dataset.examples("train")
    assert inputs.dtype.names == ("Picture", "angle")
    np.testing.assert_allclose(inputs["angle"].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(inputs["angle"].std(0), 1, atol=1e-5)
    np.testing.assert_allclose(targets["box"].mean(0), 0, atol=1e-5)
    raw = dataset.split("train").inputs["Picture"]
    np.testing.assert_array_equal(inputs["Picture"], raw.astype(np.float32))
    assert dataset.frontend.normalise == "Picture=none,angle=standard"
    kept = from_jsonable(to_jsonable(dataset.frontend), type(dataset.frontend))
    assert kept == dataset.frontend


def test_a_batch_has_the_inputs_and_targets_of_the_same_examples(tmp_path):
    numbers = np.arange(COUNT)
    arrays = {"x_a": numbers, "x_b": 2.0 * numbers, "y_c": 3.0 * numbers, "y_d": numbers % 2}
    dataset = loaded(
        tmp_path, arrays, normalise="none", normalise_numbers="none", predict="d=classes"
    )
    inputs, targets = next(dataset.batches(0, 8))
    np.testing.assert_array_equal(inputs["b"], 2 * inputs["a"])
    np.testing.assert_array_equal(targets["c"], 3 * inputs["a"])
    np.testing.assert_array_equal(targets["d"], inputs["a"][:, 0] % 2)


def test_several_inputs_with_one_output_are_of_its_task(tmp_path):
    arrays = {name: ARRAYS[name] for name in ("x_Picture", "x_angle")}
    dataset = loaded(tmp_path, {**arrays, "y": ARRAYS["y_box"]})
    assert dataset.task == "regression"
    outputs = dataset.frontend.targets(ARRAYS["y_box"])
    np.testing.assert_allclose(dataset.frontend.numbers(outputs), ARRAYS["y_box"], rtol=1e-4)


def test_one_input_with_several_outputs_has_no_name(tmp_path):
    arrays = {name: ARRAYS[name] for name in ("y_kind", "y_box")}
    dataset = loaded(tmp_path, {**arrays, "x": ARRAYS["x_angle"]})
    assert dataset.task == "several"
    assert dataset.frontend.shape == (3,)
    inputs, _ = dataset.examples("train")
    assert inputs.shape == (32, 3)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"x": ARRAYS["x_angle"]}, "holds x and x_Picture: expected one or the other"),
        (
            {"x_angle": np.ones((3, 3))},
            "has examples 40 in x_Picture, 3 in x_angle: expected as many",
        ),
        ({"x_angle": np.full((COUNT, 3), np.nan)}, "x of train, angle, holds NaN or infinite"),
        ({"y_kind": np.full(COUNT, "cat")}, "output kind holds only the class 'cat'"),
        ({"y_box": np.ones((COUNT, 2))}, "output box"),
    ],
)
def test_what_is_wrong_with_an_array_names_it(tmp_path, change, line):
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, {**ARRAYS, **change})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"predict": "bax=numbers"},
            "data.predict: 'bax' is none of the outputs: alarm, box, kind",
        ),
        ({"predict": "input"}, "has several outputs, of which none is the input"),
        ({"normalise": "box=none"}, "data.normalise: 'box' is none of the inputs: Picture, angle"),
    ],
)
def test_a_setting_of_what_is_not_there_is_refused(tmp_path, settings, line):
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, **settings)
    assert line in str(caught.value)
