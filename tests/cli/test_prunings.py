import pytest

from tinyprune.cli.prunings import offline_pruning, prunings
from tinyprune.config import MagnitudePruning, OfflinePruning
from tinyprune.errors import UsageError


def chain(values, sparsities, then, offline=False):
    """The prunings of a command line; of the offline control, its only one."""
    if offline:
        return [offline_pruning(values, sparsities, then)]
    return prunings(values, sparsities, then)


def steps(configs):
    """(base, structure, sparsity, name) of each pruning."""
    return [(config.base, config.structure, config.sparsity, config.variant) for config in configs]


def test_no_chain_is_one_pruning():
    assert chain({}, [], []) == [MagnitudePruning()]
    values = {
        "structure": "block",
        "block_size": "4x4",
        "seed": 3,
        "exclude": ("head", "a_*"),
        "epochs": 2,
    }
    assert chain(values, [(0.5,)], []) == [
        MagnitudePruning(
            structure="block",
            block_size="4x4",
            sparsity=0.5,
            seed=3,
            exclude=("head", "a_*"),
            epochs=2,
        )
    ]


def test_a_ladder_has_a_variant_per_level_each_based_on_the_one_before():
    assert steps(chain({}, [(0.5, 0.7, 0.9)], [])) == [
        ("baseline", "weight", 0.5, "weight-0.50"),
        ("weight-0.50", "weight", 0.7, "weight-0.70"),
        ("weight-0.70", "weight", 0.9, "weight-0.90"),
    ]


def test_every_level_of_low_rank_divides_the_layers_of_the_base():
    low_rank = {"structure": "low-rank", "base": "unit-0.50"}
    assert steps(chain(low_rank, [(0.3, 0.6), (0.8,)], ["weight"])) == [
        ("unit-0.50", "low-rank", 0.3, "unit-0.50-low-rank-0.30"),
        ("unit-0.50", "low-rank", 0.6, "unit-0.50-low-rank-0.60"),
        ("unit-0.50-low-rank-0.60", "weight", 0.8, "unit-0.50-low-rank-0.60-weight-0.80"),
    ]


def test_then_prunes_the_result_again():
    assert steps(chain({"structure": "unit"}, [(0.5,), (0.8,)], ["weight"])) == [
        ("baseline", "unit", 0.5, "unit-0.50"),
        ("unit-0.50", "weight", 0.8, "unit-0.50-weight-0.80"),
    ]


def test_a_ladder_after_another_structure_and_a_default_at_the_end():
    assert steps(chain({"structure": "unit"}, [(0.5,), (0.6, 0.8)], ["weight", "block"])) == [
        ("baseline", "unit", 0.5, "unit-0.50"),
        ("unit-0.50", "weight", 0.6, "unit-0.50-weight-0.60"),
        ("unit-0.50-weight-0.60", "weight", 0.8, "unit-0.50-weight-0.80"),
        ("unit-0.50-weight-0.80", "block", None, "unit-0.50-weight-0.80-block-0.80"),
    ]


def test_n_m_takes_no_sparsity_wherever_it_stands():
    assert steps(chain({"structure": "2:4"}, [(0.75,)], ["weight"])) == [
        ("baseline", "2:4", None, "2-4"),
        ("2-4", "weight", 0.75, "2-4-weight-0.75"),
    ]
    assert steps(chain({"structure": "unit"}, [(0.5, 0.6)], ["2:4"])) == [
        ("baseline", "unit", 0.5, "unit-0.50"),
        (
            "unit-0.50",
            "unit",
            pytest.approx(0.2),
            "unit-0.60",
        ),  # of the half that is left: 1 - 0.4 / 0.5
        ("unit-0.60", "2:4", None, "unit-0.60-2-4"),
    ]


def test_a_chain_may_start_from_a_variant():
    assert steps(chain({"base": "a"}, [(0.5, 0.7)], ["2:4"])) == [
        ("a", "weight", 0.5, "a-weight-0.50"),
        ("a-weight-0.50", "weight", 0.7, "a-weight-0.70"),
        ("a-weight-0.70", "2:4", None, "a-weight-0.70-2-4"),
    ]


def test_levels_of_low_rank_start_from_the_same_network_whatever_they_are_called():
    assert steps(chain({"name": "thin", "structure": "low-rank"}, [(0.3, 0.5)], ["weight"])) == [
        ("baseline", "low-rank", 0.3, "thin-1"),
        ("baseline", "low-rank", 0.5, "thin-2"),
        ("thin-2", "weight", None, "thin"),
    ]


def test_the_last_of_a_chain_has_the_given_name():
    assert steps(chain({"name": "small"}, [(0.5,)], [])) == [("baseline", "weight", 0.5, "small")]
    assert steps(
        chain({"name": "small", "structure": "unit"}, [(0.5,), (0.6, 0.8)], ["weight"])
    ) == [
        ("baseline", "unit", 0.5, "small-1"),
        ("small-1", "weight", 0.6, "small-2"),
        ("small-2", "weight", 0.8, "small"),
    ]


def test_every_pruning_of_a_chain_has_the_same_settings():
    values = {
        "importance": "taylor",
        "scope": "layer",
        "learning_rate": 0.5,
        "distill": False,
        "begin": 0.1,
    }
    for config in chain(values, [(0.5, 0.7)], ["2:4"]):
        assert {name: getattr(config, name) for name in values} == values


def test_the_offline_control_is_one_pruning():
    assert chain({"scope": "layer"}, [(0.5,)], [], offline=True) == [
        OfflinePruning(sparsity=0.5, scope="layer")
    ]
    [config] = chain({"structure": "2:4"}, [], [], offline=True)
    assert (config.variant, config.sparsity) == ("2-4", None)
    [config] = chain({"clusters": 16}, [], [], offline=True)
    assert (config.variant, config.final_sparsity) == ("16-clusters", 0.0)
    [config] = chain({"clusters": 16}, [(0.5,)], [], offline=True)
    assert (config.variant, config.final_sparsity) == ("weight-0.50-16-clusters", 0.5)
    [config] = chain({"name": "control"}, [], [], offline=True)
    assert config.variant == "control"


def test_a_sparsity_that_says_what_n_of_m_says_is_accepted() -> None:
    [alone] = chain({"structure": "2:4"}, [], [])
    assert chain({"structure": "2:4"}, [(0.5,)], []) == [alone]
    third = 0.67  # of 1:3, 1 - 1/3 = 0.667
    assert chain({"structure": "1:3"}, [(third,)], []) == chain({"structure": "1:3"}, [], [])
    # One for each structure: that of 2:4 comes second.
    [units, pattern] = chain({"structure": "unit"}, [(0.3,), (0.5,)], ["2:4"])
    assert (units.variant, pattern.variant) == ("unit-0.30", "unit-0.30-2-4")
    assert (units.final_sparsity, pattern.final_sparsity) == (0.3, 0.5)


OFFLINE = "goes with training: --offline prunes once, to one --sparsity, without it"


@pytest.mark.parametrize(
    ("values", "sparsities", "then", "offline", "message"),
    [
        (
            {},
            [(0.5,), (0.8,)],
            [],
            False,
            "weight: expected 1 or fewer --sparsity, n:m has its own; got 2",
        ),
        (
            {"structure": "2:4"},
            [(0.8,)],
            [],
            False,
            "--sparsity 0.8: 2:4 has its own, 0.5: leave --sparsity out, or try --structure weight",
        ),
        (
            {"structure": "unit"},
            [(0.4,), (0.5,), (0.6,), (0.7,)],
            ["2:4", "weight"],
            False,
            "unit then 2:4 then weight: expected 2 or fewer --sparsity, n:m has its own; got 4",
        ),
        (
            {},
            [(0.501, 0.504)],
            [],
            False,
            "--sparsity 0.504: there is a variant 'weight-0.50' in this ladder already: ",
        ),
        ({"name": "a/b"}, [(0.5, 0.7)], [], False, "name: 'a/b-1' cannot name a variant: "),
        (
            {"begin": 0.5, "end": 0.1},
            [],
            [],
            False,
            "end: the schedule would end at 0.1 before it begins at 0.5",
        ),
        ({}, [(1.5,)], [], False, "sparsity: expected a fraction in [0, 1), e.g. 0.8, got 1.5"),
        *[
            (
                {"structure": "low-rank", **of_masks},
                [(0.5,)],
                [],
                False,
                f"{name}: low-rank makes two layers of one and masks nothing: leave it out",
            )
            for of_masks in (
                {"block_size": "8x8"},
                {"importance": "l1"},
                {"floor": 0.5},
                {"schedule": "linear"},
                {"begin": 0.1},
                {"end": 0.9},
            )
            for name in of_masks
        ],
        (
            {"structure": "low-rank"},
            [(0.5,)],
            [],
            True,
            "structure: low-rank makes two layers of one, which have to be learned: "
            "leave --offline out",
        ),
        ({"epochs": 3}, [], [], True, f"--epochs {OFFLINE}"),
        ({"learning_rate": 3.0}, [], [], True, f"--learning-rate {OFFLINE}"),
        ({"distill": True}, [], [], True, f"--distill {OFFLINE}"),
        ({"schedule": "linear"}, [], [], True, f"--schedule {OFFLINE}"),
        ({"begin": 0.1}, [], [], True, f"--begin {OFFLINE}"),
        ({"end": 0.1}, [], [], True, f"--end {OFFLINE}"),
        ({"round_to": 4}, [], [], True, f"--round-to {OFFLINE}"),
        ({"base": "a"}, [], [], True, f"--from {OFFLINE}"),
        ({"seed": 1}, [], [], True, f"--seed {OFFLINE}"),
        ({"exclude": ("a",)}, [], [], True, f"--exclude {OFFLINE}"),
        ({}, [], ["unit"], True, f"--then {OFFLINE}"),
        ({}, [(0.5, 0.7)], [], True, f"a ladder of --sparsity {OFFLINE}"),
    ],
)
def test_a_chain_that_makes_no_sense_is_one_line(values, sparsities, then, offline, message):
    with pytest.raises(UsageError) as caught:
        chain(values, sparsities, then, offline)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
