import os
from dataclasses import fields

import numpy as np
import pytest
import soundfile

from benchmarks.shared.speech_data import AS_RECORDED
from tinyprune.config import MixtureData
from tinyprune.config.data import MixedData
from tinyprune.data.speech.mixture import load
from tinyprune.errors import TinypruneError, UsageError

RATE = 16_000


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)


def write(path, samples=None, rate=RATE, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(1000, len(str(path))) if samples is None else samples, rate, **how)
    return path


@pytest.fixture
def folders(tmp_path):
    """Ten speakers of two files each, and ten files of noise."""
    for speaker in range(10):
        for take in range(2):
            write(tmp_path / f"speech/{speaker:02d}/{take}.wav", noise(1000, 2 * speaker + take))
        write(tmp_path / f"noise/kind/{speaker}.wav", noise(500, 100 + speaker))
    return tmp_path


def dataset(folder, **settings):
    values = {
        **AS_RECORDED,
        "speech": str(folder / "speech"),
        "noise": str(folder / "noise"),
    } | settings
    return load(MixtureData(**values), folder / "cache")


def test_formats_and_rates_may_be_mixed(folders):
    for name, rate, channels in [("a.flac", 8_000, 1), ("b.ogg", 44_100, 1), ("c.wav", 48_000, 2)]:
        write(folders / "speech/11" / name, np.tile(noise(rate)[:, None], (1, channels)), rate)
    speech = (
        dataset(folders, dev_speech=str(folders / "noise"), dev_noise=str(folders / "noise"))
        .split("train")
        .speech
    )
    lengths = dict(zip(speech.names, speech.lengths, strict=True))
    assert [lengths[f"11/{name}"] for name in ("a.flac", "b.ogg", "c.wav")] == pytest.approx(
        [RATE] * 3, abs=1
    )


def test_several_folders_are_one_corpus(folders):
    """The second folder has a further recording of speaker 03, and a link to the first folder."""
    write(folders / "more/03/new.wav", noise(300, 7))
    (folders / "more/again").symlink_to(folders / "speech")
    one = dataset(folders)
    several = dataset(folders, speech=(str(folders / "speech"), str(folders / "more")))
    counts = []
    for found in (one, several):
        splits = [found.split(name).speech for name in ("train", "dev")]
        counts.append(sum(map(len, splits)))
        speakers = {speaker for split in splits for speaker in split.groups}
        assert len(speakers) == 10
    assert counts == [20, 21]
    names = several.split("train").speech.names + several.split("dev").speech.names
    assert {name.split("/")[0] for name in names} == {"speech", "more"}
    assert "more/03/new.wav" in names


def test_a_tenth_of_the_speakers_is_held_out(folders):
    found = dataset(folders)
    train, dev = found.split("train").speech, found.split("dev").speech
    assert len(set(train.groups)) == 10 - 1
    assert len(set(dev.groups)) == 1
    assert not set(train.groups) & set(dev.groups)
    assert (len(train), len(dev)) == (2 * 9, 2 * 1)


def test_a_tenth_of_the_noise_files_is_held_out(folders):
    found = dataset(folders)
    train, dev = found.split("train").noise, found.split("dev").noise
    assert (len(train), len(dev)) == (9, 1)
    assert not set(train.names) & set(dev.names)


def test_the_seed_decides_who_is_held_out(folders):
    held = [dataset(folders, seed=seed).split("dev").speech.groups[0] for seed in (0, 0, 1, 2, 3)]
    assert held[0] == held[1]
    assert len(set(held)) > 1


def test_without_speaker_folders_files_are_held_out(tmp_path):
    for number in range(4):
        write(tmp_path / f"speech/{number}.wav")
        write(tmp_path / f"noise/{number}.wav")
    found = dataset(tmp_path)
    assert (len(found.split("train").speech), len(found.split("dev").speech)) == (3, 1)


def test_held_out_folders_leave_the_training_folders_whole(folders):
    write(folders / "dev/speech/x.wav")
    write(folders / "dev/noise/y.wav")
    found = dataset(
        folders, dev_speech=str(folders / "dev/speech"), dev_noise=str(folders / "dev/noise")
    )
    assert (len(found.split("train").speech), len(found.split("train").noise)) == (20, 10)
    assert (found.split("dev").speech.names, found.split("dev").noise.names) == (
        ["x.wav"],
        ["y.wav"],
    )


def test_a_test_split_comes_from_its_own_folders(folders):
    write(folders / "t/x.wav")
    found = dataset(folders, test_speech=str(folders / "t"), test_noise=str(folders / "noise"))
    assert found.split("test").speech.names == ["x.wav"]
    with pytest.raises(UsageError, match="no 'test' split"):
        dataset(folders).split("test")


def test_bad_files_are_left_out_and_counted_in_one_warning(folders, log_lines):
    cut = write(folders / "speech/00/2.flac", noise(16_000))
    cut.write_bytes(cut.read_bytes()[:5000])
    (folders / "speech/00/3.wav").write_text("text")
    write(folders / "speech/00/4.wav", np.full(1000, np.nan, np.float32), subtype="FLOAT")
    write(folders / "speech/00/5.wav", np.zeros(1000, np.float32))
    found = dataset(folders)
    assert len(found.split("train").speech) + len(found.split("dev").speech) == 20
    line, *held_out = log_lines
    assert all(other.startswith("held out for dev: 1 of 10") for other in held_out)
    assert line.startswith(
        f"4 of 24 files in {folders}/speech were left out, e.g. {cut} is damaged, or no WAV, "
    )


def test_good_folders_give_no_warning(folders, log_lines):
    dataset(folders)
    assert all(line.startswith("held out for dev: 1 of 10") for line in log_lines)


@pytest.mark.parametrize("kind", ["speech", "noise"])
def test_folders_of_bad_files_only_are_an_error(folders, kind):
    for path in (folders / kind).rglob("*.wav"):
        write(path, np.zeros(100, np.float32))
    count = {"speech": 20, "noise": 10}[kind]
    first = {"speech": "00/0.wav", "noise": "kind/0.wav"}[kind]
    with pytest.raises(UsageError) as caught:
        dataset(folders)
    message = (
        f"none of the {count} audio files in {folders / kind} can be used, e.g. "
        f"{folders / kind / first} is silent"
    )
    assert str(caught.value) == message
    assert not list((folders / "cache").glob(f".*{kind}*"))


@pytest.mark.parametrize("kind", ["speech", "noise", "dev_speech", "test_noise"])
def test_a_missing_folder(folders, kind):
    other = {
        name: str(folders / "noise")
        for name in ("dev_speech", "dev_noise", "test_speech", "test_noise")
    }
    with pytest.raises(
        UsageError,
        match="folder .*/gone does not exist: expected a folder with WAV, FLAC or OGG files",
    ):
        dataset(folders, **(other | {kind: str(folders / "gone")}))


def test_an_empty_folder(folders):
    (folders / "empty").mkdir()
    with pytest.raises(
        UsageError, match="folder .*/empty holds no WAV, FLAC or OGG file: check the path"
    ):
        dataset(folders, speech=str(folders / "empty"))


@pytest.mark.parametrize("kind", ["speech", "noise"])
def test_one_file_cannot_be_split(folders, kind):
    write(folders / "single/only.wav")
    message = (
        f"one {kind} file cannot be split into training and dev: add files, or give "
        "--dev-speech and --dev-noise"
    )
    with pytest.raises(UsageError, match=f"^{message}$"):
        dataset(folders, **{kind: str(folders / "single")})


@pytest.mark.parametrize(
    "given", [{"noise": None}, {"speech": None}, {"speech": None, "noise": None}]
)
def test_speech_and_noise_are_both_needed(folders, given):
    with pytest.raises(
        UsageError, match="^the mixture data need two folders: give --speech DIR and --noise DIR$"
    ):
        dataset(folders, **given)


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("kind", ["speech", "noise"])
def test_folders_of_a_split_go_together(folders, split, kind):
    message = f"^--{split}-speech and --{split}-noise go together: give both or none$"
    with pytest.raises(UsageError, match=message):
        dataset(folders, **{f"{split}_{kind}": str(folders / "noise")})


def test_decoding_is_done_once(folders, monkeypatch):
    first = dataset(folders)
    monkeypatch.setattr(soundfile, "read", None)
    assert dataset(folders).fingerprint() == first.fingerprint()


def test_a_changed_file_is_read_again(folders):
    before = dataset(folders).fingerprint()
    path = write(folders / "speech/00/0.wav", noise(1000, 999))
    os.utime(path, (1, 1))
    assert dataset(folders).fingerprint() != before


def test_two_folders_of_one_name_are_two_corpora(folders):
    write(folders / "other/speech/a/1.wav", noise(700))
    found = dataset(
        folders, dev_speech=str(folders / "other/speech"), dev_noise=str(folders / "noise")
    )
    assert found.split("dev").speech.names == ["a/1.wav"]


def test_mixtures_of_real_files_are_real(folders):
    found = dataset(folders, dev_utterances=3)
    assert len(found.utterances("dev")) == 3
    noisy, clean = next(found.batches(0, 2, 4000))  # longer than any file: both are repeated
    np.testing.assert_allclose(clean[:, 1000:], clean[:, :-1000], atol=1e-6)
    assert np.isfinite(noisy).all()


def test_own_recordings_vary_by_default(folders):
    """A part of the mixtures has no noise; without variation there is none such in 200."""

    def clean(**settings):
        noisy, speech = next(dataset(folders, **settings).batches(0, 200, 400))
        return int((np.abs(noisy - speech).max(axis=1) == 0).sum())

    assert clean() == 0
    own = MixtureData(speech="s", noise="n")
    varied = {field.name: getattr(own, field.name) for field in fields(MixedData)}
    assert clean(**varied) > 0
    assert varied["speed"] == (0.95, 1.5)
    assert varied["follow_level"]


def test_a_full_disk_leaves_no_store(folders, full_disk):
    with pytest.raises(TinypruneError, match="No space left on device; free some space"):
        dataset(folders)
    assert not list((folders / "cache").glob("*"))


# --- corpora in a known layout


def of(path, **settings):
    return load(MixtureData(path=str(path), **settings), path.parent / "cache")


def test_a_known_corpus_brings_its_test_split(tmp_path):
    for split, count in (("train", 12), ("test", 3)):
        for number in range(count):
            write(tmp_path / f"snsd/clean_{split}/p{100 + number}_001.wav")
            write(tmp_path / f"snsd/noise_{split}/Kind_{number}.wav")
    found = of(tmp_path / "snsd", dev_utterances=4)
    sizes = {split: (len(part.speech), len(part.noise)) for split, part in found.splits.items()}
    assert sizes == {"train": (12 - 1, 12 - 1), "dev": (1, 1), "test": (3, 3)}
    assert {mixture.category for mixture in found.utterances("test")} == {"Kind"}
    assert not set(found.split("train").speech.groups) & set(found.split("dev").speech.groups)


def test_rooms_of_a_corpus_and_of_a_folder(folders):
    impulse = np.zeros(400, np.float32)
    impulse[[3, 90]] = 0.001, 0.0005  # quiet, but only its form matters
    write(folders / "rirs/room.wav", impulse)
    for found in (of(folders), dataset(folders, rirs=str(folders / "rirs"))):
        rirs = found.split("train").rirs
        assert rirs.names == ["room.wav"]
        np.testing.assert_allclose(rirs.excerpt(0, 0, 100)[[3, 90]], [1.0, 0.5], atol=0.04)
        assert found.split("dev").rirs is None
    assert dataset(folders).split("train").rirs is None


def test_a_corpus_of_pairs_is_for_another_data_set(tmp_path):
    for side in ("noisy", "clean"):
        write(tmp_path / f"c/{side}/a.wav")
    with pytest.raises(UsageError) as caught:
        of(tmp_path / "c")
    expected = (
        f'{tmp_path}/c is a corpus (noisy and clean) for data.name = "paired": the mixture '
        "data cannot use it"
    )
    assert str(caught.value) == expected


def test_a_manifest_without_noise_for_a_split(folders):
    lines = [
        "speech,noise,split",
        *(f"speech/0{n}/0.wav,noise/kind/{n}.wav,train" for n in range(4)),
    ]
    (folders / "list.csv").write_text("\n".join([*lines, "speech/05/0.wav,,test"]))
    with pytest.raises(
        UsageError, match="no noise in the split 'test': speech and noise go together"
    ):
        of(folders / "list.csv")
