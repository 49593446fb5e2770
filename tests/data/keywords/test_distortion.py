import numpy as np
import pytest

from tinyprune.data.keywords.distortion import NOISY, Distortion, coloured_noise
from tinyprune.data.keywords.recordings import SAMPLES

RATE = 16_000


def test_clips_are_shifted_by_100_ms_and_scaled_by_6_db_at_most():
    clips = np.zeros((200, SAMPLES), np.int16)
    clips[:, SAMPLES // 2] = 16_384
    found = Distortion(np.zeros(2 * SAMPLES, np.float32))(clips, np.random.default_rng(0))
    shifts = found.argmax(axis=1) - SAMPLES // 2
    assert (shifts.min() >= -1600, shifts.max() <= 1600) == (True, True)
    assert shifts.max() - shifts.min() > 2 * 1400
    levels_db = 20 * np.log10(found.max(axis=1) / 0.5)
    assert levels_db.min() == pytest.approx(-6, abs=0.5)
    assert levels_db.max() == pytest.approx(6, abs=0.5)


def test_noise_is_5_to_20_db_below_four_of_five_clips():
    clips = np.tile((3000 * np.sin(np.arange(SAMPLES) / 5)).astype(np.int16), (300, 1))
    quiet = Distortion(np.zeros(SAMPLES, np.float32))(clips, np.random.default_rng(0))
    noisy = Distortion(coloured_noise(SAMPLES, np.random.default_rng(1))[:SAMPLES])(
        clips, np.random.default_rng(0)
    )
    added = np.sqrt(np.mean((noisy - quiet) ** 2, axis=1))
    assert np.mean(added > 0) == pytest.approx(NOISY, abs=0.07)
    snr_db = 20 * np.log10(np.sqrt(np.mean(quiet**2, axis=1))[added > 0] / added[added > 0])
    assert (snr_db.min(), snr_db.max()) == (pytest.approx(5, abs=0.3), pytest.approx(20, abs=0.3))


def test_the_clips_themselves_are_not_changed():
    clips = np.ones((4, SAMPLES), np.int16)
    Distortion(coloured_noise(SAMPLES, np.random.default_rng(0)))(clips, np.random.default_rng(0))
    assert (clips == 1).all()


def test_noise_has_three_colours():
    """Power between 4 and 8 kHz over that between 500 Hz and 1 kHz: 8 for white (8 times as wide),
    1, 1/8.
    """
    for part, expected in zip(
        np.split(coloured_noise(SAMPLES, np.random.default_rng(0)), 3), (8, 1, 1 / 8), strict=True
    ):
        power = np.abs(np.fft.rfft(part)) ** 2
        bins = np.fft.rfftfreq(len(part), 1 / RATE)
        ratio = power[(bins >= 4000)].sum() / power[(bins >= 500) & (bins < 1000)].sum()
        assert ratio == pytest.approx(expected, rel=0.1)
        assert part.std() == pytest.approx(0.1, rel=1e-3)
