import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.images import arrays, dataset, folders, message, npz, pixels, sizes
from tinyprune.config import ImageData
from tinyprune.data.images.dataset import ImageFrontEnd, load, vary
from tinyprune.errors import UsageError
from tinyprune.storage.records import read_json, write_json

DATA = Path(os.environ.get("TINYPRUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))


# --- .npz


def test_a_tenth_of_each_class_is_held_out(tmp_path):
    data = dataset(npz(tmp_path, **arrays(60, x_test=pixels(6), y_test=np.arange(6) % 3)))
    assert data.classes == ("0", "1", "2")
    assert sizes(data) == {"train": 54, "dev": 6, "test": 6}
    assert np.bincount(data.split("dev").labels).tolist() == [2, 2, 2]
    everything = np.concatenate([data.split(name).inputs for name in ("train", "dev")])
    assert {image.tobytes() for image in everything} == {image.tobytes() for image in pixels(60)}


@pytest.mark.parametrize("name", ["dev", "val", "valid", "validation"])
def test_dev_may_be_given(tmp_path, name):
    given = {f"x_{name}": pixels(5, seed=1), f"y_{name}": np.arange(5) % 3}
    data = dataset(npz(tmp_path, **arrays(), **given))
    assert sizes(data) == {"train": 30, "dev": 5}
    np.testing.assert_array_equal(data.split("dev").inputs, pixels(5, seed=1))


def test_hold_out_is_a_fraction(tmp_path):
    assert sizes(dataset(npz(tmp_path, **arrays()), hold_out=0.5)) == {"train": 15, "dev": 15}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(30)[:, None] % 3, ("0", "1", "2")),
        ((np.arange(30) % 3).astype(np.float32), ("0", "1", "2")),
        (np.arange(30) % 3 * 10 + 5, ("5", "15", "25")),
        (np.array(["dog", "cat", "eel"])[np.arange(30) % 3], ("cat", "dog", "eel")),
    ],
    ids=["column", "float", "gaps", "texts"],
)
def test_labels_of_any_kind_become_places_in_the_classes(tmp_path, labels, classes):
    data = dataset(npz(tmp_path, **arrays(y_train=labels)))
    assert data.classes == classes
    train = data.split("train")
    row = [image.tobytes() for image in pixels(30)].index(train.inputs[0].tobytes())
    assert classes[train.labels[0]] == str(labels.ravel()[row]).removesuffix(".0")
    assert train.labels.dtype == np.int64


def test_classes_may_be_named(tmp_path):
    assert dataset(npz(tmp_path, **arrays(), classes=np.array(["a", "b", "c"]))).classes == (
        "a",
        "b",
        "c",
    )


def test_grey_images_get_a_channel(tmp_path):
    data = dataset(npz(tmp_path, **arrays(x_train=pixels(30)[..., 0])))
    assert data.frontend.shape == data.examples("dev")[0].shape[1:] == (8, 8, 1)


def test_windows_of_sensors_are_no_images(tmp_path):
    windows = np.random.default_rng(0).normal(size=(30, 64, 6))
    found = message(npz(tmp_path, **arrays(x_train=windows)))
    assert "x_train holds floats of shape (30, 64, 6), which look like windows" in found
    assert "--arrays FILE" in found
    grey = dataset(npz(tmp_path, **arrays(x_train=windows[..., None])))
    assert grey.frontend.shape == (64, 6, 1)


def test_features_that_are_no_images(tmp_path):
    given = np.random.default_rng(0).normal(3, 2, (30, 5))
    data = dataset(npz(tmp_path, **arrays(x_train=given)))
    assert (data.frontend.shape, data.augment) == ((5,), None)
    np.testing.assert_allclose(data.examples("train")[0].mean(axis=0), 0, atol=1e-5)


def test_whole_numbers_of_a_byte_are_bytes(tmp_path):
    assert (
        dataset(npz(tmp_path, **arrays(x_train=pixels(30).astype(np.int64))))
        .split("train")
        .inputs.dtype
        == np.uint8
    )
    wide = (
        dataset(npz(tmp_path, **arrays(x_train=pixels(30).astype(np.int64) * 2)))
        .split("train")
        .inputs
    )
    assert (wide.dtype, wide.max()) == (np.float32, 2 * 255)


# --- normalisation, batches


def test_standard_is_mean_0_and_deviation_1_of_each_channel(tmp_path):
    shifted = pixels(30) // np.array([1, 2, 4], np.uint8)
    data = dataset(npz(tmp_path, **arrays(x_train=shifted)), augment=False)
    made = data.examples("train")[0]
    np.testing.assert_allclose(made.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(made.std(axis=(0, 1, 2)), 1, atol=1e-5)
    train = data.split("train").inputs
    np.testing.assert_allclose(data.frontend.mean, train.reshape(-1, 3).mean(axis=0))


def test_a_constant_channel_becomes_zero(tmp_path):
    constant = pixels(30)
    constant[..., 1] = 7
    assert (
        dataset(npz(tmp_path, **arrays(x_train=constant))).examples("train")[0][..., 1] == 0
    ).all()


def test_unit_and_none(tmp_path):
    path = npz(tmp_path, **arrays())
    raw = dataset(path).split("dev").inputs
    np.testing.assert_allclose(
        dataset(path, normalise="unit").examples("dev")[0], raw / 255, atol=1e-6
    )
    signed = dataset(path, normalise="signed").examples("dev")[0]
    np.testing.assert_allclose(signed, raw / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(dataset(path, normalise="none").examples("dev")[0], raw)


def test_unit_leaves_floats_alone(tmp_path):
    path = npz(tmp_path, **arrays(x_train=pixels(30) / 255))
    data = dataset(path, normalise="unit")
    np.testing.assert_array_equal(data.examples("dev")[0], data.split("dev").inputs)


def test_the_front_end_survives_json(tmp_path):
    front = dataset(npz(tmp_path, **arrays())).frontend
    write_json(tmp_path / "frontend.json", front)
    assert read_json(tmp_path / "frontend.json", ImageFrontEnd) == front


def test_the_fingerprint_changes_with_a_pixel_and_with_normalisation(tmp_path):
    path = npz(tmp_path, **arrays())
    before = dataset(path).fingerprint()
    assert dataset(path).fingerprint() == before
    assert dataset(path, normalise="unit").fingerprint() != before
    other = pixels(30)
    other[3, 1, 1, 1] ^= 1
    assert dataset(npz(tmp_path, **arrays(x_train=other))).fingerprint() != before


def test_batches_are_varied_unless_not_wanted(tmp_path):
    path = npz(tmp_path, **arrays())
    made, labels = next(dataset(path).batches(0, 8))
    assert (made.shape, made.dtype, labels.shape) == ((8, 8, 8, 3), np.float32, (8,))
    plain = dataset(path, augment=False)
    known = {image.tobytes() for image in plain.examples("train")[0]}
    assert all(image.tobytes() in known for image in next(plain.batches(0, 8))[0])
    assert not all(image.tobytes() in known for image in made)


def test_half_are_mirrored_and_all_are_cropped_within_4_pixels():
    """The image holds its own coordinates, so a crop says where it comes from and which way it
    looks.
    """
    rows, columns = np.mgrid[0:20, 0:20]
    images = np.tile(np.stack([rows, columns], axis=-1).astype(np.uint8), (400, 1, 1, 1))
    middles = vary(images, np.random.default_rng(0))[:, 9:11, 9:11].astype(int)
    mirrored = middles[:, 0, 0, 1] > middles[:, 0, 1, 1]
    assert mirrored.mean() == pytest.approx(0.5, abs=0.1)
    assert set(middles[:, 0, 0, 0] - 9) == set(range(-4, 5))
    assert set(middles[~mirrored, 0, 0, 1] - 9) == set(range(-4, 5))
    assert set(middles[mirrored, 0, 0, 1] - 10) == set(range(-4, 5))


# --- bad input


def test_one_class_is_no_task(tmp_path):
    expected = "a classification task needs at least two"
    folder = folders(tmp_path / "images", ("cat",))
    assert message(folder) == f"{folder} holds only the class 'cat': {expected}"
    path = npz(tmp_path, **arrays(classes=1))
    assert message(path) == f"{path} holds only the class '0': {expected}"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            {"y_train": np.arange(29)},
            "y_train is of shape (29,) for 30 examples: expected one label each",
        ),
        (
            {"y_train": np.eye(30)},
            "y_train is of shape (30, 30) for 30 examples: expected one label each",
        ),
        (
            {"y_train": np.arange(30) / 7},
            "y_train is float64: expected numbers or names of classes",
        ),
        (
            {"x_train": np.zeros((0, 8, 8, 3))},
            "x_train is float64 of shape (0, 8, 8, 3): expected numbers (n, height, ",
        ),
        (
            {"x_train": np.zeros(30)},
            "x_train is float64 of shape (30,): expected numbers (n, height, width, channels)",
        ),
        ({"x_train": np.full((30, 8, 8, 3), np.nan)}, "x_train holds NaN or infinite values"),
        (
            {"x_train": np.full((30, 8, 8, 3), "a")},
            "x_train is <U1 of shape (30, 8, 8, 3): expected numbers",
        ),
        (
            {"x_test": pixels(2), "y_test": np.array([1, 7])},
            "y_test holds the label 7: expected those of y_train",
        ),
        (
            {"classes": np.array(["a", "b"])},
            "y_train holds the label 2: expected 0 to 1, the named classes",
        ),
    ],
)
def test_arrays_that_make_no_sense(tmp_path, content, what):
    path = npz(tmp_path, **(arrays() | content))
    assert message(path).startswith(f"{path}: {what}")


def test_splits_of_different_shapes(tmp_path):
    path = npz(tmp_path, **arrays(x_test=pixels(3, 9), y_test=np.arange(3)))
    assert (
        message(path) == f"{path}: train and test are of different shapes, (8, 8, 3) and (9, 9, 3)"
    )


def test_arrays_are_not_resized(tmp_path):
    path = npz(tmp_path, **arrays())
    expected = f"image_size 16: only image files are resized, and {path} holds arrays of (8, 8)"
    assert message(path, image_size=16) == expected
    assert dataset(path, image_size=8).frontend.shape == (8, 8, 3)


def test_a_missing_path(tmp_path):
    expected = (
        f"{tmp_path}/gone does not exist: expected an .npz, CIFAR-10's folder or one with "
        "CLASS/*.png"
    )
    assert message(tmp_path / "gone") == expected


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "images.csv"
    path.touch()
    assert (
        message(path)
        == f"{path} is no .npz file: expected one, CIFAR-10's folder or one with CLASS/*.png"
    )


def test_without_a_path():
    with pytest.raises(UsageError, match="give --path PATH"):
        load(ImageData(), Path("cache"))


@pytest.mark.skipif(
    not (DATA / "images").is_dir(), reason=f"no real data in {DATA}; set TINYPRUNE_DATA"
)
def test_real_images(tmp_path):
    data = load(ImageData(path=str(DATA / "images/cifar10_subset.npz")), tmp_path)
    assert len(data.classes) == 10
    assert len(data.split("train")) + len(data.split("dev")) == 5170
    assert len(data.split("test")) == 1017
    assert min(np.bincount(data.split("dev").labels)) >= 48
    made = data.examples("train")[0]
    np.testing.assert_allclose(made.std(axis=(0, 1, 2), dtype=np.float64), 1, atol=1e-3)
