import json

import pytest

from tinyprune.config import (
    KeywordData,
    LayerRule,
    MagnitudePruning,
    ModelConfig,
    PruneConfig,
    RunConfig,
    SyntheticSpeechData,
    TargetConfig,
    TrainConfig,
    from_mapping,
    to_mapping,
)
from tinyprune.config.budget import Budget, BudgetConfig
from tinyprune.config.recipe import load_recipe, with_overrides, with_values
from tinyprune.errors import UsageError

RECIPE = """
[data]
name = "mixture"
speech = "corpus/speech"
noise = "/corpus/noise"
snr_db = [-5, 5]

[train]
epochs = 3
learning_rate = 1

[[prune]]
sparsity = 0.5

[[prune]]
name = "small"
sparsity = 0.9

[[target]]
npu = "ethos-u85-256"
"""


def recipe_file(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_becomes_a_typed_configuration(tmp_path):
    config = load_recipe(recipe_file(tmp_path, RECIPE))
    assert config.train == TrainConfig(epochs=3, learning_rate=1.0)
    assert isinstance(config.train.learning_rate, float)
    assert config.data.snr_db == (-5.0, 5.0)
    assert [prune.variant for prune in config.prune] == ["weight-0.50", "small"]
    assert config.target == (TargetConfig(npu="ethos-u85-256"),)


def test_folders_are_relative_to_the_recipe(tmp_path):
    data = load_recipe(recipe_file(tmp_path, RECIPE)).data
    assert data.speech == str(tmp_path / "corpus/speech")
    assert data.noise == "/corpus/noise"
    assert data.dev_speech is None


def test_folders_may_be_lists_and_one_is_recorded_as_it_always_was(tmp_path):
    several = RECIPE.replace('"corpus/speech"', '["corpus/speech", "/more"]')
    data = load_recipe(recipe_file(tmp_path, several)).data
    assert data.speech == (str(tmp_path / "corpus/speech"), "/more")
    assert data.record()["speech"] == [str(tmp_path / "corpus/speech"), "/more"]
    assert from_mapping({"data": data.record()}).data == data
    alone = RECIPE.replace('"corpus/speech"', '["corpus/speech"]')
    one = load_recipe(recipe_file(tmp_path, alone)).data
    assert one == load_recipe(recipe_file(tmp_path, RECIPE)).data
    assert one.record()["speech"] == str(tmp_path / "corpus/speech")


def test_a_folder_that_is_no_text_is_refused():
    with pytest.raises(UsageError, match=r"^data\.speech\.1: expected a text, got 3$"):
        from_mapping({"data": {"name": "mixture", "speech": ["a", 3], "noise": "b"}})


def test_an_empty_recipe_is_the_defaults(tmp_path):
    assert load_recipe(recipe_file(tmp_path, "")) == RunConfig()


def test_one_table_is_a_list_of_one():
    assert from_mapping({"prune": {"sparsity": 0.5}}).prune == (MagnitudePruning(sparsity=0.5),)


def test_json_round_trip():
    config = RunConfig(
        prune=(MagnitudePruning(), MagnitudePruning(name="b", distill=False)),
        data=SyntheticSpeechData(snr_db=(0.0, 1.5)),
    )
    assert from_mapping(json.loads(json.dumps(to_mapping(config)))) == config


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"trian": {}},
            "unknown key 'trian': did you mean 'train'? expected one of: budget, data, model, prune, sweep, target, train",
        ),
        ({"train": {"epoch": 3}}, "unknown key 'train.epoch': did you mean 'train.epochs'?"),
        (
            {"prune": [{}, {"sparsty": 1}]},
            "unknown key 'prune.1.sparsty': did you mean 'prune.1.sparsity'?",
        ),
        ({"train": {"epochs": "3"}}, "train.epochs: expected a whole number, got '3'"),
        ({"train": {"epochs": 3.5}}, "train.epochs: expected a whole number, got 3.5"),
        ({"train": {"epochs": True}}, "train.epochs: expected a whole number, got True"),
        ({"train": {"epochs": -1}}, "train.epochs: expected at least 0, at most 1000000, got -1"),
        (
            {"train": {"learning_rate": float("nan")}},
            "train.learning_rate: expected a number, got nan",
        ),
        ({"train": {"learning_rate": 0}}, "train.learning_rate: expected more than 0, got 0.0"),
        (
            {"train": {"loss": "si-sdrr"}},
            "unknown loss 'si-sdrr': did you mean 'si-sdr'? expected one of: ",
        ),
        ({"train": 3}, "train: expected a table, got 3"),
        (
            {"prune": [{"sparsity": 80}]},
            "prune.0.sparsity: expected a fraction in [0, 1), e.g. 0.8, got 80.0",
        ),
        (
            {"prune": [{"sparsity": 1}]},
            "prune.0.sparsity: expected a fraction in [0, 1), e.g. 0.8, got 1.0",
        ),
        ({"prune": [{"distill": 1}]}, "prune.0.distill: expected true or false, got 1"),
        ({"prune": [{"epochs": 0}]}, "prune.0.epochs: expected at least 1, at most 1000000, got 0"),
        (
            {"prune": [{"schedule": "polynomail"}]},
            "unknown schedule 'polynomail': did you mean 'polynomial'? expected one of: constant, linear, one-shot, ",
        ),
        (
            {"prune": [{"importance": "l3"}]},
            "unknown importance 'l3': expected one of: l1, l2, lamp, relative, taylor",
        ),
        ({"prune": [{"scope": "all"}]}, "prune.0.scope: expected one of: global, layer, got all"),
        (
            {"prune": [{"structure": "2:4", "sparsity": 0.8}]},
            "prune.0.sparsity: 2:4 sets it to 0.5, got 0.8: leave it out, or try structure weight",
        ),
        (
            {"prune": [{"begin": 0.5, "end": 0.25}]},
            "prune.0.end: the schedule would end at 0.25 before it begins at 0.5",
        ),
        (
            {"prune": [{"begin": 300, "end": 200}]},
            "prune.0.end: the schedule would end at 200 before it begins at 300",
        ),
        (
            {"prune": [{"begin": -1}]},
            "prune.0.begin: expected a fraction of the training up to 1, or a number of ",
        ),
        (
            {"prune": [{"update_every": 0}]},
            "prune.0.update_every: expected at least 1, at most 1000000, got 0",
        ),
        (
            {"prune": [{"round_to": 0}]},
            "prune.0.round_to: expected at least 1, at most 1000000, got 0",
        ),
        (
            {"prune": [{"layers": 3}]},
            "prune.0.layers: expected tables, written [[prune.0.layers]], got 3",
        ),
        ({"prune": [{"layers": [{}]}]}, "prune.0.layers.0.match: it is needed: expected a text"),
        (
            {"prune": [{"layers": [{"match": "a", "sparsty": 1}]}]},
            "unknown key 'prune.0.layers.0.sparsty': did you mean 'prune.0.layers.0.sparsity'?",
        ),
        (
            {"prune": [{"layers": [{"match": "a"}, {"match": "b", "sparsity": 1.5}]}]},
            "prune.0.layers.1.sparsity: expected a fraction in [0, 1), e.g. 0.8, got 1.5",
        ),
        ({"prune": [{"exclude": 3}]}, 'prune.0.exclude: expected a list, [a, b] or "a,b", got 3'),
        ({"prune": [{"name": "../up"}]}, "prune.0.name: '../up' cannot name a variant"),
        ({"prune": [{"name": "baseline"}]}, "prune.0.name: 'baseline' cannot name a variant"),
        ({"prune": [{}, {}]}, "prune.1.name: 'weight-0.80' is there twice"),
        ({"prune": 0.8}, "prune: expected tables, written [[prune]], got 0.8"),
        ({"target": []}, "target: expected at least one [[target]]"),
        ({"model": {"name": 3}}, "model.name: expected a text, got 3"),
        ({"model": {"custom": 3}}, 'model.custom: expected a list, [a, b] or "a,b", got 3'),
        (
            {"data": {"snr_db": [9, -6]}},
            "data.snr_db: expected low:high with low <= high, e.g. -6:9, got (9.0, -6.0)",
        ),
        (
            {"data": {"snr_db": [1]}},
            'data.snr_db: expected two numbers, [low, high] or "low:high", got [1]',
        ),
        ({"data": {"snr_db": "1:two"}}, "data.snr_db: expected a number, got 'two'"),
        ({"data": {"minutes": 0}}, "data.minutes: expected more than 0, got 0.0"),
        ({"data": {"speech": "a"}}, 'data.speech: is not used by data.name = "synthetic-speech"'),
        (
            {"data": {"name": "mixture", "speech": "a"}},
            'data.noise: data.name = "mixture" needs it: give --noise DIR',
        ),
        ({"data": {"name": "keywords"}}, 'data.path: data.name = "keywords" needs it: give --path'),
        ({"data": {"name": "images"}}, 'data.path: data.name = "images" needs it: give --path'),
        (
            {"data": {"path": "a"}},
            'data.path: is not used by data.name = "synthetic-speech"; choose "mixture" or "paired" or "keywords"',
        ),
        (
            {"data": {"name": "mixture", "speech": "a", "noise": "b", "path": "c"}},
            "data.speech: the corpus in data.path has its own: give one of the two",
        ),
        (
            {"data": {"name": "keywords", "path": "a", "noise": "b"}},
            'data.noise: is not used by data.name = "keywords"; choose "mixture"',
        ),
        (
            {"data": {"name": "images", "path": "a", "words": ["b"]}},
            'data.words: is not used by data.name = "images"; choose "keywords"',
        ),
        (
            {"data": {"name": "keywords", "path": "a", "image_size": 8}},
            'data.image_size: is not used by data.name = "keywords"; choose "images"',
        ),
        (
            {"data": {"name": "paired", "noisy": "a"}},
            'data.clean: data.name = "paired" needs it: give --clean DIR, or',
        ),
        (
            {"data": {"name": "paired", "path": "a", "snr_db": [0, 5]}},
            'data.snr_db: is not used by data.name = "paired"; choose "synthetic-speech" or "mixture"',
        ),
        (
            {"data": {"level_db": [-20, 3]}},
            "data.level_db: expected low:high with low <= high <= 0",
        ),
        (
            {"data": {"speed": [0.1, 1]}},
            "data.speed: expected low:high with 0.5 <= low <= high <= 2",
        ),
        ({"data": {"babble": 2}}, "data.babble: expected a fraction in [0, 1], e.g. 0.2, got 2.0"),
        ({"data": {"words": 3}}, 'data.words: expected a list, [a, b] or "a,b", got 3'),
        ({"data": {"words": ["a", 3]}}, "data.words.1: expected a text, got 3"),
        ({"data": {"words": ["a", "a"]}}, "data.words: expected words, each once, got ('a', 'a')"),
        (
            {"data": {"normalise": "minmax"}},
            "data.normalise: expected one of: standard, unit, signed, none, got minmax",
        ),
        (
            {"data": {"image_size": 0}},
            "data.image_size: expected at least 1, at most 1000000, got 0",
        ),
        (
            {"data": {"hold_out": 1}},
            "data.hold_out: expected a fraction between 0 and 1, e.g. 0.1, got 1.0",
        ),
        ({"data": {"augment": "yes"}}, "data.augment: expected true or false, got 'yes'"),
    ],
)
def test_what_makes_no_sense_is_one_line_that_names_the_key(mapping, message):
    with pytest.raises(UsageError) as caught:
        from_mapping(mapping)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "read", "expected"),
    [
        ("train.epochs=3", lambda config: config.train.epochs, 3),
        ("train.learning_rate=1e-4", lambda config: config.train.learning_rate, 1e-4),
        ("data.snr_db=-5:5", lambda config: config.data.snr_db, (-5.0, 5.0)),
        ("prune.0.sparsity=0.9", lambda config: config.prune[0].sparsity, 0.9),
        ("prune.0.distill=false", lambda config: config.prune[0].distill, False),
        ("prune.0.name=2024", lambda config: config.prune[0].name, "2024"),
        ("prune.0.name=", lambda config: config.prune[0].name, None),
        ("prune.0.structure=", lambda config: config.prune[0].structure, "weight"),
        ("target.0.npu = ethos-u65-256", lambda config: config.target[0].npu, "ethos-u65-256"),
    ],
)
def test_an_override_is_typed_by_its_key(assignment, read, expected):
    assert (
        read(with_overrides(RunConfig(prune=(MagnitudePruning(name="a"),)), [assignment]))
        == expected
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epochs", "--set train.epochs: expected KEY=VALUE, e.g. --set train.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("train.epochs=three", "train.epochs: expected a whole number, got 'three'"),
        ("train.epohcs=3", "unknown key 'train.epohcs': did you mean 'train.epochs'?"),
        ("train.epochs.x=3", "train.epochs.x: "),
        (
            "prune.1.sparsity=0.9",
            "prune.1.sparsity: there is no entry '1' in prune, which has 1, counted from 0",
        ),
        (
            "prune.sparsity=0.9",
            "prune.sparsity: it needs the number of an entry, counted from 0, e.g. prune.0.sparsity",
        ),
        ("prune.0.distill=maybe", "prune.0.distill: expected true or false, got 'maybe'"),
    ],
)
def test_an_override_that_makes_no_sense_is_one_line(assignment, message):
    with pytest.raises(UsageError) as caught:
        with_overrides(RunConfig(prune=(MagnitudePruning(),)), [assignment])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("assignments", "read", "expected"),
    [
        (["data.words=yes,no, up"], lambda data: data.words, ("yes", "no", "up")),
        (["data.words=yes"], lambda data: data.words, ("yes",)),
        (["data.words=yes", "data.words="], lambda data: data.words, ()),
        (["data.augment=false"], lambda data: data.augment, False),
    ],
)
def test_a_list_of_texts_may_be_written_with_commas(assignments, read, expected):
    config = RunConfig(data=KeywordData(path="a"))
    assert read(with_overrides(config, assignments).data) == expected


def test_labelled_data_in_a_recipe(tmp_path):
    text = '[data]\nname = "keywords"\npath = "words"\nwords = ["yes", "no"]\nhold_out = 0.2\n'
    config = load_recipe(recipe_file(tmp_path, text))
    expected = KeywordData(path=str(tmp_path / "words"), words=("yes", "no"), hold_out=0.2)
    assert config.data == expected
    assert from_mapping(json.loads(json.dumps(to_mapping(config)))) == config


def test_values_of_none_change_nothing():
    assert with_values(RunConfig(), {"train.epochs": None, "data.name": None}) == RunConfig()
    assert with_values(RunConfig(), {"train.epochs": 5}).train == TrainConfig(epochs=5)


def test_one_dataclass_alone_is_checked_too():
    assert from_mapping({"sparsity": 0.25}, PruneConfig) == MagnitudePruning(sparsity=0.25)
    with pytest.raises(UsageError, match="^sparsity: expected a fraction"):
        from_mapping({"sparsity": -0.1}, PruneConfig)


def test_a_recipe_of_an_editor_that_marks_utf_8_is_read(tmp_path):
    path = recipe_file(tmp_path, "\ufeff[train]\nepochs = 3\n")
    assert load_recipe(path).train.epochs == 3


def test_errors_of_a_recipe_start_with_its_file(tmp_path):
    path = recipe_file(tmp_path, "[train]\nepochs = -1\n")
    with pytest.raises(UsageError, match=r"recipe\.toml: train\.epochs: expected at least 0"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "message"), [("[train", "is not TOML: "), (None, "cannot read recipe ")]
)
def test_a_recipe_that_cannot_be_read_is_a_usage_error(tmp_path, text, message):
    path = tmp_path / "none.toml" if text is None else recipe_file(tmp_path, text)
    with pytest.raises(UsageError, match=message):
        load_recipe(path)


# --- prunings
# ---------------------------------------------------------------------------------------------------------

STAGES = """
[model]
name = "nets:build"
custom = ["nets.layers"]

[[prune]]
structure = "unit"
sparsity = 0.5
exclude = ["head"]

[[prune]]
base = "unit-0.50"
structure = "block"
block_size = "4x16"
importance = "l2"

[[prune.layers]]
match = "lstm_*"
structure = "2:4"

[[prune.layers]]
match = "dense/kernel"
sparsity = 0.25

[[prune.layers]]
match = "*"
skip = true
"""


def test_two_stages_and_rules_for_layers_in_a_recipe(tmp_path):
    config = load_recipe(recipe_file(tmp_path, STAGES))
    assert config.model == ModelConfig("nets:build", ("nets.layers",))
    rules = (
        LayerRule("lstm_*", "2:4"),
        LayerRule("dense/kernel", sparsity=0.25),
        LayerRule("*", skip=True),
    )
    assert config.prune == (
        MagnitudePruning(structure="unit", sparsity=0.5, exclude=("head",)),
        MagnitudePruning(
            base="unit-0.50", structure="block", block_size="4x16", importance="l2", layers=rules
        ),
    )
    assert from_mapping(json.loads(json.dumps(to_mapping(config)))) == config


@pytest.mark.parametrize(
    ("name", "kept"),
    [("net.keras", False), ("sub/net.H5", False), ("nets:build", True), ("tinylstm", True)],
)
def test_a_model_file_is_relative_to_the_recipe(tmp_path, name, kept):
    config = load_recipe(recipe_file(tmp_path, f'[model]\nname = "{name}"\n'))
    assert config.model.name == (name if kept else str(tmp_path / name))


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (MagnitudePruning(), "weight-0.80"),
        (MagnitudePruning(sparsity=0.0), "weight-0.00"),
        (MagnitudePruning(sparsity=0.955), "weight-0.95"),  # 0.955 is a little less in binary
        (MagnitudePruning(structure="block"), "block-0.80"),
        (MagnitudePruning(structure="block", block_size="4x16", sparsity=0.5), "block-4x16-0.50"),
        (MagnitudePruning(structure="2:4"), "2-4"),
        (MagnitudePruning(structure="unit", base="weight-0.50"), "weight-0.50-unit-0.80"),
        (MagnitudePruning(structure="2:4", base="a"), "a-2-4"),
        (MagnitudePruning(base="a", name="b"), "b"),
    ],
)
def test_a_variant_is_named_after_its_base_and_what_is_done_to_it(config, name):
    assert config.variant == name


@pytest.mark.parametrize(
    ("config", "sparsity"),
    [
        (MagnitudePruning(), 0.8),
        (MagnitudePruning(sparsity=0.0), 0.0),
        (MagnitudePruning(structure="2:4"), 1 - 2 / 4),
        (MagnitudePruning(structure="1:4"), 1 - 1 / 4),
    ],
)
def test_the_final_sparsity_is_given_or_that_of_n_m(config, sparsity):
    assert config.final_sparsity == sparsity


def test_a_schedule_may_begin_at_a_fraction_and_end_at_a_step():
    assert from_mapping({"begin": 0.5, "end": 200}, PruneConfig).end == 200
    assert from_mapping({"begin": 0.5, "end": 0.5}, PruneConfig).begin == 0.5


# --- budgets
# ----------------------------------------------------------------------------------------------------------

BUDGET = """
[budget]
max_flash = "100KiB"
max_sram = "64 kB"
max_cycles = 200000
max_latency = "16ms"
max_cpu_ops = 0
max_macs = 2_000_000
"""


def test_a_budget_in_a_recipe_becomes_numbers(tmp_path):
    config = load_recipe(recipe_file(tmp_path, BUDGET))
    assert config.budget == BudgetConfig("100KiB", "64 kB", "2000000", "200000", "16ms", 0)
    assert config.budget.resolved() == Budget(100 * 1024, 64 * 1000, 200_000, 0.016, 0, 2_000_000)
    assert from_mapping(json.loads(json.dumps(to_mapping(config)))) == config


def test_without_a_budget_nothing_is_limited():
    assert RunConfig().budget == BudgetConfig()
    assert RunConfig().budget.resolved() == Budget()
    assert Budget().is_empty
    assert not Budget(cpu_operators=0).is_empty
    assert not Budget(macs=1).is_empty


@pytest.mark.parametrize(
    ("cycles", "expected"), [(200_000, 200_000), ("200k", 200_000), (2e5, 200_000)]
)
def test_cycles_are_a_number_or_a_text(cycles, expected):
    assert from_mapping({"budget": {"max_cycles": cycles}}).budget.resolved() == Budget(
        cycles=expected
    )
    assert from_mapping({"max_cycles": cycles}, BudgetConfig).resolved() == Budget(cycles=expected)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"max_flash": "100 kb"}, "max_flash: '100 kb' can be read in several ways: write 100KiB "),
        (
            {"max_flash": 102400},
            "max_flash: '102400' can be read in several ways: write 102400KiB ",
        ),
        ({"max_sram": "64"}, "max_sram: '64' can be read in several ways: write 64KiB "),
        ({"max_sram": ""}, "max_sram: '' is not a size: expected a number with one of B, kB, "),
        ({"max_cycles": "200K"}, "max_cycles: '200K' is not clear: write 200k (1000 each)"),
        ({"max_cycles": -1}, "max_cycles: '-1' is not a number: "),
        ({"max_cycles": float("nan")}, "max_cycles: 'nan' is not a number: "),
        ({"max_cycles": True}, "max_cycles: expected a text, got True"),
        ({"max_macs": "2m"}, "max_macs: '2m' is not clear: write 2M (1000000 each)"),
        ({"max_macs": 0}, "max_macs: nothing fits into '0': expected more than 0, e.g. 2M; "),
        (
            {"max_latency": 0.016},
            "max_latency: '0.016' can be read in several ways: write 0.016ms ",
        ),
        ({"max_latency": "16"}, "max_latency: '16' can be read in several ways: write 16ms "),
        (
            {"max_flash": "0 B"},
            "max_flash: nothing fits into '0 B': expected more than 0, e.g. 100KiB; ",
        ),
        ({"max_cycles": 0}, "max_cycles: nothing fits into '0': expected more than 0, e.g. 200k; "),
        (
            {"max_latency": "0ms"},
            "max_latency: nothing fits into '0ms': expected more than 0, e.g. 16ms; ",
        ),
        ({"max_cpu_ops": -1}, "max_cpu_ops: expected 0 or more, got -1"),
        ({"max_cpu_ops": "none"}, "max_cpu_ops: expected a whole number, got 'none'"),
    ],
)
def test_a_limit_that_makes_no_sense_names_its_key(table, message):
    with pytest.raises(UsageError) as caught:
        from_mapping({"budget": table})
    assert str(caught.value).startswith(f"budget.{message}")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        from_mapping(table, BudgetConfig)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"budget": {"max_flsh": "1kB"}},
            "unknown key 'budget.max_flsh': did you mean 'budget.max_flash'? ",
        ),
        ({"budget": 3}, "budget: expected a table, got 3"),
    ],
)
def test_a_budget_that_is_none_is_one_line(mapping, message):
    with pytest.raises(UsageError) as caught:
        from_mapping(mapping)
    assert str(caught.value).startswith(message)


def test_an_unchecked_budget_is_checked_when_it_becomes_numbers():
    with pytest.raises(UsageError, match="^max_sram: '64' can be read in several ways"):
        BudgetConfig(max_sram="64").resolved()


def test_a_limit_may_be_set_and_unset_on_the_command_line():
    config = with_overrides(
        RunConfig(), ["budget.max_cycles=200000", "budget.max_latency=16ms", "budget.max_cpu_ops=1"]
    )
    assert config.budget.resolved() == Budget(cycles=200_000, seconds=0.016, cpu_operators=1)
    assert with_overrides(config, ["budget.max_cycles="]).budget.max_cycles is None
