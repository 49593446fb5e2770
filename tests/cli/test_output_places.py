"""Results that are written to what is there already: only what was named changes, and stays what it is."""

import os

import pytest
from click.testing import CliRunner

from tinyprune.cli import main


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def report(finished_run):
    """A command that prints something, and what it prints."""
    command = ("report", "--run", finished_run.folder)
    return command, invoke(*command).stdout


@pytest.fixture
def comparison(finished_run):
    command = ("compare", "baseline", "baseline", "--run", finished_run.folder)
    return command, invoke(*command).stdout


@pytest.mark.parametrize("kind", ["report", "comparison"])
def test_to_a_fifo_goes_the_result_and_nothing_else(kind, tmp_path, request):
    command, expected = request.getfixturevalue(kind)
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    result = invoke(*command, "-o", pipe)
    assert (result.exit_code, result.stdout) == (0, "")
    assert os.read(reader, 65_536).decode() == expected
    assert pipe.is_fifo()
    os.close(reader)


def test_a_link_is_followed_and_a_file_keeps_its_mode(report, tmp_path):
    command, expected = report
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    result = invoke(*command, "-o", link)
    assert (result.exit_code, result.stdout) == (0, f"{link}\n")
    assert link.is_symlink()
    assert target.read_text() == expected
    assert target.stat().st_mode & 0o777 == 0o600
