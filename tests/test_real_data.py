"""The whole chain as a user runs it, on a slice of real recordings, with the real network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(os.environ.get("TINYPRUNE_DATA", Path(__file__).parents[2] / "shared" / "data"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "speech").is_dir(), reason=f"no real data in {DATA}; set TINYPRUNE_DATA"),
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

PARAMETERS = 4 * 256 * (128 + 256 + 1) + 4 * 256 * (256 + 256 + 1) + (256 + 1) * 128 + (128 + 1) * 128


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
    [summary], said = tinyprune(slice_folder, "run", "recipe.toml")
    baseline, pruned = summary["variants"]
    assert (baseline["name"], pruned["name"]) == ("baseline", "weight-0.80")
    assert baseline["parameters"] == pruned["parameters"] == PARAMETERS == 968_960
    assert pruned["sparsity"] == pytest.approx(0.8, abs=0.01)
    assert pruned["report"]["flash_bytes"] < baseline["report"]["flash_bytes"] / 2
    assert pruned["report"]["cycles"] < baseline["report"]["cycles"] / 2
    assert pruned["report"]["cpu_operators"] == []
    assert summary["noisy"]["metrics"]["si_sdr_db"] == pytest.approx((-6 - 3 + 0 + 3 + 6 + 9) / 6, abs=0.5)

    # Nothing but our own lines: no chatter of TensorFlow, none of ours twice.
    assert len(said) == len(set(said))
    assert all(line.startswith(("baseline: ", "weight-0.80: ")) for line in said), said

    again, said = tinyprune(slice_folder, "run", "recipe.toml")
    assert again == [summary]
    assert len(said) == 2
    assert all(" already, in " in line for line in said)

    scored, said = tinyprune(slice_folder, "evaluate", "weight-0.80", "--split", "test")
    assert [quality["form"] for quality in scored] == ["noisy", "float", "streaming", "sequence"]
    assert {(quality["split"], quality["utterances"], quality["undefined"]) for quality in scored} == {("test", 6, 0)}
    assert said == []
