from pathlib import Path

import pytest

from tinyprune.data.keywords.word_files import speaker_of


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("0a7c2a8d_nohash_0.wav", "0a7c2a8d"),
        ("abcdefab_nohash_0.wav", "abcdefab"),
        ("00000021_NO_02.flac", "00000021"),
        ("eight_00000005_NO_01.flac", "00000005"),
        ("anna_yes.wav", "anna"),
        ("7.wav", "7"),
    ],
)
def test_the_speaker_stands_in_the_name(name, speaker):
    assert speaker_of(Path("yes") / name) == speaker
