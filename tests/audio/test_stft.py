import numpy as np
import pytest
import scipy.signal

from tinyprune.audio import stft

HOP = 256


def noise(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1, 2 * HOP, 1000, 16_000])
def test_synthesis_undoes_analysis(samples):
    signal = noise(samples)
    np.testing.assert_allclose(stft.synthesise(stft.analyse(signal), samples), signal, atol=2e-6)


@pytest.mark.parametrize("frame", [64, 320, 512])
def test_any_even_frame_reconstructs(frame):
    signal = noise(1000)
    np.testing.assert_allclose(
        stft.synthesise(stft.analyse(signal, frame), 1000), signal, atol=2e-6
    )


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1 + 1), (HOP, 1 + 1), (HOP + 1, 1 + 2), (10 * HOP, 1 + 10)]
)
def test_number_of_frames_is_one_more_than_begun_hops(samples, frames):
    assert stft.analyse(noise(samples)).shape == (frames, 512 // 2 + 1)


@pytest.mark.parametrize("sample", [1, 255, 257, 640, 999])
def test_every_sample_lies_in_two_frames(sample):
    impulse = np.zeros(1000, np.float32)
    impulse[sample] = 1
    energy = np.abs(stft.analyse(impulse)).sum(axis=-1)
    np.testing.assert_array_equal(np.flatnonzero(energy > 1e-6), [sample // HOP, sample // HOP + 1])


def test_both_windows_of_a_sample_add_up_to_one():
    product = stft.hann(512) * stft.synthesis_window(512)
    np.testing.assert_allclose(product[:HOP] + product[HOP:], np.ones(HOP), atol=1e-6)


@pytest.mark.parametrize("frame", range(5))
def test_a_frame_sees_no_sample_after_its_end(frame):
    """Frame t covers samples [(t - 1) * hop, (t + 1) * hop)."""
    signal, end = noise(4 * HOP), (frame + 1) * HOP
    later, last = signal.copy(), signal.copy()
    later[end:] += 1000
    last[end - 1 : end] += 1000
    before = stft.analyse(signal)[: frame + 1]
    np.testing.assert_array_equal(stft.analyse(later)[: frame + 1], before)
    if end <= len(signal):
        assert (
            np.abs(stft.analyse(last)[frame] - before[frame]).max() > 1e-3
        )  # the window ends with sin(pi / 512)^2


def test_a_synthesised_sample_needs_no_later_frame():
    """Sample n is complete with frame n // hop + 1."""
    spectrum = stft.analyse(noise(4 * HOP))
    changed = spectrum.copy()
    changed[3:] = 0
    one, other = (stft.synthesise(each, 4 * HOP) for each in (spectrum, changed))
    np.testing.assert_array_equal(one[: 2 * HOP], other[: 2 * HOP])
    assert np.abs(one[2 * HOP :] - other[2 * HOP :]).max() > 0.1


def test_batch_axes_come_first():
    signals = noise(2, 3, 1000)
    spectra = stft.analyse(signals)
    assert spectra.shape == (2, 3, 1 + 4, 257)
    np.testing.assert_allclose(spectra[1, 2], stft.analyse(signals[1, 2]), atol=1e-5)
    np.testing.assert_allclose(stft.synthesise(spectra, 1000), signals, atol=2e-6)


def test_analysis_is_scipys_after_the_padding():
    """Frames of 512 at a hop of 256, window w[n] = (1 - cos(2 pi n / 512)) / 2; SciPy divides by
    the window's sum.
    """
    signal = noise(1000)
    padded = stft.pad(signal, HOP)
    *_, theirs = scipy.signal.stft(padded, window="hann", nperseg=512, boundary=None, padded=False)
    np.testing.assert_allclose(stft.analyse(signal), theirs.T * 512 / 2, atol=1e-4)


def test_results_stay_in_single_precision():
    spectrum = stft.analyse(noise(1000))
    assert spectrum.dtype == np.complex64
    assert stft.synthesise(spectrum, 1000).dtype == np.float32
