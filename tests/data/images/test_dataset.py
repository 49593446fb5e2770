import codecs
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyprune.config import ImageData
from tinyprune.data.images.dataset import ImageFrontEnd, load, vary
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.records import read_json, write_json

DATA = Path(os.environ.get("TINYPRUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def pixels(count, size=8, channels=3, seed=0):
    return np.random.default_rng(seed).integers(
        0, 256, (count, size, size, channels), dtype=np.uint8
    )


def arrays(count=30, classes=3, **more):
    return {"x_train": pixels(count), "y_train": np.arange(count) % classes} | more


def npz(folder, **content):
    np.savez(folder / "images.npz", **content)
    return folder / "images.npz"


def dataset(path, **settings):
    cache = Path(path).parent / "cache"
    return load(ImageData(**({"path": str(path)} | settings)), cache)


def message(path, **settings):
    with pytest.raises(UsageError) as caught:
        dataset(path, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sizes(data):
    return {name: len(part) for name, part in data.splits.items()}


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
    """The image holds its own coordinates, so a crop says where it comes from and which way it looks."""
    rows, columns = np.mgrid[0:20, 0:20]
    images = np.tile(np.stack([rows, columns], axis=-1).astype(np.uint8), (400, 1, 1, 1))
    middles = vary(images, np.random.default_rng(0))[:, 9:11, 9:11].astype(int)
    mirrored = middles[:, 0, 0, 1] > middles[:, 0, 1, 1]
    assert mirrored.mean() == pytest.approx(0.5, abs=0.1)
    assert set(middles[:, 0, 0, 0] - 9) == set(range(-4, 5))
    assert set(middles[~mirrored, 0, 0, 1] - 9) == set(range(-4, 5))
    assert set(middles[mirrored, 0, 0, 1] - 10) == set(range(-4, 5))


# --- CIFAR-10


def batch(count, seed=0, **more):
    """Colour after colour, as the original has it: (count, 3 * 32 * 32)."""
    images = pixels(count, 32, seed=seed)
    return images, {
        b"data": images.transpose(0, 3, 1, 2).reshape(count, -1),
        b"labels": [i % 3 for i in range(count)],
    }


def cifar(folder, protocol=2, meta=True):
    folder.mkdir()
    for number in (1, 2):
        (folder / f"data_batch_{number}").write_bytes(pickle.dumps(batch(12, number)[1], protocol))
    (folder / "test_batch").write_bytes(pickle.dumps(batch(6, 9)[1], protocol))
    if meta:
        names = {b"label_names": [b"airplane", b"bird", b"cat"]}
        (folder / "batches.meta").write_bytes(pickle.dumps(names, protocol))
    return folder


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_cifar_pickles(tmp_path, protocol):
    data = dataset(cifar(tmp_path / "cifar", protocol), hold_out=0.25)
    assert data.classes == ("airplane", "bird", "cat")
    assert sizes(data) == {"train": 18, "dev": 6, "test": 6}
    np.testing.assert_array_equal(data.split("test").inputs, batch(6, 9)[0])


def test_cifar_without_names(tmp_path):
    assert dataset(cifar(tmp_path / "cifar", meta=False)).classes == ("0", "1", "2")


class Evil:
    """Would leave a file behind if it were loaded."""

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ((os.system, ("touch gone-wrong",)), f"{os.name}.system"),
        ((np.load, ("x.npy",)), "numpy.load"),
        ((eval, ("1",)), "eval"),
        ((codecs.encode, ("eJw=", "zlib")), "codec zlib"),
    ],
    ids=["system", "numpy", "eval", "codec"],
)
def test_a_pickle_can_call_nothing(tmp_path, monkeypatch, call, name):
    monkeypatch.chdir(tmp_path)
    folder = cifar(tmp_path / "cifar")
    (folder / "data_batch_2").write_bytes(pickle.dumps({b"data": Evil(call)}))
    assert message(folder).startswith(
        f"{folder}/data_batch_2 cannot be read as a batch of CIFAR-10 (it "
    )
    assert name in message(folder)
    assert not (tmp_path / "gone-wrong").exists()


@pytest.mark.parametrize(
    "content", [b"", b"text", pickle.dumps([1, 2]), pickle.dumps(batch(12)[1])[:2000]]
)
def test_a_damaged_batch(tmp_path, content):
    folder = cifar(tmp_path / "cifar")
    (folder / "data_batch_1").write_bytes(content)
    assert message(folder).startswith(
        f"{folder}/data_batch_1 cannot be read as a batch of CIFAR-10 ("
    )


@pytest.mark.parametrize(
    "content",
    [{}, {b"data": np.zeros((2, 3072))}, {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}],
)
def test_a_batch_of_something_else(tmp_path, content):
    folder = cifar(tmp_path / "cifar")
    (folder / "test_batch").write_bytes(pickle.dumps(content))
    expected = f"{folder}/test_batch is no batch of CIFAR-10: expected 'data', uint8 (n, 3072), and n 'labels'"
    assert message(folder) == expected


# --- class folders


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.squeeze()).save(path)
    return path


def folders(folder, classes=("cat", "dog"), count=10, **how):
    for number, name in enumerate(classes):
        for index, image in enumerate(pixels(count, seed=number, **how)):
            save(folder / name / f"{index}.png", image)
    return folder


def test_class_folders(tmp_path):
    data = dataset(folders(tmp_path / "images"))
    assert data.classes == ("cat", "dog")
    assert sizes(data) == {"train": 18, "dev": 2}
    train = data.split("train")
    for row in (0, 17):
        label, index = Path(train.names[row]).parent.name, int(Path(train.names[row]).stem)
        assert data.classes[train.labels[row]] == label
        np.testing.assert_array_equal(
            train.inputs[row], pixels(10, seed=("cat", "dog").index(label))[index]
        )


@pytest.mark.parametrize("dev", ["dev", "val"])
def test_folders_make_the_splits(tmp_path, dev):
    for split, count in (("train", 3), (dev, 2), ("test", 1)):
        folders(tmp_path / "images" / split, count=count)
    assert sizes(dataset(tmp_path / "images")) == {"train": 6, "dev": 4, "test": 2}


def test_all_become_as_large_as_the_first(tmp_path):
    folder = folders(tmp_path / "images")
    save(folder / "dog/large.jpg", np.full((40, 60, 3), 200, np.uint8))
    data = dataset(folder)
    assert data.frontend.shape == (8, 8, 3)
    everything = {
        n: i for part in data.splits.values() for n, i in zip(part.names, part.inputs, strict=True)
    }
    np.testing.assert_allclose(everything["dog/large.jpg"].astype(int), 200, atol=2)


def test_or_as_large_as_is_wanted(tmp_path):
    assert dataset(folders(tmp_path / "images"), image_size=12).frontend.shape == (12, 12, 3)


def test_a_first_image_that_is_not_square(tmp_path):
    folder = folders(tmp_path / "images")
    save(folder / "cat/0.png", np.zeros((6, 10, 3), np.uint8))
    assert dataset(folder).frontend.shape == (6, 10, 3)


def test_an_image_that_lies_on_its_side_is_put_upright(tmp_path):
    folder, upright = folders(tmp_path / "images", size=4), np.zeros((6, 10, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(upright).save(folder / "cat/0.png", exif=exif)
    assert dataset(folder).frontend.shape == (10, 6, 3)


def test_grey_if_all_are_grey(tmp_path):
    folder = folders(tmp_path / "images", channels=1)
    assert dataset(folder).frontend.shape == (8, 8, 1)
    save(folder / "cat/c.png", pixels(1)[0])
    data = dataset(folder)
    assert data.frontend.shape == (8, 8, 3)
    grey = data.split("train").inputs[
        [not name.endswith("c.png") for name in data.split("train").names]
    ]
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "LA", "1"])
def test_other_modes_become_colour_or_grey(tmp_path, mode):
    folder = folders(tmp_path / "images")
    Image.fromarray(pixels(1)[0]).convert(mode).save(
        folder / f"cat/x.{'jpg' if mode == 'CMYK' else 'png'}"
    )
    assert dataset(folder).frontend.shape == (8, 8, 3)


def test_16_bits_become_8(tmp_path):
    folder = folders(tmp_path / "images", channels=1)
    deep = (pixels(1, channels=1)[0, ..., 0].astype(np.uint16) << 8) + 77
    save(folder / "cat/0.png", deep)
    data = dataset(folder)
    found = {
        n: i for part in data.splits.values() for n, i in zip(part.names, part.inputs, strict=True)
    }["cat/0.png"]
    np.testing.assert_array_equal(found[..., 0], deep >> 8)


def test_bad_images_are_left_out_and_counted_in_one_warning(tmp_path, log_lines):
    folder = folders(tmp_path / "images")
    (folder / "cat/3.png").write_text("text")
    cut = save(folder / "dog/4.png", pixels(1, 64)[0])
    cut.write_bytes(cut.read_bytes()[:3000])
    data = dataset(folder)
    assert sum(sizes(data).values()) == 18
    [line] = log_lines
    first = f"{folder}/cat/3.png is damaged, or no PNG or JPEG file (unknown format)"
    assert line == f"2 of 20 images in {folder} were left out, e.g. {first}"


def test_decoding_is_done_once(tmp_path, monkeypatch):
    folder = folders(tmp_path / "images")
    first = dataset(folder).fingerprint()
    monkeypatch.setattr(Image, "open", None)
    assert dataset(folder).fingerprint() == first
    monkeypatch.undo()
    os.utime(save(folder / "cat/1.png", pixels(1, seed=9)[0]), (1, 1))
    assert dataset(folder).fingerprint() != first


def test_a_full_disk_leaves_nothing(tmp_path, full_disk):
    with pytest.raises(TinypruneError, match="No space left on device"):
        dataset(folders(tmp_path / "images"))
    assert not list((tmp_path / "cache").glob("*"))


# --- bad input


def test_one_class_is_no_task(tmp_path):
    expected = "a classification task needs at least two"
    folder = folders(tmp_path / "images", ("cat",))
    assert message(folder) == f"{folder} holds only the class 'cat': {expected}"
    path = npz(tmp_path, **arrays(classes=1))
    assert message(path) == f"{path} holds only the class '0': {expected}"


@pytest.mark.parametrize(
    ("content", "has"),
    [
        ({"images": pixels(3), "labels": np.arange(3)}, "images, labels"),
        ({"x_train": pixels(3)}, "x_train"),
        ({}, "no array"),
        (arrays(x_test=pixels(3)), "x_train, y_train, x_test"),
    ],
)
def test_an_npz_without_the_expected_arrays(tmp_path, content, has):
    path = npz(tmp_path, **content)
    expected = f"{path} holds {has}: expected x_train with y_train, and where there are, x_dev with y_dev, x_test with y_test"
    assert message(path) == expected


def test_an_npz_of_pickled_objects(tmp_path):
    path = npz(tmp_path, **arrays(y_train=np.array([{}] * 30)))
    assert (
        message(path)
        == f"{path} holds pickled objects, which are not loaded: expected plain numbers"
    )


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_npz(tmp_path, content):
    path = tmp_path / "images.npz"
    path.write_bytes(content)
    assert (
        message(path)
        == f"{path} is damaged, or no .npz file: expected x_train and y_train, as np.savez writes them"
    )


def test_a_damaged_npz(tmp_path):
    path = npz(tmp_path, **arrays())
    content = bytearray(path.read_bytes())
    content[3000] ^= 255
    path.write_bytes(content)
    assert message(path).startswith(f"{path} is damaged (")


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
    expected = f"{tmp_path}/gone does not exist: expected an .npz, CIFAR-10's folder or one with CLASS/*.png"
    assert message(tmp_path / "gone") == expected


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "images.csv"
    path.touch()
    assert (
        message(path)
        == f"{path} is no .npz file: expected one, CIFAR-10's folder or one with CLASS/*.png"
    )


def test_an_empty_folder(tmp_path):
    (tmp_path / "images/cat").mkdir(parents=True)
    expected = f"folder {tmp_path}/images holds no CLASS/FILE of PNG or JPEG files: check the path"
    assert message(tmp_path / "images") == expected


def test_bad_images_only(tmp_path):
    folder = folders(tmp_path / "images")
    for path in folder.rglob("*.png"):
        path.write_text("text")
    assert message(folder).startswith(
        f"none of the 20 images for train in {folder} can be used, e.g. {folder}/cat/0.png "
    )


def test_a_class_of_bad_images_only(tmp_path):
    folder = folders(tmp_path / "images")
    for path in (folder / "dog").iterdir():
        path.write_text("text")
    assert message(folder) == f"no image of 'dog' in {folder} can be used for training"


def test_a_class_that_training_does_not_have(tmp_path):
    folders(tmp_path / "images/train")
    path = save(tmp_path / "images/test/eel/1.png", pixels(1)[0])
    assert (
        message(tmp_path / "images")
        == f"{path} is of class 'eel', which the training files do not have"
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
