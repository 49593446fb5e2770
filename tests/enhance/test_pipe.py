"""WAV and raw samples through streams that cannot go back."""

import io
import struct

import numpy as np
import pytest
import soundfile

from tinyprune.enhance.files import Format
from tinyprune.enhance.pipe import create_pipe, open_pipe
from tinyprune.errors import TinypruneError, UsageError

HOP_MS = 16.0
NOISE = np.random.default_rng(0).uniform(-0.9, 0.9, (1000, 2)).astype(np.float32)


class Pipe(io.BytesIO):
    """A stream that can only be read, or written, from the beginning to the end. Attributes: flushes."""

    flushes = 0

    def seek(self, *where):
        raise OSError("Illegal seek")

    def tell(self):
        raise OSError("Illegal seek")

    def flush(self):
        self.flushes += 1


def wav(samples=NOISE, rate=16_000, subtype="PCM_16", form="WAV"):
    content = io.BytesIO()
    soundfile.write(content, samples, rate, subtype=subtype, format=form)
    return content.getvalue()


def read(content, raw=None):
    found, blocks = open_pipe(Pipe(content), raw, HOP_MS)
    return found, np.concatenate([*blocks])


def with_size(content, size):
    """The WAV with another length of its samples in the header."""
    place = content.index(b"data") + 4
    return content[:place] + struct.pack("<I", size) + content[place + 4 :]


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_kind_of_sample_comes_in_as_soundfile_reads_it(subtype, form):
    content = wav(subtype=subtype, form=form)
    found, samples = read(content)
    assert (found.rate, found.channels, found.subtype, found.frames) == (16_000, 2, subtype, 1000)
    np.testing.assert_array_equal(samples, soundfile.read(io.BytesIO(content), dtype="float32")[0])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_what_is_written_is_what_soundfile_reads(subtype):
    stream = Pipe()
    write = create_pipe(stream, Format(48_000, 2, subtype, frames=1000), None)
    write(NOISE[:300])
    write(NOISE[300:])
    samples, rate = soundfile.read(io.BytesIO(stream.getvalue()), dtype="float32")
    assert soundfile.info(io.BytesIO(stream.getvalue())).subtype == subtype
    np.testing.assert_allclose(samples, NOISE, atol=1 / 128 if subtype == "PCM_U8" else 1 / 2**15)
    assert rate == 48_000


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW"])
def test_telephone_samples_come_in_as_soundfile_reads_them(subtype):
    content = wav(subtype=subtype)
    found, samples = read(content)
    assert found.subtype == subtype
    np.testing.assert_array_equal(samples, soundfile.read(io.BytesIO(content), dtype="float32")[0])


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "IMA_ADPCM", "GSM610", "VORBIS"])
def test_compressed_samples_go_out_as_16_bit(subtype):
    stream = Pipe()
    create_pipe(stream, Format(8000, 1, subtype, frames=300), None)(NOISE[:300, :1])
    samples, _ = soundfile.read(io.BytesIO(stream.getvalue()), always_2d=True)
    assert soundfile.info(io.BytesIO(stream.getvalue())).subtype == "PCM_16"
    np.testing.assert_allclose(samples, NOISE[:300, :1], atol=0.5 / 2**15 + 1e-9)


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24)])
def test_samples_are_rounded_not_cut_off(subtype, bits):
    """0.75 steps is 1 step; cut off it were 0."""
    step = 2.0 ** (1 - bits)
    stream = Pipe()
    create_pipe(stream, Format(16_000, 1, subtype), None)(
        np.array([[0.75 * step], [-0.75 * step], [1.0], [-1.0]], np.float32)
    )
    found = np.squeeze(soundfile.read(io.BytesIO(stream.getvalue()), dtype="float64")[0])
    assert (found / step).tolist() == [1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))]


def test_what_is_longer_than_a_header_can_say_goes_out_as_of_unknown_length():
    stream = Pipe()
    create_pipe(stream, Format(16_000, 1, "PCM_16", frames=2**32), None)
    assert stream.getvalue()[40:44] == struct.pack("<I", 0xFFFFFFFF)


def test_every_block_is_flushed():
    stream = Pipe()
    write = create_pipe(stream, Format(16_000, 2, "PCM_16"), None)
    before = stream.flushes
    for _ in range(3):
        write(NOISE[:256])
    assert stream.flushes == before + 3


def test_a_block_is_a_hop_whatever_the_rate():
    _, blocks = open_pipe(Pipe(wav(rate=48_000)), None, HOP_MS)
    assert [len(block) for block in blocks] == [768, 1000 - 768]


def test_what_is_there_is_taken_without_waiting_for_a_whole_block():
    """Three bytes at a time, of samples of two bytes in two channels: 0, 1, 2, 3, 3 of 4 bytes."""

    class Slow(Pipe):
        def read1(self, size=-1):
            return super().read1(min(size, 3))

    content = wav(NOISE[:30])
    _, blocks = open_pipe(Slow(content), None, HOP_MS)
    lengths = [len(block) for block in blocks]
    assert max(lengths) == 1
    assert sum(lengths) == 30


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFDB])
def test_a_header_of_unknown_length(size):
    found, samples = read(with_size(wav(), size))
    assert found.frames is None
    assert len(samples) == 1000


def test_a_length_that_is_not_known_is_one_that_no_file_has():
    stream = Pipe()
    create_pipe(stream, Format(16_000, 2, "PCM_16"), None)(NOISE)
    assert stream.getvalue()[40:44] == stream.getvalue()[4:8] == b"\xff" * 4
    assert len(read(stream.getvalue())[1]) == 1000


def test_what_stands_after_the_samples_is_not_read_as_samples():
    assert len(read(wav() + b"LIST\x04\x00\x00\x00what")[1]) == 1000


def test_chunks_before_the_samples_are_passed_over():
    content = wav()
    place = content.index(b"data")
    odd = b"LIST\x05\x00\x00\x00odd!!\x00"
    assert len(read(content[:place] + odd + content[place:])[1]) == 1000


def test_raw_samples():
    pcm = (NOISE[:, 0] * 32768).astype("<i2")
    found, samples = read(
        pcm.tobytes() + b"\x01", raw=8000
    )  # half a sample at the end does not count
    assert (found.rate, found.channels, found.frames) == (8000, 1, None)
    np.testing.assert_array_equal(samples[:, 0], pcm / np.float32(32768))
    stream = Pipe()
    create_pipe(stream, found, 8000)(samples)
    assert stream.getvalue() == pcm.tobytes()


def test_samples_above_full_scale_are_limited_not_wrapped():
    stream = Pipe()
    create_pipe(stream, Format(16_000, 1, "PCM_16"), 16_000)(np.array([[2.0], [-2.0]], np.float32))
    assert np.frombuffer(stream.getvalue(), "<i2").tolist() == [32767, -32768]


BROKEN = {
    "nothing": (b"", "is empty: expected a WAV of 8 to 32 bit"),
    "text": (b"no audio\n" * 20, "is no WAV: expected a WAV of 8 to 32 bit"),
    "header only": (wav()[:30], "is a WAV without samples: expected"),
    "no format": (b"RIFF\0\0\0\0WAVEdata\x10\0\0\0" + bytes(16), "has a broken header: expected"),
    "no channels": (
        wav()[:22] + bytes(2) + wav()[24:],
        "is a WAV of format 1 with 0 channels of 16 bit at 16000 Hz",
    ),
    "compressed": (
        wav(NOISE[:, 0], 8000, "IMA_ADPCM"),
        "is a WAV of format 17 with 1 channels of 4 bit at 8000 Hz",
    ),
    "cut off": (wav()[:-400], "is cut off: 900 of 1000 samples are there"),
    "no samples": (wav(NOISE[:0]), "holds no samples"),
    "NaN": (wav(np.full((10, 1), np.nan), subtype="FLOAT"), "holds NaN or infinite samples"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_wav_is_one_line(name):
    content, message = BROKEN[name]
    with pytest.raises(TinypruneError, match=f"^standard input {message}"):
        read(content)


def test_a_terminal_is_no_pipe():
    class Terminal(Pipe):
        def isatty(self):
            return True

    with pytest.raises(
        UsageError, match=r"^standard input is a terminal: pipe a WAV into it, or give a file$"
    ):
        open_pipe(Terminal(), None, HOP_MS)
    with pytest.raises(
        UsageError, match=r"^standard output is a terminal: send it to a file or a program$"
    ):
        create_pipe(Terminal(), Format(16_000, 1, "PCM_16"), None)


def test_raw_samples_of_another_rate_or_several_channels():
    with pytest.raises(
        UsageError, match=r"^--raw 16000 is one channel at 16000 Hz, the input has 2 at 48000 Hz"
    ):
        create_pipe(Pipe(), Format(48_000, 2, "PCM_16"), 16_000)
