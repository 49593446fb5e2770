"""Which files are pairs, which pairs can be used, and what is said of the others."""

import numpy as np
import pytest
import soundfile

from tinyprune.data.corpora.corpus import Pair
from tinyprune.data.speech.pair_store import (
    TOLERANCE,
    match,
    match_each,
    measured_snr_db,
    open_pairs,
    read_pair,
)
from tinyprune.errors import TinypruneError, UsageError

RATE = 16_000


def noise(samples, seed=0, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


def write(path, samples=None, rate=RATE, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(1600, len(str(path))) if samples is None else samples, rate, **how)
    return path


def write_pair(root, name, snr_db=6.0, seed=0, samples=1600):
    """White noise as speech, and the same with more white noise; samples are rounded to 16 bits."""
    clean = noise(samples, seed)
    added = noise(samples, seed + 1000) * 10 ** (-snr_db / 20)
    write(root / "clean" / f"{name}.wav", clean)
    write(root / "noisy" / f"{name}.wav", clean + added)


def matched(root):
    return match(root / "noisy", root / "clean")


# --- names


def test_suffixes_do_not_matter(tmp_path):
    for name in ("noisy/a/1.flac", "clean/a/1.wav", "noisy/2.wav", "clean/2.ogg"):
        write(tmp_path / name)
    assert [pair.name for pair in matched(tmp_path).pairs] == ["2", "a/1"]


def test_several_folders_are_matched_one_by_one(tmp_path):
    for root in ("one", "two"):
        write_pair(tmp_path / root, "p1_a")
    folders = [[tmp_path / root / kind for root in ("one", "two")] for kind in ("noisy", "clean")]
    pairs = match_each(*folders).pairs
    assert [pair.name for pair in pairs] == ["noisy/p1_a", "noisy-2/p1_a"]
    assert {pair.speaker for pair in pairs} == {"p1"}
    with pytest.raises(UsageError, match="2 folders of noisy recordings and 1 of clean speech"):
        match_each(folders[0], folders[1][:1])


def test_files_without_a_partner_are_listed(tmp_path):
    write_pair(tmp_path, "a")
    alone = [write(tmp_path / name) for name in ("noisy/b.wav", "clean/c.wav", "clean/x/a.wav")]
    part = matched(tmp_path)
    assert [pair.name for pair in part.pairs] == ["a"]
    assert list(part.unmatched) == alone


def test_folders_that_have_nothing_in_common(tmp_path):
    for name in ("noisy/b.wav", "noisy/d.wav", "clean/c.wav"):
        write(tmp_path / name)
    with pytest.raises(UsageError) as caught:
        matched(tmp_path)
    expected = (
        f"no file in {tmp_path}/noisy has the name of one in {tmp_path}/clean: of 2 and 1 "
        "files, e.g. b and c"
    )
    assert str(caught.value) == expected


def test_numbers_of_the_synthesizers(tmp_path):
    write(tmp_path / "noisy/clnsp1_train_69005_1_snr15_tl-21_fileid_158.wav")
    write(tmp_path / "noisy/clnsp1_train_69005_1_snr15_tl-21_fileid_58.wav")
    for number in (58, 158):
        write(tmp_path / f"clean/clean_fileid_{number}.wav")
    assert [pair.clean.name for pair in matched(tmp_path).pairs] == [
        "clean_fileid_158.wav",
        "clean_fileid_58.wav",
    ]


def test_several_noisy_files_may_have_one_clean_file(tmp_path):
    for snr in ("0.0", "20.0"):
        write(tmp_path / f"noisy/noisy1_SNRdb_{snr}_clnsp1.wav")
    write(tmp_path / "clean/clnsp1.wav")
    assert [pair.clean.name for pair in matched(tmp_path).pairs] == ["clnsp1.wav"] * 2


def test_who_speaks(tmp_path):
    for name in ("p226_001", "p226_002", "p227-001", "anna/x_1", "2"):
        write_pair(tmp_path, name)
    assert [pair.speaker for pair in matched(tmp_path).pairs] == [
        "2",
        "anna",
        "p226",
        "p226",
        "p227",
    ]


# --- samples


def pair(root, noisy, clean, **how):
    """A pair of two signals."""
    return Pair(
        write(root / "n.wav", noisy, **how), write(root / "c.wav", clean, **how), "x", "anna"
    )


def reason(found):
    with pytest.raises(TinypruneError) as caught:
        read_pair(found)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("difference", [0, 1, TOLERANCE])
def test_a_few_samples_more_are_cut(tmp_path, difference):
    noisy, clean = read_pair(pair(tmp_path, noise(1000 + difference), noise(1000)))
    assert len(noisy) == len(clean) == 1000


def test_different_lengths(tmp_path):
    found = pair(tmp_path, noise(RATE), noise(RATE + TOLERANCE + 1))
    assert reason(found) == "pair x differs in length: noisy 1.000 s, clean 1.001 s"


def test_different_rates(tmp_path):
    found = Pair(
        write(tmp_path / "n.wav", noise(800), 8_000),
        write(tmp_path / "c.wav", noise(1600)),
        "x",
        "",
    )
    assert reason(found) == "pair x differs in sampling rate: noisy 8000 Hz, clean 16000 Hz"


def test_one_stereo_file(tmp_path):
    found = Pair(
        write(tmp_path / "n.wav", noise(800).reshape(400, 2)),
        write(tmp_path / "c.wav", noise(400)),
        "x",
        "",
    )
    assert reason(found) == "pair x differs in channels: noisy 2, clean 1"


def test_two_stereo_files_are_averaged(tmp_path):
    signals = [noise(800, seed).reshape(400, 2) for seed in (1, 2)]
    for found, given in zip(read_pair(pair(tmp_path, *signals)), signals, strict=True):
        np.testing.assert_allclose(found, given.mean(axis=1), atol=2 / 2**15)


@pytest.mark.parametrize("side", ["noisy", "clean"])
def test_silence(tmp_path, side):
    found = pair(
        tmp_path, *(np.zeros(400) if side == name else noise(400) for name in ("noisy", "clean"))
    )
    assert reason(found) == f"{getattr(found, side)} is silent"


def test_an_empty_file_and_one_that_is_none(tmp_path):
    found = pair(tmp_path, noise(400), noise(400))
    found.clean.write_bytes(b"")
    assert reason(found) == f"{found.clean} is damaged, or no WAV, FLAC or OGG file (it is empty)"


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_depths(tmp_path, subtype):
    signals = noise(400, 1), noise(400, 2)
    for found, given in zip(
        read_pair(pair(tmp_path, *signals, subtype=subtype)), signals, strict=True
    ):
        np.testing.assert_allclose(found, given, atol=2**-7 if subtype == "PCM_U8" else 2**-15)


def test_a_pair_is_scaled_as_one(tmp_path):
    """The noisy one passes full scale by two: both are halved, so the SNR stays."""
    clean = noise(1000, 1)
    noisy = clean.copy()
    noisy[500] = 2.0
    found = read_pair(pair(tmp_path, noisy, clean, subtype="FLOAT"))
    np.testing.assert_allclose(found[0], noisy / 2, atol=1e-7)
    np.testing.assert_allclose(found[1], clean / 2, atol=1e-7)


# --- the store


def test_a_store_gives_both_sides_at_the_same_place(tmp_path):
    for number in range(3):
        write_pair(tmp_path, f"s{number}_1", seed=number, samples=1000 + number)
    store = open_pairs(matched(tmp_path), "x", tmp_path / "cache")
    assert list(store.lengths) == [1000, 1001, 1002]
    noisy, clean = store.excerpt(2, 100, 200)
    np.testing.assert_allclose(clean, noise(1002, 2)[100:300], atol=1e-4)
    np.testing.assert_allclose(
        noisy - clean, (noise(1002, 1002) * 10 ** (-6 / 20))[100:300], atol=1e-4
    )
    np.testing.assert_allclose(store.rms, [np.std(noise(1000 + n, n)) for n in range(3)], rtol=0.01)
    few = store.subset(np.array([True, False, True]))
    assert [found.name for found in few.pairs] == ["s0_1", "s2_1"]
    np.testing.assert_array_equal(few.excerpt(1, 0, 500), store.excerpt(2, 0, 500))


def test_what_cannot_be_used_is_left_out_listed_and_counted(tmp_path, log_lines):
    for number in range(4):
        write_pair(tmp_path, f"p{number}")
    write(tmp_path / "clean/p1.wav", noise(800))
    (tmp_path / "noisy/p2.wav").write_text("text")
    write(tmp_path / "noisy/q.wav")
    store = open_pairs(matched(tmp_path), "x", tmp_path / "cache")
    assert [found.name for found in store.pairs] == ["p0", "p3"]
    left_out, alone = log_lines
    assert left_out.startswith(
        "2 of 4 pairs in x were left out: pair p1 differs in length: noisy 0.100 s, clean 0.050 s; "
    )
    assert f"{tmp_path}/noisy/p2.wav is damaged" in left_out
    assert alone == f"1 of the files in x have no partner: {tmp_path}/noisy/q.wav"


def test_delayed_and_inverted_pairs_are_told(tmp_path, log_lines):
    for name, moved in (("a", 384), ("b", 0), ("c", 0)):  # 384 samples are 24 ms
        clean = noise(8000)
        write(tmp_path / f"clean/{name}.wav", clean)
        write(tmp_path / f"noisy/{name}.wav", np.roll(-clean if name == "b" else clean, moved))
    store = open_pairs(matched(tmp_path), "x", tmp_path / "cache")
    assert len(store) == 3
    assert log_lines == [
        "2 of 3 pairs in x are delayed or inverted, which no network can learn: "
        "a: noisy is 24 ms after clean; b: noisy is inverted"
    ]


def test_decoding_is_done_once(tmp_path, monkeypatch):
    write_pair(tmp_path, "a")
    write_pair(tmp_path, "b")
    write(tmp_path / "clean/a.wav", noise(10))
    first = open_pairs(matched(tmp_path), "x", tmp_path / "cache")
    monkeypatch.setattr(soundfile, "SoundFile", None)
    again = open_pairs(matched(tmp_path), "x", tmp_path / "cache")
    assert [found.name for found in again.pairs] == [found.name for found in first.pairs] == ["b"]


def test_nothing_usable_is_an_error(tmp_path):
    write_pair(tmp_path, "a")
    write(tmp_path / "clean/a.wav", np.zeros(1600))
    with pytest.raises(
        UsageError, match="none of the 1 pairs in x can be used, e.g. .*clean/a.wav is silent"
    ):
        open_pairs(matched(tmp_path), "x", tmp_path / "cache")


# --- SNR


@pytest.mark.parametrize(("snr_db", "rounded"), [(-6.0, -5), (2.0, 0), (2.8, 5), (17.4, 15)])
def test_an_snr_is_measured_to_5_db(snr_db, rounded):
    clean = noise(16_000, 1)
    assert measured_snr_db(clean + noise(16_000, 2) * 10 ** (-snr_db / 20), clean) == rounded


def test_equal_signals_have_the_snr_of_16_bits():
    clean = noise(1000)
    floor_db = 10 * np.log10(0.1**2 * 12 * 2**30)
    assert measured_snr_db(clean, clean) == pytest.approx(floor_db, abs=2.5)
