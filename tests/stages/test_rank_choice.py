"""The layers that become two, by variance, weights and cycles."""

from collections.abc import Mapping

import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.low_rank import input_statistics
from tinyprune.compress.planning import plan
from tinyprune.config import LayerRule, MagnitudePruning
from tinyprune.errors import UsageError
from tinyprune.export.tflite import convert
from tinyprune.npu import targets
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.network_plan import Planner
from tinyprune.stages.rank_choice import RankChoice

L = keras.layers
U55 = targets.resolve("ethos-u55-128")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """16x16x8 -> 3x3 64 -> 3x3 64 -> depthwise -> 128 -> 10: kernels of 4608, 36864, 576, 8192, 1280."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 8))
    x = L.Conv2D(64, 3, padding="same", activation="relu", name="first")(inputs)
    x = L.Conv2D(64, 3, padding="same", activation="relu", name="second")(x)
    x = L.DepthwiseConv2D(3, activation="relu", name="depth")(x)
    x = L.Dense(128, activation="relu", name="hidden")(L.GlobalAveragePooling2D()(x))
    return fold(keras.Model(inputs, L.Dense(10, name="head")(x)))


@pytest.fixture(scope="module")
def statistics(network):
    given = np.random.default_rng(0).normal(size=(8, 16, 16, 8)).astype(np.float32)
    return input_statistics(network, ["first", "second", "hidden", "head"], given)


def planned(network, statistics: Mapping, config: MagnitudePruning, **more) -> PruningPlan:
    ranks = RankChoice(
        inputs=lambda model, names: statistics,
        target=U55,
        frames=None,
        scope=config.scope,
        round_to=config.round_to,
        **more,
    )
    return plan(network, config, choose_ranks=ranks)


def low_rank(**settings) -> MagnitudePruning:
    return MagnitudePruning(structure="low-rank", **settings)


def gone(found: PruningPlan, weights: int) -> float:
    """The share of so many weights that goes."""
    return sum(item.sparsity * np.prod(item.shape) for item in found.factors) / weights


def test_a_share_of_the_weights_goes_where_it_costs_least(network, statistics):
    found = planned(network, statistics, low_rank(sparsity=0.5))
    assert found.layers == ()
    assert gone(found, 4608 + 36864 + 8192 + 1280) >= 0.5
    assert "second/kernel" in {item.key for item in found.factors}
    for item in found.factors:
        whole, both = item.cycles
        assert both < whole
        assert item.rank % 8 == 0
        assert 0 < item.kept < 1
    assert found.skipped["depth/kernel"] == (
        "a kernel of DepthwiseConv2D is no product of two layers: left whole"
    )
    assert found.steps(100) == (0, 0, 1)  # nothing is masked, so any epoch may be the best


def test_the_weights_of_both_are_those_of_the_sentence(network, statistics):
    """rank 8 of 9 * 64 inputs and 64 outputs: 8 * 640 = 5120 of 36864 weights, 0.861 are gone."""
    found = planned(network, statistics, low_rank(sparsity=0.85, exclude=("[fh]*",)))
    [item] = found.factors
    assert (item.key, item.rank, item.first) == ("second/kernel", 8, "second_in")
    assert item.sparsity == pytest.approx(1 - 5120 / 36864)
    assert item.sentence.startswith(f"rank 8: {item.kept:.1%} of the variance; ")
    assert item.sentence.endswith(f"{item.cycles[1]:,.0f} cycles, {item.cycles[0]:,.0f} whole")
    assert found.skipped["hidden/kernel"] == "excluded"


def test_two_operators_that_take_more_cycles_than_one_are_left_dense(network, statistics):
    """On Ethos-U85 the head, 128 -> 10, is dearer as 128 -> 8 -> 10, though it has fewer weights."""
    ranks = RankChoice(lambda model, names: statistics, targets.resolve("ethos-u85-256"), None)
    found = plan(network, low_rank(sparsity=0.9), choose_ranks=ranks)
    reason = found.skipped["head/kernel"]
    assert reason.startswith("left dense: two operators of rank 8 take ")
    both, whole = (
        int(part.split()[0].replace(",", "")) for part in reason.split(" take ")[1].split(", one ")
    )
    assert both > whole


def test_without_a_cost_model_weights_alone_count(network, statistics, monkeypatch):
    from tinyprune.stages import rank_choice

    def unknown(*arguments: object) -> None:
        raise UsageError("no cost model for own")

    monkeypatch.setattr(rank_choice, "CostModel", unknown)
    found = planned(network, statistics, low_rank(sparsity=0.5, round_to=16))
    assert found.skipped["head/kernel"] == (
        "left dense: two of rank 10 have 1,380 weights, one 1,280"
    )
    [item] = planned(network, statistics, low_rank(sparsity=0.1)).factors[:1]
    assert item.cycles is None
    assert item.sentence == f"rank {item.rank}: {item.kept:.1%} of the variance"


def test_each_layer_loses_its_share_under_the_scope_of_a_layer(network, statistics):
    found = planned(network, statistics, low_rank(sparsity=0.4, scope="layer"))
    assert {item.layer for item in found.factors} >= {"first", "second", "hidden"}
    assert all(item.sparsity >= 0.4 for item in found.factors if item.layer != "head")


def test_layers_with_rules_of_their_own_have_another_share_or_structure(network, statistics):
    rules = (
        LayerRule("hidden", structure="weight", sparsity=0.9),
        LayerRule("second", sparsity=0.3),
        LayerRule("first", skip=True),
    )
    found = planned(network, statistics, low_rank(sparsity=0.8, layers=rules, clusters=16))
    assert [item.key for item in found.layers] == ["hidden/kernel"]
    [item] = [item for item in found.factors if item.layer == "second"]
    assert 0.3 <= item.sparsity < 0.4
    assert found.skipped["first/kernel"] == "excluded"
    assert {"second_in/kernel", "second/kernel", "hidden/kernel"} <= set(found.few_values)


def test_kernels_with_pruned_weights_and_factors_are_no_candidates(network, statistics):
    found = planned(network, statistics, low_rank(sparsity=0.5), masked={"second/kernel"})
    assert found.skipped["second/kernel"].startswith("has pruned weights")
    inputs = keras.Input((64,))
    x = L.Dense(8, use_bias=False, name="a_in")(inputs)
    x = L.Dense(64, name="a")(x)
    model = keras.Model(inputs, L.Dense(64, name="b")(x))
    white = input_statistics(model, ["b"], np.random.default_rng(0).normal(size=(50, 64)))
    found = planned(model, white, low_rank(sparsity=0.5))
    assert [item.key for item in found.factors] == ["b/kernel"]
    assert found.skipped["a/kernel"] == found.skipped["a_in/kernel"]
    assert "--structure unit" in found.skipped["a/kernel"]


def test_less_than_what_is_asked_for_is_said(network, statistics, caplog):
    planned(network, statistics, low_rank(sparsity=0.97))
    assert "where sparsity 0.97 is asked for: ranks are the lowest already" in caplog.text
    caplog.clear()
    planned(network, statistics, low_rank(sparsity=0.5))
    assert caplog.text == ""


def test_nothing_to_factor_is_an_error_with_the_reasons(network, statistics):
    with pytest.raises(UsageError, match=r"has nothing to prune \(first/kernel: excluded; "):
        planned(network, statistics, low_rank(sparsity=0.5, exclude=("*",)))


def test_without_data_there_are_no_ranks(network):
    with pytest.raises(UsageError, match="^structure 'low-rank' finds ranks by the data"):
        plan(network, low_rank(sparsity=0.5))


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["fused", "explicit"])
def test_an_lstm_reads_few_features_and_its_state_stays_whole(cell):
    """Its 64 inputs are 8 in truth, so nothing is lost; it is int8 in both forms."""
    features = keras.Input((None, 64))
    x = L.LSTM(64, return_sequences=True, name="lstm")(features)
    model = fold(keras.Model(features, L.Dense(16, name="mask")(x)))
    rng = np.random.default_rng(0)
    given = (rng.normal(size=(100, 8)) @ rng.normal(size=(8, 64)) / 8).astype(np.float32)
    config = low_rank(sparsity=0.5, cell=cell, exclude=("mask",))
    planner = Planner(config, U55, 1, lambda: given, masks={})
    found = planner.plan(model)
    assert "lstm/kernel" in {item.key for item in found.factors}
    assert found.skipped["lstm/recurrent_kernel"].endswith("left whole")
    network = planner.planned(model, found)
    rank = network.get_layer("lstm_in").units
    assert network.get_layer("lstm").cell.kernel.shape == (rank, 4 * 64)
    np.testing.assert_allclose(network(given[None]), model(given[None]), atol=0.01)
    assert convert(network, 1, given)
