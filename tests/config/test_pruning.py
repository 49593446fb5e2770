"""Prunings to a budget: from a recipe, under which name, and what does not go with them."""

import json

import pytest

from tinyprune.config import (
    BudgetPruning,
    LayerRule,
    MagnitudePruning,
    OfflinePruning,
    PruneConfig,
    RunConfig,
    TargetConfig,
    TrainedPruning,
    from_mapping,
    to_mapping,
)
from tinyprune.config.budget import Budget, BudgetConfig
from tinyprune.config.pruning import DEFAULT_FLOOR, DEFAULT_IMPORTANCE, DEFAULT_IN_TRAINING
from tinyprune.config.recipe import load_recipe, with_overrides
from tinyprune.errors import UsageError
from tinyprune.storage.run_folder import Variant

FLASH = {"max_flash": "64KiB"}

RECIPE = """
[[prune]]
method = "differentiable"
budget = {max_flash = "64KiB", max_macs = 2_000_000}

[[prune]]
method = "differentiable"
target = {npu = "ethos-u55-128", memory_mode = "Sram_Only"}
round_to = 16
exclude = ["stem"]

[prune.budget]
max_cycles = 200000
max_latency = "16ms"
"""


def differentiable(**values) -> PruneConfig:
    return from_mapping({"method": "differentiable", "budget": FLASH, **values}, PruneConfig)


def complaint(table) -> str:
    """What a recipe with one pruning is refused with."""
    with pytest.raises(UsageError) as caught:
        from_mapping({"prune": [table]})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_budget_and_target_of_a_pruning_in_a_recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    config = load_recipe(path)
    size, time = config.prune
    assert size == BudgetPruning(
        budget=BudgetConfig(max_flash="64KiB", max_macs="2000000"),
    )
    assert size.budget.resolved() == Budget(flash_bytes=64 * 1024, macs=2_000_000)
    assert time.target == TargetConfig("ethos-u55-128", memory_mode="Sram_Only")
    assert time.budget.resolved() == Budget(cycles=200_000, seconds=0.016)
    assert (time.round_to, time.exclude) == (16, ("stem",))
    assert from_mapping(json.loads(json.dumps(to_mapping(config)))) == config
    assert from_mapping(to_mapping(time), PruneConfig) == time


def test_a_single_table_may_have_a_number_too():
    table = {"method": "differentiable", "budget": {"max_macs": 2e6}}
    assert from_mapping({"prune": table}).prune[0].budget.resolved() == Budget(macs=2_000_000)
    assert from_mapping(table, PruneConfig).budget == BudgetConfig(max_macs="2000000")


def test_a_budget_may_be_set_on_the_command_line():
    config = RunConfig(prune=(differentiable(),))
    changed = with_overrides(
        config, ["prune.0.budget.max_macs=2000000", "prune.0.budget.max_flash="]
    )
    assert changed.prune[0].budget == BudgetConfig(max_macs="2000000")


def test_the_structure_follows_from_the_method():
    assert MagnitudePruning().structure == "weight"
    assert BudgetPruning().structure == "unit"
    assert differentiable(structure="unit") == differentiable()
    assert differentiable().final_sparsity == 0.0


@pytest.mark.parametrize(
    ("budget", "base", "name"),
    [
        ({"max_flash": "64KiB"}, "baseline", "differentiable-flash-64KiB"),
        (
            {"max_macs": "2M", "max_flash": "64 KiB"},
            "baseline",
            "differentiable-flash-64KiB-macs-2M",
        ),
        ({"max_sram": "1.5MB"}, "a", "a-differentiable-sram-1.5MB"),
        (
            {"max_cycles": 2e5, "max_latency": "500 µs"},
            "baseline",
            "differentiable-cycles-200000-latency-500us",
        ),
    ],
)
def test_the_variant_is_named_after_its_budget(budget, base, name):
    assert differentiable(budget=budget, base=base, target={}).variant == name
    assert differentiable(budget=budget, base=base, target={}, name="n").variant == "n"


def test_what_goes_with_a_budget():
    config = differentiable(
        round_to=4,
        exclude=["head"],
        epochs=3,
        learning_rate=0.1,
        distill=False,
        base="a",
        name="b",
        seed=1,
    )
    assert (config.round_to, config.exclude, config.seed) == (4, ("head",), 1)
    skipped = differentiable(layers=[{"match": "stem", "skip": True}])
    assert skipped.layers == (LayerRule("stem", skip=True),)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"method": "gradient"},
            "method: expected one of: magnitude, differentiable, got gradient",
        ),
        (
            {"method": "magnitude", "budget": FLASH},
            'budget: it goes with method = "differentiable": add that, or ',
        ),
        (
            {"method": "differentiable"},
            "budget: differentiable prunes until one is met: give --max-flash, ",
        ),
        (
            {"method": "differentiable", "budget": {}},
            "budget: differentiable prunes until one is met: give ",
        ),
        ({"budget": 3}, "budget: expected a table, got 3"),
        ({"target": 3}, "target: expected a table, got 3"),
        ({"target": {"npus": "a"}}, "target.npus'"),
    ],
)
def test_a_budget_and_a_method_need_each_other(table, message):
    said = complaint(table)
    assert said.removeprefix("unknown key '").startswith(f"prune.0.{message}")


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (
            {"max_flash": "0 B"},
            "max_flash: nothing fits into '0 B': expected more than 0, e.g. 100KiB; ",
        ),
        ({"max_flash": "-1KiB"}, "max_flash: '-1KiB' is not a size: expected "),
        ({"max_flash": 65536}, "max_flash: '65536' can be read in several ways: write 65536KiB "),
        ({"max_macs": 0}, "max_macs: nothing fits into '0': expected more than 0, e.g. 2M; "),
        ({"max_macs": -5}, "max_macs: '-5' is not a number: "),
        ({"max_macs": "2m"}, "max_macs: '2m' is not clear: write 2M (1000000 each)"),
        ({"max_macs": "1.5"}, "max_macs: '1.5' is not a whole number: "),
        ({"max_macs": True}, "max_macs: expected a text, got True"),
        (
            {"max_cycles": 1000},
            "max_cycles: cycles are those of an accelerator: give --npu NAME (in a recipe: target)",
        ),
        (
            {"max_latency": "1ms"},
            "max_latency: the time is that of an accelerator: give --npu NAME ",
        ),
        ({"max_cpu_ops": 0}, "max_cpu_ops: removing units takes no operator away from the CPU: "),
        (
            {**FLASH, "max_cpu_ops": 3},
            "max_cpu_ops: removing units takes no operator away from the CPU: ",
        ),
    ],
)
def test_a_budget_of_a_pruning_that_makes_no_sense_names_its_key(budget, message):
    assert complaint({"method": "differentiable", "budget": budget}).startswith(
        f"prune.0.budget.{message}"
    )


NO_SCHEDULE = "gates close as the training finds out what the budget needs, not on a schedule"
OTHER = {
    "sparsity": (0.5, "the budget says how much goes"),
    "block_size": ("4x4", "differentiable removes whole units"),
    "importance": ("l2", "the gates learn what a unit is worth"),
    "scope": ("layer", "the budget is that of the whole network"),
    "schedule": ("linear", NO_SCHEDULE),
    "begin": (0.1, NO_SCHEDULE),
    "end": (0.9, NO_SCHEDULE),
    "update_every": (3, NO_SCHEDULE),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_a_budget_has_no_use_for(name):
    value, why = OTHER[name]
    said = complaint({"method": "differentiable", "budget": FLASH, name: value})
    assert said == f"prune.0.{name}: {why}: leave it out"


@pytest.mark.parametrize("structure", ["weight", "block", "2:4"])
def test_a_structure_other_than_units(structure):
    said = complaint({"method": "differentiable", "budget": FLASH, "structure": structure})
    assert (
        said
        == f"prune.0.structure: differentiable removes whole units, got {structure}: leave it out"
    )


@pytest.mark.parametrize("rule", [{"sparsity": 0.5}, {"structure": "unit"}, {"block_size": "4x4"}])
def test_a_rule_that_takes_a_layer_by_half(rule):
    said = complaint(
        {"method": "differentiable", "budget": FLASH, "layers": [{"match": "a", **rule}]}
    )
    assert said.startswith(
        f"prune.0.layers.0.{next(iter(rule))}: differentiable takes a layer as the others or not"
    )


@pytest.mark.parametrize(
    ("source", "values", "name"),
    [
        ("baseline", {}, "offline-weight-0.80"),
        ("baseline", {"sparsity": 0.0}, "offline-weight-0.00"),
        ("baseline", {"structure": "2:4", "clusters": 8}, "offline-2-4-8-clusters"),
        ("baseline", {"clusters": 16}, "16-clusters"),
        ("weight-0.50", {"sparsity": 0.9}, "offline-weight-0.50-weight-0.90"),
        ("weight-0.50", {"clusters": 16}, "weight-0.50-16-clusters"),
        ("weight-0.50", {"clusters": 16, "name": "small"}, "small"),
    ],
)
def test_the_offline_control_is_named_after_what_it_is_made_of(source, values, name):
    config = from_mapping(values, OfflinePruning).of(source)
    assert (config.base, config.variant) == (source, name)


def test_a_pruning_that_learns_few_values_says_so_in_its_name():
    """Beside `weight-0.50-16-clusters`, which the offline control makes of `weight-0.50`."""
    for values, name in (
        ({"sparsity": 0.5, "clusters": 16}, "weight-0.50-joint-16-clusters"),
        ({"structure": "2:4", "clusters": 8}, "2-4-joint-8-clusters"),
        ({"clusters": 8, "name": "small"}, "small"),
    ):
        assert from_mapping(values, TrainedPruning).variant == name


def test_the_offline_control_is_recorded_with_the_seed_of_its_run():
    config = from_mapping({"seed": 3}, OfflinePruning)
    assert to_mapping(config)["seed"] == 3
    assert from_mapping(to_mapping(config), OfflinePruning) == config


def test_an_empty_structure_is_the_default():
    assert from_mapping({"structure": ""}, OfflinePruning).structure == "weight"
    assert differentiable(structure="") == differentiable()


@pytest.mark.parametrize("key", ["prune", "offline"])
def test_a_claim_from_before_there_were_budgets_still_holds(tmp_path, key):
    config = MagnitudePruning(structure="unit", sparsity=0.5)
    older = {
        name: value
        for name, value in to_mapping(config).items()
        if name not in ("method", "budget", "target")
    }
    assert from_mapping(older, PruneConfig) == config
    variant = Variant("unit-0.50", tmp_path / "unit-0.50")
    variant.claim({key: older})
    variant.claim({key: config})
    assert variant.configuration() == {key: older}
    (variant.folder / "checkpoint.npz").touch()  # else the claim is that of a start that failed
    with pytest.raises(UsageError, match=rf"{key}\.method: \"magnitude\", now \"differentiable\""):
        variant.claim({key: differentiable()})


def test_two_budgets_are_two_configurations(tmp_path):
    variant = Variant("v", tmp_path / "v")
    variant.claim({"prune": differentiable(target={})})
    variant.claim({"prune": differentiable(target={})})
    (variant.folder / "checkpoint.npz").touch()  # else the claim is that of a start that failed
    with pytest.raises(UsageError, match=r'\(prune\.budget\.max_flash: "64KiB", now "32KiB"\)'):
        variant.claim({"prune": differentiable(target={}, budget={"max_flash": "32KiB"})})
    with pytest.raises(UsageError, match=r"\(prune\.target: \{.*, now null\)"):
        variant.claim({"prune": differentiable()})


def test_a_vela_configuration_is_relative_to_the_recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    budget, target = '{max_flash = "1kB"}', '{vela_config = "a.ini"}'
    path.write_text(f'[[prune]]\nmethod = "differentiable"\nbudget = {budget}\ntarget = {target}\n')
    assert load_recipe(path).prune[0].target == TargetConfig(vela_config=str(tmp_path / "a.ini"))


def test_a_target_that_is_not_there_may_be_set_on_the_command_line():
    config = with_overrides(
        RunConfig(prune=(differentiable(),)), ["prune.0.target.npu=ethos-u65-256"]
    )
    assert config.prune[0].target == TargetConfig("ethos-u65-256")


# --- what is not set: today's default in new variants, what is recorded in those begun before


def test_a_new_pruning_is_ranked_by_the_default():
    settled = OfflinePruning().settled(None)
    assert (settled.importance, settled.floor) == (DEFAULT_IMPORTANCE, DEFAULT_FLOOR)


@pytest.mark.parametrize("structure", ["weight", "block", "unit"])
def test_trained_groups_are_ranked_by_what_they_do_to_the_loss(structure):
    pruning = MagnitudePruning(structure=structure)
    assert pruning.settled(None).importance == DEFAULT_IN_TRAINING
    named = MagnitudePruning(structure=structure, importance="lamp")
    assert named.settled(None).importance == "lamp"
    offline = OfflinePruning()  # there are no gradients
    assert offline.settled(None).importance == DEFAULT_IMPORTANCE
    begun = {**pruning.record(), "importance": "lamp"}  # by a version whose default it was
    assert pruning.settled(begun).importance == "lamp"


@pytest.mark.parametrize("structure", ["2:4", "low-rank"])
def test_what_was_not_better_by_gradients_is_ranked_by_weights(structure):
    pruning = MagnitudePruning(structure=structure)
    assert pruning.settled(None).importance == DEFAULT_IMPORTANCE


@pytest.mark.parametrize("kind", [MagnitudePruning, OfflinePruning])
def test_a_variant_of_a_time_without_floors_goes_on_as_it_began(kind, tmp_path):
    variant = Variant("weight-0.80", tmp_path)
    before = {**kind(importance="l1").record(), "importance": "l1"}
    del before["floor"]
    variant.claim({"prune": before})
    (tmp_path / "checkpoint.npz").touch()
    settled = kind().settled(variant.claimed_as("prune"))
    assert (settled.importance, settled.floor) == ("l1", 0.0)
    variant.claim({"prune": settled})  # the same, so it is not refused

    with pytest.raises(UsageError, match=r'prune\.importance: "l1", now "lamp"'):
        asked = kind(importance="lamp").settled(variant.claimed_as("prune"))
        variant.claim({"prune": asked})


def test_a_budget_that_was_begun_before_is_the_same_pruning(tmp_path):
    variant = Variant("differentiable", tmp_path)
    before = {**differentiable().record(), "importance": "l1"}
    del before["floor"]
    variant.claim({"prune": before})
    variant.claim({"prune": differentiable()})


def test_nothing_is_taken_over_from_a_start_that_failed(tmp_path):
    variant = Variant("weight-0.80", tmp_path)
    assert variant.claimed_as("prune") is None
    variant.claim({"prune": MagnitudePruning(importance="l1").settled(None)})
    assert variant.claimed_as("prune") is None
