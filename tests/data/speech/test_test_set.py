import csv
import hashlib
import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyprune.data.corpora import layouts
from tinyprune.data.speech import test_set
from tinyprune.data.speech.test_set import MixRequest, MixSource, write_set
from tinyprune.errors import TinypruneError, UsageError

RATE = 16_000


def write(path, seed, samples=RATE // 2, loudest=12_000):
    """16-bit noise: what is written is known to the bit on every machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(
            np.random.default_rng(seed).integers(-loudest, loudest, samples).astype("<i2").tobytes()
        )


@pytest.fixture
def inputs(tmp_path):
    """Three speakers of two clips, two kinds of noise, two rooms."""
    for seed, name in enumerate(["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"]):
        write(tmp_path / f"in/speech/{name}.wav", seed, samples=RATE // 2 + 100 * seed)
    for seed, name in enumerate(["car/x", "street/y"]):
        write(tmp_path / f"in/noise/{name}.wav", 10 + seed, samples=3000)
        write(tmp_path / f"in/rirs/{seed}.wav", 20 + seed, samples=500)
    return tmp_path / "in"


def source(folder, **more):
    folders = {name: (folder / name,) for name in ("speech", "noise", "rirs")}
    return MixSource(**(folders | more))


REQUEST = MixRequest((-5.0, 0.0, 5.0), count=9, babble=0.34, seed=1)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(folder):
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- what is written


def test_two_folders_of_copies_give_the_same_bytes(tmp_path, inputs):
    other = tmp_path / "elsewhere/other name"
    shutil.copytree(inputs, other)
    one, two = (
        write_set(tmp_path / "one", source(inputs), REQUEST),
        write_set(tmp_path / "two", source(other), REQUEST),
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert one.manifest_sha256 == two.manifest_sha256
    assert len(contents(tmp_path / "one")) == 9 + 9 + 2


def test_the_bytes_are_known(tmp_path, inputs):
    """Every machine must come to this number: it stands for all samples and names, rooms, babble
    and all.
    """
    summary = write_set(tmp_path / "out", source(inputs), REQUEST)
    assert (summary.in_rooms, summary.babble, summary.turned_down) == (4, 3, 5)
    assert (
        summary.manifest_sha256
        == "a8f07c3612f05acb2152ee42e9a44165abe31cd3bda7f6294e77b498b70dd1b1"
    )


def test_files_are_what_the_manifest_says(tmp_path, inputs):
    summary = write_set(out := tmp_path / "out", source(inputs, rirs=()), REQUEST)
    lines = rows(out)
    assert [line["snr_db"] for line in lines] == ["-5", "0", "5"] * 3
    assert {line["speaker"] for line in lines} == {"a", "b", "c"}
    assert {line["category"] for line in lines} == {"car", "street", "babble"}
    for line in lines:
        signals = {kind: soundfile.read(out / line[kind]) for kind in ("noisy", "clean")}
        for kind, (samples, rate) in signals.items():
            info = soundfile.info(out / line[kind])
            assert (rate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
            assert (
                line[f"sha256_{kind}"]
                == hashlib.sha256((out / line[kind]).read_bytes()).hexdigest()
            )
            assert np.abs(samples).max() < 0.991  # nothing clips
        (noisy, _), (clean, _) = signals.values()
        snr_db = 10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2))
        assert snr_db == pytest.approx(float(line["snr_db"]), abs=0.01)
    assert (
        summary.manifest_sha256 == hashlib.sha256((out / "manifest.csv").read_bytes()).hexdigest()
    )


def test_quiet_speech_is_written_as_it_was(tmp_path, inputs):
    write(inputs / "speech/a/1.wav", 99, loudest=1000)
    write_set(out := tmp_path / "out", source(inputs, rirs=()), MixRequest((0.0,), count=6))
    [line] = [line for line in rows(out) if line["speech"] == "a/1.wav"]
    before, after = (
        soundfile.read(path, dtype="int16")[0]
        for path in (inputs / "speech/a/1.wav", out / line["clean"])
    )
    assert np.abs(before.astype(int) - after).max() <= 1


def test_names_are_sortable_and_telling(tmp_path, inputs):
    write_set(out := tmp_path / "out", source(inputs), REQUEST)
    names = [line["name"] for line in rows(out)]
    assert names == sorted(names)
    assert names[0].startswith("0001_-5dB_")
    assert sorted(path.stem for path in (out / "clean").iterdir()) == names
    assert sorted(path.stem for path in (out / "noisy").iterdir()) == names


def test_one_mixture_for_each_file_unless_a_number_is_given(tmp_path, inputs):
    assert write_set(tmp_path / "out", source(inputs), MixRequest((0.0,))).mixtures == 6


def test_what_was_made(tmp_path, inputs):
    summary = write_set(
        tmp_path / "out", source(inputs), MixRequest((0.0, 5.0), count=8, seconds=0.25, babble=0.5)
    )
    assert summary == test_set.MixSummary(
        (tmp_path / "out").as_posix(),
        8,
        round(8 * 0.25 / 60, 2),
        3,
        (0.0, 5.0),
        3,
        4,
        4,
        2,
        summary.manifest_sha256,
    )


def test_the_set_is_a_corpus_of_pairs(tmp_path, inputs):
    write_set(tmp_path / "out", source(inputs), REQUEST)
    corpus = layouts.recognise(tmp_path / "out")
    assert corpus.dataset == "paired"
    [part] = corpus.splits.values()
    assert {(pair.speaker, pair.snr_db) for pair in part.pairs} <= {
        (s, x) for s in "abc" for x in (-5.0, 0.0, 5.0)
    }


# --- where it comes from


def test_the_split_of_a_corpus(tmp_path, inputs):
    for kind in ("speech", "noise"):
        shutil.copytree(inputs / kind, tmp_path / "corpus" / kind / "train")
    write(tmp_path / "corpus/speech/test/z/1.wav", 7)
    write(tmp_path / "corpus/noise/test/rain/1.wav", 8)
    for split, speakers in ((None, {"z"}), ("test", {"z"}), ("train", {"a", "b", "c"})):
        out = tmp_path / f"out-{split}"
        write_set(out, MixSource(path=tmp_path / "corpus", split=split), REQUEST)
        assert {line["speaker"] for line in rows(out)} == speakers
    with pytest.raises(
        UsageError, match="corpus has no split 'dev': expected one of: train, test$"
    ):
        write_set(tmp_path / "out", MixSource(path=tmp_path / "corpus", split="dev"), REQUEST)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"speech": "x"},
        {"noise": "x"},
        {"speech": "x", "noise": "x", "split": "test"},
        {"rirs": "x"},
    ],
)
def test_speech_and_noise_are_both_needed(given):
    with pytest.raises(
        UsageError,
        match="^give --speech DIR and --noise DIR, or --path CORPUS, which may have a --split$",
    ):
        MixSource(
            **{name: (Path(value),) if name != "split" else value for name, value in given.items()}
        ).files()


def test_a_corpus_has_its_own_speech(inputs):
    with pytest.raises(
        UsageError,
        match="^--path has its own speech and noise: leave out --speech and --noise, or --path$",
    ):
        source(inputs, path=inputs).files()


def test_pairs_cannot_be_mixed(tmp_path, inputs):
    write_set(tmp_path / "out", source(inputs), REQUEST)
    with pytest.raises(UsageError, match=r"out \(CSV manifest\) has no speech and noise to mix"):
        write_set(tmp_path / "again", MixSource(path=tmp_path / "out"), REQUEST)


# --- interrupted, repeated, refused


def test_interrupted_it_finishes_the_next_time(tmp_path, inputs, monkeypatch):
    write_set(tmp_path / "whole", source(inputs), REQUEST)
    written = []

    def interrupted(path, *more):
        written.append(path)
        if len(written) == 7:
            raise KeyboardInterrupt
        return original(path, *more)

    original = test_set._write_wav
    monkeypatch.setattr(test_set, "_write_wav", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path / "out", source(inputs), REQUEST)
    assert not (tmp_path / "out/manifest.csv").exists()
    assert (tmp_path / "out/.decoded").exists()
    monkeypatch.setattr(test_set, "_write_wav", original)
    monkeypatch.setattr(soundfile, "SoundFile", None)  # what was decoded is not decoded again
    write_set(tmp_path / "out", source(inputs), REQUEST)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_the_same_request_again_changes_nothing(tmp_path, inputs):
    write_set(tmp_path / "out", source(inputs), REQUEST)
    before = contents(tmp_path / "out")
    (tmp_path / "out" / rows(tmp_path / "out")[0]["noisy"]).write_bytes(b"damaged")
    write_set(tmp_path / "out", source(inputs), REQUEST)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"snrs_db": (0.0,)}, r"snrs_db: \[-5.0, 0.0, 5.0\], now \[0.0\]"),
        ({"count": 8}, "count: 9, now 8"),
        ({"seconds": 2.0}, "seconds: 5.0, now 2.0"),
        ({"babble": 0.0}, "babble: 0.34, now 0.0"),
        ({"seed": 2}, "seed: 1, now 2"),
    ],
)
def test_another_request_never_goes_into_the_same_folder(tmp_path, inputs, changed, difference):
    write_set(tmp_path / "out", source(inputs), REQUEST)
    before = contents(tmp_path / "out")
    message = rf"out holds another set \({difference}\): give a new folder, or delete that one$"
    with pytest.raises(UsageError, match=message):
        write_set(tmp_path / "out", source(inputs), MixRequest(**(vars(REQUEST) | changed)))
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("kind", ["speech", "noise", "rirs"])
def test_other_input_never_goes_into_the_same_folder(tmp_path, inputs, kind):
    write_set(tmp_path / "out", source(inputs), REQUEST)
    before = contents(tmp_path / "out")
    write(inputs / kind / "new/file.wav", 77)
    with pytest.raises(UsageError, match=rf"out holds another set \(other {kind}\): give a new"):
        write_set(tmp_path / "out", source(inputs), REQUEST)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("place", ["speech", "noise/new", "rirs/a/b"])
def test_the_input_is_never_written_to(inputs, place):
    before = contents(inputs)
    with pytest.raises(
        UsageError,
        match=f"is in the input folder {inputs}/{place.split('/')[0]}: give a folder outside "
        "of it$",
    ):
        write_set(inputs / place, source(inputs), REQUEST)
    assert contents(inputs) == before


def test_a_link_to_the_input_is_the_input(tmp_path, inputs):
    (tmp_path / "link").symlink_to(inputs / "speech")
    with pytest.raises(UsageError, match="is in the input folder"):
        write_set(tmp_path / "link/new", source(inputs), REQUEST)


def test_a_folder_with_something_else_is_left_alone(tmp_path, inputs):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(
        UsageError, match=r"out holds something else \(thesis.txt\): give a new folder$"
    ):
        write_set(tmp_path / "out", source(inputs), REQUEST)
    with pytest.raises(UsageError, match=r"thesis.txt is a file: give a new folder$"):
        write_set(tmp_path / "out/thesis.txt", source(inputs), REQUEST)


def test_input_that_cannot_be_used_leaves_nothing(tmp_path, inputs):
    for path in (inputs / "noise").rglob("*.wav"):
        path.write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="^none of the 2 audio files in .*noise can be used"):
        write_set(tmp_path / "out", source(inputs), REQUEST)
    assert not (tmp_path / "out").exists()


def test_a_damaged_record_of_the_request(tmp_path, inputs):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mix.json").write_text("{")
    with pytest.raises(
        TinypruneError, match="mix.json cannot be read .*: delete .*out and run again$"
    ):
        write_set(tmp_path / "out", source(inputs), REQUEST)


def test_the_record_has_no_path_and_no_time(tmp_path, inputs):
    write_set(tmp_path / "out", source(inputs), REQUEST)
    record = json.loads((tmp_path / "out/mix.json").read_text())
    assert set(record) == {"format", *vars(REQUEST), "speech", "noise", "rirs"}
    assert (
        str(tmp_path)
        not in (tmp_path / "out/mix.json").read_text() + (tmp_path / "out/manifest.csv").read_text()
    )


def test_a_full_disk_is_one_line(tmp_path, inputs, full_disk):
    with pytest.raises(TinypruneError, match="No space left on device"):
        write_set(tmp_path / "out", source(inputs), REQUEST)
