import numpy as np
import pytest
import tensorflow as tf

from tinyprune.audio.frontend import FrontEnd
from tinyprune.metrics.speech import si_sdr_db
from tinyprune.registry import LOSSES
from tinyprune.tasks.speech import Speech
from tinyprune.training.spectral import SpectralGraph

FRAMES, BATCH = 6, 3
FRONTEND = FrontEnd(mean=(0.0,) * 128, std=(1.0,) * 128)
SAMPLES, HOP = (FRAMES + 1) * FRONTEND.hop, FRONTEND.hop
every_loss = pytest.mark.parametrize("name", Speech.losses)


@pytest.fixture(scope="module")
def graph() -> SpectralGraph:
    return SpectralGraph(FRONTEND)


def signals(seed: int = 0, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(seed).normal(size=(BATCH, SAMPLES)).astype(np.float32)


CLEAN, ESTIMATE = signals(0), signals(0) + 0.5 * signals(1)


def value(graph: SpectralGraph, name: str, estimate: np.ndarray, clean: np.ndarray) -> float:
    """The loss of an estimated signal."""
    return float(
        LOSSES[name](graph, graph.analyse(estimate), graph.analyse(clean), tf.constant(clean))
    )


def frames(signal: np.ndarray) -> np.ndarray:
    """Hann spectra by a plain loop, (batch, frames, bins)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2 * HOP) / (2 * HOP))
    return np.stack(
        [np.fft.rfft(signal[:, t * HOP : (t + 2) * HOP] * window) for t in range(FRAMES)], axis=1
    )


def si_sdr(estimate: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """SI-SDR of each inner signal, its distortion at least 30 dB below the target."""
    e, s = (x[:, HOP:-HOP].astype(np.float64) for x in (estimate, clean))
    target = s * (np.sum(e * s, axis=1) / np.sum(s * s, axis=1))[:, None]
    kept, lost = np.sum(target**2, axis=1), np.sum((target - e) ** 2, axis=1)
    return 10 * np.log10(kept / (lost + kept / 1000))


def spectrum(estimate: np.ndarray, clean: np.ndarray) -> float:
    level = np.sqrt(np.mean(clean.astype(np.float64) ** 2, axis=1))[:, None, None] + 1e-3
    e, t = frames(estimate) / level, frames(clean) / level
    magnitude = np.mean((np.abs(e) ** 0.3 - np.abs(t) ** 0.3) ** 2)
    distance = np.mean(
        np.abs(np.abs(e) ** 0.3 * e / np.abs(e) - np.abs(t) ** 0.3 * t / np.abs(t)) ** 2
    )
    return 0.7 * magnitude + 0.3 * distance


def test_si_sdr_is_the_formula(graph):
    assert value(graph, "si-sdr", ESTIMATE, CLEAN) == pytest.approx(
        -si_sdr(ESTIMATE, CLEAN).mean(), abs=1e-3
    )


def test_si_sdr_is_the_metric_but_for_its_ceiling(graph):
    """About 10 log10(1 / 0.5^2) = 6 dB, where the ceiling of 30 dB takes next to nothing."""
    inner = [x[:, HOP:-HOP] - x[:, HOP:-HOP].mean(axis=1, keepdims=True) for x in (CLEAN, ESTIMATE)]
    metric = np.mean([si_sdr_db(*pair) for pair in zip(*inner, strict=True)])
    assert value(graph, "si-sdr", ESTIMATE, CLEAN) == pytest.approx(-metric, abs=0.05)
    assert metric == pytest.approx(6, abs=0.5)


def test_spectrum_is_the_formula(graph):
    assert value(graph, "spectrum", ESTIMATE, CLEAN) == pytest.approx(
        spectrum(ESTIMATE, CLEAN), rel=1e-3
    )


def test_combined_is_both(graph):
    expected = spectrum(ESTIMATE, CLEAN) - 0.05 * si_sdr(ESTIMATE, CLEAN).mean()
    assert value(graph, "combined", ESTIMATE, CLEAN) == pytest.approx(expected, rel=1e-3)


def test_a_perfect_estimate_earns_30_db_and_no_spectral_error(graph):
    assert value(graph, "si-sdr", CLEAN, CLEAN) == pytest.approx(-30, abs=0.01)
    assert value(graph, "spectrum", CLEAN, CLEAN) == pytest.approx(0, abs=1e-6)
    assert value(graph, "si-sdr", CLEAN + 1e-3 * signals(1), CLEAN) == pytest.approx(
        -30, abs=0.01
    )  # 60 dB


def test_si_sdr_does_not_care_for_scale(graph):
    whole = value(graph, "si-sdr", ESTIMATE, CLEAN)
    assert value(graph, "si-sdr", 0.1 * ESTIMATE, CLEAN) == pytest.approx(whole, abs=1e-2)


def test_quiet_excerpts_count_as_much_as_loud_ones(graph):
    quiet, loud = (value(graph, "spectrum", gain * ESTIMATE, gain * CLEAN) for gain in (1, 8))
    assert quiet == pytest.approx(loud, rel=0.02)


def test_si_sdr_leaves_silent_excerpts_out(graph):
    clean = CLEAN.copy()
    clean[1] = 0
    expected = -np.mean([si_sdr(ESTIMATE[[i]], clean[[i]])[0] for i in (0, 2)])
    assert value(graph, "si-sdr", ESTIMATE, clean) == pytest.approx(expected, abs=1e-3)
    assert value(graph, "si-sdr", ESTIMATE, 0 * CLEAN) == 0


SILENCE = 0 * CLEAN
CASES = {
    "speech": (ESTIMATE, CLEAN),
    "no speech": (ESTIMATE, SILENCE),
    "nothing at all": (SILENCE, SILENCE),
    "perfect": (CLEAN, CLEAN),
    "one silent excerpt": (ESTIMATE, CLEAN * np.float32([[1], [0], [1]])),
}


@every_loss
@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0], ids="mask {}".format)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_always_finite(graph, name, case, fill):
    noisy, clean = CASES[case]
    mask, mixed = tf.fill((BATCH, FRAMES, FRONTEND.bands), fill), graph.analyse(noisy)
    with tf.GradientTape() as tape:
        tape.watch(mask)
        loss = LOSSES[name](
            graph, graph.apply(mask, mixed), graph.analyse(clean), tf.constant(clean)
        )
    gradient = tape.gradient(loss, mask)
    assert np.isfinite(float(loss))
    assert np.isfinite(gradient.numpy()).all()
    if case == "speech" and fill > 0:
        assert np.abs(gradient).max() > 0


@every_loss
def test_less_noise_is_less_loss(graph, name):
    found = [value(graph, name, CLEAN + gain * signals(1), CLEAN) for gain in (2, 1, 0.5, 0.1)]
    assert found == sorted(found, reverse=True)
