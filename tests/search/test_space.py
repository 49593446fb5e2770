"""Spaces: which chains there are, and what their prunings say."""

import pytest

from tinyprune.config import SweepConfig, SweepStep, TargetConfig, from_mapping
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.search.defaults import with_default_space
from tinyprune.search.space import every_chain
from tinyprune.search.study import Halving, Hopeless, Study


def chains(*steps, width=()):
    return [chain for _, chain in every_chain(SweepConfig(step=steps, width=width), TargetConfig())]


def texts(*steps):
    return [chain.text for chain in chains(*steps)]


def test_every_combination_is_one_chain_and_settings_without_meaning_are_not_chosen():
    """2 sparsities x 2 numbers of values, and 2:4, which has its own sparsity, x 2."""
    step = SweepStep(structure=("weight", "2:4"), sparsity=(0.5, 0.7), clusters=(0, 16))
    found = texts(step)
    assert len(found) == len(set(found)) == 2 * 2 + 2
    assert "weight-0.50-joint-16-clusters" in found
    assert found[-2:] == ["2-4", "2-4-joint-16-clusters"]


def test_ranks_are_found_by_no_importance():
    """Low rank at two sparsities; weights at two with two importances each."""
    step = SweepStep(
        structure=("low-rank", "weight"), sparsity=(0.3, 0.5), importance=("l1", "lamp")
    )
    found = texts(step)
    assert found[:2] == ["low-rank-0.30", "low-rank-0.50"]
    assert len(found) == len(set(found)) == 2 + 2 * 2


def test_a_step_may_be_left_out_and_a_budget_has_its_target():
    units = SweepStep(optional=True, max_cycles=("30k", "40k"))
    found = chains(units, SweepStep(sparsity=(0.5,)))
    assert [chain.text for chain in found] == [
        "units to cycles 30k, then weight-0.50",
        "units to cycles 40k, then weight-0.50",
        "weight-0.50",
    ]
    assert found[0].steps[0].target == TargetConfig()


def test_equal_beginnings_have_equal_digests_and_families_know_no_seeds():
    first, second = chains(SweepStep(max_flash=("9kB",)), SweepStep(sparsity=(0.5, 0.7)))
    assert first.digests()[0] == second.digests()[0]
    assert first.digests()[1] != second.digests()[1]
    one, other = chains(SweepStep(sparsity=(0.5,), seed=(0, 1)))
    assert one.family() != other.family()
    assert one.family("seed") == other.family("seed")


def test_a_chain_may_begin_with_another_width_and_the_baseline_is_what_it_was():
    """Three widths x two sparsities; of width 1 the digests are those without the axis."""
    step = SweepStep(sparsity=(0.5, 0.7))
    found = chains(step, width=(1.0, 0.5, 0.25))
    assert len({chain.family() for chain in found}) == 3 * 2
    assert [chain.text for chain in found[1:3]] == ["weight-0.70", "width 0.5, then weight-0.50"]
    assert found[0].digests() == chains(step)[0].digests() != found[2].digests()
    assert [chain.text for chain in chains(width=(1.0, 0.5))] == ["nothing is pruned", "width 0.5"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({}, "sweep.step.0.axes: the space is empty: give values"),
        ({"sparsty": [0.5]}, "unknown key 'sweep.step.0.sparsty': did you mean"),
        ({"sparsity": [0.5, 1.5]}, "sweep.step.0.sparsity.1: expected a fraction in [0, 1)"),
        ({"sparsity": 0.5}, "sweep.step.0.sparsity: expected a list"),
        ({"sparsity": [0.5, 0.5]}, "sweep.step.0.sparsity: expected each value once"),
        ({"importance": ["lapm"]}, "sweep.step.0.importance.0: unknown importance 'lapm'"),
        ({"max_flash": ["9k"]}, "sweep.step.0.max_flash.0: '9k' can be read in several ways"),
        ({"max_flash": ["9kB"], "sparsity": [0.5]}, "max_flash removes whole units"),
        ({"clusters": [1]}, "sweep.step.0.clusters.0: expected 2 to 255 values"),
    ],
)
def test_an_axis_that_makes_no_sense_is_one_line(step, message):
    with pytest.raises(UsageError) as error:
        from_mapping({"sweep": {"step": [step]}})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"costs": []}, "sweep.costs: there is no objective beside the metric: expected one or"),
        ({"costs": ["flsh"]}, "sweep.costs.0: unknown cost 'flsh': expected one or more of: flash"),
        ({"sampler": "cma"}, "sweep.sampler: expected one of: auto, grid, random, tpe, nsga2"),
        ({"trials": 0}, "sweep.trials: expected at least 1"),
        ({"width": [0.5, 0]}, "sweep.width.1: expected a factor from 0.01 to 16, e.g. 0.5, got 0"),
        ({"width": [0.5, 0.5]}, "sweep.width: expected each value once"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_one_line(sweep, message):
    with pytest.raises(UsageError, match=message.replace("(", "\\(")):
        from_mapping({"sweep": sweep})


def test_cycles_may_be_numbers_in_a_recipe():
    [step] = from_mapping({"sweep": {"step": [{"max_cycles": [30000, "40k"]}]}}).sweep.step
    assert step.max_cycles == ("30000", "40k")


def test_limits_alone_make_a_space_of_units_then_weights():
    limits = from_mapping({"budget": {"max_flash": "100kB", "max_latency": "5ms"}}).budget
    config = from_mapping({}).sweep
    units, weights = with_default_space(config, limits).step
    assert units.max_flash == ("100kB", "150kB", "250kB")
    assert units.max_latency == ("5ms",)
    assert weights.sparsity == (0.0, 0.4, 0.6, 0.8)
    assert with_default_space(config, from_mapping({}).budget) == config


optuna = pytest.importorskip("optuna", reason="sweeps need optuna")


def study(folder, **settings):
    step = {"sparsity": [0.5, 0.7], "learning_rate": [0.001, 0.01], "structure": ["weight", "2:4"]}
    config = from_mapping({"sweep": {"step": [step], **settings}}).sweep
    return Study(folder, "a", config, TargetConfig(), is_higher=True)


@pytest.mark.parametrize("content", [b"[]\n", b"{}\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n"])
def test_a_damaged_journal_is_one_line(content, tmp_path):
    study(tmp_path)
    (tmp_path / "journal.log").write_bytes(content)
    with pytest.raises(TinypruneError, match="journal.log cannot be read .* delete it and run"):
        study(tmp_path)
    (tmp_path / "journal.log").unlink()
    assert study(tmp_path).ask()


@pytest.mark.parametrize("sampler", ["auto", "grid", "random", "tpe", "nsga2"])
def test_no_chain_is_asked_twice_and_what_was_interrupted_comes_again(sampler, tmp_path):
    first = study(tmp_path, sampler=sampler)
    ended, interrupted = first.ask(), first.ask()
    first.tell(ended.number, [0.9, 100.0, 5.0], {"flash_bytes": -0.1})

    again = study(tmp_path, sampler=sampler)
    assert again.ask() == interrupted
    again.tell(interrupted.number, None, {})
    seen = {ended.chain.family(), interrupted.chain.family()}
    for _ in range(4):
        asked = again.ask()
        assert asked.chain.family() not in seen
        seen.add(asked.chain.family())
        again.tell(asked.number, [0.5, 50.0, 5.0], {"flash_bytes": 0.2})
    assert again.ask() is None  # 2 sparsities x 2 rates, and 2:4 x 2 rates


def test_a_training_that_is_behind_stops_and_its_siblings_do_not_know_it_twice(tmp_path):
    def trained(variant, score):
        halving = Halving(tmp_path, "family", variant, is_higher=True)
        for epoch in range(1, 7):
            halving(epoch, score)
        halving.finished()

    trained("first", 0.8)
    trained("better", 0.9)
    with pytest.raises(Hopeless, match="behind others of its size after 2 epochs"):
        trained("worse", 0.1)
