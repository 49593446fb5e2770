"""What ``pip install tinyprune`` can do, without the extras: command lines, and a Python without the packages.

``.ci/light.py`` runs them in an environment that has only what is declared.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

#: Noisy speech in the working folder, with its clean speech and itself in folders for `evaluate`.
NOISY, CLEAN_FOLDER, NOISY_FOLDER = "noisy.wav", "clean", "noisy"
RUN, VARIANT = "run", "weight-0.50"


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        line: of what stands behind ``tinyprune``, with blanks between.
        code: the exit code that is expected.
        says: part of what is printed, on stdout or stderr.
        files: those that it makes; they are the same with and without the extras.
        is_same: whether what it prints on stdout is the same with and without the extras.
    """

    line: str
    code: int = 0
    says: str = ""
    files: tuple[str, ...] = ()
    is_same: bool = True


#: Those that need no run.
WITHOUT_RUN = (
    Command(
        "compile pretrained --npu ethos-u55-128 -o compiled",
        says="4.5x",
        files=("compiled/denoiser_vela.tflite",),
    ),
    Command("card pretrained"),
    Command(f"enhance {NOISY} out.wav", says="x real time", files=("out.wav",)),
    Command(
        f"evaluate --enhanced {NOISY_FOLDER} --clean {CLEAN_FOLDER} --metric si-sdr", says="SI-SDR"
    ),
    Command(
        "train", 2, 'train needs keras, which is not installed: pip install "tinyprune[train]"'
    ),
)
#: Those on a finished run of examples in :data:`RUN` with a variant :data:`VARIANT`, and longer ones.
WITH_RUN = (
    Command(
        "compile pretrained --npu ethos-u85-256 -o checked --verify=3",
        says="operations of the NPU",
        is_same=False,  # what it is compared with: TFLM is an extra too
    ),
    Command(f"compile --run {RUN}", says=VARIANT),
    Command(f"compile --run {RUN} --verify=2", says="dev", is_same=False),
    Command(f"compare baseline {VARIANT} --run {RUN} --format json"),
    Command(
        f"compare {RUN}/variants/baseline/int8.tflite {RUN}/variants/{VARIANT}/int8.tflite",
        says="costs only",
    ),
    Command(f"report --run {RUN}", says=VARIANT),
    Command(f"report {VARIANT} --run {RUN}", says="layer"),
    Command(f"report --run {RUN} --format markdown", is_same=False),
    Command(f"report --run {RUN} --format json", is_same=False),
    Command(f"report --run {RUN} --format html -o page.html", is_same=False),
    Command(f"verify {RUN}", says="unchanged"),
    Command(f"card --run {RUN}", is_same=False),
    Command(f"evaluate --run {RUN} {VARIANT}:int8", says="accuracy"),
    Command(
        f"firmware {VARIANT} --run {RUN} --npu ethos-u55-128 -o fw",
        files=("fw/src/weight_0_50.c", "fw/test/vectors.c"),
    ),
    Command(
        "firmware pretrained -o fw-speech",
        files=("fw-speech/src/denoiser_tables.c", "fw-speech/test/vectors.c"),
    ),
    Command(
        f"prune --offline {RUN}/variants/baseline/int8.tflite --sparsity 0.8 -o off.tflite",
        files=("off.tflite",),
    ),
    Command(f"export --run {RUN}", says="int8"),
    Command(f"prune --run {RUN} --sparsity 0.6", 2, 'pip install "tinyprune[train]"'),
    Command(f"sensitivity --run {RUN}", 2, 'pip install "tinyprune[train]"'),
)


@dataclass(frozen=True)
class Outcome:
    """What a command has done. Attributes: code, stdout, stderr."""

    code: int
    stdout: str
    stderr: str


def write_recordings(folder: Path) -> None:
    """Write a second of noise that comes and goes, and what it would be without the rest."""
    rng = np.random.default_rng(0)
    seconds = np.arange(16_000) / 16_000
    clean = 0.3 * np.sin(2 * np.pi * 300 * seconds) * (1 + np.sin(2 * np.pi * 3 * seconds)) / 2
    noisy = clean + 0.03 * rng.standard_normal(16_000)
    for place in (NOISY, f"{NOISY_FOLDER}/a.wav", f"{CLEAN_FOLDER}/a.wav"):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, clean if CLEAN_FOLDER in place else noisy, 16_000)


#: A Python in which the packages of all extras but that for TFLM cannot be found.
WITHOUT_EXTRAS = """
import sys
from importlib.machinery import PathFinder

from tinyprune.extras import EXTRAS

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        package = name.partition(".")[0]
        if any(package in packages for extra, packages in EXTRAS.items() if extra != "device"):
            return None
        return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""

#: A program that runs command lines one after the other, given as JSON, and prints what each has done.
RUN_ALL = """
import contextlib, io, json, sys
from tinyprune.cli import main

done = []
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(line.split())
        except SystemExit as end:
            code = end.code or 0
    done.append([code, out.getvalue(), err.getvalue()])
json.dump(done, sys.stdout)
"""


def run_all(
    commands: Sequence[Command],
    folder: Path,
    program: str = RUN_ALL,
    python: str = sys.executable,
) -> list[Outcome]:
    """Run commands in a folder, in one process of their own, and return what each has done."""
    lines = [command.line for command in commands]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    if python != sys.executable:
        environment.pop("PYTHONPATH", None)  # it has a tinyprune of its own
    done = subprocess.run(
        [python, "-c", program, json.dumps(lines)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return [Outcome(*one) for one in json.loads(done.stdout)]
