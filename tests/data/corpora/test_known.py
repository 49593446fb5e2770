import pytest

from tests.support.corpora import groups, names, touch
from tinyprune.data.corpora.layouts import recognise


def test_voicebank(voicebank):
    corpus = recognise(voicebank)
    assert (corpus.layout, corpus.dataset, sorted(corpus.splits)) == (
        "VoiceBank+DEMAND",
        "paired",
        ["test", "train"],
    )
    train, test = corpus.splits["train"].pairs, corpus.splits["test"].pairs
    found = [(pair.name, pair.speaker, pair.category, pair.snr_db) for pair in train]
    assert found == [("p226_006", "p226", "cafe", 15.0), ("p227_007", "p227", "psquare", 5.0)]
    assert [pair.snr_db for pair in test] == [17.5, 2.5, None]  # the log does not know the third
    assert all(pair.noisy.parent.name == "noisy_testset_wav" for pair in test)
    assert all(pair.clean.parent.name == "clean_testset_wav" for pair in test)


def test_voicebank_with_all_speakers_unpacked_twice_and_its_logs_in_a_folder(voicebank):
    for side in ("noisy", "clean"):
        touch(voicebank, f"{side}_trainset_56spk_wav/{side}_trainset_56spk_wav/p300_001.wav")
    (voicebank / "logfiles").mkdir()
    (voicebank / "logfiles/log_trainset_56spk.txt").write_text("p300_001 bus -5\n")
    train = recognise(voicebank).splits["train"].pairs
    assert [(pair.name, pair.snr_db) for pair in train] == [
        ("p226_006", 15),
        ("p227_007", 5),
        ("p300_001", -5),
    ]


def test_voicebank_without_logs_has_no_snrs(voicebank):
    for path in voicebank.glob("*.txt"):
        path.unlink()
    assert {pair.snr_db for pair in recognise(voicebank).splits["train"].pairs} == {None}


def test_a_noisy_file_without_its_clean_one_is_told(voicebank):
    touch(voicebank, "noisy_testset_wav/p257_001.wav")
    test = recognise(voicebank).splits["test"]
    assert (len(test.pairs), names(test.unmatched)) == (3, ["p257_001.wav"])


# --- MS-SNSD and DNS-Challenge


def test_ms_snsd(tmp_path):
    touch(
        tmp_path,
        "clean_train/p226_001.wav",
        "clean_train/clnsp1.wav",
        "noise_train/AirConditioner_1.wav",
    )
    touch(
        tmp_path, "clean_test/clnsp2.wav", "noise_test/Babble_12.wav", "noisyspeech_synthesizer.cfg"
    )
    corpus = recognise(tmp_path)
    assert (corpus.layout, corpus.dataset) == ("MS-SNSD", "mixture")
    train, test = corpus.splits["train"], corpus.splits["test"]
    assert (names(train.speech), groups(train.speech)) == (
        ["clnsp1.wav", "p226_001.wav"],
        [".", "p226"],
    )
    assert (groups(train.noise), groups(test.noise)) == (["AirConditioner"], ["Babble"])
    assert names(test.speech) == ["clnsp2.wav"]


DNS = {
    "of 2020": (
        "datasets/clean/book_1_reader_00012_3.wav",
        "datasets/noise/a/x.wav",
        "datasets/impulse_responses/S/r.wav",
    ),
    "fullband": (
        "datasets_fullband/clean_fullband/read_speech/book_1_reader_00012_3.wav",
        "datasets_fullband/noise_fullband/a/x.wav",
        "datasets_fullband/impulse_responses/S/r.wav",
    ),
    "by languages": (
        "datasets/read_speech/book_1_reader_00012_3.wav",
        "datasets/noise/a/x.wav",
        "datasets/impulse_responses/S/r.wav",
    ),
}


@pytest.mark.parametrize("form", DNS)
@pytest.mark.parametrize("root", [".", "datasets"])
def test_dns_challenge(tmp_path, form, root):
    touch(tmp_path, *DNS[form])
    top = next(path for path in tmp_path.iterdir()) if root == "datasets" else tmp_path
    corpus = recognise(top)
    assert (corpus.layout, corpus.dataset, list(corpus.splits)) == (
        "DNS-Challenge",
        "mixture",
        ["train"],
    )
    train = corpus.splits["train"]
    assert (groups(train.speech), groups(train.noise), names(train.rirs)) == (
        ["reader_00012"],
        ["a"],
        ["S/r.wav"],
    )


def test_dns_challenge_without_rooms(tmp_path):
    touch(tmp_path, "clean/a.wav", "noise/b.wav")
    assert recognise(tmp_path).splits["train"].rirs == ()


# --- CHiME-2


def test_chime2_medium_vocabulary(tmp_path):
    for side in ("isolated", "scaled"):
        touch(
            tmp_path, f"{side}/si_tr_s/m6dB/a/011c0201.wav", f"{side}/si_dt_05/9dB/a/050c0101.wav"
        )
        touch(tmp_path, f"{side}/si_et_05/0dB/a/440c0201.wav")
    corpus = recognise(tmp_path)
    assert (corpus.layout, corpus.dataset) == ("CHiME-2", "paired")
    found = {
        split: [(pair.speaker, pair.snr_db) for pair in part.pairs]
        for split, part in corpus.splits.items()
    }
    assert found == {"train": [("011", -6.0)], "dev": [("050", 9.0)], "test": [("440", 0.0)]}
    assert all(
        pair.clean == tmp_path / "scaled" / pair.noisy.relative_to(tmp_path / "isolated")
        for part in corpus.splits.values()
        for pair in part.pairs
    )


def test_chime2_small_vocabulary(tmp_path):
    """One clean file for all SNRs; the test set has none."""
    touch(tmp_path, "train/isolated/id1/bbaf2n.wav", "train/reverberated/id1/bbaf2n.wav")
    touch(tmp_path, *(f"devel/isolated/{snr}/s2_bwam9a.wav" for snr in ("9dB", "0dB", "m3dB")))
    touch(tmp_path, "devel/reverberated/s2_bwam9a.wav", "test/isolated/9dB/s3_x.wav")
    splits = recognise(tmp_path).splits
    assert [(pair.speaker, pair.snr_db) for pair in splits["train"].pairs] == [("id1", None)]
    assert sorted((pair.speaker, pair.snr_db) for pair in splits["dev"].pairs) == [
        ("s2", -3),
        ("s2", 0),
        ("s2", 9),
    ]
    assert len({pair.clean for pair in splits["dev"].pairs}) == 1
    assert "test" not in splits


def test_chime2_finds_the_clean_file_elsewhere_if_it_is_the_only_one_of_its_name(tmp_path):
    touch(tmp_path, "isolated/3dB/si_tr_s/a/011c0201.wav", "isolated/3dB/si_tr_s/a/011c0202.wav")
    touch(
        tmp_path,
        "clean/si_tr_s/x/y/011c0201.wav",
        "clean/si_tr_s/x/011c0202.wav",
        "clean/si_tr_s/y/011c0202.wav",
    )
    train = recognise(tmp_path).splits["train"]
    assert [(pair.name, pair.snr_db) for pair in train.pairs] == [("3dB/si_tr_s/a/011c0201", 3.0)]
    assert names(train.unmatched) == ["011c0202.wav"]  # of two clean files, either could be it
