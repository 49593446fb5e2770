"""What lies at a path: the data set that reads it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.images import folders
from tinyprune.data.kinds import data_at
from tinyprune.errors import UsageError

RATE = 16_000


def words(root: Path, seconds: float = 1.0) -> Path:
    for word in ("yes", "no"):
        path = root / word / "a_1.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(int(seconds * RATE)), RATE)
    return root


def kind(path: Path) -> str:
    return data_at(path).dataset


@pytest.mark.parametrize(
    ("pixels", "labels", "expected"),
    [
        (np.zeros((4, 8, 8, 3), np.uint8), np.arange(4), "images"),
        (np.zeros((4, 8, 8), np.uint8), np.arange(4)[:, None], "images"),
        (np.zeros((4, 8, 8, 9), np.uint8), np.arange(4), "arrays"),  # no colours
        (np.zeros((4, 8, 8, 3), np.float32), np.arange(4), "arrays"),
        (np.zeros((4, 8, 8, 3), np.uint8), np.ones(4) / 2, "arrays"),  # numbers
        (np.zeros((4, 20), np.uint8), np.arange(4), "arrays"),
    ],
)
def test_arrays_are_pictures_where_bytes_have_a_label_each(pixels, labels, expected, tmp_path):
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=labels)
    assert kind(tmp_path / "a.npz") == expected


def test_one_array_has_no_labels(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 3)))
    assert kind(tmp_path / "a.npy") == "arrays"


def test_folders_of_classes_are_told_by_their_files(tmp_path):
    assert kind(folders(tmp_path / "pictures", count=1)) == "images"
    assert kind(words(tmp_path / "words")) == "keywords"
    words(tmp_path / "by_split" / "train")
    assert kind(tmp_path / "by_split") == "keywords"


def test_machines_and_speech_are_told_by_their_names(tmp_path):
    words(tmp_path / "fan/train").joinpath("normal_id_00_1.wav").touch()
    assert kind(tmp_path / "fan") == "anomaly"
    for name in ("speech", "noise"):
        words(tmp_path / "corpus" / name)
    assert kind(tmp_path / "corpus") == "mixture"


def test_recordings_of_sentences_are_no_words(tmp_path):
    with pytest.raises(UsageError, match=r"a_1.wav in it has 4.0 s, .*--speech DIR and --noise"):
        data_at(words(tmp_path / "speakers", seconds=4))


def test_a_folder_around_a_file_names_the_file(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(4))
    with pytest.raises(UsageError, match=r"did you mean .*a\.npy\? expected a file of arrays"):
        data_at(tmp_path)


def test_sounds_without_folders_of_words_may_be_anything(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    with pytest.raises(UsageError, match="audio of unknown kind: .*--speech DIR and --noise DIR"):
        data_at(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "empty", "file.txt"])
def test_anything_else_is_one_line(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(UsageError, match="expected a file of arrays"):
        data_at(tmp_path / name)
