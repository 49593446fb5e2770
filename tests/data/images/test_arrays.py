import codecs
import os
import pickle

import numpy as np
import pytest

from tests.support.images import arrays, dataset, message, npz, pixels, sizes

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
    expected = (
        f"{folder}/test_batch is no batch of CIFAR-10: expected 'data', uint8 (n, 3072), and "
        "n 'labels'"
    )
    assert message(folder) == expected


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
    expected = (
        f"{path} holds {has}: expected x_train with y_train, and where there are, x_dev with "
        "y_dev, x_test with y_test"
    )
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
        == f"{path} is damaged, or no .npz file: expected x_train and y_train, as np.savez "
        "writes them"
    )


def test_a_damaged_npz(tmp_path):
    path = npz(tmp_path, **arrays())
    content = bytearray(path.read_bytes())
    content[3000] ^= 255
    path.write_bytes(content)
    assert message(path).startswith(f"{path} is damaged (")
