import io
import re
import struct

import numpy as np
import pytest
import soundfile

from tinyprune.audio import files
from tinyprune.audio.files import Header, list_audio, read_header, read_mono
from tinyprune.errors import TinypruneError, UsageError


def tone(rate, seconds=1.0, hertz=440):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def message(path):
    with pytest.raises(TinypruneError) as caught:
        read_mono(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count(str(path)) == 1
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "WAV"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_any_format_and_rate_becomes_16_khz(tmp_path, suffix, rate):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(rate), rate)
    samples = read_mono(path)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(16_000, abs=1)
    middle, expected = samples[4000:12_000], tone(16_000)[4000:12_000]
    error = np.sqrt(np.mean((middle - expected) ** 2))
    assert error < (0.02 if suffix == "ogg" else 1e-3)  # Vorbis is lossy


def test_channels_are_averaged(tmp_path):
    left, right = np.full(100, 0.5, np.float32), np.full(100, 0.125, np.float32)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), 16_000)
    np.testing.assert_allclose(
        read_mono(tmp_path / "stereo.wav"), np.full(100, (0.5 + 0.125) / 2), atol=1e-4
    )


def test_24_bits_are_kept(tmp_path):
    samples = np.array([0.5, -0.25, 3 / 2**23], np.float32)
    soundfile.write(tmp_path / "deep.wav", samples, 16_000, subtype="PCM_24")
    np.testing.assert_allclose(read_mono(tmp_path / "deep.wav"), samples, atol=2**-24)


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_32", 2**-24), ("FLOAT", 0)]
)
def test_any_depth_is_read(tmp_path, subtype, step):
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, 500).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype=subtype)
    np.testing.assert_allclose(read_mono(tmp_path / "a.wav"), samples, atol=step)


def test_a_header_says_what_is_in_a_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((300, 2)), 44_100, subtype="PCM_24")
    soundfile.write(tmp_path / "b.ogg", np.zeros(300), 8_000)
    soundfile.write(tmp_path / "c.wav", np.zeros(300), 8_000, subtype="FLOAT")
    assert read_header(tmp_path / "a.wav") == Header(44_100, 2, 300, "PCM_24", "FILE")
    assert read_header(tmp_path / "b.ogg") == Header(8_000, 1, 300, "VORBIS", "FILE")
    assert read_header(tmp_path / "c.wav") == Header(8_000, 1, 300, "FLOAT", "FILE")


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_long_file_is_read_in_blocks_that_nobody_hears(tmp_path, monkeypatch, rate):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, rate)
    soundfile.write(tmp_path / "a.wav", noise, rate, subtype="PCM_24")
    whole = read_mono(tmp_path / "a.wav")
    monkeypatch.setattr(files, "BLOCK", 1000)
    np.testing.assert_array_equal(read_mono(tmp_path / "a.wav"), whole)


def wav(samples=1000, claimed=None):
    """The bytes of a WAV, whose header claims another number of bytes of samples."""
    text = io.BytesIO()
    soundfile.write(
        text, np.random.default_rng(0).uniform(-0.5, 0.5, samples), 16_000, format="WAV"
    )
    content = bytearray(text.getvalue())
    assert content[36:40] == b"data"
    if claimed is not None:
        content[40:44] = struct.pack("<I", claimed)
    return content


BROKEN = {
    "empty": (b"", "it is empty"),
    "cut in its header": (wav()[:30], "Error in WAV file. No 'data' chunk marker"),
    "cut in its samples": (wav()[:1044], "it is cut off: 1000 of 2000 bytes of samples are there"),
    "no samples": (wav()[:20] + b"junk" + wav()[24:], ".*"),
    "no channels": (wav()[:22] + b"\0\0" + wav()[24:], "Channel count is zero"),
    "no rate": (wav()[:24] + b"\0\0\0\0" + wav()[28:], "SF_INFO struct incomplete"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_wav_is_no_audio(tmp_path, name):
    content, reason = BROKEN[name]
    (tmp_path / "a.wav").write_bytes(content)
    path = re.escape(str(tmp_path / "a.wav"))
    assert re.fullmatch(
        rf"{path} is damaged, or no WAV, FLAC or OGG file \({reason}\)", message(tmp_path / "a.wav")
    )


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF])
def test_a_wav_out_of_a_pipe_does_not_know_its_length(tmp_path, claimed):
    (tmp_path / "a.wav").write_bytes(wav(1000, claimed))
    assert len(read_mono(tmp_path / "a.wav")) == 1000


def test_a_header_that_claims_nothing_was_written_too_early_and_all_the_rest_is_samples(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(1000, 0))
    (tmp_path / "b.wav").write_bytes(wav(1000))
    assert read_header(tmp_path / "a.wav").frames == 1000
    np.testing.assert_array_equal(read_mono(tmp_path / "a.wav"), read_mono(tmp_path / "b.wav"))


def test_a_header_and_nothing_after_it_has_no_samples(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(0))
    assert message(tmp_path / "a.wav").endswith("a.wav holds no samples")


@pytest.mark.parametrize(
    "subtype", ["GSM610", "NMS_ADPCM_32", "G721_32", "IMA_ADPCM", "MS_ADPCM", "ULAW", "ALAW"]
)
def test_compressed_telephone_speech_is_read(tmp_path, subtype):
    """Some of these cannot seek. 1 s of a tone at 440 Hz and 8 kHz keeps its loudness."""
    signal = 0.3 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    soundfile.write(tmp_path / "a.wav", signal, 8000, subtype=subtype)
    samples = read_mono(tmp_path / "a.wav", 8000)
    assert len(samples) == pytest.approx(8000, abs=1024)  # whole blocks of the codec
    assert np.sqrt(np.mean(samples[1000:7000] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.2)


def test_another_rate_may_be_asked_for(tmp_path):
    soundfile.write(tmp_path / "tone.wav", tone(16_000), 16_000)
    assert len(read_mono(tmp_path / "tone.wav", 8_000)) == pytest.approx(8_000, abs=1)


def test_a_text_file_is_no_audio(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("no audio at all\n" * 50)
    assert (
        message(path) == f"{path} is damaged, or no WAV, FLAC or OGG file (Format not recognised)"
    )


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_flac_is_no_audio(tmp_path, kept):
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 32_000), 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    assert message(path).startswith(f"{path} is damaged, or no WAV, FLAC or OGG file (")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_must_be_finite(tmp_path, value):
    samples = tone(16_000)
    samples[777] = value
    soundfile.write(tmp_path / "bad.wav", samples, 16_000, subtype="FLOAT")
    assert message(tmp_path / "bad.wav").endswith("bad.wav holds NaN or infinite samples")


@pytest.mark.parametrize(("samples", "rate"), [(0, 16_000), (1, 48_000)])
def test_a_file_without_samples_is_no_audio(tmp_path, samples, rate):
    """One sample at 48 kHz is a third of one at 16 kHz."""
    soundfile.write(tmp_path / "empty.wav", np.zeros(samples, np.float32), rate)
    assert message(tmp_path / "empty.wav").endswith("empty.wav holds no samples")


def test_a_missing_file(tmp_path):
    assert message(tmp_path / "gone.wav").endswith(
        "gone.wav does not exist: expected a WAV, FLAC or OGG file"
    )


def test_files_are_found_in_all_folders_and_sorted(tmp_path):
    for name in ["b/2.FLAC", "b/1.wav", "a.ogg", "readme.txt", "b/c/d/3.wav"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    names = [path.relative_to(tmp_path).as_posix() for path in list_audio(tmp_path)]
    assert names == ["a.ogg", "b/1.wav", "b/2.FLAC", "b/c/d/3.wav"]


def test_a_missing_folder(tmp_path):
    with pytest.raises(
        UsageError,
        match="folder .*gone does not exist: expected a folder with WAV, FLAC or OGG files",
    ):
        list_audio(tmp_path / "gone")


def test_a_folder_without_audio(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(UsageError, match="holds no WAV, FLAC or OGG file: check the path"):
        list_audio(tmp_path)
