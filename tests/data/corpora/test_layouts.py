"""Tiny corpora in the layouts as they are published; what is found in them without opening a file."""

import re

import numpy as np
import pytest
import soundfile

from tinyprune.data.corpora.layouts import dataset_of, recognise
from tinyprune.errors import UsageError


def touch(root, *names):
    """Files that look like audio by their names only: a layout must not open them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(files):
    return [file.name for file in files]


def groups(files):
    return [file.group for file in files]


# --- VoiceBank+DEMAND
# -------------------------------------------------------------------------------------------------


@pytest.fixture
def voicebank(tmp_path):
    for side in ("noisy", "clean"):
        touch(tmp_path, *(f"{side}_trainset_28spk_wav/p22{n}_00{n}.wav" for n in (6, 7)))
        touch(tmp_path, *(f"{side}_testset_wav/p232_00{n}.wav" for n in (1, 2, 3)))
    (tmp_path / "log_trainset_28spk.txt").write_text("p226_006 cafe 15\np227_007 psquare 5\n")
    (tmp_path / "log_testset.txt").write_text("p232_001 bus 17.5\np232_002 living 2.5\n")
    (tmp_path / "log_readme.txt").write_text("The columns are: file noise SNR\n")
    return tmp_path


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
# ----------------------------------------------------------------------------------------


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
# ----------------------------------------------------------------------------------------------------------


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


# --- plain folders
# ----------------------------------------------------------------------------------------------------


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


# --- CSV manifests
# ----------------------------------------------------------------------------------------------------


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_manifest_of_pairs(tmp_path):
    touch(tmp_path, "n/1.wav", "n/2.wav", "c/1.wav", "c/2.wav")
    lines = (
        "name,noisy,clean,category,snr_db,speaker,split\none,n/1.wav,c/1.wav,bus,-2.5,anna,test\n"
    )
    path = write(tmp_path / "list.csv", lines + "\n, n/2.wav, c/2.wav,,,,\n")
    corpus = recognise(path)
    assert (corpus.layout, corpus.dataset) == ("CSV manifest", "paired")
    [one], [two] = corpus.splits["test"].pairs, corpus.splits["train"].pairs
    assert (one.name, one.category, one.snr_db, one.speaker) == ("one", "bus", -2.5, "anna")
    assert (one.noisy, one.clean) == (tmp_path / "n/1.wav", tmp_path / "c/1.wav")
    assert (two.name, two.category, two.snr_db, two.speaker) == ("n/2", "", None, "2")


def test_a_folder_with_a_manifest_of_pairs_is_that_manifest(tmp_path):
    touch(tmp_path, "noisy/1.wav", "clean/1.wav", "speech/x.wav")
    write(
        tmp_path / "manifest.csv",
        "name,noisy,clean,speech,noise,snr_db\na,noisy/1.wav,clean/1.wav,gone.wav,gone.wav,5\n",
    )
    [pair] = recognise(tmp_path).splits["train"].pairs
    assert (pair.name, pair.snr_db) == ("a", 5.0)


def test_a_manifest_of_speech_and_noise(tmp_path):
    touch(tmp_path, "s/1.wav", "s/2.wav", "n/1.wav", "r.wav")
    lines = (
        "speech,noise,rir,speaker,category\ns/1.wav,n/1.wav,r.wav,anna,bus\ns/2.wav,n/1.wav,,,\n"
    )
    corpus = recognise(write(tmp_path / "list.csv", lines))
    train = corpus.splits["train"]
    assert corpus.dataset == "mixture"
    assert (names(train.speech), groups(train.speech)) == (["s/1.wav", "s/2.wav"], ["anna", "s"])
    assert (names(train.noise), groups(train.noise), names(train.rirs)) == (
        ["n/1.wav"],
        ["bus"],
        ["r.wav"],
    )


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            "noisy,clean\na.wav,\n",
            "line 2: 'clean' is empty: every line needs a noisy and a clean file",
        ),
        (
            "noisy,clean\na.wav,a.wav\na.wav,gone.wav\n",
            "line 3: clean gone.wav does not exist in {folder}",
        ),
        (
            "noisy,clean,snr_db\na.wav,a.wav,loud\n",
            "line 2: snr_db 'loud': expected a number of dB",
        ),
        ("noisy,clean,snr_db\na.wav,a.wav,nan\n", "line 2: snr_db 'nan': expected a number of dB"),
        (
            "noisy,clean,split\na.wav,a.wav,exam\n",
            "line 2: split 'exam': expected train, dev or test",
        ),
        ("noisy,clean\na.wav,a.wav,b.wav\n", "line 2: expected 2 cells, there are more"),
        (
            "speech,noise\n,\n",
            "line 2: it names no file: expected the columns noisy,clean or speech,noise (optional: .*)",
        ),
    ],
)
def test_a_manifest_with_a_slip(tmp_path, lines, complaint):
    touch(tmp_path, "a.wav")
    path = write(tmp_path / "list.csv", lines)
    with pytest.raises(UsageError) as caught:
        recognise(path)
    assert re.fullmatch(
        re.escape(f"{path}, ")
        + complaint.format(folder=tmp_path).replace("(", r"\(").replace(")", r"\)"),
        str(caught.value),
    )


def test_an_empty_manifest(tmp_path):
    with pytest.raises(
        UsageError, match="list.csv lists nothing: expected the columns noisy,clean or speech,noise"
    ):
        recognise(write(tmp_path / "list.csv", "noisy,clean\n"))


# --- what is none
# -----------------------------------------------------------------------------------------------------


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
