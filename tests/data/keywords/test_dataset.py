import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.config import KeywordData
from tinyprune.data.keywords.dataset import load
from tinyprune.data.keywords.recordings import SAMPLES
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.records import read_json, write_json

DATA = Path(os.environ.get("TINYPRUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))


RATE = 16_000


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)


def write(path, samples=None, rate=RATE, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(RATE, len(str(path))) if samples is None else samples, rate, **how)
    return path


def fill(folder, words=("no", "yes"), speakers=10, takes=1):
    """``WORD/SPEAKER_nohash_TAKE.wav`` as Google Speech Commands has them."""
    for number, word in enumerate(words):
        for speaker in range(speakers):
            for take in range(takes):
                samples = noise(RATE, 1000 * number + 10 * speaker + take)
                write(folder / word / f"{speaker:02d}ab_nohash_{take}.wav", samples)
    return folder


@pytest.fixture
def words(tmp_path):
    return fill(tmp_path / "words")


def dataset(folder, **settings):
    return load(
        KeywordData(**({"path": str(folder)} | settings)),
        folder.parent / "cache",
    )


def counts(data):
    """Split -> class -> number of examples."""
    return {
        name: {
            data.classes[i]: int(n)
            for i, n in enumerate(np.bincount(part.labels, minlength=len(data.classes)))
        }
        for name, part in data.splits.items()
    }


def speakers(part):
    return {Path(name).name.split("_")[0] for name in part.names}


def message(folder, **settings):
    with pytest.raises(UsageError) as caught:
        dataset(folder, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tenth_of_the_speakers_is_held_out(words):
    data = dataset(words)
    assert data.classes == ("no", "yes")
    assert counts(data) == {"train": {"no": 9, "yes": 9}, "dev": {"no": 1, "yes": 1}}
    assert not speakers(data.split("train")) & speakers(data.split("dev"))


def test_clips_are_those_of_the_files(words):
    train = dataset(words).split("train")
    assert (train.inputs.shape, train.inputs.dtype) == ((18, SAMPLES), np.int16)
    for row in (0, 17):
        samples, _ = soundfile.read(words / train.names[row], dtype="int16")
        np.testing.assert_allclose(train.inputs[row], samples, atol=1)
        assert Path(train.names[row]).parent.name == ("no", "yes")[train.labels[row]]


def test_batches_are_normalised_cepstra(words):
    data = dataset(words, augment=False)
    made, labels = next(data.batches(0, 18))
    assert (made.shape, made.dtype) == ((18, 49, 10, 1), np.float32)
    np.testing.assert_allclose(made.mean(axis=(0, 1, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(made.std(axis=(0, 1, 3)), 1, atol=1e-3)
    assert sorted(labels) == [0] * 9 + [1] * 9


def test_the_front_end_survives_json(words, tmp_path):
    front = dataset(words).frontend
    write_json(tmp_path / "frontend.json", front)
    assert read_json(tmp_path / "frontend.json", MfccFrontEnd) == front


def test_training_clips_are_varied_and_repeatable(words):
    data, plain = dataset(words), dataset(words, augment=False)
    assert plain.augment is None
    made = next(data.batches(0, 18))[0]
    np.testing.assert_array_equal(made, next(data.batches(0, 18))[0])
    assert np.abs(made - next(plain.batches(0, 18))[0]).max() > 0.1


def test_the_lists_of_speech_commands_make_the_splits(words):
    (words / "validation_list.txt").write_text(
        "yes/00ab_nohash_0.wav\nno/01ab_nohash_0.wav\nno/gone.wav\n"
    )
    (words / "testing_list.txt").write_text("yes/02ab_nohash_0.wav\n")
    data = dataset(words)
    assert counts(data) == {
        "train": {"no": 9, "yes": 8},
        "dev": {"no": 1, "yes": 1},
        "test": {"no": 0, "yes": 1},
    }
    assert data.split("dev").names == ("no/01ab_nohash_0.wav", "yes/00ab_nohash_0.wav")


def test_a_list_for_testing_alone_leaves_dev_to_be_held_out(words):
    (words / "testing_list.txt").write_text(
        "\n".join(f"{word}/00ab_nohash_0.wav" for word in ("no", "yes"))
    )
    data = dataset(words)
    assert counts(data)["test"] == {"no": 1, "yes": 1}
    assert speakers(data.split("test")) == {"00ab"}
    assert len(speakers(data.split("dev"))) == 1


def test_a_list_of_other_files_is_an_error(words):
    (words / "validation_list.txt").write_text("maybe/1.wav\n")
    expected = (
        f"{words}/validation_list.txt names no file of {words}: expected lines like "
        "yes/0a7c2a8d_nohash_0.wav"
    )
    assert message(words) == expected


@pytest.mark.parametrize("dev", ["dev", "val", "validation"])
def test_folders_make_the_splits(tmp_path, dev):
    for split, count in (("train", 3), (dev, 2), ("test", 1)):
        fill(tmp_path / "words" / split, speakers=count)
    data = dataset(tmp_path / "words")
    assert counts(data) == {
        "train": {"no": 3, "yes": 3},
        "dev": {"no": 2, "yes": 2},
        "test": {"no": 1, "yes": 1},
    }


def test_wanted_words_keep_their_order_and_the_others_are_unknown(tmp_path):
    folder = fill(tmp_path / "words", ("down", "left", "no", "up", "yes"))
    data = dataset(folder, words=("yes", "no"))
    assert data.classes == ("yes", "no", "unknown")
    assert (
        sum(counts(data)[split]["unknown"] for split in ("train", "dev")) == 10
    )  # as many as of a wanted word
    train = data.split("train")
    others = {
        Path(name).parent.name
        for name, label in zip(train.names, train.labels, strict=True)
        if label == 2
    }
    assert others <= {"down", "left", "up"}
    assert len(others) > 1


def test_a_folder_unknown_stays_that_and_whole(tmp_path):
    folder = fill(tmp_path / "words", ("a", "unknown", "yes"), speakers=4)
    assert dataset(folder).classes == ("a", "yes", "unknown")
    data = dataset(folder, words=("yes",))
    assert data.classes == ("yes", "unknown")
    assert sum(counts(data)[split]["unknown"] for split in ("train", "dev")) == 4 + 4


def test_silence_is_made_of_the_background(words):
    ramp = np.linspace(
        0.1, 0.9, 20 * RATE, dtype=np.float32
    )  # its level says where an excerpt comes from
    write(words / "_background_noise_" / "ramp.wav", ramp)
    data = dataset(words)
    assert data.classes == ("no", "yes", "silence")
    assert counts(data)["train"]["silence"] == 18 / 2
    assert counts(data)["dev"]["silence"] == 2 / 2
    for split, low, high in (("train", 0.0, 0.8), ("dev", 0.8, 0.9)):
        part = data.split(split)
        for clip in part.inputs[part.labels == 2].astype(float):
            slope = (clip[-1] - clip[0]) / (SAMPLES - 1)
            place = (
                clip[0] / slope / len(ramp) - 0.125
            )  # the ramp would begin at zero an eighth before the recording
            assert low - 0.01 <= place <= high + 0.01
    assert data.augment.noise.max() <= 0.1 + 0.8 * 0.8 + 1e-3  # nothing of what dev hears


def test_a_folder_silence_is_kept_instead(tmp_path):
    folder = fill(tmp_path / "words", ("silence", "yes"))
    write(folder / "_background_noise_" / "a.wav")
    assert counts(dataset(folder))["train"] == {"yes": 9, "silence": 9}


def test_any_rate_length_and_format(words):
    write(words / "yes/90ab_nohash_0.flac", noise(8_000), 8_000)
    write(words / "yes/91ab_nohash_0.ogg", noise(44_100 * 2), 44_100)
    write(words / "yes/92ab_nohash_0.wav", noise(100))
    assert sum(len(part) for part in dataset(words).splits.values()) == 20 + 3


def test_bad_files_are_left_out_and_counted_in_one_warning(words, log_lines):
    (words / "yes/99ab_nohash_0.wav").write_text("text")
    write(words / "yes/98ab_nohash_0.wav", np.full(1000, np.nan, np.float32), subtype="FLOAT")
    held = ("validation_list.txt", "no/00ab_nohash_0.wav\nyes/00ab_nohash_0.wav\n")
    (words / held[0]).write_text(held[1])
    assert counts(dataset(words))["train"] == {"no": 9, "yes": 9}
    [line] = log_lines
    assert line.startswith(
        f"2 of 20 files in {words} were left out, e.g. {words}/yes/98ab_nohash_0.wav holds NaN"
    )


def test_decoding_is_done_once(words, monkeypatch):
    first = dataset(words).fingerprint()
    monkeypatch.setattr(soundfile, "read", None)
    assert dataset(words).fingerprint() == first


def test_a_changed_file_is_read_again(words):
    before = dataset(words).fingerprint()
    os.utime(write(words / "yes/00ab_nohash_0.wav", noise(RATE, 999)), (1, 1))
    assert dataset(words).fingerprint() != before


def test_the_seed_decides_who_is_held_out(words):
    held = [speakers(dataset(words, seed=seed).split("dev")) for seed in (0, 0, 1, 2)]
    assert held[0] == held[1]
    assert len(set(map(tuple, held))) > 1


def test_a_full_disk_leaves_no_store(words, full_disk):
    with pytest.raises(TinypruneError, match="No space left on device; free some space"):
        dataset(words)
    assert not list((words.parent / "cache").glob("*"))


def test_one_word_is_no_task(tmp_path):
    folder = fill(tmp_path / "words", ("yes",))
    assert (
        message(folder)
        == f"{folder} holds only the class 'yes': a classification task needs at least two"
    )


def test_a_missing_folder(tmp_path):
    expected = (
        f"{tmp_path}/gone does not exist: expected a folder with CLASS/FILE of WAV, FLAC or "
        "OGG files"
    )
    assert message(tmp_path / "gone") == expected


def test_a_file_is_no_folder(words):
    path = words / "yes/00ab_nohash_0.wav"
    assert (
        message(path)
        == f"{path} is a file: expected a folder with CLASS/FILE of WAV, FLAC or OGG files"
    )


def test_an_empty_folder(tmp_path):
    (tmp_path / "words/yes").mkdir(parents=True)
    expected = (
        f"folder {tmp_path}/words holds no CLASS/FILE of WAV, FLAC or OGG files: check the path"
    )
    assert message(tmp_path / "words") == expected


def test_two_folders_for_dev(tmp_path):
    for split in ("train", "dev", "val"):
        fill(tmp_path / "words" / split, speakers=1)
    folder = tmp_path / "words"
    assert message(folder) == f"{folder}/dev and {folder}/val are both for dev: keep one of them"


def test_a_word_that_training_does_not_have(tmp_path):
    fill(tmp_path / "words/train", speakers=2)
    path = write(tmp_path / "words/dev/maybe/1.wav")
    assert (
        message(tmp_path / "words")
        == f"{path} is of class 'maybe', which the training files do not have"
    )


def test_a_wanted_word_that_is_not_there(words):
    assert (
        message(words, words=("yse",))
        == "unknown word 'yse': did you mean 'yes'? expected one of: no, yes"
    )


def test_a_word_of_bad_files_only(words):
    for path in (words / "yes").iterdir():
        path.write_text("text")
    assert message(words) == f"no file of 'yes' in {words} can be used for training"


def test_bad_files_only(words):
    for path in words.rglob("*.wav"):
        path.write_text("text")
    assert message(words).startswith(f"none of the 18 audio files in {words} can be used, e.g. ")
    assert not list((words.parent / "cache").glob("*"))


def test_without_a_path():
    with pytest.raises(UsageError, match="give --path DIR"):
        load(KeywordData(), Path("cache"))


@pytest.mark.skipif(
    not (DATA / "keywords").is_dir(), reason=f"no real data in {DATA}; set TINYPRUNE_DATA"
)
def test_real_words(tmp_path):
    data = load(KeywordData(path=str(DATA / "keywords")), tmp_path)
    assert data.classes == (
        "close",
        "down",
        "left",
        "no",
        "open",
        "right",
        "start",
        "stop",
        "up",
        "yes",
        "unknown",
    )
    assert {name: len(part) for name, part in data.splits.items()} == {
        "train": 864,
        "dev": 288,
        "test": 288,
    }
    assert counts(data)["dev"] == {**dict.fromkeys(data.classes, 24), "unknown": 48}
    assert data.calibration().shape == (11 * (256 // 11), 49, 10, 1)
    assert [made.shape for made, _ in data.batches(0, 64)] == [(64, 49, 10, 1)] * (864 // 64)
