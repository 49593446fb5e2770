import functools
import math
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.quick import quick
from tinyprune.compress.coupling import coupling
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.mask_updater import (
    MASKS,
    SEEN_STEPS,
    MaskUpdater,
    kept_units,
    load_masks,
    read_masks,
)
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import compressed_layers, prepare
from tinyprune.config import LayerRule, MagnitudePruning
from tinyprune.config.pruning import DEFAULT_IMPORTANCE
from tinyprune.errors import CheckFailed
from tinyprune.models.tinylstm import build
from tinyprune.registry import SCHEDULES
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.sparsity.structure import parse
from tinyprune.storage.writing import write_arrays

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


@pytest.fixture(scope="module")
def made_once() -> tuple[keras.Model, list[np.ndarray]]:
    keras.utils.set_random_seed(0)
    prepared = prepare(build((None, BANDS), BANDS, UNITS, HIDDEN))
    return prepared, [variable.numpy() for variable in prepared.variables]


@pytest.fixture
def prepared(made_once: tuple[keras.Model, list[np.ndarray]]) -> keras.Model:
    """With the weights that it had first, and masks of ones."""
    prepared, values = made_once
    for variable, value in zip(prepared.variables, values, strict=True):
        variable.assign(value)
    return prepared


def pruning(**config) -> MagnitudePruning:
    """A pruning by weights, unless its importance is named: most networks here see no gradients."""
    return MagnitudePruning(**{"importance": "lamp", **config})


def planned(scope: str = "global", schedule: str = "polynomial", **config) -> PruningPlan:
    return plan(base(), pruning(scope=scope, schedule=schedule, **config))


@functools.cache
def base() -> keras.Model:
    """The network that is planned for; a plan leaves it as it is."""
    return build((None, BANDS), BANDS, UNITS, HIDDEN)


def zeros(prepared: keras.Model) -> dict[str, int]:
    return {key: int((mask == 0).sum()) for key, mask in read_masks(prepared).items()}


def test_sparsity_follows_the_schedule_by_step(prepared):
    updater, every, expected = MaskUpdater(prepared, planned(), STEPS), END // 50, 0
    for step in range(STEPS):
        updater.update(step)
        if step <= END and step % every == 0:
            expected = math.floor(FINAL * (1 - (1 - step / END) ** 3) * WEIGHTS + 1e-3)
        assert sum(zeros(prepared).values()) == pytest.approx(expected, abs=1), (
            step
        )  # TFMOT computes in float32
    assert expected == math.floor(FINAL * WEIGHTS)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, pytest.param(101, marks=pytest.mark.slow)])
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
        assert (
            not updater.final(step) or sum(zeros(prepared).values()) == last
        )  # after `step` steps, before this one
        updater.update(step)
    assert not updater.final(END)  # the step number END is yet to come, and the masks with it
    assert updater.final(END + 1)


def test_the_smallest_weights_go_and_masks_follow_the_weights(prepared):
    updater = MaskUpdater(prepared, planned("layer", "constant"), STEPS)
    dense = prepared.get_layer("dense")
    for seed in (0, 1):
        values = (
            np.random.default_rng(seed)
            .permutation(UNITS * HIDDEN)
            .reshape(UNITS, HIDDEN)
            .astype(np.float32)
        )
        dense._kernel.assign(-values)
        updater.update(10 * seed)
        np.testing.assert_array_equal(
            dense.masks["kernel"].numpy() == 0, values < math.floor(0.8 * UNITS * HIDDEN)
        )


def test_global_scope_takes_more_from_small_kernels_than_layer_scope(prepared):
    prepared.get_layer("mask")._kernel.assign(100 * prepared.get_layer("mask").kernel.value)
    updater = MaskUpdater(prepared, planned("global", importance="l1"), STEPS)
    updater.update(END)
    assert zeros(prepared)["mask/kernel"] < 0.1 * KERNELS["mask/kernel"]
    assert sum(zeros(prepared).values()) == math.floor(FINAL * WEIGHTS)


@pytest.mark.parametrize("importance", ["lamp", "relative"])
def test_a_kernel_a_hundred_times_smaller_loses_no_more_than_the_others(prepared, importance):
    free_of_scale = planned("global", importance=importance, floor=0.0)
    MaskUpdater(prepared, free_of_scale, STEPS).update(END)
    before = read_masks(prepared)
    prepared.get_layer("dense")._kernel.assign(0.01 * prepared.get_layer("dense").kernel.value)
    MaskUpdater(prepared, free_of_scale, STEPS).update(END)
    for key, mask in read_masks(prepared).items():
        assert np.count_nonzero(mask != before[key]) <= 2  # at the border, by rounding


@pytest.mark.parametrize("importance", ["l1", "lamp"])
def test_every_kernel_keeps_its_floor_and_every_output_a_weight(prepared, importance):
    for name in ("dense", "mask"):
        prepared.get_layer(name)._kernel.assign(1e-6 * prepared.get_layer(name).kernel.value)
    found = planned("global", importance=importance, floor=0.5)
    assert [item.key for item in found.layers if item.makes_outputs] == ["mask/kernel"]
    MaskUpdater(prepared, found, STEPS).update(END)
    masks = read_masks(prepared)
    for key, mask in masks.items():
        assert mask.sum() >= math.floor(0.5 * (1 - FINAL) * KERNELS[key])
    assert masks["mask/kernel"].any(axis=0).all()
    assert sum(zeros(prepared).values()) == math.floor(FINAL * WEIGHTS)


def test_biases_are_never_masked(prepared):
    before = {v.path: v.numpy() for v in prepared.trainable_variables}
    MaskUpdater(prepared, planned(), STEPS).update(END)
    assert {key.split("/")[1] for key in read_masks(prepared)} == {"kernel", "recurrent_kernel"}
    assert all("bias" not in variable.path for variable in prepared.non_trainable_variables)
    for variable in prepared.trainable_variables:  # neither weights nor biases are written
        np.testing.assert_array_equal(variable.numpy(), before[variable.path])


@pytest.mark.parametrize("stopped_at", [END // 2, pytest.param(END + 10, marks=pytest.mark.slow)])
def test_a_resumed_training_ends_with_the_masks_of_an_uninterrupted_one(prepared, stopped_at):
    rng = np.random.default_rng(0)
    drift = {
        key: rng.normal(0, 0.01, (STEPS, size)).astype(np.float32) for key, size in KERNELS.items()
    }

    def train(model: keras.Model, first: int, last: int) -> None:
        updater = MaskUpdater(model, planned(), STEPS)
        for step in range(first, last):
            updater.update(step)
            for layer in compressed_layers(model):
                for name, kernel in kernels(layer).items():
                    kernel.assign_add(drift[f"{layer.name}/{name}"][step].reshape(kernel.shape))

    continued = prepare(build((None, BANDS), BANDS, UNITS, HIDDEN))
    start = [variable.numpy() for variable in prepared.variables]
    train(prepared, 0, STEPS)
    whole = read_masks(prepared)
    for variable, value in zip(prepared.variables, start, strict=True):
        variable.assign(value)
    train(prepared, 0, stopped_at)
    for variable, value in zip(
        continued.variables, prepared.variables, strict=True
    ):  # as a checkpoint does
        variable.assign(value)
    train(continued, stopped_at, STEPS)
    for key, mask in read_masks(continued).items():
        np.testing.assert_array_equal(mask, whole[key])


def test_a_schedule_of_ones_own_is_one_function(prepared, monkeypatch):
    """Same signature, no TensorFlow: half of the sparsity at once, the other half at the end."""
    calls = []

    def stairs(initial: float, final: float, begin_step: int, end_step: int, frequency: int):
        calls.append((initial, final, begin_step, end_step, frequency))
        return lambda step: (step in (0, end_step), final if step >= end_step else final / 2)

    monkeypatch.setitem(sys.modules, "schedules_of_a_user", SimpleNamespace(stairs=stairs))
    monkeypatch.setitem(SCHEDULES.targets, "stairs", "schedules_of_a_user:stairs")
    updater = MaskUpdater(prepared, planned(schedule="stairs"), STEPS)
    assert calls == [(0.0, FINAL, 0, END, END // 50)]
    for step, sparsity in ((0, 0.4), (END - 1, 0.4), (END, 0.8), (STEPS - 1, 0.8)):
        updater.update(step)
        assert sum(zeros(prepared).values()) == math.floor(sparsity * WEIGHTS)


# --- when
# -------------------------------------------------------------------------------------------------------------


def history(prepared: keras.Model, found: PruningPlan, steps: int = STEPS) -> list[int]:
    """Zeros after each update of a training."""
    updater, counts = MaskUpdater(prepared, found, steps), []
    for step in range(steps):
        updater.update(step)
        counts.append(sum(zeros(prepared).values()))
    return counts


@pytest.mark.parametrize(
    ("begin", "end"),
    [(0.25, 0.75), (STEPS // 4, 3 * STEPS // 4), (0.25, 3 * STEPS // 4)],
    ids=["part", "steps", "both"],
)
def test_begin_and_end_are_parts_of_the_training_or_steps(prepared, begin, end):
    counts = history(prepared, planned(begin=begin, end=end))
    first, last = STEPS // 4, 3 * STEPS // 4
    assert set(counts[: first + 1]) == {0}
    assert 0 < counts[first + 10] < counts[last - 10] < counts[last] == math.floor(FINAL * WEIGHTS)
    assert set(counts[last:]) == {counts[last]}


def test_masks_change_every_so_many_steps(prepared):
    counts = history(prepared, planned(update_every=20, schedule="linear"))
    changes = [step for step in range(1, STEPS) if counts[step] != counts[step - 1]]
    assert changes == [20, 40, 60, 80, END]


def test_one_shot_sets_masks_once_and_then_leaves_them(prepared):
    updater = MaskUpdater(prepared, planned(schedule="one-shot", begin=10, end=90), STEPS)
    for step in range(STEPS):
        before = read_masks(prepared)
        updater.update(step)
        assert (sum(zeros(prepared).values()) > 0) == (step >= 10)
        changed = any((mask != before[key]).any() for key, mask in read_masks(prepared).items())
        assert changed == (step == 10)
        for layer in compressed_layers(prepared):
            for kernel in kernels(layer).values():
                kernel.assign(np.random.default_rng(step).normal(size=kernel.shape))
    assert sum(zeros(prepared).values()) == math.floor(FINAL * WEIGHTS)
    assert [updater.final(step) for step in (10, 11)] == [False, True]


# --- which
# ------------------------------------------------------------------------------------------------------------


def images() -> keras.Model:
    """8 channels, then a depthwise layer, then 16, then 4 classes."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(8, 3, activation="relu", name="stem"),
        keras.layers.DepthwiseConv2D(3, activation="relu", name="depth"),
        keras.layers.Conv2D(16, 1, activation="relu", name="point"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(4, name="classes"),
    ]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=value.shape) for value in model.get_weights()])
    return model


def pruned(model: keras.Model, steps: int = 20, **config) -> dict[str, np.ndarray]:
    """The masks at the end of a training in which the weights stay, so there are no gradients."""
    config.setdefault("importance", DEFAULT_IMPORTANCE)
    found, prepared = plan(model, pruning(**config)), prepare(model)
    units = coupling(model) if found.removes_units else None
    updater = MaskUpdater(prepared, found, steps, units)
    for step in range(steps):
        updater.update(step)
    return read_masks(prepared)


def count(mask: np.ndarray) -> int:
    return int((mask == 0).sum())


def test_kernels_of_one_structure_and_sparsity_are_ranked_together():
    model = images()
    model.get_layer("point").kernel.assign(1000 * model.get_layer("point").kernel.value)
    rules = (
        LayerRule("classes", sparsity=0.5),
        LayerRule("depth", structure="block", block_size="1x2"),
    )
    masks = pruned(model, layers=rules, importance="l1", floor=0.0)
    stem, point, classes, depth = 3 * 3 * 3 * 8, 8 * 16, 16 * 4, 3 * 3 * 8
    assert count(masks["stem/kernel"]) + count(masks["point/kernel"]) == math.floor(
        0.8 * (stem + point)
    )
    assert count(masks["stem/kernel"]) == stem  # all of it is worth less than anything in "point"
    assert count(masks["classes/kernel"]) == math.floor(0.5 * classes)
    assert count(masks["depth/kernel"]) == math.floor(0.8 * 4) * (9 * 2)  # 4 tiles of 2 channels
    assert depth == 4 * 9 * 2


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("importance", ["l1", "l2"])
def test_blocks_go_whole_and_as_many_as_planned(scope, importance):
    model, structure = images(), parse("block", "4x4")
    found = plan(model, pruning(structure="block", block_size="4x4", sparsity=0.7))
    masks = pruned(
        model, structure="block", block_size="4x4", sparsity=0.7, scope=scope, importance=importance
    )
    gone = {}
    for item in found.layers:
        mask = masks[item.key].reshape(-1, masks[item.key].shape[-1])
        if item.layout == "depthwise":
            mask = masks[item.key].reshape(9, 8)
        ids = structure.groups(mask.shape)
        alive = [np.unique(mask[ids == number]) for number in range(item.groups)]
        assert all(len(values) == 1 for values in alive)
        gone[item.key] = sum(values[0] == 0 for values in alive)
    if scope == "global":
        assert sum(gone.values()) == math.floor(0.7 * sum(item.groups for item in found.layers))
    else:
        assert gone == {item.key: math.floor(0.7 * item.groups) for item in found.layers}


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_two_of_four_keeps_two_of_every_four_inputs(scope):
    masks = pruned(images(), structure="2:4", scope=scope)
    for key in ("point/kernel", "classes/kernel"):
        runs = masks[key].reshape(-1, 4, masks[key].shape[-1])
        assert np.all(runs.sum(axis=1) == 2)
    assert np.all(masks["stem/kernel"].sum(axis=2) == 2)  # of 3 inputs: the run is padded
    assert np.all(masks["depth/kernel"] == 1)


@pytest.mark.parametrize("schedule", quick(list(SCHEDULES), "polynomial", "one-shot"))
@pytest.mark.parametrize("structure", ["block", "2:4", "unit"])
def test_every_structure_ends_at_the_sparsity_of_the_plan_under_every_schedule(structure, schedule):
    model = images()
    config = {
        "structure": structure,
        "schedule": schedule,
        "block_size": "4x4",
        "scope": "layer",
        "round_to": 1,
    }
    sparsity = {} if structure == "2:4" else {"sparsity": 0.5}
    for steps in (1, 2, 13):
        masks = pruned(
            model,
            steps,
            exclude=("stem", "depth") if structure == "2:4" else (),
            **config,
            **sparsity,
        )
        assert (
            count(masks["point/kernel"]) == 8 * 16 // 2 if structure != "unit" else 8 * 16 * 3 // 4
        )


# --- a variant of a variant
# -------------------------------------------------------------------------------------------


def zeroed(model: keras.Model, part: float) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The model with that part of each kernel masked, and the masks."""
    masks = pruned(model, sparsity=part, scope="layer")
    for key, mask in masks.items():
        kernel = kernels(model.get_layer(key.split("/")[0]))["kernel"]
        kernel.assign(kernel.value * mask)
    return model, masks


def test_the_next_level_begins_at_the_zeros_that_are_there():
    base, inherited = zeroed(images(), 0.5)
    sizes = {key: mask.size for key, mask in inherited.items()}
    prepared, found = prepare(base), plan(base, pruning(sparsity=0.75, scope="layer"))
    updater, counts = MaskUpdater(prepared, found, STEPS, inherited=inherited), []
    for step in range(STEPS):
        updater.update(step)
        counts.append(zeros(prepared))
        assert all(
            np.all(mask[inherited[key] == 0] == 0) for key, mask in read_masks(prepared).items()
        )
    assert counts[0] == {key: size // 2 for key, size in sizes.items()}
    totals = [sum(each.values()) for each in counts]
    assert totals == sorted(totals)
    assert counts[-1] == {key: math.floor(0.75 * size) for key, size in sizes.items()}


def test_what_the_base_has_masked_goes_before_what_gets_no_gradient():
    """16 of 32 weights are masked. None has a gradient, so all 16 others tie with them."""
    inputs = keras.Input((8,))
    model = keras.Model(inputs, keras.layers.Dense(4, name="head")(inputs))
    inherited = {"head/kernel": np.tile([[0.0], [1.0]], (4, 4)).astype("float32")}
    found = plan(model, pruning(importance="taylor", sparsity=0.75, floor=0.0))
    prepared = prepare(model, salient=True)
    updater = MaskUpdater(prepared, found, STEPS, inherited=inherited)
    for step in range(STEPS):
        updater.update(step)
    masked = read_masks(prepared)["head/kernel"] == 0
    assert masked[::2].all()
    assert masked.sum() == 24  # 75 % of 32, those of the base among them


def test_inherited_masks_hold_before_the_schedule_begins_and_where_nothing_is_planned():
    base, inherited = zeroed(images(), 0.5)
    prepared, found = (
        prepare(base),
        plan(base, pruning(sparsity=0.9, begin=0.5, end=0.9, exclude=("point",))),
    )
    updater = MaskUpdater(prepared, found, STEPS, inherited=inherited)
    for step in range(STEPS):
        updater.update(step)
        for layer in compressed_layers(prepared):  # as if what is masked could grow back
            layer.kernel.assign(np.random.default_rng(step).normal(size=layer.kernel.shape))
        assert all(
            np.all(mask[inherited[key] == 0] == 0) for key, mask in read_masks(prepared).items()
        )
    np.testing.assert_array_equal(read_masks(prepared)["point/kernel"], inherited["point/kernel"])


def test_weights_on_top_of_two_of_four():
    """What a mask inherits stays zero under any structure."""
    model = images()
    first = pruned(model, structure="2:4")
    for key, mask in first.items():
        kernel = model.get_layer(key.split("/")[0]).kernel
        kernel.assign(kernel.value * mask)
    prepared = prepare(model)
    MaskUpdater(prepared, plan(model, pruning(sparsity=0.8)), 1, inherited=first).update(0)
    second = read_masks(prepared)
    assert all(np.all(second[key][mask == 0] == 0) for key, mask in first.items())
    assert sum(map(count, second.values())) == math.floor(
        0.8 * sum(mask.size for mask in second.values())
    )


def test_masks_are_read_from_the_folder_of_a_variant(tmp_path):
    assert load_masks(tmp_path) == {}  # a baseline
    mask = np.array([[1, 0], [0, 0]], np.float32)
    write_arrays(tmp_path / MASKS, {"dense/kernel": mask.astype(bool)})
    (key, found), *others = load_masks(tmp_path).items()
    assert (key, found.dtype, others) == ("dense/kernel", np.float32, [])
    np.testing.assert_array_equal(found, mask)


# --- units
# ------------------------------------------------------------------------------------------------------------


def kept(model: keras.Model, masks: dict[str, np.ndarray]) -> dict[str, int]:
    """How many units of each set are left."""
    units = coupling(model)
    keep = kept_units(units, masks)
    return {item.name: int(keep[item.slice].sum()) for item in units.sets}


def test_units_go_with_all_that_makes_and_reads_them():
    masks = pruned(images(), structure="unit", sparsity=0.5, scope="layer", round_to=1)
    stem = masks["stem/kernel"].any(axis=(0, 1, 2))
    assert stem.sum() == 8 // 2
    np.testing.assert_array_equal(masks["depth/kernel"].any(axis=(0, 1, 3)), stem)
    np.testing.assert_array_equal(masks["point/kernel"].any(axis=(0, 1, 3)), stem)
    assert masks["classes/kernel"].any(axis=0).all()  # the outputs of the network
    assert masks["classes/kernel"].any(axis=1).sum() == 16 // 2


def test_counts_are_rounded_at_the_end_only():
    model = images()
    prepared, found = (
        prepare(model),
        plan(model, pruning(structure="unit", sparsity=0.5, scope="layer", round_to=4)),
    )
    updater, sizes = MaskUpdater(prepared, found, STEPS, coupling(model)), set()
    for step in range(STEPS):
        updater.update(step)
        sizes.add(tuple(kept(model, read_masks(prepared)).values()))
    assert (5, 10) in sizes or (5, 9) in sizes or (6, 11) in sizes  # on its way, unit by unit
    assert kept(model, read_masks(prepared)) == {"stem": 4, "point": 8}


def test_units_that_an_excluded_layer_makes_stay():
    masks = pruned(images(), structure="unit", sparsity=0.5, exclude=("stem",), round_to=1)
    # Half of what may go: the 8 units of the stem are none of it.
    assert kept(images(), masks) == {"stem": 8, "point": 16 - math.floor(0.5 * 16)}
    assert np.all(masks["stem/kernel"] == 1)


def test_units_of_rules_are_fractions_of_their_own_layers():
    rules = (LayerRule("stem", sparsity=0.25), LayerRule("depth", sparsity=0.25))
    masks = pruned(images(), structure="unit", sparsity=0.5, layers=rules, round_to=1)
    assert kept(images(), masks) == {"stem": 8 - 2, "point": 16 - 8}


def test_rounding_by_which_no_unit_would_go_is_refused():
    with pytest.raises(CheckFailed, match="0 of 16 units go where sparsity 0.2 asks for 3: what"):
        pruned(images(), structure="unit", sparsity=0.2)  # 13 of 16 are nearest to 16


def test_rounding_by_which_few_units_go_is_said(log_lines):
    # 2 of 8 and 4 of 16 would go; 6 and 12 that stay become 7 and 14.
    pruned(images(), structure="unit", sparsity=0.3, scope="layer", round_to=7)
    [line] = log_lines
    assert line.startswith("3 of 24 units go where sparsity 0.3 asks for 7: what stays is rounded")


def test_units_of_one_layer_and_weights_of_another():
    model = images()
    rules = (LayerRule("point", structure="unit", sparsity=0.5), LayerRule("classes", skip=True))
    masks = pruned(model, layers=rules, sparsity=0.75, scope="layer", round_to=1)
    assert kept(model, masks)["point"] == 8
    assert count(masks["stem/kernel"]) == math.floor(0.75 * 3 * 3 * 3 * 8)
    assert count(masks["classes/kernel"]) == 8 * 4  # the rows of the units that are gone


def test_a_set_that_would_lose_everything_is_kept_and_said_once(log_lines):
    masks = pruned(images(), structure="unit", sparsity=0.9, scope="layer", round_to=4)
    assert kept(images(), masks) == {
        "stem": 4,
        "point": 4,
    }  # 1 of 8 and 2 of 16, the latter rounded up to 4
    assert log_lines == ["stem would have no unit left at sparsity 0.9: kept 4"]


def test_a_set_that_keeps_some_is_not_spoken_of(log_lines):
    assert (
        kept(images(), pruned(images(), structure="unit", sparsity=0.5, scope="layer", round_to=4))[
            "stem"
        ]
        == 4
    )
    assert log_lines == []


def test_what_is_kept_is_read_off_the_masks_after_a_resume_too():
    model = images()
    found, units = (
        plan(model, pruning(structure="unit", sparsity=0.5, round_to=4)),
        coupling(model),
    )
    prepared = prepare(model)
    updater = MaskUpdater(prepared, found, STEPS, units)
    for step in range(END + 1):
        updater.update(step)
    before = kept_units(units, read_masks(prepared))
    resumed = MaskUpdater(prepared, found, STEPS, units)
    for step in range(END + 10, STEPS):  # nothing is due any more
        resumed.update(step)
    np.testing.assert_array_equal(kept_units(units, read_masks(prepared)), before)
    assert 0 < before.sum() < units.units


def test_a_unit_is_kept_for_a_single_weight_made_or_read():
    model = images()
    units = coupling(model)
    masks = {key: np.zeros(shape, np.float32) for key, shape in units.shapes.items()}
    assert not kept_units(units, masks).any()
    masks["stem/kernel"][0, 0, 0, 3] = 1  # makes unit 3
    masks["classes/kernel"][5, 0] = 1  # reads unit 5 of "point"
    assert np.flatnonzero(kept_units(units, masks)).tolist() == [3, 8 + 5]


# --- importance from gradients
# ----------------------------------------------------------------------------------------


def salient(model: keras.Model, **config) -> tuple[keras.Model, PruningPlan]:
    return prepare(model, salient=True), plan(model, pruning(importance="taylor", **config))


def observe(updater: MaskUpdater, prepared: keras.Model, worth: dict[str, np.ndarray]) -> None:
    """Gradients such that (gradient * weight)^2 is ``worth``, and 1 where nothing is said."""
    gradients = []
    for variable in prepared.trainable_variables:
        wanted = worth.get("/".join(variable.path.split("/")[-2:]), np.ones(variable.shape))
        gradients.append(tf.constant(np.sqrt(wanted) / variable.numpy(), tf.float32))
    updater.observe(prepared.trainable_variables, gradients)


@pytest.mark.slow
def test_taylor_follows_the_saliency_not_the_weights():
    model = images()
    prepared, found = salient(model, sparsity=0.5, scope="layer")
    updater = MaskUpdater(prepared, found, STEPS)
    worth = np.random.default_rng(0).permutation(8 * 16).reshape(1, 1, 8, 16)
    for step in range(STEPS):
        updater.update(step)
        observe(updater, prepared, {"point/kernel": worth})
    np.testing.assert_array_equal(read_masks(prepared)["point/kernel"] == 0, worth < 8 * 16 // 2)


def test_units_can_follow_it_too():
    model = images()
    prepared, found = salient(model, structure="unit", sparsity=0.5, scope="layer", round_to=1)
    updater = MaskUpdater(prepared, found, 2, coupling(model))
    worth = np.broadcast_to(np.random.default_rng(0).permutation(16), (1, 1, 8, 16)) + 1
    updater.update(0)
    observe(updater, prepared, {"point/kernel": worth})
    updater.update(1)
    kept_columns = read_masks(prepared)["point/kernel"].any(axis=(0, 1, 2))
    np.testing.assert_array_equal(kept_columns, worth[0, 0, 0] > 16 // 2)


@pytest.mark.parametrize("schedule", quick(list(SCHEDULES), "polynomial", "one-shot"))
def test_nothing_is_ranked_before_a_gradient_was_seen(schedule):
    """All would be worth 0, and the last kernels of the network would go."""
    base, inherited = zeroed(images(), 0.5)
    prepared, found = salient(base, sparsity=0.75, schedule=schedule)
    updater = MaskUpdater(prepared, found, STEPS, inherited=inherited)
    assert updater.begin_step == STEPS // 10 <= updater.end_step
    for step in range(updater.begin_step):
        updater.update(step)
        for key, mask in read_masks(prepared).items():
            np.testing.assert_array_equal(mask, inherited[key])


@pytest.mark.parametrize(
    ("steps", "begin"), [(1, 0), (2, 1), (15, 1), (300, 30), (5000, SEEN_STEPS)]
)
def test_how_many_gradients_are_seen_first(steps, begin):
    prepared, found = salient(images())
    assert MaskUpdater(prepared, found, steps).begin_step == begin


def test_a_later_begin_is_left_alone():
    prepared, found = salient(images(), begin=0.25)
    assert MaskUpdater(prepared, found, STEPS).begin_step == STEPS // 4


def test_a_kernel_of_which_nothing_is_left_is_named_once(prepared, log_lines):
    kernels(prepared.get_layer("dense"))["kernel"].assign(
        np.full((UNITS, HIDDEN), 1e-6)
    )  # the least important of all
    updater = MaskUpdater(prepared, planned(sparsity=0.5, importance="l1", floor=0.0), STEPS)
    for step in range(STEPS):
        updater.update(step)
    assert log_lines == [
        "nothing is left of dense/kernel at sparsity 0.5; try --scope layer, or --exclude it"
    ]
    assert zeros(prepared)["dense/kernel"] == UNITS * HIDDEN
