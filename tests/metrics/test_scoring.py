import os
import subprocess
import sys

import numpy as np
import pytest

from tinyprune.errors import TinypruneError
from tinyprune.metrics import scoring
from tinyprune.metrics.scoring import AHEAD, score, score_all

SPEECH = np.tile([1, -1, 1, -1], 2000).astype(np.float32)
SILENCE = np.zeros(8000, np.float32)
METRICS = ("si_sdr_db", "sdr_db", "seg_snr_db", "stoi", "estoi")


def pairs(count):
    """Different ones of half a second."""
    for seed in range(count):
        noisy = np.random.default_rng(seed).normal(0, 0.1, (2, 8000)).astype(np.float32)
        yield noisy[0], noisy[0] + noisy[1]


@pytest.fixture
def in_processes(monkeypatch):
    """More processes for any number of files."""
    monkeypatch.setattr(scoring, "ENOUGH_SCORES", 0)
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)


def test_every_metric_of_a_pair():
    clean, estimate = next(pairs(1))
    assert list(score(clean, estimate, METRICS)) == list(METRICS)


@pytest.mark.parametrize(
    ("clean", "estimate"),
    [
        (SILENCE, SPEECH),
        (SPEECH, SILENCE),
        (SPEECH, SPEECH * np.float32(np.nan)),
        (SILENCE, SILENCE),
    ],
)
def test_silence_and_what_is_not_finite_have_no_metric(clean, estimate):
    assert score(clean, estimate, METRICS) == {}


def test_a_file_of_10_ms_has_what_can_be_said_of_it():
    clean, estimate = (signal[:160] for signal in next(pairs(1)))
    assert list(score(clean, estimate, METRICS)) == ["si_sdr_db"]


def test_processes_give_to_the_last_bit_what_one_gives(in_processes, monkeypatch):
    several = list(score_all(pairs(20), METRICS, 20))
    monkeypatch.setattr(scoring, "ENOUGH_SCORES", 10**9)
    assert list(score_all(pairs(20), METRICS, 20)) == several
    assert len({found["sdr_db"] for found in several}) == 20


def test_few_files_and_quick_metrics_start_no_process(monkeypatch):
    monkeypatch.setattr(scoring, "_in_processes", lambda *_: pytest.fail("it did"))
    assert len(list(score_all(pairs(3), ("sdr_db",), 3))) == 3
    assert len(list(score_all(pairs(3), ("si_sdr_db",), 10**6))) == 3


def test_pairs_are_taken_as_they_are_needed(in_processes):
    """Whatever the number of files, only a few wait in memory."""
    taken = []

    def counted():
        for number, pair in enumerate(pairs(40)):
            taken.append(number)
            yield pair

    found = score_all(counted(), ("si_sdr_db",), 40)
    next(found)
    assert len(taken) <= AHEAD * 2 + 1
    found.close()


def test_an_error_of_the_one_who_makes_the_pairs_comes_through(in_processes):
    def broken():
        yield next(pairs(1))
        raise TinypruneError("no more")

    with pytest.raises(TinypruneError, match="^no more$"):
        list(score_all(broken(), ("si_sdr_db",), 2))


def test_a_process_that_dies_is_one_line(in_processes, monkeypatch):
    monkeypatch.setattr(scoring, "score", _die)
    with pytest.raises(TinypruneError, match="^a process that scores files died: is memory short"):
        list(score_all(pairs(4), ("si_sdr_db",), 4))


def _die(*_):
    os._exit(9)


WORKERS = """
import numpy as np, sys
sys.modules["tensorflow"] = sys  # as if it were here
from tinyprune.metrics import scoring
assert not any(name in sys.modules for name in ("scipy", "pystoi", "fast_bss_eval"))
loaded = scoring._executor(2).submit(eval, "[*__import__('sys').modules]").result()
threads = scoring._executor(2).submit(eval, "__import__('os').environ['OMP_NUM_THREADS']").result()
print([name for name in ("tensorflow", "keras") if name in loaded], threads)
"""


@pytest.mark.slow
def test_processes_hold_no_tensorflow_and_have_one_thread():
    """In a script without ``if __name__ == "__main__"``, too."""
    done = subprocess.run(
        [sys.executable, "-c", WORKERS], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("[] 1\n", "")
