"""Compilation of finished variants while another process trains in the run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinyprune.stages.run import open_run, run_to_compile
from tinyprune.storage.run_folder import LOCK, RunIsBusy, Variant, Workspace

_HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Records of a run: what is exported, what is trained only, and what is being trained."""
    space = Workspace(tmp_path)
    for name, stages in {
        "baseline": ("train",),
        "done": ("train", "export"),
        "trained": ("train",),
        "begun": (),
    }.items():
        variant = Variant(name, space.variant(name).folder)
        variant.claim({"prune": name})
        for stage in stages:
            variant.finish(stage, {}, [])
    return tmp_path


@pytest.fixture
def busy(run: Path):
    """The same run, in which another process works."""
    other = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(run / LOCK)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    other.stdout.readline()
    yield run
    other.communicate()


def test_alone_every_trained_variant_is_compiled(run):
    with run_to_compile(run) as (_, variants):
        assert {variant.name for variant in variants} == {"baseline", "done", "trained"}


def test_beside_a_training_those_are_compiled_that_are_exported(busy, caplog):
    with pytest.raises(RunIsBusy), open_run(busy):
        pass
    caplog.set_level("INFO", "tinyprune")
    with run_to_compile(busy) as (_, variants):
        assert {variant.name for variant in variants} == {"baseline", "done"}
    assert "finished variants are compiled, not yet trained, begun" in caplog.text
