"""Our masks beside those of ``tfmot.sparsity.keras.prune_low_magnitude``: same weights, same schedule, every step."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyprune.registry import SCHEDULES
from tinyprune.sparsity.importance import l1
from tinyprune.sparsity.masks import masks
from tinyprune.sparsity.structure import parse

pytestmark = pytest.mark.slow  # TFMOT runs in a process of its own

SCHEDULE_ARGUMENTS = {  # as in tfmot_masks.py
    "polynomial": (0.0, 0.5, 5, 25, 4),
    "linear": (0.1, 0.5, 5, 25, 4),
    "constant": (0.0, 0.8, 3, 20, 5),
}
LAYERS = ("conv", "dense")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfmot") / "masks.npz"
    program = Path(__file__).with_name("tfmot_masks.py")
    done = subprocess.run(
        [sys.executable, str(program), str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return np.load(path)


def ours(weights: dict[str, np.ndarray], name: str, sparsity: float) -> dict[str, np.ndarray]:
    structure = parse(name)
    ids = {key: structure.groups(kernel.shape) for key, kernel in weights.items()}
    importances = {
        key: structure.ranked(l1(kernel, ids[key]), kernel.shape) for key, kernel in weights.items()
    }
    return masks(importances, ids, sparsity, "layer")


# TFMOT keeps round(size * (1 - sparsity)) weights, computed in float32, at least one, and more
# among equals; we mask floor(sparsity * size). The two differ by one weight where sparsity * size
# has a fraction of a half or more. The sizes here, 5 * 5 * 8 * 20 = 80 * 50 = 4000, make it whole
# at each update: the polynomial at progress 1/5 gives 0.5 * (1 - 0.8^3) * 4000 = 976. The float32
# noise of the schedule's value is rounded away before the floor.
@pytest.mark.parametrize("name", SCHEDULE_ARGUMENTS)
def test_weight_masks_are_those_of_prune_low_magnitude_at_every_step(theirs, name):
    case, schedule = f"{name}/8", SCHEDULES[name](*SCHEDULE_ARGUMENTS[name])
    weights = {layer: theirs[f"{case}/{layer}/weights"] for layer in LAYERS}
    current = {layer: np.ones_like(kernel) for layer, kernel in weights.items()}
    levels = set()
    for index, step in enumerate(theirs[f"{case}/steps"]):
        due, sparsity = schedule(int(step))
        if due:
            current = ours(weights, "weight", round(float(sparsity), 6))
        for layer, mask in current.items():
            np.testing.assert_array_equal(
                mask, theirs[f"{case}/{layer}/masks"][index], err_msg=f"{layer}, step {step}"
            )
        levels.add(float(np.mean(current["conv"])))
    first, final, begin, end, every = SCHEDULE_ARGUMENTS[name]
    # dense at first; then one level per update, the first of which is empty if the sparsity begins
    # at 0
    assert len(levels) == (2 if name == "constant" else (end - begin) // every + 1 + (first > 0))
    assert min(levels) == pytest.approx(1 - final)


# TFMOT counts the zeros of a run and we what stays: its (2, 4) is our 2:4, its (1, 4) our 3:4. Both
# run along the input channels and pad the last run with zeros, so that 6 channels agree as well.
# What differs is when: TFMOT sets such masks once, in its step 1, and never again; ours follow the
# weights as the schedule says.
@pytest.mark.parametrize("inputs", [8, 6])
@pytest.mark.parametrize("name", ["2:4", "3:4"])
def test_n_m_masks_are_those_of_sparsity_m_by_n(theirs, name, inputs):
    case = f"{name}/{inputs}"
    weights = {layer: theirs[f"{case}/{layer}/weights"] for layer in LAYERS}
    found = ours(weights, name, parse(name).fixed_sparsity)
    assert weights["conv"].shape == (5, 5, inputs, 20)
    for layer, mask in found.items():
        np.testing.assert_array_equal(mask, theirs[f"{case}/{layer}/masks"][-1])
        assert 0 < mask.mean() < 1
