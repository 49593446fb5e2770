"""Tiny corpora in their layouts: their splits, without opening a file."""

import numpy as np
import pytest
import soundfile

from tests.support.corpora import groups, names, touch, write
from tinyprune.data.corpora.layouts import dataset_of, recognise
from tinyprune.errors import UsageError

# --- plain folders


@pytest.mark.parametrize("form", ["{split}/{side}/a.wav", "{side}/{split}/a.wav"])
def test_folders_of_pairs_by_split(tmp_path, form):
    for split in ("train", "val", "test"):
        touch(tmp_path, *(form.format(split=split, side=side) for side in ("noisy", "clean")))
    corpus = recognise(tmp_path)
    assert (corpus.layout, corpus.dataset) == ("noisy and clean", "paired")
    assert {split: names(part.pairs) for split, part in corpus.splits.items()} == dict.fromkeys(
        ("train", "dev", "test"), ["a"]
    )


def test_folders_of_speech_and_noise_by_split_with_rooms(tmp_path):
    touch(
        tmp_path,
        *(f"{kind}/{split}/x/a.wav" for kind in ("speech", "noise") for split in ("train", "dev")),
    )
    touch(tmp_path, "rirs/small.wav")
    corpus = recognise(tmp_path)
    assert (corpus.layout, corpus.dataset, list(corpus.splits)) == (
        "speech and noise",
        "mixture",
        ["train", "dev"],
    )
    assert names(corpus.splits["train"].rirs) == ["small.wav"]
    assert corpus.splits["dev"].rirs == ()


def test_any_folder_of_audio(tmp_path):
    corpus = recognise(touch(tmp_path, "b/1.ogg", "a.flac", "notes.txt"))
    assert (corpus.layout, corpus.dataset, list(corpus.splits)) == ("audio", "", ["all"])
    assert (names(corpus.splits["all"].audio), groups(corpus.splits["all"].audio)) == (
        ["a.flac", "b/1.ogg"],
        [".", "b"],
    )


def test_any_folder_of_audio_by_split(tmp_path):
    corpus = recognise(touch(tmp_path, "train/x/1.wav", "dev/2.wav", "MANIFEST.csv"))
    assert {split: names(part.audio) for split, part in corpus.splits.items()} == {
        "train": ["x/1.wav"],
        "dev": ["2.wav"],
    }


# --- what is none


@pytest.mark.parametrize(
    ("name", "problem"),
    [("gone", "does not exist"), ("x.csv", "is no known corpus"), ("e", "is no known corpus")],
)
def test_what_is_no_corpus_is_told_which_there_are(tmp_path, name, problem):
    write(tmp_path / "x.csv", "path,licence\n")
    (tmp_path / "e").mkdir()
    with pytest.raises(UsageError) as caught:
        recognise(tmp_path / name)
    assert str(caught.value).startswith(
        f"{tmp_path / name} {problem}: expected one of: CSV manifest (columns noisy,clean); "
    )
    assert "VoiceBank+DEMAND (noisy_trainset_28spk_wav, " in str(caught.value)
    assert dataset_of(tmp_path / name) == ""


def test_nothing_is_decoded(voicebank, monkeypatch):
    for name in ("read", "info", "SoundFile"):
        monkeypatch.setattr(soundfile, name, None)
    assert np.sum([len(part.pairs) for part in recognise(voicebank).splits.values()]) == 2 + 3
