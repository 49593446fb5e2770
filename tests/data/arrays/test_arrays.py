"""Arrays of any shape: what their labels mean, how they are split, and what is refused."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.config import ArrayData
from tinyprune.data.arrays.dataset import load
from tinyprune.data.arrays.meaning import meaning_of
from tinyprune.errors import UsageError

COUNT = 40
ROWS = np.arange(COUNT)
X = np.random.default_rng(0).normal(3, 2, (COUNT, 5, 2))


def dataset(folder, predict="auto", hold_out=0.2, **arrays):
    np.savez(folder / "file.npz", **arrays)
    config = ArrayData(arrays=str(folder / "file.npz"), predict=predict, hold_out=hold_out)
    return load(config, folder)


def message(folder, **arrays):
    with pytest.raises(UsageError) as caught:
        dataset(folder, **arrays)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the meaning of labels
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (ROWS % 3, "classification"),
        (np.array(["on", "off"])[ROWS % 2], "classification"),
        (np.eye(3)[ROWS % 3], "multilabel"),
        (np.stack([ROWS % 2, ROWS % 3 == 0], axis=1), "multilabel"),
        (ROWS / 7, "regression"),
        (np.stack([ROWS / 7, ROWS], axis=1), "regression"),
        (None, "reconstruction"),
    ],
    ids=["whole", "names", "one-hot", "several", "floats", "two numbers", "none"],
)
def test_labels_mean_what_they_look_like(y, task, tmp_path):
    arrays = {"x": X} if y is None else {"x": X, "y": y}
    assert dataset(tmp_path, **arrays).task == task


def test_one_hot_labels_are_classes_where_asked(tmp_path):
    data = dataset(tmp_path, "classes", x=X, y=np.eye(3)[ROWS % 3])
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize("y", [ROWS % 3 + 0.0, ROWS * 10])
def test_labels_that_may_mean_either_are_asked_for(y):
    with pytest.raises(UsageError, match="are they classes or numbers\\? give --predict classes"):
        meaning_of(y, "auto", "y")
    assert meaning_of(y, "classes", "y") == "classes"
    assert meaning_of(y, "numbers", "y") == "numbers"


@pytest.mark.parametrize(
    ("asked", "y", "line"),
    [
        ("classes", ROWS / 7, "y holds floats of shape (40,): expected whole numbers or names"),
        ("labels", ROWS % 3, "y holds whole numbers of shape (40,): expected 0 and 1 of shape (n"),
        ("numbers", np.array(["a", "b"]), "y holds texts of shape (2,): expected numbers"),
        ("classes", None, "y is missing, and --predict classes needs it"),
    ],
)
def test_labels_that_cannot_mean_it_are_refused(asked, y, line):
    with pytest.raises(UsageError) as caught:
        meaning_of(y, asked, "y")
    assert str(caught.value).startswith(line)


# --- splits
# --------------------------------------------------------------------------------------------------


def test_x_alone_is_split_into_three_by_the_seed(tmp_path):
    data = dataset(tmp_path, x=X, y=ROWS % 2)
    # a fifth of each class of 20 is test, then a fifth of each 16
    assert {name: len(part) for name, part in data.splits.items()} == {
        "train": 26,
        "dev": 6,
        "test": 8,
    }
    rows = [row.tobytes() for part in data.splits.values() for row in part.inputs]
    assert len(set(rows)) == COUNT
    assert dataset(tmp_path, x=X, y=ROWS % 2).fingerprint() == data.fingerprint()


def test_groups_stay_together(tmp_path):
    data = dataset(tmp_path, x=X, y=ROWS / 7, groups=ROWS // 4)
    groups = [set((part.labels.ravel() * 7 / 4).astype(int)) for part in data.splits.values()]
    assert [len(part) for part in groups] == [6, 2, 2]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


@pytest.mark.parametrize("dev", ["dev", "val", "validation"])
def test_splits_of_a_file_are_kept(dev, tmp_path):
    arrays = {"X_train": X, "Y_train": ROWS % 2, f"x_{dev}": X[:6], f"y_{dev}": ROWS[:6] % 2}
    data = dataset(tmp_path, **arrays)
    assert {name: len(part) for name, part in data.splits.items()} == {"train": COUNT, "dev": 6}


def test_an_npy_has_its_labels_in_another(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", ROWS / 7)
    alone = load(ArrayData(arrays=str(tmp_path / "x.npy")), tmp_path)
    labels = str(tmp_path / "y.npy")
    both = load(ArrayData(arrays=str(tmp_path / "x.npy"), labels=labels), tmp_path)
    assert (alone.task, both.task) == ("reconstruction", "regression")


# --- what the network sees
# --------------------------------------------------------------------------------------------------


def test_each_feature_has_mean_0_and_deviation_1_and_nothing_is_varied(tmp_path):
    data = dataset(tmp_path, x_train=X, y_train=ROWS % 2)
    inputs, _ = data.examples("train")
    assert inputs.shape[1:] == (5, 2)
    assert inputs.mean(axis=(0, 1)) == pytest.approx([0, 0], abs=1e-5)
    assert inputs.std(axis=(0, 1)) == pytest.approx([1, 1], abs=1e-5)
    assert data.augment is None


def test_numbers_are_learned_at_deviation_1_and_read_in_their_unit(tmp_path):
    y = np.stack([1e6 + 1e4 * ROWS, 1e-3 * ROWS], axis=1)
    data = dataset(tmp_path, x_train=X, y_train=y)
    _, targets = data.examples("train")
    assert targets.std(axis=0) == pytest.approx([1, 1], rel=1e-5)
    assert data.frontend.numbers(targets) == pytest.approx(
        data.splits["train"].labels, rel=1e-5, abs=1e-8
    )


def test_an_autoencoder_is_to_give_back_what_it_takes(tmp_path):
    inputs, targets = dataset(tmp_path, x=X).examples("dev")
    assert np.array_equal(inputs, targets)


# --- what is refused
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"a": X}, "holds a: expected x_train (and y_train, x_dev,"),
        ({"x": X, "y": ROWS[:-1]}, "y is of shape (39,) for 40 examples: expected one row each"),
        ({"x": ROWS}, "x is int64 of shape (40,): expected numbers (n, ...), an example per row"),
        ({"x_train": X, "x_test": X, "y_test": ROWS}, "has no y_train, but y_test"),
        ({"x_train": X, "x_dev": X[:, :4]}, "train and dev are of different shapes, (5, 2) and"),
        (
            {"x_train": X, "y_train": X[:, 0], "x_dev": X, "y_dev": X[:, 0, :1]},
            "y_dev has rows (1,), y_train (2,)",
        ),
        ({"x": X, "y": ROWS * 0}, "holds only the class '0'"),
        ({"x": np.where(X > 5, np.nan, X)}, "x of train holds NaN or infinite values"),
        ({"x": X, "y": ROWS * 0 + 0.5}, "y of train is always the same: there is nothing to"),
    ],
    ids=[
        "other names",
        "too few",
        "no axis",
        "half",
        "shapes",
        "rows",
        "one class",
        "NaN",
        "constant",
    ],
)
def test_arrays_that_make_no_sense_are_one_line(arrays, line, tmp_path):
    assert line in message(tmp_path, **arrays)


def test_labels_of_the_wrong_kind_in_one_split_only(tmp_path):
    found = message(tmp_path, x_train=X, y_train=ROWS % 2, x_test=X, y_test=ROWS % 3)
    assert "y_test holds the label 2: expected those of y_train" in found


# --- what a file holds
# --------------------------------------------------------------------------------------------------


def test_a_file_is_described_with_what_it_is_taken_for(tmp_path):
    np.savez(tmp_path / "file.npz", x=np.where(X > 8, np.inf, X), y=ROWS % 3)
    result = CliRunner().invoke(
        main, ["data", "describe", str(tmp_path / "file.npz"), "--format", "json"]
    )
    [found] = json.loads(result.stdout)
    by_name = {each["array"]: each for each in found["arrays"]}
    assert by_name["x"]["shape"] == [40, 5, 2]
    assert by_name["x"]["not_finite"] == (X > 8).sum() > 0
    assert (by_name["y"]["lowest"], by_name["y"]["highest"], by_name["y"]["different"]) == (0, 2, 3)
    assert found["task"] == ""
    assert found["problem"].endswith("x of train holds NaN or infinite values")

    np.savez(tmp_path / "file.npz", x=X, y=ROWS % 3)
    shown = CliRunner().invoke(main, ["data", "describe", str(tmp_path / "file.npz")]).stdout
    assert "taken for classification; 34 train, 3 dev, 3 test examples" in " ".join(shown.split())
