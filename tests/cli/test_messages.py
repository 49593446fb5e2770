"""Every error is one line on stderr, with its exit code."""

import errno
import os
import subprocess
import sys
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from tinyprune.cli import COMMANDS, main
from tinyprune.errors import CheckFailed, TinypruneError, UsageError


def run_raising(error, *flags):
    """The result of a command line whose worker raises."""
    with mock.patch("tinyprune.stages.doctor.examine", autospec=True, side_effect=error):
        return CliRunner().invoke(main, [*flags, "doctor"])


def os_error(number, filename=None):
    return OSError(number, os.strerror(number), filename)


class ResourceExhaustedError(Exception):
    """Stands for the one of TensorFlow, which is not loaded for this."""


@pytest.mark.parametrize(
    ("error", "line", "exit_code"),
    [
        (TinypruneError("it broke"), "error: it broke", 1),
        (TinypruneError("two\n  lines"), "error: two lines", 1),
        (UsageError("no such thing"), "error: no such thing", 2),
        (CheckFailed("too big"), "error: too big", 3),
        (KeyboardInterrupt(), "\ninterrupted; run the same command again to continue", 130),
        (click.UsageError("not so"), "error: not so (see tinyprune doctor --help)", 2),
        (
            os_error(errno.ENOSPC, "a.json"),
            "error: a.json: No space left on device; free some space or choose another place",
            1,
        ),
        (os_error(errno.EROFS, "a"), "error: a: Read-only file system; choose another place", 1),
        (
            os_error(errno.EACCES, "a"),
            "error: a: Permission denied; check its permissions or choose another place",
            1,
        ),
        (os_error(errno.ENOENT, "a"), "error: a: No such file or directory", 1),
        (
            os_error(errno.ENOSPC),
            "error: No space left on device; free some space or choose another place",
            1,
        ),
        (  # what it quotes may be of any length
            UsageError("a" * 200_000 + "b"),
            f"error: {'a' * 750} ... {'a' * 749}b",
            2,
        ),
        (
            ResourceExhaustedError("error:\nOOM when allocating tensor with shape[64,1024,4] and"),
            "error: not enough memory for numbers of the shape 64x1024x4: "
            "try a smaller --batch-size, network or input, or free some",
            1,
        ),
        (
            ValueError("bad shape\nlong story"),
            "error: unexpected ValueError: bad shape; run with -v for the traceback",
            1,
        ),
        (
            ValueError(),
            "error: unexpected ValueError: no message; run with -v for the traceback",
            1,
        ),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(error, line, exit_code):
    result = run_raising(error)
    assert result.stderr == line + "\n"
    assert result.stdout == ""
    assert result.exit_code == exit_code


def test_the_traceback_is_there_when_asked_for():
    stderr = run_raising(ValueError("bad"), "-v").stderr
    assert stderr.startswith("Traceback (most recent call last):")
    assert stderr.endswith("error: unexpected ValueError: bad; run with -v for the traceback\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trian"], "error: unknown command 'trian': did you mean 'train'? expected one of: "),
        (["prune", "--sparsiti", "1"], "error: No such option"),
        (["--bogus"], "error: No such option"),
        (["run"], "error: Missing argument 'RECIPE.toml'. (see tinyprune run --help)"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments, line):
    result = CliRunner().invoke(main, arguments)
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2


def test_no_command_is_help():
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)


def test_a_reader_that_stops_reading_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tinyprune", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.stderr, done.returncode) == (b"", 1)


@pytest.mark.parametrize(
    ("closed", "arguments", "code", "stderr"),
    [
        (1, ["list"], 1, "error: Bad file descriptor; is standard output open?\n"),
        (1, ["list", "nothing"], 2, "error: Invalid value"),
        (0, ["list"], 0, ""),
        (2, ["list"], 0, ""),
    ],
)
def test_a_standard_stream_that_is_closed(closed, arguments, code, stderr):
    """As a shell does it with ``>&-``."""
    done = subprocess.run(
        [sys.executable, "-m", "tinyprune", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: os.close(closed),
    )
    assert done.returncode == code
    assert done.stderr.startswith(stderr)
    assert bool(done.stderr) == bool(stderr)


def test_a_full_disk_behind_standard_output_is_one_line(tiny_disk):
    with (tiny_disk / "out.txt").open("wb") as out:
        out.write(bytes(64 * 1024))
        out.flush()
        done = subprocess.run(
            [sys.executable, "-m", "tinyprune", "list"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    advice = "free some space or choose another place"
    assert done.stderr == f"error: No space left on device; {advice}\n"
    assert done.returncode == 1


def test_module_and_version():
    done = subprocess.run(
        [sys.executable, "-m", "tinyprune", "--version"], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("tinyprune 0.")
