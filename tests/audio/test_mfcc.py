import librosa
import numpy as np
import pytest
import scipy.signal

from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.storage.records import read_json, write_json

PLAIN = MfccFrontEnd(mean=(0.0,) * 10, std=(1.0,) * 10)


def clips(count=3, seed=0):
    """Noise of several levels and a tone, int16."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, 16_000)) * np.geomspace(30, 5000, count)[:, None]
    return (
        (noise + 2000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000))
        .round()
        .astype(np.int16)
    )


def reference(clip):
    """The same by librosa's parts, in float64, one clip at a time."""
    frames = librosa.util.frame(clip / 32768, frame_length=480, hop_length=320).T
    window = scipy.signal.get_window("hann", 480, fftbins=True)
    magnitude = np.abs(np.fft.rfft(frames * window, 512))
    mel = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=40, fmin=20, fmax=4000, htk=True, norm=None
    )
    return librosa.feature.mfcc(
        S=np.log(magnitude @ mel.T + 1e-6).T, n_mfcc=10, dct_type=2, norm="ortho"
    ).T


def test_a_second_is_49_frames_of_10_coefficients():
    assert (16_000 - 480) // 320 + 1 == 49
    assert PLAIN.shape == PLAIN.features(clips()).shape[1:] == (49, 10, 1)
    assert PLAIN.features(clips()).dtype == np.float32


def test_the_cepstra_are_those_of_librosa():
    np.testing.assert_allclose(
        PLAIN.cepstra(clips()), [reference(clip) for clip in clips()], atol=1e-4
    )


def test_the_0th_coefficient_is_the_mean_log_energy_times_the_root_of_40():
    """Ten times the amplitude adds log(10) to each of 40 bands, and sqrt(40) log(10) to the 0th
    coefficient.
    """
    loud, soft = PLAIN.cepstra(clips()[2:]), PLAIN.cepstra(clips()[2:] / 32768 / 10)
    np.testing.assert_allclose((loud - soft)[..., 0], np.sqrt(40) * np.log(10), atol=1e-2)
    np.testing.assert_allclose(loud[..., 1:], soft[..., 1:], atol=1e-2)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_of_full_scale_1_are_the_same_as_int16(kind):
    np.testing.assert_allclose(
        PLAIN.cepstra((clips() / 32768).astype(kind)), PLAIN.cepstra(clips()), atol=1e-4
    )


def test_digital_silence_is_finite():
    assert PLAIN.cepstra(np.zeros((1, 16_000), np.int16))[0, 0, 0] == pytest.approx(
        np.sqrt(40) * np.log(1e-6), rel=1e-5
    )


def test_measured_features_have_mean_0_and_deviation_1_per_coefficient():
    made = MfccFrontEnd().measured(PLAIN.cepstra(clips(8))).features(clips(8))
    np.testing.assert_allclose(made.mean(axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(made.std(axis=(0, 1)), 1, atol=1e-3)


def test_a_coefficient_that_does_not_vary_is_not_blown_up():
    cepstra = np.random.default_rng(0).normal(size=(4, 49, 10)).astype(np.float32)
    cepstra[..., 3] = 5
    std = MfccFrontEnd().measured(cepstra).std
    assert std[3] == pytest.approx(0.1 * np.median(std), rel=0.1)


def test_clips_do_not_see_each_other():
    np.testing.assert_allclose(
        PLAIN.features(clips())[1:2], PLAIN.features(clips()[1:2]), atol=1e-5
    )


def test_the_record_survives_json(tmp_path):
    front = MfccFrontEnd().measured(PLAIN.cepstra(clips()))
    write_json(tmp_path / "frontend.json", front)
    assert read_json(tmp_path / "frontend.json", MfccFrontEnd) == front


def test_other_sizes():
    front = MfccFrontEnd(sample_rate=8_000, samples=4_000, window=200, stride=80, coefficients=13)
    assert front.shape == ((4000 - 200) // 80 + 1, 13, 1) == (48, 13, 1)
    assert front.fft == 256
    assert front.cepstra(np.ones((2, 4_000), np.float32)).shape == (2, 48, 13)
