"""What the picture shows, measured on signals whose spectrum is known."""

import numpy as np
import pytest
import soundfile

from tinyprune.enhance import picture
from tinyprune.enhance.jobs import NetworkChoice, enhance
from tinyprune.enhance.picture import Spectrogram, draw

RATE, HOP = 16_000, 256


def tone(seconds=1.0, hertz=1000.0, level=1.0):
    times = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * times)).astype(np.float32)[:, None]


def shown(*blocks):
    spectrogram = Spectrogram(RATE)
    for block in blocks:
        spectrogram.push(block)
    return spectrogram


@pytest.mark.parametrize(("level", "decibels"), [(1.0, 0.0), (0.1, -20.0)])
def test_a_sine_has_its_level_at_its_frequency(level, decibels):
    levels = shown(tone(level=level)).columns()
    middle = levels[:, levels.shape[1] // 2]
    assert middle.argmax() == 1000 / (RATE / 2 / HOP)
    assert middle.max() == pytest.approx(decibels, abs=0.05)


def test_blocks_do_not_matter():
    signal = tone()
    pieces = [signal[start : start + 333] for start in range(0, len(signal), 333)]
    np.testing.assert_allclose(shown(*pieces).columns(), shown(signal).columns(), atol=1e-3)


def test_several_channels_are_averaged():
    both = np.concatenate([tone(), 0 * tone()], axis=1)
    assert shown(both).columns().max() == pytest.approx(10 * np.log10(1 / 2), abs=0.05)


def test_long_signals_have_several_frames_to_a_column(monkeypatch):
    monkeypatch.setattr(picture, "COLUMNS", 8)
    spectrogram = shown(tone(1.0), tone(1.0, level=0.1))
    assert 8 / 2 <= spectrogram.columns().shape[1] <= 8
    assert spectrogram.pooled == 2 ** int(np.ceil(np.log2(2 * RATE / HOP / 8)))
    assert spectrogram.seconds == pytest.approx(2.0, abs=HOP / RATE)
    loudest = spectrogram.columns().max(axis=0)
    assert loudest[1] == pytest.approx(0, abs=0.1)
    assert loudest[-2] == pytest.approx(-20, abs=0.1)


def test_a_picture_of_a_file(speech_run, tmp_path):
    from matplotlib import image

    noise = np.random.default_rng(0).normal(size=16_000) / 10
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    enhance(
        str(tmp_path / "a.wav"),
        str(tmp_path / "b.wav"),
        NetworkChoice(speech_run),
        plot=tmp_path / "deep/a.png",
    )
    pixels = image.imread(tmp_path / "deep/a.png")
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 1000
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_silence_and_next_to_nothing_can_be_drawn(tmp_path, samples):
    nothing = np.zeros((samples, 1), np.float32)
    draw(tmp_path / "a.png", "title", shown(nothing), shown(nothing))
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_pyplot_is_left_alone(tmp_path):
    import sys

    draw(tmp_path / "a.png", "title", shown(tone()), shown(tone()))
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
