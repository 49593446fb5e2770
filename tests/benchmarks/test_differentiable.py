"""The benchmark of differentiable pruning: its opponents are what they are said to be, and keep the same budget."""

import argparse
from dataclasses import replace

import keras
import numpy as np
import pytest

from benchmarks.quality import budget_methods, differentiable, uniform_width
from benchmarks.quality.budget_methods import (
    DENSE,
    DIFFERENTIABLE,
    EXTREME,
    NARROWER,
    UNIFORM,
    NetworkComparison,
    Row,
)
from benchmarks.quality.uniform_width import Width
from benchmarks.shared import budgets, resources
from benchmarks.shared.report import Unavailable
from benchmarks.speed import gate_steps
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.models import ds_cnn, resnet8
from tinyprune.npu.limits import budget_limits
from tinyprune.storage.records import read_json, write_json

pytestmark = pytest.mark.slow  # networks are built and compiled for a benchmark


def small() -> keras.Model:
    keras.utils.set_random_seed(1)
    return ds_cnn.build((9, 6, 1), outputs=3, channels=8, blocks=1)


def size(channels: float, blocks: int = 1, outputs: int = 3) -> float:
    """Bytes of a small DS-CNN: int8 kernels, int32 biases."""
    kernels = 10 * 4 * channels + blocks * (9 * channels + channels**2) + channels * outputs
    return kernels + 4 * ((1 + 2 * blocks) * channels + outputs)


# --- narrow: the widest network of equal parts that fits
# --------------------------------------------------------------


def test_the_widest_that_fits_is_found():
    model, limit = fold(small()), size(5) + 1
    calls = []

    def fits(one):
        calls.append(one)
        return resources.counted(one, None)["flash"] <= limit

    found = list(
        uniform_width.widths_within(
            model, fits, lambda one: resources.counted(one, None)["MACs"], (1,)
        )
    )
    narrower = uniform_width.narrowed(model, found[0])
    assert [narrower.get_layer(name).filters for name in ("conv", "block_1_pointwise")] == [5, 5]
    assert resources.counted(narrower, None)["flash"] == size(5)
    sizes = [
        resources.counted(uniform_width.narrowed(model, width), None)["flash"] for width in found
    ]
    assert sizes == [size(5), size(4), size(3), size(2), size(1)]
    assert len(calls) <= 4  # of 8 widths


def test_of_several_roundings_the_larger_network_is_taken():
    model = fold(ds_cnn.build((9, 6, 1), outputs=3, channels=16, blocks=1))

    def macs(one):
        return resources.counted(one, None)["MACs"]

    limit = macs(uniform_width.narrowed(model, Width(0.3, 1)))  # 16 - floor(0.3 * 16) = 12 channels
    found = next(uniform_width.widths_within(model, lambda one: macs(one) <= limit, macs, (8, 1)))
    assert found.round_to == 1
    assert uniform_width.narrowed(model, found).get_layer("conv").filters == 12
    assert not list(uniform_width.widths_within(model, lambda one: False, macs, (8, 1)))


@pytest.mark.parametrize("round_to", [1, 8])
def test_a_width_is_what_a_unit_pruning_leaves(round_to):
    from tinyprune.compress.mask_updater import MaskUpdater, kept_units, read_masks
    from tinyprune.compress.planning import plan
    from tinyprune.compress.prepare import prepare
    from tinyprune.config import MagnitudePruning

    model, width = fold(resnet8.build((8, 8, 3), filters=16)), Width(0.535, round_to)
    units, prepared = coupling(model), prepare(model)
    config = MagnitudePruning(
        importance="lamp",
        structure="unit",
        scope="layer",
        sparsity=width.sparsity,
        round_to=round_to,
        schedule="one-shot",
    )
    MaskUpdater(prepared, plan(model, config), 1, units).update(0)
    pruned, first = kept_units(units, read_masks(prepared)), uniform_width.first_units(units, width)
    counts = [[int(keep[item.slice].sum()) for item in units.sets] for keep in (pruned, first)]
    assert counts[0] == counts[1]
    assert (pruned != first).any()  # by magnitude, not by number


def test_the_narrower_network_has_learned_nothing():
    model, width = resnet8.build((8, 8, 3), filters=16), Width(0.5, 1)
    for layer in model.layers:
        layer.set_weights([np.full_like(weight, 7) for weight in layer.get_weights()])
    fresh, again, other = (uniform_width.untrained(model, width, seed) for seed in (0, 0, 1))
    assert fresh.get_layer("conv").filters == 8
    assert [layer.name for layer in fresh.layers] == [layer.name for layer in model.layers]
    values = np.concatenate([weight.ravel() for weight in fresh.get_weights()])
    assert not (values == 7).any()
    norm = fresh.get_layer("conv_bn")
    assert [np.unique(w).tolist() for w in norm.get_weights()] == [
        [1],
        [0],
        [0],
        [1],
    ]  # gamma, beta, mean, variance
    # He et al. for its own width: 2 / (3 * 3 * 8)
    assert np.var(fresh.get_layer("stack_1_conv_1").get_weights()[0]) == pytest.approx(
        2 / (9 * 8), rel=0.2
    )
    for one, two in zip(fresh.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(
        (one != two).any()
        for one, two in zip(fresh.get_weights(), other.get_weights(), strict=True)
    )


# --- what a network takes
# ---------------------------------------------------------------------------------------------


def test_limits_are_a_budget_in_bytes_and_counts():
    config = resources.budget({"flash": 6092.0, "MACs": 664192.0, "cycles": 54218.0})
    found = {limit.name: limit.most for limit in budget_limits(config.resolved())}
    assert found == {"flash": 6092, "MACs": 664192, "cycles": 54218}
    assert resources.largest_share({"flash": 50, "MACs": 90}, {"flash": 100, "MACs": 100}) == 0.9


def test_counts_are_those_of_the_network_with_batch_norm():
    assert resources.counted(small(), None)["flash"] == size(8) == 320 + 72 + 64 + 24 + 4 * 27


def test_vela_says_what_a_small_network_takes():
    from tinyprune.npu import targets

    found = resources.compiled(
        small(), None, targets.resolve("ethos-u55-128", memory_mode="Sram_Only")
    )
    assert set(found) == set(resources.QUANTITIES)
    assert found["MACs"] >= resources.counted(small(), None)["MACs"] - 1
    assert found["cycles"] > 100


# --- the contest
# ------------------------------------------------------------------------------------------------------


def options(tmp_path, **more):
    given = {
        "only": None,
        "quick": True,
        "work": tmp_path,
        "baseline": None,
        "epochs": None,
        "seeds": 1,
    }
    places = dict.fromkeys(("speech", "noise", "dev_speech", "dev_noise"))
    return argparse.Namespace(**{**given, **places, "results": tmp_path, **more})


def test_networks_can_be_chosen(tmp_path):
    assert [one.model for one in budgets.selected_settings(options(tmp_path))] == list(
        budgets.SETTINGS
    )
    assert [
        one.model for one in budgets.selected_settings(options(tmp_path, only="crn,ds_cnn"))
    ] == [
        "crn",
        "ds_cnn",
    ]
    with pytest.raises(Unavailable, match="there is no 'lenet': expected some of ds_cnn"):
        budgets.selected_settings(options(tmp_path, only="lenet"))
    with pytest.raises(Unavailable, match="--only tinylstm"):
        differentiable.measure(options(tmp_path, baseline=tmp_path))


@pytest.mark.parametrize(("task", "shape"), [("keywords", (49, 10, 1)), ("images", (32, 32, 3))])
def test_quick_runs_on_synthetic_data_and_says_so(task, shape, tmp_path):
    data, what = budgets.data_of(task, options(tmp_path))
    assert what.startswith("SYNTHETIC")
    with np.load(data.path) as arrays:
        assert arrays["x_train"].shape == (4 * 16, *shape)
        assert arrays["x_dev"].shape == (4 * 8, *shape)
    assert budgets.data_of("speech", options(tmp_path))[0].name == "synthetic-speech"


def row(way, score, flash=90.0, seed=0, **more):
    return Row(
        way, seed, way, score, {"flash": flash, "MACs": 9.0}, 5, 10.0, [4.0, 2.0, 2.0], **more
    )


def found(model="ds_cnn", differentiable=0.9, uniform=0.8, narrower=0.85, **more):
    rows = [
        Row(
            DENSE,
            0,
            "baseline",
            0.95,
            {"flash": 400.0, "MACs": 40.0},
            20,
            22.0,
            [5.0, 3.0, 3.0, 3.0, 3.0],
        ),
        row(DIFFERENTIABLE, differentiable, first_removal=2),
        row(UNIFORM, uniform),
        row(NARROWER, narrower),
        row(EXTREME, 0.5, flash=20.0),
    ]
    limits = {"dense": {"flash": 400.0, "MACs": 40.0}, "budget": {"flash": 100.0, "MACs": 10.0}}
    given = {
        "metric": "accuracy",
        "data": "x",
        "epochs": 5,
        "pruning": 3,
        "target": "own count",
        **limits,
    }
    return NetworkComparison(
        model, extreme={"flash": 20.0}, rows=rows, failures=[], **{**given, **more}
    )


def checks(*known):
    return {check.what: check for check in differentiable.report(known).checks}


def test_both_opponents_are_to_be_beaten_on_three_of_five():
    names = list(budgets.SETTINGS)
    won = [found(name) for name in names[:3]]
    lost = [found(names[3], uniform=0.91), found(names[4], narrower=0.9)]  # equal is not better
    what = "networks where differentiable beats uniform and narrower"
    assert (checks(*won, *lost)[what].value, checks(*won, *lost)[what].holds) == (3, True)
    assert not checks(*won[:2], found(names[2], differentiable=0.84), *lost)[what].holds
    assert checks(*won)[what].limit is None  # nothing follows from some of them
    assert checks(*won, *lost)["networks where differentiable beats uniform"].value == 4


def test_a_budget_that_is_not_kept_is_a_missed_limit():
    kept = checks(found())
    assert kept["ds_cnn, differentiable: flash"].value == 90 / 100
    assert kept["ds_cnn, extreme: flash below dense"].value == 400 / 20
    assert all(kept[f"ds_cnn, {way}: MACs"].holds for way in (DIFFERENTIABLE, UNIFORM, NARROWER))
    over = found()
    over.rows[2] = row(UNIFORM, 0.8, flash=101)
    assert not checks(over)["ds_cnn, uniform: flash"].holds


def test_times_are_those_of_as_many_plain_epochs():
    found_checks = checks(found())
    plain = (22 - 17) + 3 * 17 / 5  # its start, then three of its mean epochs
    assert found_checks["ds_cnn, differentiable: seconds / plain float"].value == pytest.approx(
        10 / plain
    )
    assert found_checks["ds_cnn, differentiable: seconds / uniform"].value == 1
    assert (
        found_checks["ds_cnn, differentiable: epoch before removals / plain float"].value == 2 / 3
    )


def test_a_record_is_read_as_it_was_written(tmp_path):
    written = replace(found(), failures=["extreme: it does not fit"])
    write_json(tmp_path / "one.json", written)
    assert read_json(tmp_path / "one.json", NetworkComparison) == written
    notes = " ".join(differentiable.report([written], ["crn: no data"]).notes)
    assert "ds_cnn: FAILED, extreme: it does not fit" in notes
    assert "FAILED: crn: no data" in notes
    lines = list(differentiable.table([written]))
    assert max(map(len, lines)) <= 100
    assert "flash 20 B 20.0x" in lines[-1]


def test_the_first_that_keeps_the_limits_counts():
    rows = [row(UNIFORM, 0.1, flash=flash) for flash in (120.0, 99.0, 80.0)]
    assert budget_methods.first_within(rows, {"flash": 100.0}) is rows[1]
    assert budget_methods.first_within(rows, {"flash": 10.0}) is rows[2]


def test_the_steps_that_are_timed_have_gates_and_a_penalty():
    setting = budgets.SETTINGS["ds_cnn"]
    course, first = gate_steps._gating(ds_cnn.build(channels=16, blocks=1), setting)
    assert not course.is_met
    assert first >= setting.pruning // 2 * 13 * 0.1  # the warm-up is over
    assert course.prepared.count_params() > 0
    assert set(gate_steps.STEPS) == set(budgets.SETTINGS)
