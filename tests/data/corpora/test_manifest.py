import re

import pytest

from tests.support.corpora import groups, names, touch, write
from tinyprune.data.corpora.layouts import recognise
from tinyprune.errors import UsageError


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
            "line 2: it names no file: expected the columns noisy,clean or speech,noise "
            "(optional: .*)",
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
