"""What is said of corpora whose every sample is known."""

import json

import numpy as np
import pytest
import soundfile

from tinyprune.audio import files as audio_files
from tinyprune.data.corpora.description import FileFacts, describe, measure
from tinyprune.data.corpora.layouts import recognise
from tinyprune.storage.records import to_jsonable

RATE = 8_000


def tone(seconds=1.0, level=0.5, rate=RATE):
    """A sine of 100 Hz; its RMS is ``level / sqrt(2)``."""
    return level * np.sin(2 * np.pi * 100 * np.arange(round(seconds * rate)) / rate)


def write(path, samples, rate=RATE, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **how)
    return path


# --- one file


@pytest.mark.parametrize("block", [100, 3333, 10**6])
def test_levels_do_not_depend_on_the_size_of_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr(audio_files, "BLOCK", block)
    found = measure(
        write(tmp_path / "a.wav", np.stack([tone(), tone(level=0.25)], axis=1), subtype="PCM_24")
    )
    assert isinstance(found, FileFacts)
    assert (found.header.sample_rate, found.header.channels, found.header.bits) == (RATE, 2, 24)
    assert (found.seconds, found.clipped) == (1.0, False)
    assert found.rms == pytest.approx(np.sqrt((0.5**2 + 0.25**2) / 2 / 2), rel=1e-4)
    assert found.peak == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("block", [2, 5, 100])
@pytest.mark.parametrize(("run", "clipped"), [(2, False), (3, True)])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_three_samples_in_a_row_at_full_scale_are_clipped(
    tmp_path, monkeypatch, block, run, clipped, sign, subtype
):
    monkeypatch.setattr(audio_files, "BLOCK", block)
    samples = np.zeros(20)
    samples[7 : 7 + run] = sign
    assert measure(write(tmp_path / "a.wav", samples, subtype=subtype)).clipped is clipped


def test_a_run_is_one_of_a_channel(tmp_path):
    samples = np.zeros((9, 2))
    samples[[3, 4, 5], [0, 1, 0]] = 1
    assert not measure(write(tmp_path / "a.wav", samples)).clipped


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    problem = measure(tmp_path / "a.wav")
    assert not isinstance(problem, FileFacts)
    assert problem == f"{tmp_path}/a.wav is damaged, or no WAV, FLAC or OGG file (it is empty)"


# --- a corpus


def test_a_folder_of_audio(tmp_path):
    loud = [
        write(tmp_path / f"{speaker}/1.wav", tone(seconds, 0.1))
        for speaker, seconds in (("a", 1.0), ("b", 2.0))
    ]
    write(tmp_path / "b/2.flac", np.stack([tone(3.0, 0.1, 16_000)] * 2, axis=1), 16_000)
    write(tmp_path / "c/ogg.ogg", tone(1.0, 0.1))
    silent = write(tmp_path / "c/silent.wav", np.zeros(RATE))
    clipped = write(tmp_path / "c/clipped.wav", np.clip(tone(1.0, 0.1) * 100, -1, 1))
    (tmp_path / "c/text.wav").write_text("text")
    [found] = describe(recognise(tmp_path)).summaries
    assert (found.split, found.kind, found.files, found.groups) == (
        "all",
        "audio",
        len(loud) + 5,
        3,
    )
    assert found.hours == pytest.approx((1 + 2 + 3 + 1 + 1 + 1) / 3600)
    assert (found.shortest_seconds, found.longest_seconds) == (1.0, 3.0)
    assert (found.sample_rates, found.channels) == ({"8000": 5, "16000": 1}, {"1": 5, "2": 1})
    assert found.bits == {"16": 5, "-": 1}
    assert found.level_dbfs["50"] == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.1)
    assert found.peak_dbfs == pytest.approx(0, abs=0.01)
    assert (found.silent, found.clipped) == ((str(silent),), (str(clipped),))
    assert len(found.unreadable) == 1


def test_a_corpus_with_nothing_readable_has_no_nan(tmp_path):
    for kind in ("speech", "noise"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "x.wav").write_text("text")
    write(tmp_path / "speech/silent.wav", np.zeros(100))
    found = describe(recognise(tmp_path))
    speech, noise = found.summaries
    assert (speech.level_dbfs, speech.peak_dbfs, noise.shortest_seconds, noise.hours) == (
        {},
        None,
        None,
        0,
    )
    json.dumps(to_jsonable(found), allow_nan=False)


def test_pairs(tmp_path):
    clean = tone(level=0.3)
    for name, snr_db in (("p1_1", 10), ("p1_2", 10), ("p2_1", 0)):
        noise = np.random.default_rng(0).normal(
            0, 0.3 / np.sqrt(2) * 10 ** (-snr_db / 20), len(clean)
        )
        write(tmp_path / "noisy" / f"{name}.wav", clean + noise, subtype="FLOAT")
        write(tmp_path / "clean" / f"{name}.wav", clean, subtype="FLOAT")
    write(tmp_path / "clean/p2_1.wav", clean[:-100])
    alone = write(tmp_path / "clean/p3_1.wav", clean)
    found = describe(recognise(tmp_path))
    assert [(summary.kind, summary.files, summary.groups) for summary in found.summaries] == [
        ("noisy", 3, 2),
        ("clean", 3, 2),
    ]
    [pairs] = found.pairs
    assert (pairs.split, pairs.pairs, pairs.snr_db) == ("train", 2, {"10": 2})
    assert pairs.unusable == ("pair p2_1 differs in length: noisy 1.000 s, clean 0.988 s",)
    assert pairs.unmatched == (str(alone),)


def test_a_delayed_pair_is_named(tmp_path):
    """192 samples at 8 kHz are 24 ms."""
    signal = np.random.default_rng(0).normal(0, 0.1, RATE)
    write(tmp_path / "clean/a.wav", signal)
    write(tmp_path / "noisy/a.wav", np.roll(signal, 192))
    found = describe(recognise(tmp_path))
    assert found.pairs[0].misaligned == ("a: noisy is 24 ms after clean",)


def test_a_clean_file_of_several_noisy_ones_is_counted_once(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"noisy/noisy{number}_SNRdb_0.0_clnsp1.wav", tone())
    write(tmp_path / "clean/clnsp1.wav", tone())
    noisy, clean = describe(recognise(tmp_path)).summaries
    assert (noisy.files, clean.files) == (2, 1)
