import json
from importlib import metadata
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from tinyprune import extras
from tinyprune.cli import main
from tinyprune.stages import doctor
from tinyprune.stages.doctor import Check, examine


def without(*packages):
    """Patches importlib.metadata so that some packages are not there."""
    real = metadata.version

    def version(name):
        if name in packages:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    return mock.patch.object(metadata, "version", version)


def found(checks):
    return {check.name: check for check in checks}


def test_what_is_installed_is_shown_with_its_version():
    checks = found(examine(Path("runs/default")))
    assert checks["keras"].found == metadata.version("keras")
    assert checks["int8 interpreter"].found == "ai-edge-litert"
    assert {"python", "vela", "cores", "memory", "disk free", "run folder", "pesq"} <= checks.keys()


@pytest.mark.parametrize("name", ["numpy", "scipy"])
def test_a_missing_package_comes_with_the_command_that_installs_it(name):
    with without(name):
        assert found(examine(Path()))[name].problem.startswith(f'pip install "{name}>=')


DECLARED = [
    "numpy>=1.26",
    "keras>=99; extra == 'train'",
    "tinyprune[train]; extra == 'sweep'",
    "keras>=99; extra == 'sweep'",  # what the line before becomes in an installed package
    "optuna>=5.0; extra == 'sweep'",
]


@pytest.mark.parametrize("can_train", [True, False])
def test_what_trains_is_optional_as_long_as_keras_is_not_there(can_train):
    with (
        mock.patch.object(metadata, "requires", return_value=DECLARED),
        mock.patch.object(extras, "is_installed", return_value=can_train),
    ):
        checks = found(examine(Path()))
    assert {"numpy", "optuna"} < checks.keys()
    assert "tinyprune" not in checks
    if can_train:
        assert checks["keras"].problem == 'pip install "keras>=99"'
    else:
        assert "keras" not in checks
        assert checks["train"].found == 'optional, not installed: pip install "tinyprune[train]"'
        assert not checks["train"].problem


@pytest.mark.parametrize("name", ["pesq", "sounddevice"])
def test_a_missing_extra_is_no_problem(name):
    with without(name):
        check = found(examine(Path()))[name]
    assert check.found.startswith(f'optional, not installed: pip install "{name}>=')
    assert not check.problem


def test_the_sound_library_is_optional_and_named():
    with mock.patch.object(doctor.ctypes_util, "find_library", return_value=None):
        check = found(examine(Path()))["portaudio"]
    assert check.found == "optional, not installed: apt install libportaudio2 (for enhance --live)"
    assert not check.problem
    with mock.patch.object(doctor.ctypes_util, "find_library", return_value="libportaudio.so.2"):
        assert found(examine(Path()))["portaudio"].found == "libportaudio.so.2"


def test_tflite_runtime_stands_in_for_its_successor():
    with (
        without("ai-edge-litert"),
        mock.patch.object(doctor.util, "find_spec", lambda name: name == "tflite_runtime"),
    ):
        checks = found(examine(Path()))
    assert checks["int8 interpreter"].found == "tflite-runtime"
    assert not checks["ai-edge-litert"].problem


def test_no_interpreter_and_no_vela_are_problems():
    with mock.patch.object(doctor.util, "find_spec", return_value=None):
        checks = found(examine(Path()))
    assert checks["int8 interpreter"].problem == "pip install ai-edge-litert"
    assert checks["vela"].problem == "pip install ethos-u-vela"


def test_the_exit_code_says_whether_something_is_missing():
    for problem, exit_code in (("", 0), ("pip install a", 1)):
        with mock.patch(
            "tinyprune.stages.doctor.examine",
            autospec=True,
            return_value=[Check("a", "1.0", problem)],
        ):
            result = CliRunner().invoke(main, ["doctor", "--format", "json"])
        assert json.loads(result.stdout) == [{"what": "a", "found": "1.0", "problem": problem}]
        assert result.exit_code == exit_code
        assert result.stderr == ("error: a: pip install a\n" if problem else "")
