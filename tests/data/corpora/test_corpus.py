import os

import numpy as np
import pytest

from tinyprune.data.corpora.corpus import (
    cache_key,
    first_few,
    hold_out_speakers,
    speaker_in,
    speakers,
)


def test_a_speaker_sorted_into_chapters_stays_one_speaker():
    chapters = [f"{speaker}/{chapter}" for speaker in range(10) for chapter in range(3)]
    assert speakers(chapters) == [str(speaker) for speaker in range(10) for _ in range(3)]
    corpora = [
        f"corpus{speaker % 2}/{speaker}" for speaker in range(12)
    ]  # 2 folders are no 10 speakers
    assert speakers(corpora) == corpora
    assert speakers(["."] * 3) == ["."] * 3


def hold_out(groups, names, seed=0, lengths=None):
    lengths = np.ones(len(groups), int) if lengths is None else np.asarray(lengths)
    return hold_out_speakers(
        "speech", groups, names, lengths, seed, "give --dev-noisy and --dev-clean"
    )


def test_a_tenth_of_the_speakers_is_held_out_whole():
    groups = [f"s{number % 20}" for number in range(100)]
    held = hold_out(groups, [str(number) for number in range(100)])
    who = {group for group, out in zip(groups, held, strict=True) if out}
    assert len(who) == 20 // 10
    assert held.sum() == 2 * 100 // 20


def test_files_of_one_speaker_are_held_out_one_by_one():
    assert hold_out(["."] * 30, [str(number) for number in range(30)]).sum() == 30 // 10
    assert hold_out(["."] * 2, ["a", "b"]).sum() == 1
    assert hold_out(["."], ["a"]) is None


def test_the_seed_decides():
    names = [str(number) for number in range(30)]
    masks = [hold_out(names, names, seed) for seed in (0, 0, 1)]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


@pytest.mark.parametrize("seed", range(6))
def test_a_speaker_with_most_of_the_files_is_not_held_out(seed):
    """One of 11 speakers has 30 of 40 files; the others have one each: 1 to 8 of 40."""
    groups = ["book"] * 30 + [f"s{number}" for number in range(10)]
    held = hold_out(groups, list(map(str, range(40))), seed)
    assert not held[:30].any()
    assert 1 <= held.sum() <= 8


@pytest.mark.parametrize("seed", range(4))
def test_the_shorter_of_two_speakers_is_held_out_and_too_much_is_a_warning(seed, caplog):
    held = hold_out(["a"] * 6 + ["b"] * 4, list(map(str, range(10))), seed)
    assert held.tolist() == [False] * 6 + [True] * 4
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "held out for dev: 1 of 2 speakers of speech, 40 % of the time (b)" in caplog.text


def test_time_counts_not_files():
    """Speaker "long" has 1 of 10 files but 91 of 100 seconds."""
    lengths = [91] + [1] * 9
    for seed in range(6):
        groups = ["long"] + [f"s{number}" for number in range(9)]
        assert not hold_out(groups, groups, seed, lengths)[0]


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("book_00001_chp_0009_reader_06709_3", "reader_06709"),
        ("p226_001", "p226"),
        ("interview_3", ""),
    ],
)
def test_names_of_published_corpora_say_who_speaks(name, speaker):
    assert speaker_in(name) == speaker


def test_a_digest_changes_with_files_their_times_and_settings(tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file in files:
        file.write_text("x")
    first = cache_key(files)
    assert cache_key(files) == first
    others = {cache_key(files[:1]), cache_key(files, "setting")}
    os.utime(files[0], (1, 1))
    assert len(others | {first, cache_key(files)}) == 4


def test_a_long_list_is_cut():
    assert first_few([1, 2, 3]) == "1; 2; 3"
    assert first_few([1, 2, 3, 4, 5]) == "1; 2; 3; and 2 more"
