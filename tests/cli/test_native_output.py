"""Only our own lines reach stderr; ``-v`` lets everything through."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, warnings
from unittest import mock
from tinyprune.stages import doctor
from tinyprune.cli import main

def noisy(run):
    os.write(2, b"from C++\\n")
    warnings.warn("from a library")
    print("from Python", file=sys.stderr)
    return []

with mock.patch.object(doctor, "examine", noisy):
    main(["doctor", *sys.argv[1:]])
"""


def stderr_of(*arguments, program=PROGRAM):
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stderr


def test_libraries_are_not_heard():
    assert stderr_of() == "from Python\n"


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_libraries_are_heard_on_request(flag):
    stderr = stderr_of(flag)
    assert "from C++\n" in stderr
    assert "UserWarning: from a library\n" in stderr


def test_a_crash_of_a_library_is_not_silent():
    crash = (
        "from tinyprune.cli import native_output; import os, signal; "
        "native_output.mute(); os.kill(os.getpid(), signal.SIGSEGV)"
    )
    assert "Segmentation fault" in stderr_of(program=crash)
