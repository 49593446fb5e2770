"""Results that are written to what is there already: only what was named changes, and stays what it is."""

import os
import subprocess

import pytest
from click.testing import CliRunner

from tinyprune.cli import main

CSV = ("--format", "csv")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def report(speech_run):
    """A command that prints something, and what it prints."""
    command = ("report", "--run", speech_run, *CSV)
    return command, invoke(*command).stdout


@pytest.fixture
def comparison(finished_run):
    command = ("compare", "baseline", "baseline", "--run", finished_run.folder, *CSV)
    return command, invoke(*command).stdout


@pytest.mark.parametrize("kind", ["report", "comparison"])
def test_to_a_fifo_goes_the_result_and_nothing_else(kind, tmp_path, request):
    command, expected = request.getfixturevalue(kind)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        result = invoke(*command, "-o", pipe)
        assert reader.communicate(timeout=60)[0] == expected
    assert (result.exit_code, result.stdout) == (0, "")
    assert pipe.is_fifo()


def test_a_link_is_followed_and_a_file_keeps_its_mode(report, tmp_path):
    command, expected = report
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    result = invoke(*command, "-o", link)
    assert (result.exit_code, result.stdout) == (0, f"{link}\n")
    assert link.is_symlink()
    assert target.read_text() == expected
    assert target.stat().st_mode & 0o777 == 0o600
