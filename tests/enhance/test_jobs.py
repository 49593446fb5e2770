"""Files and folders of any format: kept as they were, but for the noise; what is bad is named, and the rest is done."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from tests.support.conditioning import without_dc
from tinyprune.audio import stft
from tinyprune.audio.device import record_beside
from tinyprune.enhance import files
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.enhance.files import Format, create_file
from tinyprune.enhance.jobs import NetworkChoice, enhance
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.run_folder import Workspace
from tinyprune.tflite.interpreter import Int8Model


def noise(samples, channels=1, seed=0):
    return np.random.default_rng(seed).normal(size=(samples, channels)).astype(np.float32) / 10


def write(path, samples=None, rate=16_000, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(4000) if samples is None else samples, rate, **how)
    return path


CHOICES = {"model", "frontend", "max_attenuation_db"}


def run(source, target, folder, **more):
    """Enhance with the network that some names choose, and the rest of the options."""
    chosen = {name: more.pop(name) for name in CHOICES & set(more)}
    enhance(str(source), str(target), NetworkChoice(folder, **chosen), **more)
    return target


FORMATS = {
    "u8.wav": (16_000, 1, "PCM_U8"),
    "16.wav": (8000, 2, "PCM_16"),
    "24.wav": (48_000, 1, "PCM_24"),
    "32.wav": (22_050, 1, "PCM_32"),
    "float.wav": (44_100, 2, "FLOAT"),
    "16.flac": (48_000, 2, "PCM_16"),
    "24.flac": (16_000, 1, "PCM_24"),
    "vorbis.ogg": (32_000, 2, "VORBIS"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_format_rate_channels_bits_and_length_are_kept(speech_run, tmp_path, name):
    rate, channels, subtype = FORMATS[name]
    source = write(tmp_path / name, noise(5001, channels), rate, subtype=subtype)
    run(source, tmp_path / "out" / name, speech_run)
    before, after = soundfile.info(source), soundfile.info(tmp_path / "out" / name)
    for what in ("samplerate", "channels", "frames", "format", "subtype", "endian"):
        assert getattr(after, what) == getattr(before, what)
    assert (after.samplerate, after.channels, after.subtype, after.frames) == (
        rate,
        channels,
        subtype,
        5001,
    )


def test_samples_are_those_of_the_network(speech_run, tmp_path):
    signal = noise(20_000)[:, 0]
    run(
        write(tmp_path / "a.wav", signal, subtype="FLOAT"),
        tmp_path / "b.wav",
        speech_run,
        model="baseline",
    )
    path = speech_run / "variants/baseline/streaming.tflite"
    frontend, spectrum = record_beside(path).frontend, stft.analyse(without_dc(signal))
    whole = stft.synthesise(
        spectrum * (Int8Model(path).run(frontend.features(spectrum)) @ frontend.spread()), 20_000
    )
    inside = 19_200  # of 20,000; afterwards the high-pass dies away, in the stream only
    found = soundfile.read(tmp_path / "b.wav")[0]
    np.testing.assert_allclose(found[:inside], whole[:inside], atol=1e-5)


@pytest.mark.parametrize("subtype", ["GSM610", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"])
def test_compressed_wav_in_is_compressed_wav_out(speech_run, tmp_path, subtype):
    source = write(tmp_path / "a.wav", noise(6400), 8000, subtype=subtype)
    run(source, tmp_path / "b.wav", speech_run)
    before, after = soundfile.info(source), soundfile.info(tmp_path / "b.wav")
    assert (after.subtype, after.frames) == (subtype, before.frames)


def test_mp3_comes_in_and_goes_out_as_wav(speech_run, tmp_path):
    source = write(tmp_path / "a.mp3", noise(16_000), format="MP3")
    run(source, tmp_path / "b.wav", speech_run)
    assert soundfile.info(tmp_path / "b.wav").subtype == "PCM_16"


def test_wav_and_flac_of_one_input_have_the_same_samples(speech_run, tmp_path):
    source = write(tmp_path / "a.wav", subtype="PCM_16")
    run(source, tmp_path / "b.wav", speech_run)
    run(source, tmp_path / "b.flac", speech_run)
    wav, flac = (soundfile.read(tmp_path / name, dtype="int16")[0] for name in ("b.wav", "b.flac"))
    np.testing.assert_array_equal(wav, flac)


def test_an_output_of_more_than_4_gib_is_rf64(tmp_path):
    """2^31 samples of 2 bytes are 4 GiB."""
    samples = noise(1000)
    with create_file(tmp_path / "a.wav", Format(16_000, 1, "PCM_16", "FILE", 2**31)) as write_block:
        write_block(samples)
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    np.testing.assert_allclose(
        soundfile.read(tmp_path / "a.wav", always_2d=True)[0], samples, atol=0.5 / 2**15 + 1e-9
    )


def test_an_output_of_unknown_length_stops_at_4_gib_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_WAV", 5000)  # bytes: 2,500 samples
    unknown = Format(16_000, 1, "PCM_16")
    with (
        pytest.raises(TinypruneError, match=r"longer than the 4 GiB of a WAV.*\.flac"),
        create_file(tmp_path / "a.wav", unknown) as write_block,
    ):
        write_block(noise(2000))
        write_block(noise(2000))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit_db", [6, 20])
def test_no_band_is_attenuated_by_more_than_the_limit(speech_run, tmp_path, limit_db):
    """A mask below the limit becomes it: what comes out is at least the input that much quieter."""
    source = write(tmp_path / "a.wav", noise(16_000), subtype="FLOAT")
    run(source, tmp_path / "b.wav", speech_run)
    run(source, tmp_path / "c.wav", speech_run, max_attenuation_db=limit_db)
    levels = [np.std(soundfile.read(tmp_path / f"{name}.wav")[0]) for name in "abc"]
    assert levels[2] >= levels[0] * 10 ** (-limit_db / 20) * 0.99
    assert levels[2] >= levels[1]


def test_the_limit_that_a_network_was_made_for_holds_unless_another_is_given(speech_run, tmp_path):
    """10 dB in the record: the same samples as with 10 dB given, and others than with 20 dB."""
    variant = Workspace(speech_run).variant("baseline").folder
    for name in ("streaming.tflite", "streaming.frontend.json"):
        shutil.copy(variant / name, tmp_path / name)
    limited = tmp_path / "streaming.frontend.json"
    record = json.loads(limited.read_text())
    source = write(tmp_path / "a.wav", noise(16_000))

    def enhanced(record_db, given_db):
        limited.write_text(json.dumps({**record, "max_attenuation_db": record_db}))
        denoiser = Denoiser(tmp_path / "streaming.tflite", max_attenuation_db=given_db)
        [channel] = denoiser.channels(1)
        samples = soundfile.read(source, dtype="float32")[0]
        return np.concatenate([channel.enhance(hop) for hop in samples[:12_800].reshape(-1, 256)])

    np.testing.assert_array_equal(enhanced(10.0, None), enhanced(None, 10.0))
    np.testing.assert_array_equal(enhanced(10.0, 1.0), enhanced(None, 1.0))
    assert not np.array_equal(enhanced(10.0, None), enhanced(None, 1.0))


def test_a_limit_of_nothing_is_the_input_itself(speech_run, tmp_path):
    signal = noise(16_000)
    source = write(tmp_path / "a.wav", signal, subtype="FLOAT")
    run(source, tmp_path / "b.wav", speech_run, max_attenuation_db=1e-6)
    found = soundfile.read(tmp_path / "b.wav", always_2d=True)[0]
    np.testing.assert_allclose(found[:15_000], without_dc(signal)[:15_000], atol=1e-5)


def test_another_suffix_is_another_format(speech_run, tmp_path):
    run(write(tmp_path / "a.wav", subtype="PCM_24"), tmp_path / "a.flac", speech_run)
    run(write(tmp_path / "a.ogg"), tmp_path / "b.wav", speech_run)
    found = [soundfile.info(tmp_path / name) for name in ("a.flac", "b.wav")]
    assert [(info.format, info.subtype) for info in found] == [
        ("FLAC", "PCM_24"),
        ("WAV", "PCM_16"),
    ]


def test_a_file_goes_into_a_folder_under_its_name(speech_run, tmp_path):
    (tmp_path / "out").mkdir()
    run(write(tmp_path / "a.wav"), tmp_path / "out", speech_run)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.wav"]


def test_a_folder_keeps_its_names(speech_run, tmp_path, log_lines):
    names = ["a.wav", "deep/er/b.flac", "deep/c.OGG"]
    for name in names:
        write(tmp_path / "in" / name, noise(8000))
    (tmp_path / "in/notes.txt").write_text("no audio")
    out = run(tmp_path / "in", tmp_path / "out", speech_run)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == sorted(names)
    [line] = [line for line in log_lines if line.startswith(f"{out}: ")]
    assert line.startswith(f"{out}: 1.5 s of audio in ")
    assert line.endswith("per frame of 16 ms, algorithmic latency 32 ms")


def test_what_is_written_into_the_input_folder_is_not_read_again(speech_run, tmp_path):
    write(tmp_path / "in/a.wav")
    for _ in range(2):
        run(tmp_path / "in", tmp_path / "in/out", speech_run)
    assert [path.name for path in (tmp_path / "in/out").rglob("*")] == ["a.wav"]


def test_silence_stays_silence(speech_run, tmp_path):
    run(write(tmp_path / "a.wav", np.zeros(8000)), tmp_path / "b.wav", speech_run)
    assert not soundfile.read(tmp_path / "b.wav")[0].any()


@pytest.mark.parametrize("samples", [1, 160])
def test_less_than_a_frame(speech_run, tmp_path, samples):
    run(write(tmp_path / "a.wav", noise(samples)), tmp_path / "b.wav", speech_run)
    assert soundfile.info(tmp_path / "b.wav").frames == samples


# --- bad files
# --------------------------------------------------------------------------------------------------------


def write_text(path):
    path.write_text("no audio\n" * 100)


def write_empty(path):
    path.write_bytes(b"")


def write_without_samples(path):
    write(path, np.zeros(0))


def write_cut(path):
    path.write_bytes(write(path).read_bytes()[:3000])


def write_broken_header(path):
    content = write(path).read_bytes()
    path.write_bytes(content[:10] + bytes(30) + content[40:])


def write_nan(path):
    write(path, np.where(np.arange(8000) == 4000, np.nan, 0.1), subtype="FLOAT")


BAD = {
    "text": (write_text, "is damaged, or no WAV, FLAC or OGG file"),
    "empty": (write_empty, "is damaged, or no WAV, FLAC or OGG file"),
    "none": (write_without_samples, "holds no samples"),
    "cut": (write_cut, "is damaged, or no WAV, FLAC or OGG file"),
    "broken": (write_broken_header, "is damaged, or no WAV, FLAC or OGG file"),
    "nan": (write_nan, "holds NaN or infinite samples"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_leaves_nothing(speech_run, tmp_path, name):
    make, reason = BAD[name]
    make(tmp_path / "a.wav")
    with pytest.raises(TinypruneError, match=f"^{tmp_path / 'a.wav'} {reason}"):
        run(tmp_path / "a.wav", tmp_path / "out/b.wav", speech_run)
    assert [path.name for path in tmp_path.rglob("*.wav")] == ["a.wav"]


def test_bad_files_of_a_folder_are_named_and_counted_and_the_others_done(
    speech_run, tmp_path, log_lines
):
    (tmp_path / "in").mkdir()
    for name, (make, _) in BAD.items():
        make(tmp_path / f"in/{name}.wav")
    write(tmp_path / "in/good.wav")
    with pytest.raises(
        TinypruneError, match=r"^6 of 7 files were not enhanced, the last: .*text.wav is damaged"
    ):
        run(tmp_path / "in", tmp_path / "out", speech_run)
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["good.wav"]
    for name, (_, reason) in BAD.items():
        assert (
            len(
                [
                    line
                    for line in log_lines
                    if line.startswith(f"{tmp_path / 'in' / name}.wav {reason}")
                ]
            )
            == 1
        )


def test_what_no_format_can_hold(speech_run, tmp_path):
    write(tmp_path / "a.wav", noise(100, 12))
    with pytest.raises(
        TinypruneError, match=r"^cannot write .*a.flac with 12 channels at 16000 Hz: "
    ):
        run(tmp_path / "a.wav", tmp_path / "a.flac", speech_run)


def test_a_disk_that_is_full(speech_run, tmp_path, tiny_disk):
    write(tmp_path / "a.wav", noise(100_000))
    with pytest.raises(
        TinypruneError, match=r"^cannot write .*a.wav: No space left on device; free"
    ):
        run(tmp_path / "a.wav", tiny_disk / "a.wav", speech_run)
    assert not list(tiny_disk.iterdir())


# --- wrong usage
# ------------------------------------------------------------------------------------------------------


def test_the_input_is_never_written(speech_run, tmp_path):
    source = write(tmp_path / "in/a.wav")
    content = source.read_bytes()
    (tmp_path / "link.wav").symlink_to(source)
    (tmp_path / "hard.wav").hardlink_to(source)
    for target in (source, tmp_path / "in", tmp_path / "link.wav", tmp_path / "hard.wav"):
        with pytest.raises(UsageError, match="is the input itself: choose another name"):
            run(source, target, speech_run)
    for target in (tmp_path / "in", tmp_path / "in/../in"):
        with pytest.raises(
            UsageError,
            match="is the input folder: choose another one, its files would be overwritten",
        ):
            run(tmp_path / "in", target, speech_run)
    assert source.read_bytes() == content


WRONG = {
    "gone": (("gone.wav", "b.wav"), {}, "there is no file or folder gone.wav"),
    "suffix": (
        ("a.wav", "b.mp3"),
        {},
        "b.mp3: expected a name that ends in .wav, .flac or .ogg, a folder, or -",
    ),
    "folder to file": (
        (".", "b.wav"),
        {},
        ". is a folder, so b.wav has to be one too: it is a file",
    ),
    "folder to pipe": ((".", "-"), {}, ". is a folder: give a folder to write to"),
    "empty folder": (
        ("empty", "out"),
        {},
        "folder empty holds no WAV, FLAC or OGG file: check the path",
    ),
    "raw": (
        ("a.wav", "c.wav"),
        {"raw": 16_000},
        "--raw is about what goes through a pipe: give - as input or output",
    ),
    "plots": (
        (".", "out"),
        {"plot": "a.png"},
        "--plot is of one file: give a file instead of a folder",
    ),
    "plot": (
        ("a.wav", "c.wav"),
        {"plot": "a.pdf"},
        "--plot a.pdf: expected a name that ends in .png",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_said_before_anything_is_done(case, tmp_path, monkeypatch):
    from pathlib import Path

    (source, target), more, message = WRONG[case]
    monkeypatch.chdir(tmp_path)
    write(Path("a.wav"))
    write(Path("b.wav"))
    Path("empty").mkdir()
    with pytest.raises(UsageError) as error:
        run(
            source,
            target,
            Path("no run"),
            **{name: Path(v) if name == "plot" else v for name, v in more.items()},
        )
    assert str(error.value).startswith(message)
    assert sorted(path.name for path in Path().iterdir()) == ["a.wav", "b.wav", "empty"]


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    import os

    write(tmp_path / "a.wav")
    os.mkfifo(tmp_path / "b.wav")
    with pytest.raises(
        UsageError, match=r"b.wav is no ordinary file: give - and redirect standard output"
    ):
        run(tmp_path / "a.wav", tmp_path / "b.wav", tmp_path)
