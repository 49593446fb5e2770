"""Recordings that are only scored."""

import shutil

import numpy as np
import pytest
import soundfile

from tinyprune.data.speech.evaluation_data import EvaluationData, load_evaluation_data
from tinyprune.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    for name in ("noisy/a", "noisy/b", "clean/a", "clean/b"):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.random.default_rng(len(name)).normal(0, 0.1, 4000), 16_000)
    return tmp_path


def test_all_pairs_of_two_folders_are_the_test_split(folder, tmp_path):
    data = EvaluationData(noisy=str(folder / "noisy"), clean=str(folder / "clean"))
    assert (data.is_standalone, data.is_empty) == (True, False)
    found = load_evaluation_data(data, tmp_path / "cache").utterances("test")
    assert [mixture.name for mixture in found] == ["a", "b"]
    assert {len(mixture.clean) for mixture in found} == {4000}
    assert {path.parent for path in tmp_path.rglob("*.pcm")} == {tmp_path / "cache"}


def test_several_folders_have_clean_speech_each_or_one_for_all(folder, tmp_path):
    """Two rooms with 2 files each; of the folder that is named twice, the names are told apart."""
    shutil.copytree(folder / "noisy", folder / "far")
    noisy, clean = (str(folder / "noisy"), str(folder / "far")), str(folder / "clean")
    for each in (clean, (clean, clean)):
        found = load_evaluation_data(EvaluationData(noisy=noisy, clean=each), tmp_path / "cache")
        names = [mixture.name for mixture in found.utterances("test")]
        assert names == ["noisy/a", "noisy/b", "far/a", "far/b"]
    with pytest.raises(UsageError, match="^2 folders of noisy recordings and 3 of clean speech"):
        load_evaluation_data(EvaluationData(noisy=noisy, clean=(clean,) * 3), tmp_path / "cache")


def test_one_pair_is_enough(folder, tmp_path):
    (folder / "noisy/b.wav").unlink()
    data = EvaluationData(noisy=str(folder / "noisy"), clean=str(folder / "clean"))
    assert len(load_evaluation_data(data, tmp_path / "cache").utterances("test")) == 1


def test_a_manifest_of_pairs(folder, tmp_path):
    (folder / "list.csv").write_text("noisy,clean\nnoisy/a.wav,clean/a.wav\n")
    assert (
        len(
            load_evaluation_data(
                EvaluationData(path=str(folder / "list.csv")), tmp_path / "cache"
            ).utterances("test")
        )
        == 1
    )


def test_a_corpus_that_has_nothing_to_score(folder, tmp_path):
    with pytest.raises(
        UsageError, match=r"/clean \(.*\) has nothing to score: expected pairs, or a test split$"
    ):
        load_evaluation_data(EvaluationData(path=str(folder / "clean")), tmp_path / "cache")


def test_nothing_and_folders_to_mix_are_not_standalone():
    assert EvaluationData().is_empty
    mixed = EvaluationData("speech", "noise")
    assert (mixed.is_standalone, mixed.is_empty) == (False, False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (EvaluationData(noisy="a"), "^--noisy and --clean go together: give both or none$"),
        (EvaluationData(clean="a"), "^--noisy and --clean go together"),
        (EvaluationData(test_noise="a"), "^--test-speech and --test-noise go together"),
        (EvaluationData(noisy="a", clean="b", path="c"), "give one of the three$"),
        (EvaluationData("a", "b", "c", "d"), "give one of the three$"),
    ],
)
def test_what_contradicts_itself(data, message):
    with pytest.raises(UsageError, match=message):
        data.check()
