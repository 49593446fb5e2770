import logging
from collections.abc import Iterator

import pytest

from tinyprune.training.fit import EpochRecord
from tinyprune.training.progress import Progress

EPOCHS, STEPS = 3, 2


@pytest.fixture(autouse=True)
def level() -> Iterator[logging.Logger]:
    """The logger of the project, at the level of a command line without -q or -v."""
    logger = logging.getLogger("tinyprune")
    before = logger.level
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(before)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def train(done: int = 0, metric: str = "si_sdr_db") -> None:
    scores = [-1.5, 2.25, 2.0]
    with Progress("tiny", metric, EPOCHS, STEPS, done) as progress:
        for epoch in range(done, EPOCHS):
            for step in range(STEPS):
                progress.step(epoch, step + 1, 0.5)
            record = EpochRecord(epoch + 1, STEPS * (epoch + 1), 0.25, scores[epoch], 1e-3, 60.0)
            progress.epoch_done(epoch, record, max(scores[: epoch + 1]))


def test_a_pipe_gets_one_line_per_epoch_on_stderr(capsys):
    train()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "tiny: epoch 1/3  loss 0.2500  dev SI-SDR -1.50 dB  60.0 s, 120 s left  best",
        "tiny: epoch 2/3  loss 0.2500  dev SI-SDR 2.25 dB  60.0 s, 60 s left  best",
        "tiny: epoch 3/3  loss 0.2500  dev SI-SDR 2.00 dB  60.0 s, 0 s left",
    ]


def test_the_score_is_called_by_its_name(capsys):
    train(done=2, metric="accuracy")
    assert capsys.readouterr().err.splitlines()[1] == (
        "tiny: epoch 3/3  loss 0.2500  dev accuracy 2.000  60.0 s, 0 s left"
    )


def test_what_the_course_says_ends_the_line(capsys):
    with Progress("tiny", "accuracy", EPOCHS, STEPS, 0) as progress:
        record = EpochRecord(1, STEPS, 0.25, 0.5, 1e-3, 60.0)
        progress.epoch_done(0, record, 0.5, "flash 71 kB of 66 kB; 20 of 28 units")
    epoch = "tiny: epoch 1/3  loss 0.2500  dev accuracy 0.500  60.0 s, 120 s left  best"
    assert capsys.readouterr().err == f"{epoch}  flash 71 kB of 66 kB; 20 of 28 units\n"


def test_a_resumed_training_says_where_it_continues(capsys):
    train(done=2)
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "tiny: continuing after epoch 2 of 3"
    assert len(rest) == 1


def test_quiet_prints_nothing(capsys, level):
    level.setLevel(logging.WARNING)
    train(done=1)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_live_line_too(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    train()
    err = capsys.readouterr().err
    assert "epoch 3/3 step 2/2 loss 0.500" in err
    assert [err.count(f"epoch {epoch + 1}/3  loss 0.2500") for epoch in range(EPOCHS)] == EPOCHS * [
        1
    ]


def test_the_time_is_estimated_as_soon_as_steps_were_timed(capsys):
    with Progress("tiny", "accuracy", 4, 10, 0) as progress:
        progress.begin(1500)
        now = 100.0
        progress.clock = lambda: now
        progress.step(0, 1, 0.5)  # builds the graph: not timed
        for step in (2, 3, 4):
            now += 1.0
            progress.step(0, step, 0.5)
    # Two seconds after the first step, 2 steps were timed at 1 s each: 4 * 10 - 3 are left.
    assert capsys.readouterr().err.splitlines() == [
        "tiny: 1500 parameters, 4 epochs of 10 steps",
        "tiny: about 37.0 s left, and the scores on dev",
    ]
