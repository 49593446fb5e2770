"""Hundreds of damaged files, each through a command that reads it: one line, in bounded time and memory.

A case is made from its number; ``TINYPRUNE_FUZZ_SEED=10000`` takes those from 10000 on. Each runs in
a process of its own, forked from one that has loaded the libraries. It fails on "unexpected", a traceback, a crash, more than 30 s or 2 GiB.
"""

import collections
import json
import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile

from tests.fuzz import run_cases
from tests.fuzz.mutation import mutated
from tests.support.records import run_summary, variant_summary
from tinyprune.storage.records import write_json

ROOT = Path(__file__).parents[2]
ARRAYS = ["--arrays", "x.npz"]
FIRST = int(os.environ.get("TINYPRUNE_FUZZ_SEED", "0"))


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        suffix: of its name. mutation: how it is changed.
        count: number of cases.
        commands: in turn; FILE stands for the file.
    """

    suffix: str
    mutation: str
    count: int
    commands: tuple[tuple[str, ...], ...]


OFFLINE = ("prune", "--offline", "FILE", "--sparsity", "0.5", "-o", "out.tflite")
ENHANCE = ("enhance", "FILE", "out.wav", "--model", "pretrained")
DENOISE = ("enhance", "in.wav", "out.wav", "--model", "FILE", "--frontend", "frontend.json")
FIRMWARE = ("firmware", "FILE", "-o", "out", "--raw-features")
JUNIT = ("--format", "junit")
SWEEP = """
[data]
name = "synthetic-speech"

[sweep]
trials = 20
seed = 0

[[sweep.step]]
optional = true
max_cycles = ["30k", "40k"]

[[sweep.step]]
structure = ["weight", "2:4"]
sparsity = [0.4, 0.6]
clusters = [0, 16]
learning_rate = [0.001, 0.003]
"""
KINDS = {
    "tflite": Kind(".tflite", "fields", 90, (OFFLINE, ("compile", "FILE", "-o", "out"), OFFLINE)),
    "tflite, checked": Kind(
        ".tflite",
        "fields",
        30,
        (
            ("compile", "FILE", "-o", "out", "--lower", "auto", "--verify=2"),
            ("compare", "FILE", "net.tflite", *JUNIT),
        ),
    ),
    "tflite for a device": Kind(
        ".tflite", "fields", 30, (FIRMWARE, (*FIRMWARE, "--runtime", "tflm"))
    ),
    "tflite of speech": Kind(
        ".tflite",
        "fields",
        30,
        (DENOISE, (*DENOISE, "--engine", "stream"), (*DENOISE, "--engine", "tflm")),
    ),
    "keras": Kind(".keras", "keras", 120, (("load-network", "FILE"),)),
    "h5": Kind(".h5", "fields", 90, (("load-network", "FILE"),)),
    "keras, trained": Kind(".keras", "keras", 6, (("train", "--model", "FILE", *ARRAYS),)),
    "summary": Kind(
        ".json",
        "json",
        80,
        (("compare", "FILE", "summary.json"), ("compare", "summary.json", "FILE", *JUNIT)),
    ),
    "policy": Kind(
        ".toml",
        "toml",
        40,
        (("compare", "summary.json", "summary.json", "--policy", "FILE", *JUNIT),),
    ),
    "front end": Kind(
        ".json",
        "json",
        40,
        (
            ("enhance", "in.wav", "out.wav", "--frontend", "FILE", "--model", "net.tflite"),
            ("firmware", "net.tflite", "-o", "out", "--frontend", "FILE"),
        ),
    ),
    "recipe": Kind(".toml", "toml", 60, (("read-recipe", "FILE"),)),
    "sweep": Kind(".toml", "toml", 40, (("read-sweep", "FILE"),)),
    "wav": Kind(".wav", "fields", 60, (ENHANCE, ("data", "describe", "."))),
    "manifest": Kind(".csv", "csv", 40, (("data", "describe", "FILE"),)),
    "arrays": Kind(".npz", "bytes", 40, (("data", "describe", "FILE"),)),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory, networks) -> Path:
    """A folder with an undamaged file of each kind, and what the commands need beside."""
    import keras

    folder = tmp_path_factory.mktemp("originals")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)]
    )
    model.save(folder / "keras.keras")
    model.save(folder / "keras, trained.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(folder / "h5.h5")
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(20, 4)).astype(np.float32), "y": np.arange(20) % 2}
    for name in ("arrays.npz", "x.npz"):
        np.savez_compressed(folder / name, **arrays)
    for name in ("wav.wav", "in.wav", "a.wav", "b.wav"):
        soundfile.write(folder / name, 0.1 * rng.normal(size=4_000), 16_000)
    pretrained = ROOT / "tinyprune/pretrained"
    for name in ("front end.json", "frontend.json"):
        shutil.copy(pretrained / "denoiser.frontend.json", folder / name)
    for name in ("tflite of speech.tflite", "net.tflite"):
        shutil.copy(pretrained / "denoiser.tflite", folder / name)
    for name in ("tflite", "tflite, checked", "tflite for a device"):
        shutil.copy(networks.dense(), folder / f"{name}.tflite")
    shutil.copy(ROOT / "docs/policy.example.toml", folder / "policy.toml")
    (folder / "sweep.toml").write_text(SWEEP)
    write_json(folder / "summary.json", run_summary(variant_summary(), variant_summary("a")))
    shutil.copy(ROOT / "examples/denoise.toml", folder / "recipe.toml")
    manifest = "noisy,clean,split,speaker,snr_db\na.wav,b.wav,train,x,3\nb.wav,a.wav,dev,y,-1\n"
    (folder / "manifest.csv").write_text(manifest)
    return folder


def made(kind: str, numbers, originals: Path, folder: Path) -> list:
    """Write the damaged files of a kind. Return the cases."""
    facts = KINDS[kind]
    content = (originals / f"{kind}{facts.suffix}").read_bytes()
    cases = []
    for number in numbers:
        place = folder / f"{number}"
        place.mkdir()
        for path in originals.iterdir():
            (place / path.name).symlink_to(path)
        (place / f"bad{facts.suffix}").write_bytes(mutated(content, facts.mutation, number))
        command = facts.commands[number % len(facts.commands)]
        arguments = [part.replace("FILE", f"bad{facts.suffix}") for part in command]
        cases.append([f"{kind} {number}", str(place), arguments])
    return cases


def run(cases: list) -> list[dict]:
    """Return what became of the cases."""
    done = subprocess.run(
        [sys.executable, run_cases.__file__],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    outcomes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(outcomes) == len(cases), done.stderr[-2000:]
    return outcomes


def faults(outcome: dict) -> list[str]:
    """Return what is wrong with what became of a case."""
    said = outcome["stderr"]
    wrong = [word for word in ("unexpected", "Traceback", "not enough memory") if word in said]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if outcome["crash"] or outcome["exit"] not in (0, 1, 2, 3):
        wrong.append(f"ended by signal {outcome['crash']}, exit code {outcome['exit']}")
    elif outcome["exit"] and len(errors) != 1:
        wrong.append(f"{len(errors)} lines of error")
    if outcome["seconds"] > run_cases.SECONDS or outcome["mib"] > run_cases.MEMORY / run_cases.MIB:
        wrong.append(f"{outcome['seconds']:.0f} s, {outcome['mib']:.0f} MiB")
    return wrong


def check(outcomes: list[dict]) -> None:
    bad = [
        f"{each['name']}: {faults(each)}: {each['stderr'][-300:]}"
        for each in outcomes
        if faults(each)
    ]
    assert not bad, "\n".join(bad)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind, originals, tmp_path, capsys):
    numbers = range(FIRST, FIRST + KINDS[kind].count)
    outcomes = run(made(kind, numbers, originals, tmp_path))
    exits = collections.Counter(outcome["exit"] for outcome in outcomes)
    slowest = max(outcome["seconds"] for outcome in outcomes)
    largest = max(outcome["mib"] for outcome in outcomes)
    with capsys.disabled():
        click.echo(
            f"\n{kind}: {len(outcomes)} cases, exit codes {dict(exits)}, "
            f"at most {slowest:.1f} s and {largest:.0f} MiB"
        )
    check(outcomes)
    assert any(outcome["exit"] for outcome in outcomes)  # else the changes matter to nobody
