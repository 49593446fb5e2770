import librosa
import numpy as np
import pytest

from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.storage.records import read_json, write_json


@pytest.fixture(scope="module")
def spectrum():
    return stft.analyse(np.random.default_rng(0).uniform(-1, 1, (2, 16_000)).astype(np.float32))


def test_mel_bands_are_librosas():
    theirs = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=128)
    np.testing.assert_array_equal(FrontEnd().mel(), theirs.T)


def test_a_mel_band_is_a_triangle_of_unit_area():
    low, centre, high = librosa.mel_frequencies(n_mels=40 + 2, fmax=8000)[20:23]
    bins = np.arange(257) * 16_000 / 512
    triangle = np.clip(
        np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, None
    )
    np.testing.assert_allclose(
        FrontEnd(bands=40).mel()[:, 20], triangle * 2 / (high - low), atol=1e-7
    )


def test_compressed_features_are_a_power_of_the_mel_bands(spectrum):
    frontend = FrontEnd(power=0.5)
    np.testing.assert_allclose(
        frontend.compress(spectrum), np.sqrt(np.abs(spectrum) @ frontend.mel()), rtol=1e-5
    )


@pytest.mark.parametrize(("frame", "bands"), [(512, 128), (512, 40), (256, 64)])
def test_a_mask_of_ones_leaves_every_bin_alone(frame, bands):
    spread = FrontEnd(frame=frame, bands=bands).spread()
    assert spread.shape == (bands, frame // 2 + 1)
    assert spread.min() >= 0
    np.testing.assert_allclose(spread.sum(axis=0), np.ones(frame // 2 + 1), rtol=1e-5)


def test_a_bin_takes_its_mask_from_the_bands_around_it():
    frontend = FrontEnd()
    centres = librosa.mel_frequencies(n_mels=128 + 2, fmax=8000)[1:-1]
    mask = frontend.spread().T @ (centres < 2000).astype(np.float32)
    bins = np.arange(257) * 16_000 / 512
    np.testing.assert_allclose(mask[bins < 1900], 1, rtol=1e-5)
    np.testing.assert_allclose(mask[bins > 2100], 0, atol=1e-5)


def test_normalised_features_have_mean_0_and_deviation_1(spectrum):
    frontend = FrontEnd()
    features = frontend.measured(frontend.compress(spectrum)).features(spectrum)
    assert features.shape == (2, 1 + 63, 128)  # 16000 samples are 62.5 hops
    np.testing.assert_allclose(features.mean(axis=(0, 1)), np.zeros(128), atol=1e-3)
    np.testing.assert_allclose(features.std(axis=(0, 1)), np.ones(128), atol=1e-3)


def test_a_band_that_hardly_varies_is_not_blown_up():
    features = np.random.default_rng(0).normal(0, 2, (10_000, 4)).astype(np.float32)
    features[:, 3] = 7
    std = FrontEnd(bands=4).measured(features).std
    np.testing.assert_allclose(std, [2, 2, 2, 0.1 * 2], rtol=0.05)


def test_silence_gives_finite_features(spectrum):
    frontend = FrontEnd()
    frontend = frontend.measured(frontend.compress(spectrum))
    assert np.isfinite(frontend.features(np.zeros((3, 257), np.complex64))).all()


def test_times():
    assert FrontEnd().hop == 512 // 2
    assert FrontEnd().hop_seconds == 256 / 16_000 == 0.016


def test_json_round_trip(tmp_path, spectrum):
    frontend = FrontEnd()
    frontend = frontend.measured(frontend.compress(spectrum))
    write_json(tmp_path / "frontend.json", frontend)
    assert read_json(tmp_path / "frontend.json", FrontEnd) == frontend
