from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tinyprune.audio import stft
from tinyprune.audio.conditioning import frame_gains
from tinyprune.audio.frontend import FrontEnd
from tinyprune.training.spectral import SpectralGraph

FRAMES, BATCH = 9, 2
RNG = np.random.default_rng(0)
SIGNALS = 0.1 * RNG.normal(size=(BATCH, (FRAMES + 1) * FrontEnd().hop)).astype(np.float32)
FRONTEND = FrontEnd().measured(FrontEnd().compress(stft.analyse(SIGNALS)))
INNER = slice(1, FRAMES + 1)  # frames of the padded NumPy analysis that lie within the signal


@pytest.fixture(scope="module")
def graph() -> SpectralGraph:
    return SpectralGraph(FRONTEND)


def test_spectra_are_those_of_the_numpy_front_end(graph):
    found = graph.analyse(SIGNALS).numpy()
    assert found.shape == (BATCH, FRAMES, FRONTEND.frame // 2 + 1)
    np.testing.assert_allclose(found, stft.analyse(SIGNALS)[:, INNER], atol=1e-5)


def test_features_are_those_of_the_numpy_front_end(graph):
    found = graph.features(graph.analyse(SIGNALS), SIGNALS).numpy()
    assert found.shape == (BATCH, FRAMES, FRONTEND.bands)
    np.testing.assert_allclose(
        found, FRONTEND.features(stft.analyse(SIGNALS))[:, INNER], rtol=1e-5, atol=1e-5
    )
    assert 0.5 < found.std() < 2  # they are normalised


def test_silence_has_finite_features(graph):
    found = graph.features(graph.analyse(0 * SIGNALS), 0 * SIGNALS).numpy()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(
        found, FRONTEND.features(stft.analyse(0 * SIGNALS))[:, INNER], rtol=1e-5, atol=1e-5
    )


def test_a_mask_is_spread_as_in_the_numpy_front_end(graph):
    mask = RNG.random((BATCH, FRAMES, FRONTEND.bands)).astype(np.float32)
    spectrum = graph.analyse(SIGNALS).numpy()
    expected = spectrum * (mask @ FRONTEND.spread())
    np.testing.assert_allclose(graph.apply(mask, tf.constant(spectrum)), expected, atol=1e-5)


def test_a_mask_of_ones_changes_nothing(graph):
    spectrum = graph.analyse(SIGNALS)
    np.testing.assert_allclose(
        graph.apply(tf.ones((BATCH, FRAMES, FRONTEND.bands)), spectrum), spectrum, atol=1e-5
    )


def test_synthesis_is_the_inverse_of_analysis(graph):
    found = graph.synthesise(graph.analyse(SIGNALS)).numpy()
    assert found.shape == (BATCH, (FRAMES - 1) * FRONTEND.hop)
    np.testing.assert_allclose(found, SIGNALS[:, FRONTEND.hop : -FRONTEND.hop], atol=1e-5)
    np.testing.assert_array_equal(graph.inner(SIGNALS), SIGNALS[:, FRONTEND.hop : -FRONTEND.hop])


def test_synthesis_of_a_masked_spectrum_is_the_numpy_one(graph):
    mask = RNG.random((BATCH, FRAMES, FRONTEND.bands)).astype(np.float32)
    masked = graph.apply(mask, graph.analyse(SIGNALS)).numpy()
    np.testing.assert_allclose(
        graph.synthesise(masked), stft.synthesise(masked, (FRAMES - 1) * FRONTEND.hop), atol=1e-5
    )


def test_everything_is_differentiable(graph):
    mask = tf.fill((BATCH, FRAMES, FRONTEND.bands), 0.5)
    with tf.GradientTape() as tape:
        tape.watch(mask)
        power = tf.reduce_sum(graph.synthesise(graph.apply(mask, graph.analyse(SIGNALS))) ** 2)
    gradient = tape.gradient(power, mask).numpy()
    assert np.isfinite(gradient).all()
    # A mask of one value everywhere scales the signal: d(sum (m x)^2) / dm = 2 m sum x^2.
    inner = SIGNALS[:, FRONTEND.hop : -FRONTEND.hop].astype(np.float64)
    assert gradient.sum() == pytest.approx(2 * 0.5 * np.sum(inner**2), rel=1e-3)


def test_levels_are_followed_as_in_a_stream():
    """A quiet start is amplified; after the loud hop in the middle, gains rise by its decay only.

    The signals begin with a hop of their own here, which a stream has before its first frame.
    """
    frontend = replace(FRONTEND, usual_dbfs=-20.0, follows_level=True)
    signals = SIGNALS * np.float32(0.01)
    middle = (FRAMES // 2) * frontend.hop
    signals[:, middle : middle + frontend.hop] *= 50
    graph = SpectralGraph(frontend)
    found = graph.features(graph.analyse(signals), signals).numpy()
    expected = frontend.features(stft.analyse(signals), frame_gains(frontend, signals))
    np.testing.assert_allclose(found, expected[:, INNER], rtol=1e-4, atol=1e-4)
    quiet = FRONTEND.features(stft.analyse(signals))[:, INNER]
    assert (found[:, 0] > quiet[:, 0]).all()
