import os

import numpy as np

from tinyprune.data.corpora.corpus import cache_key, first_few, hold_out_speakers, speakers


def test_a_speaker_sorted_into_chapters_stays_one_speaker():
    chapters = [f"{speaker}/{chapter}" for speaker in range(10) for chapter in range(3)]
    assert speakers(chapters) == [str(speaker) for speaker in range(10) for _ in range(3)]
    corpora = [
        f"corpus{speaker % 2}/{speaker}" for speaker in range(12)
    ]  # 2 folders are no 10 speakers
    assert speakers(corpora) == corpora
    assert speakers(["."] * 3) == ["."] * 3


def test_a_tenth_of_the_speakers_is_held_out_whole():
    groups = [f"s{number % 20}" for number in range(100)]
    held = hold_out_speakers(groups, [str(number) for number in range(100)], 0)
    who = {group for group, out in zip(groups, held, strict=True) if out}
    assert len(who) == 20 // 10
    assert held.sum() == 2 * 100 // 20


def test_files_of_one_speaker_are_held_out_one_by_one():
    assert hold_out_speakers(["."] * 30, [str(number) for number in range(30)], 0).sum() == 30 // 10
    assert hold_out_speakers(["."] * 2, ["a", "b"], 0).sum() == 1
    assert hold_out_speakers(["."], ["a"], 0) is None


def test_the_seed_decides():
    names = [str(number) for number in range(30)]
    masks = [hold_out_speakers(names, names, seed) for seed in (0, 0, 1)]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


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
