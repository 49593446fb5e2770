import librosa
import numpy as np
import pytest

from tinyprune.audio.mel import htk_bands, slaney_bands


@pytest.mark.parametrize("sample_rate", [1000, 8000, 16_000, 48_000])
@pytest.mark.parametrize(("fft", "bands"), [(256, 10), (512, 128), (1024, 64)])
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_slaney_bands_are_those_of_librosa_to_the_last_bit(sample_rate, fft, bands):
    theirs = librosa.filters.mel(sr=sample_rate, n_fft=fft, n_mels=bands)
    ours = slaney_bands(sample_rate, fft, bands)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("limits_hz", [(0, 4000), (20, 4000), (300, 3400)])
@pytest.mark.parametrize(("fft", "bands"), [(512, 40), (1024, 64)])
def test_htk_bands_are_those_of_librosa_to_the_last_bit(limits_hz, fft, bands):
    low_hz, high_hz = limits_hz
    theirs = librosa.filters.mel(
        sr=16_000, n_fft=fft, n_mels=bands, fmin=low_hz, fmax=high_hz, htk=True, norm=None
    )
    np.testing.assert_array_equal(htk_bands(16_000, fft, bands, low_hz, high_hz), theirs)
