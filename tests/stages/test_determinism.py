"""The same seed, versions and number of threads give the same bytes. Real processes, so that nothing is shared."""

import csv
import json
import os
from pathlib import Path

import pytest

from tests.support import programs
from tests.support.own_network import TINY_NET, write_images

FILES = ("model.keras", "size.json", "task.json", "frontend.json")


def trained(folder: Path, *options: str) -> tuple[list[bytes], list[str], dict]:
    """The files of a training in a process of its own, its losses, and the record of it."""
    command = ["-m", "tinyprune", "train", "--run", "run", "--data", "images"]
    command += ["--path", "images.npz", "--model", "tiny_net:build", "--epochs", "2"]
    folder.mkdir()
    (folder / "tiny_net.py").write_text(TINY_NET)
    write_images(folder / "images.npz")
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    done = programs.run([*command, *options], folder, {"PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    variant = folder / "run/variants/baseline"
    with (variant / "history.csv").open() as file:
        losses = [row["loss"] for row in csv.DictReader(file)]
    contents = [(variant / name).read_bytes() for name in FILES]
    return contents, losses, json.loads((variant / "train.json").read_text())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path):
    first, losses, record = trained(tmp_path / "first", "--deterministic")
    second, losses_again, _ = trained(tmp_path / "second", "--deterministic")
    _, other_losses, other = trained(tmp_path / "other", "--seed", "1")
    assert first == second
    assert losses == losses_again != other_losses
    assert record["environment"]["threads"] == 1
    assert other["environment"]["threads"] == len(os.sched_getaffinity(0))
    assert {"tinyprune", "tensorflow", "keras", "numpy"} <= record["environment"]["versions"].keys()
