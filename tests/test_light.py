"""Commands on finished files without the extras: without Keras, TensorFlow, SciPy and what else trains."""

import shutil

import pytest

from tests.support import light
from tests.support.light import Command, Outcome


def check(command: Command, outcome: Outcome) -> None:
    said = outcome.stdout + outcome.stderr
    assert outcome.code == command.code, (command.line, said)
    assert command.says in said, (command.line, said)
    assert "Traceback" not in said


@pytest.fixture
def recordings(tmp_path):
    light.write_recordings(tmp_path)
    return tmp_path


def test_finished_files_need_no_extra(recordings):
    outcomes = light.run_all(light.WITHOUT_RUN, recordings, light.WITHOUT_EXTRAS + light.RUN_ALL)
    for command, outcome in zip(light.WITHOUT_RUN, outcomes, strict=True):
        check(command, outcome)
    assert outcomes[-1].stderr.count("\n") == 1
    assert not (recordings / "runs/default").exists()  # by `train`


@pytest.mark.slow
def test_a_finished_run_needs_no_extra_and_gives_the_same(recordings, image_run_copy):
    assert image_run_copy == recordings / light.RUN
    commands = [*light.WITHOUT_RUN[:-1], *light.WITH_RUN]
    other = shutil.copytree(recordings, recordings.with_name(f"{recordings.name}-other"))
    without = light.run_all(commands, recordings, light.WITHOUT_EXTRAS + light.RUN_ALL)
    for command, outcome in zip(commands, without, strict=True):
        check(command, outcome)
    finished = [command for command in commands if command.code == 0]
    outcomes = dict(zip(commands, without, strict=True))
    for command, outcome in zip(finished, light.run_all(finished, other), strict=True):
        check(command, outcome)
        if command.is_same:
            assert outcome.stdout == outcomes[command].stdout, command.line
        for name in command.files:
            assert (other / name).read_bytes() == (recordings / name).read_bytes(), name
