"""The whole chain as a user runs it, on a slice of real recordings, with the real network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DATA = Path(os.environ.get("TINYPRUNE_DATA", Path(__file__).parents[2] / "shared" / "data"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "speech").is_dir(), reason=f"no real data in {DATA}; set TINYPRUNE_DATA"
    ),
]

RECIPE = """
[data]
name = "mixture"
speech = "speech/train"
noise = "noise/train"
dev_speech = "speech/dev"
dev_noise = "noise/dev"
test_speech = "speech/test"
test_noise = "noise/test"
dev_utterances = 6

[train]
epochs = 2
batch_size = 8

[[prune]]
sparsity = 0.8
epochs = 2
"""

PARAMETERS = (
    4 * 256 * (128 + 256 + 1) + 4 * 256 * (256 + 256 + 1) + (256 + 1) * 128 + (128 + 1) * 128
)


@pytest.fixture(scope="module")
def slice_folder(tmp_path_factory):
    """Three folders of each split of speech and noise, two files each, with the recipe beside them."""
    folder = tmp_path_factory.mktemp("real")
    for kind in ("speech", "noise"):
        for split in ("train", "dev", "test"):
            top = DATA / kind / split
            parents = sorted({path.parent for path in top.rglob("*.flac")})
            for parent in parents[:: max(1, len(parents) // 3)][:3]:
                target = folder / kind / split / parent.relative_to(top)
                target.mkdir(parents=True)
                for path in sorted(parent.glob("*.flac"))[:2]:
                    shutil.copy(path, target)
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def tinyprune(folder, *arguments):
    command = [sys.executable, "-m", "tinyprune", *arguments, "--run", "run", "--format", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr.splitlines()


def test_train_prune_export_compile_evaluate(slice_folder):
    summary, said = tinyprune(slice_folder, "run", "recipe.toml")
    baseline, pruned = summary["variants"]
    assert (baseline["name"], pruned["name"]) == ("baseline", "weight-0.80")
    assert baseline["parameters"] == pruned["parameters"] == PARAMETERS == 968_960
    assert pruned["sparsity"] == pytest.approx(0.8, abs=0.01)
    assert pruned["report"]["flash_bytes"] < baseline["report"]["flash_bytes"] / 2
    assert pruned["report"]["cycles"] < baseline["report"]["cycles"] / 2
    assert pruned["report"]["cpu_operators"] == []
    assert summary["noisy"]["metrics"]["si_sdr_db"] == pytest.approx(
        (-6 - 3 + 0 + 3 + 6 + 9) / 6, abs=0.5
    )

    # Nothing but our own lines: no chatter of TensorFlow, none of ours twice.
    assert len(said) == len(set(said))
    assert all(line.startswith(("baseline: ", "weight-0.80: ", "lstm_")) for line in said), said

    again, said = tinyprune(slice_folder, "run", "recipe.toml")
    assert again == summary
    assert len(said) == 2
    assert all(" already, in " in line for line in said)

    scored, said = tinyprune(slice_folder, "evaluate", "baseline", "weight-0.80", "--split", "test")
    rows = {(row["model"], row["form"]): row for row in scored["rows"]}
    forms = [
        (name, form) for name in ("baseline", "weight-0.80") for form in ("float", "streaming")
    ]
    assert [*rows] == [("-", "noisy"), *forms]
    assert (scored["split"], scored["items"], scored["metrics"]) == (
        "test",
        6,
        ["si_sdr_db", "sdr_db", "stoi"],
    )
    for row in rows.values():
        for figure in row["metrics"].values():
            assert figure["undefined"] == 0
            assert figure["value"]["low"] <= figure["value"]["mean"] <= figure["value"]["high"]
    assert rows["weight-0.80", "streaming"]["reference"] == "baseline streaming"
    assert said == []


# --- classes
# ----------------------------------------------------------------------------------------------------------

CLASSES = """
[data]
name = "{name}"
path = "{path}"

[train]
epochs = {epochs}
batch_size = 16

[[prune]]
structure = "unit"
sparsity = 0.5
epochs = {epochs}

[[prune]]
base = "unit-0.50"
structure = "{then}"
scope = "layer"
epochs = {epochs}

[[target]]
npu = "ethos-u85-256"
"""


def check_classes(folder, name, path, then, classes, baseline_parameters, epochs=2):
    """A run of two prunings, one on the other, then the offline control beside them."""
    (folder / "recipe.toml").write_text(
        CLASSES.format(name=name, path=path, then=then, epochs=epochs)
    )
    summary, said = tinyprune(folder, "run", "recipe.toml")
    baseline, units, both = summary["variants"]
    assert baseline["parameters"] == baseline_parameters
    assert both["parameters"] == units["parameters"] < baseline["parameters"] / 2
    assert both["sparsity"] > units["sparsity"]
    assert (
        both["report"]["flash_bytes"]
        < units["report"]["flash_bytes"]
        < baseline["report"]["flash_bytes"]
    )
    assert units["report"]["cycles"] < baseline["report"]["cycles"]
    assert all(variant["report"]["cpu_operators"] == [] for variant in summary["variants"])
    accuracies = [variant["quality"]["metrics"]["accuracy"] for variant in summary["variants"]]
    # Chance is 1 / classes; of the 32 images of dev, one more or less is 0.03.
    assert min(accuracies) >= 0.5 / classes, accuracies
    assert summary["noisy"] is summary["hop_seconds"] is None
    assert all(
        line.startswith(("baseline: ", "unit-0.50: ", f"{both['name']}: ")) for line in said
    ), said

    [control], _ = tinyprune(
        folder, "prune", "--offline", "run/variants/baseline/int8.tflite", "--sparsity", "0.5"
    )
    assert (control["variant"], control["form"]) == ("offline-weight-0.50", "int8")
    summary, _ = tinyprune(folder, "compile", "--npu", "ethos-u85-256")
    assert summary["variants"][3]["name"] == "offline-weight-0.50"
    assert summary["variants"][3]["sparsity"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.skipif(not (DATA / "keywords").is_dir(), reason=f"no keywords in {DATA}")
def test_keywords(tmp_path):
    top = DATA / "keywords"
    words = sorted(
        path.name for path in (top / "train").iterdir() if path.is_dir() and path.name[0] != "_"
    )[:4]
    for split, count in (("train", 24), ("dev", 10), ("test", 10)):
        for word in words:
            (tmp_path / "data" / split / word).mkdir(parents=True)
            for path in sorted((top / split / word).iterdir())[:count]:
                shutil.copy(path, tmp_path / "data" / split / word)
    block = (
        (3 * 3 + 1) * 64 + 4 * 64 + (64 + 1) * 64 + 4 * 64
    )  # depthwise, BatchNorm, pointwise, BatchNorm
    parameters = (10 * 4 + 1) * 64 + 4 * 64 + 4 * block + (64 + 1) * 4
    check_classes(tmp_path, "keywords", "data", "weight", 4, parameters, epochs=24)


@pytest.mark.skipif(not (DATA / "images").is_dir(), reason=f"no images in {DATA}")
def test_images(tmp_path):
    [path] = (DATA / "images").glob("*.npz")
    with np.load(path) as arrays:
        few = {
            name: arrays[name][:300] if name[:2] in ("x_", "y_") else arrays[name]
            for name in arrays.files
        }
    np.savez(tmp_path / "few.npz", **few)
    check_classes(tmp_path, "images", "few.npz", "2:4", 10, 78_666)
