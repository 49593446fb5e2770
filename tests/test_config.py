import json

import pytest

from tinyprune.config import (
    DataConfig,
    PruneConfig,
    RunConfig,
    TargetConfig,
    TrainConfig,
    build,
    from_mapping,
    load_recipe,
    to_mapping,
    with_overrides,
    with_values,
)
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


def test_an_empty_recipe_is_the_defaults(tmp_path):
    assert load_recipe(recipe_file(tmp_path, "")) == RunConfig()


def test_one_table_is_a_list_of_one():
    assert from_mapping({"prune": {"sparsity": 0.5}}).prune == (PruneConfig(sparsity=0.5),)


def test_json_round_trip():
    config = RunConfig(prune=(PruneConfig(), PruneConfig(name="b", distill=False)), data=DataConfig(snr_db=(0.0, 1.5)))
    assert from_mapping(json.loads(json.dumps(to_mapping(config)))) == config


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"trian": {}},
            "unknown key 'trian': did you mean 'train'? expected one of: data, model, prune, target, train",
        ),
        ({"train": {"epoch": 3}}, "unknown key 'train.epoch': did you mean 'train.epochs'?"),
        ({"prune": [{}, {"sparsty": 1}]}, "unknown key 'prune.1.sparsty': did you mean 'prune.1.sparsity'?"),
        ({"train": {"epochs": "3"}}, "train.epochs: expected a whole number, got '3'"),
        ({"train": {"epochs": 3.5}}, "train.epochs: expected a whole number, got 3.5"),
        ({"train": {"epochs": True}}, "train.epochs: expected a whole number, got True"),
        ({"train": {"epochs": 0}}, "train.epochs: expected at least 1, got 0"),
        ({"train": {"learning_rate": float("nan")}}, "train.learning_rate: expected a number, got nan"),
        ({"train": {"learning_rate": 0}}, "train.learning_rate: expected more than 0, got 0.0"),
        ({"train": {"loss": "mse"}}, "train.loss: expected one of: si-sdr, spectrum, combined, got mse"),
        ({"train": 3}, "train: expected a table, got 3"),
        ({"prune": [{"sparsity": 80}]}, "prune.0.sparsity: expected a fraction in [0, 1), e.g. 0.8, got 80.0"),
        ({"prune": [{"sparsity": 1}]}, "prune.0.sparsity: expected a fraction in [0, 1), e.g. 0.8, got 1.0"),
        ({"prune": [{"distill": 1}]}, "prune.0.distill: expected true or false, got 1"),
        ({"prune": [{"structure": "wieght"}]}, "unknown structure 'wieght': did you mean 'weight'?"),
        ({"prune": [{"name": "../up"}]}, "prune.0.name: '../up' cannot name a variant"),
        ({"prune": [{"name": "baseline"}]}, "prune.0.name: 'baseline' cannot name a variant"),
        ({"prune": [{}, {}]}, "prune.1.name: 'weight-0.80' is there twice"),
        ({"prune": 0.8}, "prune: expected tables, written [[prune]], got 0.8"),
        ({"target": []}, "target: expected at least one [[target]]"),
        ({"model": {"name": "tinylstn"}}, "unknown model 'tinylstn': did you mean 'tinylstm'?"),
        ({"data": {"snr_db": [9, -6]}}, "data.snr_db: expected low:high with low <= high, e.g. -6:9, got (9.0, -6.0)"),
        ({"data": {"snr_db": [1]}}, 'data.snr_db: expected two numbers, [low, high] or "low:high", got [1]'),
        ({"data": {"snr_db": "1:two"}}, "data.snr_db: expected a number, got 'two'"),
        ({"data": {"minutes": 0}}, "data.minutes: expected more than 0, got 0.0"),
        ({"data": {"speech": "a"}}, 'data.speech: is not used by data.name = "synthetic-speech"'),
        ({"data": {"name": "mixture", "speech": "a"}}, 'data.noise: data.name = "mixture" needs it'),
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
        ("target.0.npu = ethos-u65-256", lambda config: config.target[0].npu, "ethos-u65-256"),
    ],
)
def test_an_override_is_typed_by_its_key(assignment, read, expected):
    assert read(with_overrides(RunConfig(prune=(PruneConfig(name="a"),)), [assignment])) == expected


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epochs", "--set train.epochs: expected KEY=VALUE, e.g. --set train.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("train.epochs=three", "train.epochs: expected a whole number, got 'three'"),
        ("train.epohcs=3", "unknown key 'train.epohcs': did you mean 'train.epochs'?"),
        ("train.epochs.x=3", "train.epochs.x: "),
        ("prune.1.sparsity=0.9", "prune.1.sparsity: there is no entry '1' in prune, which has 1, counted from 0"),
        (
            "prune.sparsity=0.9",
            "prune.sparsity: it needs the number of an entry, counted from 0, e.g. prune.0.sparsity",
        ),
        ("prune.0.distill=maybe", "prune.0.distill: expected true or false, got 'maybe'"),
    ],
)
def test_an_override_that_makes_no_sense_is_one_line(assignment, message):
    with pytest.raises(UsageError) as caught:
        with_overrides(RunConfig(prune=(PruneConfig(),)), [assignment])
    assert str(caught.value).startswith(message)


def test_values_of_none_change_nothing():
    assert with_values(RunConfig(), {"train.epochs": None, "data.name": None}) == RunConfig()
    assert with_values(RunConfig(), {"train.epochs": 5}).train == TrainConfig(epochs=5)


def test_one_dataclass_alone_is_checked_too():
    assert build(PruneConfig, {"sparsity": 0.25}) == PruneConfig(sparsity=0.25)
    with pytest.raises(UsageError, match="^sparsity: expected a fraction"):
        build(PruneConfig, {"sparsity": -0.1})


def test_errors_of_a_recipe_start_with_its_file(tmp_path):
    path = recipe_file(tmp_path, "[train]\nepochs = 0\n")
    with pytest.raises(UsageError, match=r"recipe\.toml: train\.epochs: expected at least 1"):
        load_recipe(path)


@pytest.mark.parametrize(("text", "message"), [("[train", "is not TOML: "), (None, "cannot read recipe ")])
def test_a_recipe_that_cannot_be_read_is_a_usage_error(tmp_path, text, message):
    path = tmp_path / "none.toml" if text is None else recipe_file(tmp_path, text)
    with pytest.raises(UsageError, match=message):
        load_recipe(path)
