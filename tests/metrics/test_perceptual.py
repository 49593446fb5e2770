import sys

import numpy as np
import pytest
import scipy.signal

from tinyprune.errors import UsageError
from tinyprune.metrics.perceptual import LONGEST_SECONDS, pesq_nb, pesq_wb

RATE = 16_000
METRICS = {"wb": pesq_wb, "nb": pesq_nb}


def speech(seconds=2.0):
    time = np.arange(int(seconds * RATE)) / RATE
    noise = scipy.signal.lfilter(
        [1], [1, -0.9], np.random.default_rng(0).normal(0, 0.05, len(time))
    )
    return (noise * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time))).astype(np.float32)


def noise(seconds=2.0, level=0.02):
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("mode", ["wb", "nb"])
def test_it_is_what_the_reference_code_says(mode):
    pesq = pytest.importorskip("pesq")
    expected = pesq.pesq(RATE, speech(), speech() + noise(), mode)
    assert METRICS[mode](speech(), speech() + noise()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("mode", "best"), [("wb", 4.644), ("nb", 4.549)])
def test_a_perfect_estimate_has_the_highest_score(mode, best):
    pytest.importorskip("pesq")
    assert METRICS[mode](speech(), speech()) == pytest.approx(best, abs=0.01)


@pytest.mark.parametrize("mode", ["wb", "nb"])
@pytest.mark.parametrize(
    "clean",
    [np.zeros(RATE, np.float32), speech(0.01), speech(0.2), speech(LONGEST_SECONDS + 0.1)],
    ids=["no speech", "10 ms", "200 ms", "too long"],
)
def test_where_it_fails_there_is_none(mode, clean):
    pytest.importorskip("pesq")
    estimate = clean + np.random.default_rng(2).normal(0, 0.01, len(clean)).astype(np.float32)
    assert np.isnan(METRICS[mode](clean, estimate))


def test_as_many_utterances_as_fit_do_not_overrun_its_memory():
    """Bursts of 0.21 s with pauses of 0.21 s: what it could take for utterances of their own."""
    pytest.importorskip("pesq")
    burst = np.concatenate([speech(0.21), np.zeros(int(0.21 * RATE), np.float32)])
    clean = np.resize(burst, int(LONGEST_SECONDS * RATE))
    assert np.isfinite(pesq_wb(clean, clean + noise(LONGEST_SECONDS, 0.003)))


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(UsageError, match=r'not installed: pip install "tinyprune\[pesq\]"$'):
        pesq_wb(speech(), speech())
