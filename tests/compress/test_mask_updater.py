import math
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tinyprune.artifacts import PruningPlan
from tinyprune.compress.mask_updater import MaskUpdater, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import compressed_layers, prepare
from tinyprune.models.tinylstm import build
from tinyprune.registry import SCHEDULES

BANDS, UNITS, HIDDEN = 8, 6, 5
KERNELS = {
    "lstm_1/kernel": BANDS * 4 * UNITS,
    "lstm_1/recurrent_kernel": UNITS * 4 * UNITS,
    "lstm_2/kernel": UNITS * 4 * UNITS,
    "lstm_2/recurrent_kernel": UNITS * 4 * UNITS,
    "dense/kernel": UNITS * HIDDEN,
    "mask/kernel": HIDDEN * BANDS,
}
WEIGHTS = sum(KERNELS.values())
STEPS, FINAL = 200, 0.8
END = STEPS // 2


@pytest.fixture
def prepared() -> keras.Model:
    keras.utils.set_random_seed(0)
    return prepare(build(BANDS, UNITS, HIDDEN))


def planned(scope: str = "global", schedule: str = "polynomial") -> PruningPlan:
    return plan(build(BANDS, UNITS, HIDDEN), "weight", FINAL, scope, schedule)


def zeros(prepared: keras.Model) -> dict[str, int]:
    return {key: int((mask == 0).sum()) for key, mask in read_masks(prepared).items()}


def test_sparsity_follows_the_schedule_by_step(prepared):
    updater, every, expected = MaskUpdater(prepared, planned(), STEPS), END // 50, 0
    for step in range(STEPS):
        updater.update(step)
        if step <= END and step % every == 0:
            expected = math.floor(FINAL * (1 - (1 - step / END) ** 3) * WEIGHTS + 1e-3)
        assert sum(zeros(prepared).values()) == pytest.approx(expected, abs=1), step  # TFMOT computes in float32
    assert expected == math.floor(FINAL * WEIGHTS)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 101])
def test_the_final_sparsity_is_exact_however_short_the_training(prepared, scope, schedule, steps):
    updater = MaskUpdater(prepared, planned(scope, schedule), steps)
    for step in range(steps):
        updater.update(step)
    found = zeros(prepared)
    assert list(found) == list(KERNELS)
    if scope == "global":
        assert sum(found.values()) == math.floor(0.8 * WEIGHTS)
    else:
        assert found == {key: math.floor(0.8 * size) for key, size in KERNELS.items()}
    assert updater.final(steps)


def test_an_epoch_counts_only_once_the_final_masks_have_acted(prepared):
    updater = MaskUpdater(prepared, planned(), STEPS)
    last = math.floor(FINAL * WEIGHTS)
    for step in range(STEPS):
        assert not updater.final(step) or sum(zeros(prepared).values()) == last  # after `step` steps, before this one
        updater.update(step)
    assert not updater.final(END)  # the step number END is yet to come, and the masks with it
    assert updater.final(END + 1)


def test_the_smallest_weights_go_and_masks_follow_the_weights(prepared):
    updater = MaskUpdater(prepared, planned("layer", "constant"), STEPS)
    dense = prepared.get_layer("dense")
    for seed in (0, 1):
        values = np.random.default_rng(seed).permutation(UNITS * HIDDEN).reshape(UNITS, HIDDEN).astype(np.float32)
        dense._kernel.assign(-values)
        updater.update(10 * seed)
        np.testing.assert_array_equal(dense.masks["kernel"].numpy() == 0, values < math.floor(0.8 * UNITS * HIDDEN))


def test_global_scope_takes_more_from_small_kernels_than_layer_scope(prepared):
    prepared.get_layer("mask")._kernel.assign(100 * prepared.get_layer("mask").kernel.value)
    updater = MaskUpdater(prepared, planned("global"), STEPS)
    updater.update(END)
    assert zeros(prepared)["mask/kernel"] < 0.1 * KERNELS["mask/kernel"]
    assert sum(zeros(prepared).values()) == math.floor(FINAL * WEIGHTS)


def test_biases_are_never_masked(prepared):
    before = {v.path: v.numpy() for v in prepared.trainable_variables}
    MaskUpdater(prepared, planned(), STEPS).update(END)
    assert {key.split("/")[1] for key in read_masks(prepared)} == {"kernel", "recurrent_kernel"}
    assert all("bias" not in variable.path for variable in prepared.non_trainable_variables)
    for variable in prepared.trainable_variables:  # neither weights nor biases are written
        np.testing.assert_array_equal(variable.numpy(), before[variable.path])


@pytest.mark.parametrize("stopped_at", [END // 2, END + 10])
def test_a_resumed_training_ends_with_the_masks_of_an_uninterrupted_one(prepared, stopped_at):
    rng = np.random.default_rng(0)
    drift = {key: rng.normal(0, 0.01, (STEPS, size)).astype(np.float32) for key, size in KERNELS.items()}

    def train(model: keras.Model, first: int, last: int) -> None:
        updater = MaskUpdater(model, planned(), STEPS)
        for step in range(first, last):
            updater.update(step)
            for layer in compressed_layers(model):
                for name, kernel in layer.kernels().items():
                    kernel.assign_add(drift[f"{layer.name}/{name}"][step].reshape(kernel.shape))

    continued = prepare(build(BANDS, UNITS, HIDDEN))
    start = [variable.numpy() for variable in prepared.variables]
    train(prepared, 0, STEPS)
    whole = read_masks(prepared)
    for variable, value in zip(prepared.variables, start, strict=True):
        variable.assign(value)
    train(prepared, 0, stopped_at)
    for variable, value in zip(continued.variables, prepared.variables, strict=True):  # as a checkpoint does
        variable.assign(value)
    train(continued, stopped_at, STEPS)
    for key, mask in read_masks(continued).items():
        np.testing.assert_array_equal(mask, whole[key])


def test_a_schedule_of_ones_own_is_one_function(prepared, monkeypatch):
    """Same signature, no TensorFlow: half of the sparsity at once, the other half at the end."""
    calls = []

    def stairs(sparsity: float, begin_step: int, end_step: int, frequency: int):
        calls.append((sparsity, begin_step, end_step, frequency))
        return lambda step: (step in (0, end_step), sparsity if step >= end_step else sparsity / 2)

    monkeypatch.setitem(sys.modules, "schedules_of_a_user", SimpleNamespace(stairs=stairs))
    monkeypatch.setitem(SCHEDULES.targets, "stairs", "schedules_of_a_user:stairs")
    updater = MaskUpdater(prepared, planned(schedule="stairs"), STEPS)
    assert calls == [(FINAL, 0, END, END // 50)]
    for step, sparsity in ((0, 0.4), (END - 1, 0.4), (END, 0.8), (STEPS - 1, 0.8)):
        updater.update(step)
        assert sum(zeros(prepared).values()) == math.floor(sparsity * WEIGHTS)
