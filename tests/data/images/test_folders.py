import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.images import dataset, folders, message, pixels, save, sizes
from tinyprune.errors import TinypruneError


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


def test_images_of_several_sizes_are_said(tmp_path, caplog):
    folder = folders(tmp_path / "images")  # 8 x 8
    save(folder / "dog/large.jpg", np.full((40, 60, 3), 200, np.uint8))
    dataset(folder)
    assert (
        "images of 2 sizes, 8x8 to 60x40: all are brought to 8x8, that of the first; --image-size N"
        in caplog.text
    )


def test_images_that_do_not_fit_into_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("tinyprune.data.images.folders._MOST_BYTES", 20 * 8 * 8 * 3 - 1)
    with pytest.raises(TinypruneError, match="20 images of 8x8 take .* --image-size 96"):
        dataset(folders(tmp_path / "images"))
