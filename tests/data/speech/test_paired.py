"""Pairs as a data set: splits, excerpts to train on, what is scored."""

import numpy as np
import pytest
import soundfile

from tinyprune.config import PairedData
from tinyprune.data.speech.paired import load
from tinyprune.errors import UsageError

RATE = 16_000


def noise(samples, seed=0, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


def write_pair(root, name, seed=0, samples=1600, snr_db=6.0):
    clean = noise(samples, seed)
    for side, samples in (
        ("clean", clean),
        ("noisy", clean + noise(len(clean), seed + 1000) * 10 ** (-snr_db / 20)),
    ):
        (root / side / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / side / f"{name}.wav", samples, RATE)


@pytest.fixture
def folders(tmp_path):
    """Ten speakers of two pairs each, an unlike number of samples in every pair."""
    for number in range(20):
        write_pair(tmp_path, f"p{number // 2}_{number % 2}", number, samples=1600 + 10 * number)
    return tmp_path


def dataset(root, cache=None, **settings):
    if "path" not in settings:
        settings |= {"noisy": str(root / "noisy"), "clean": str(root / "clean")}
    return load(PairedData(**settings), cache or root / "cache")


def snr_db(noisy, clean):
    return 10 * np.log10(
        np.mean(clean.astype(np.float64) ** 2) / np.mean((noisy.astype(np.float64) - clean) ** 2)
    )


# --- splits


def test_a_tenth_of_the_speakers_is_held_out(folders):
    found = dataset(folders)
    speakers = {
        split: {pair.speaker for pair in found.split(split).pairs} for split in ("train", "dev")
    }
    assert (len(speakers["train"]), len(speakers["dev"])) == (9, 1)
    assert not speakers["train"] & speakers["dev"]
    assert (len(found.split("train")), len(found.split("dev"))) == (2 * 9, 2 * 1)


def test_held_out_and_test_folders(folders):
    for split in ("dev", "test"):
        write_pair(folders / split, f"{split}_1")
    given = {
        f"{split}_{side}": str(folders / split / side)
        for split in ("dev", "test")
        for side in ("noisy", "clean")
    }
    found = dataset(folders, **given)
    assert {split: len(store) for split, store in found.splits.items()} == {
        "train": 20,
        "dev": 1,
        "test": 1,
    }


def test_a_corpus_at_a_path(tmp_path):
    for number in range(12):
        write_pair(tmp_path / "x", f"p{number}_1", number)
    for number in range(3):
        write_pair(tmp_path / "y", f"p232_00{number}", number)
    for part, name in (("x", "trainset_28spk_wav"), ("y", "testset_wav")):
        for side in ("noisy", "clean"):
            (tmp_path / "vb").mkdir(exist_ok=True)
            (tmp_path / part / side).rename(tmp_path / "vb" / f"{side}_{name}")
    (tmp_path / "vb/log_testset.txt").write_text("p232_000 bus 17.5\n")
    found = dataset(tmp_path, path=str(tmp_path / "vb"))
    assert {split: len(store) for split, store in found.splits.items()} == {
        "train": 11,
        "dev": 1,
        "test": 3,
    }
    labels = [
        (mixture.name, mixture.snr_db, mixture.category, mixture.speaker)
        for mixture in found.utterances("test")
    ]
    assert labels == [
        ("p232_000", 17.5, "bus", "p232"),
        ("p232_001", 5.0, "", "p232"),
        ("p232_002", 5.0, "", "p232"),
    ]


@pytest.mark.parametrize("given", [{"clean": None}, {"noisy": None}])
def test_two_folders_are_needed(folders, given):
    with pytest.raises(
        UsageError, match="^the paired data need two folders: give --noisy DIR and --clean DIR$"
    ):
        load(PairedData(**({"noisy": "a", "clean": "b"} | given)), folders)


@pytest.mark.parametrize("given", ["dev_noisy", "test_clean"])
def test_folders_of_a_split_go_together(folders, given):
    split = given.split("_")[0]
    message = f"^--{split}-noisy and --{split}-clean go together: give both or none$"
    with pytest.raises(UsageError, match=message):
        dataset(folders, **{given: str(folders / "noisy")})


def test_one_pair_cannot_be_split(tmp_path):
    write_pair(tmp_path, "a")
    with pytest.raises(
        UsageError,
        match="^one pair cannot be split into training and dev: add files, or give --dev-n",
    ):
        dataset(tmp_path)


def test_a_split_that_is_not_there(folders):
    with pytest.raises(
        UsageError, match="no 'test' split, only train, dev: give --test-noisy and --test-clean"
    ):
        dataset(folders).utterances("test")


def test_a_corpus_of_something_else(folders):
    (folders / "other/speech").mkdir(parents=True)
    (folders / "other/noise").mkdir()
    for kind in ("speech", "noise"):
        soundfile.write(folders / f"other/{kind}/a.wav", noise(1600), RATE)
    with pytest.raises(
        UsageError, match='for data.name = "mixture": the paired data cannot use it'
    ):
        dataset(folders, path=str(folders / "other"))
    with pytest.raises(
        UsageError, match="is a corpus .audio. without training data: the paired data cannot use it"
    ):
        dataset(folders, path=str(folders / "other/speech"))


# --- training


def test_batches_are_excerpts_of_both_sides_at_the_same_place(folders):
    """Speech of unit level times a gain: what is added has the SNR of the pair, and excerpts
    differ.
    """
    found = dataset(folders)
    noisy, clean = next(found.batches(0, 16, 800))
    assert noisy.shape == clean.shape == (16, 800)
    assert noisy.dtype == clean.dtype == np.float32
    np.testing.assert_allclose(
        [snr_db(*pair) for pair in zip(noisy, clean, strict=True)], 6, atol=1
    )
    assert len({clean[row, 0] for row in range(16)}) == 16


def test_levels_are_drawn_from_their_range(folders):
    levels = []
    for _, clean in dataset(folders, level_db=(-30.0, -20.0)).batches(0, 40, 1600):
        levels.extend(10 * np.log10(np.mean(clean**2, axis=1)))
    assert -30.5 < min(levels) < -28
    assert -22 < max(levels) < -19.5


def test_short_pairs_are_repeated_together(folders):
    noisy, clean = next(dataset(folders).batches(0, 2, 4000))
    for row in range(2):
        lags = [
            lag
            for lag in range(1600, 1800, 10)
            if np.allclose(clean[row, lag:], clean[row, :-lag], atol=1e-5)
        ]
        assert len(lags) == 1
        np.testing.assert_allclose(noisy[row, lags[0] :], noisy[row, : -lags[0]], atol=1e-5)


def test_the_same_seed_gives_the_same_batches(folders):
    found = dataset(folders)
    first, again, other = (next(found.batches(0, 4, 400, seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_epoch_is_as_long_as_the_training_pairs(folders):
    found = dataset(folders, dev_noisy=str(folders / "noisy"), dev_clean=str(folders / "clean"))
    assert found.batches_per_epoch(2, 800) == round(
        sum(1600 + 10 * number for number in range(20)) / (2 * 800)
    )
    assert len([*found.batches(0, 2, 800)]) == found.batches_per_epoch(2, 800)


def test_speed_is_changed_in_both(folders):
    """White noise loses nothing but what lies above the new Nyquist frequency: the SNR stays."""
    noisy, clean = next(dataset(folders, speed=(0.8, 1.2)).batches(0, 16, 1000))
    assert noisy.shape == (16, 1000)
    np.testing.assert_allclose(
        [snr_db(*pair) for pair in zip(noisy, clean, strict=True)], 6, atol=1
    )


def test_the_fingerprint_changes_with_training_pairs_and_settings_but_not_with_a_test_set(folders):
    first = dataset(folders).fingerprint()
    test = {f"test_{side}": str(folders / side) for side in ("noisy", "clean")}
    assert dataset(folders, **test).fingerprint() == first
    assert dataset(folders, speed=(0.9, 1.1)).fingerprint() != first
    assert dataset(folders, seed=5).fingerprint() != first
    write_pair(folders, "p0_0", seed=77)
    assert dataset(folders).fingerprint() != first


# --- scoring


def test_all_test_pairs_are_scored_whole(folders, monkeypatch):
    monkeypatch.setattr("tinyprune.data.speech.fixed_mixtures.MAX_UTTERANCE_SECONDS", 0.05)
    given = {
        f"{split}_{side}": str(folders / side)
        for split in ("dev", "test")
        for side in ("noisy", "clean")
    }
    found = dataset(folders, dev_utterances=7, **given)
    assert [len(mixture.noisy) for mixture in found.utterances("test")] == [
        1600 + 10 * number for number in range(20)
    ]
    assert [len(mixture.noisy) for mixture in found.utterances("dev")] == [800] * 7


def test_a_very_long_test_pair_is_cut(folders, monkeypatch):
    monkeypatch.setattr("tinyprune.data.speech.paired.LONGEST_TEST_SECONDS", 0.1)
    test = {f"test_{side}": str(folders / side) for side in ("noisy", "clean")}
    assert {len(mixture.clean) for mixture in dataset(folders, **test).utterances("test")} == {1600}


def test_dev_pairs_are_spread_over_the_speakers(folders):
    given = {f"dev_{side}": str(folders / side) for side in ("noisy", "clean")}
    found = dataset(folders, dev_utterances=10, **given)
    assert len({mixture.speaker for mixture in found.utterances("dev")}) == 10
    assert [mixture.name for mixture in found.utterances("dev")] == [
        mixture.name for mixture in found.utterances("dev")
    ]


def test_an_snr_that_nobody_says_is_measured(folders):
    assert {mixture.snr_db for mixture in dataset(folders).utterances("dev")} == {5.0}
