"""Levels that share what is learned and nothing else."""

import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import read_masks
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.training.at_once import LearnerAtOnce, LevelsAtOnce
from tinyprune.training.compression import Compression, ScheduledMasks
from tinyprune.training.masked_network import MaskedNetwork

LEVELS = (0.25, 0.5, 0.75)
STEPS = 12  # four turns of each level


def network() -> MaskedNetwork:
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((8,)), dense(16, activation="relu", name="hidden"), dense(4, name="head")]
    )
    canonical = fold(model)
    config = MagnitudePruning(sparsity=LEVELS[0], levels=LEVELS, floor=0.0)
    return MaskedNetwork(canonical, plan(canonical, config), np.eye(8, dtype=np.float32))


def at_once(masked: MaskedNetwork) -> LevelsAtOnce:
    def of(level: float) -> Compression:
        return ScheduledMasks(masked.updater(STEPS // 3, plan=masked.plan.at(level)), masked.check)

    return LevelsAtOnce(masked.prepared, [lambda level=level: of(level) for level in LEVELS])


def zeros(masked: MaskedNetwork) -> float:
    masks = read_masks(masked.prepared).values()
    return sum((mask == 0).sum() for mask in masks) / sum(mask.size for mask in masks)


def trained(masked: MaskedNetwork) -> LevelsAtOnce:
    levels = at_once(masked)
    for step in range(STEPS):
        levels.before_step(step)
    return levels


def test_each_level_has_masks_of_its_own_over_the_same_weights():
    masked = network()
    levels = trained(masked)
    weights = [weight.numpy().copy() for weight in masked.prepared.trainable_variables]
    assert levels.of_each(lambda: zeros(masked)) == pytest.approx(LEVELS)
    for weight, before in zip(masked.prepared.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)


def test_what_a_level_masks_the_next_one_masks_too():
    masked = network()
    levels = trained(masked)
    kept = []
    levels.of_each(lambda: kept.append(read_masks(masked.prepared)) or 0.0)
    for denser, sparser in zip(kept, kept[1:], strict=False):
        assert all((sparser[key] <= denser[key]).all() for key in denser)


def test_ranges_of_activations_belong_to_the_level_whose_turn_it_is():
    masked = network()
    levels = at_once(masked)
    grid = masked.prepared.get_layer("hidden").output_quantizer
    before = float(grid.high.value)
    levels.before_step(1)  # the turn of the second level
    grid.high.assign(before + 1)
    found = levels.of_each(lambda: float(grid.high.value))
    assert found == pytest.approx([before, before + 1, before])


def test_turns_go_round_and_each_level_counts_its_own():
    seen = []

    class Watching(Compression):
        def __init__(self, level: int) -> None:
            self.level = level

        def before_step(self, step: int) -> None:
            seen.append((self.level, step))

        def may_be_best(self, step: int) -> bool:
            return step >= self.level

    makers = [lambda level=level: Watching(level) for level in range(3)]
    levels = LevelsAtOnce(network().prepared, makers)
    for step in range(5):
        levels.before_step(step)
    assert seen == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    assert not levels.may_be_best(5)  # one turn of each: the last level is not done
    assert levels.may_be_best(6)


def test_the_score_is_the_mean_over_the_levels():
    masked = network()
    levels = trained(masked)

    class Zeros:
        metric = "accuracy"

        def score(self, model: keras.Model) -> float:
            return zeros(masked)

    learner = LearnerAtOnce(Zeros(), levels)
    assert learner.score(masked.prepared) == pytest.approx(0.5)  # (0.25 + 0.5 + 0.75) / 3
    assert zeros(masked) == pytest.approx(0.75)  # the last level's network is the one that is saved


def test_a_checkpoint_has_all_levels():
    masked = network()
    levels = trained(masked)
    levels.of_each(float)  # as every epoch ends
    saved = [
        variable.numpy().copy() for variable in [*masked.prepared.variables, *levels.variables]
    ]
    again = network()
    resumed = at_once(again)
    for variable, value in zip([*again.prepared.variables, *resumed.variables], saved, strict=True):
        variable.assign(value)
    resumed.resumed()
    assert resumed.of_each(lambda: zeros(again)) == pytest.approx(LEVELS)
