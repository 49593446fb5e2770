"""A policy says what it means, or one line says what is wrong with it."""

from pathlib import Path

import pytest

from tinyprune.artifacts.quantity import HIGHER, Allowance
from tinyprune.errors import UsageError
from tinyprune.registry import METRICS
from tinyprune.report.model.policy import (
    Policy,
    Rule,
    default_rule,
    load_policy,
)

EXAMPLE = Path(__file__).parents[3] / "docs" / "policy.example.toml"

#: The metrics of which less is better.
ERRORS = ["mse", "mae"]


def policy(folder: Path, text: str, metrics: tuple[str, ...] = ()) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text)
    return load_policy(path, metrics)


@pytest.mark.parametrize(
    ("metric", "rule"),
    [
        ("si_sdr_db", Rule("higher", Allowance(0.1))),
        ("accuracy", Rule("higher", Allowance(0.01))),
        ("my_own_score", Rule("higher", Allowance(0.01))),
        ("flash_bytes", Rule("lower", Allowance(0.01, relative=True))),
        ("encoded_weight_bytes", Rule("lower", Allowance(0.01, relative=True))),
        ("sram_bytes", Rule("lower", Allowance(0.01, relative=True))),
        ("cycles", Rule("lower", Allowance(0.01, relative=True))),
        ("seconds_per_frame", Rule("lower", Allowance(0.01, relative=True))),
        ("cpu_operator_count", Rule("lower", Allowance(0))),
        ("cycles_npu", Rule("lower")),
        ("tflite_bytes", Rule("lower")),
        ("sparsity", Rule("-")),
        ("macs", Rule("-")),
    ],
)
def test_the_default(metric: str, rule: Rule) -> None:
    assert Policy().rule(metric) == rule


def test_every_registered_metric_has_a_default() -> None:
    lower = [name for name in METRICS if Policy().rule(name).direction == "lower"]
    assert lower == ERRORS
    assert all(Policy().rule(name).direction == "higher" for name in METRICS if name not in ERRORS)


def test_an_allowance_is_an_amount_or_a_share() -> None:
    assert Allowance(0.02, relative=True).of(500) == 0.02 * 500
    assert Allowance(0.02, relative=True).of(-5) == 0.02 * 5
    assert Allowance(1024).of(500) == 1024


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ('"2%"', Allowance(0.02, relative=True)),
        ('" 2.5 % "', Allowance(0.025, relative=True)),
        ("300", Allowance(300)),
        ('"1KiB"', Allowance(1024)),
        ('"1kB"', Allowance(1000)),
        ("0", Allowance(0)),
    ],
)
def test_forms_of_an_allowance(tmp_path: Path, allowed: str, expected: Allowance) -> None:
    found = policy(tmp_path, f"[metrics.flash_bytes]\nallowed = {allowed}")
    assert found.rule("flash_bytes") == Rule("lower", expected)
    assert found.rule("sram_bytes") == default_rule("sram_bytes")
    assert found.name == str(tmp_path / "policy.toml")


def test_units_of_cycles_and_time(tmp_path: Path) -> None:
    found = policy(
        tmp_path, '[metrics.cycles]\nallowed = "2k"\n[metrics.seconds_per_frame]\nallowed = "0.1ms"'
    )
    assert found.rule("cycles").allowed == Allowance(2000)
    assert found.rule("seconds_per_frame").allowed == Allowance(0.1 / 1000)


def test_the_first_entry_that_fits_counts(tmp_path: Path) -> None:
    text = '[metrics.si_sdr_db]\nallowed = 1\n[metrics."*_db"]\nallowed = 2\n[metrics."*"]\nignore = true'
    found = policy(tmp_path, text)
    assert found.rule("si_sdr_db").allowed == Allowance(1)
    assert found.rule("sdr_db").allowed == Allowance(2)
    assert found.rule("cycles").ignored
    assert not found.rule("sdr_db").ignored


def test_a_direction_may_be_given(tmp_path: Path) -> None:
    found = policy(tmp_path, '[metrics.sparsity]\nallowed = 0.05\ndirection = "higher"')
    assert found.rule("sparsity") == Rule("higher", Allowance(0.05))
    turned = policy(tmp_path, '[metrics.word_errors]\ndirection = "lower"', ("word_errors",))
    assert turned.rule("word_errors") == Rule("lower", Allowance(0.01))


def test_nothing_in_it_is_the_default(tmp_path: Path) -> None:
    assert policy(tmp_path, "").entries == ()


def test_the_example() -> None:
    found = load_policy(EXAMPLE)
    assert found.rule("sram_bytes").allowed == Allowance(1024)
    assert found.rule("cycles_npu").ignored
    assert not found.rule("cycles").ignored


BAD = {
    "[metrics.flash_byte]\nallowed = 1": r"unknown metric 'flash_byte': did you mean 'flash_bytes'\? expected one of: ",
    '[metrics."*_dB"]\nallowed = 1': r"unknown metric '\*_dB': .*expected one of: .*si_sdr_db",
    "[metrics.cycles]\nallow = 1": r"unknown key 'metrics\.cycles\.allow': did you mean 'metrics\.cycles\.allowed'\?",
    "[metric.cycles]\nallowed = 1": r"unknown key 'metric': did you mean 'metrics'\? expected one of: metrics",
    "metrics = 3": r"metrics: expected a table, written \[metrics\], got 3",
    '[metrics]\ncycles = "2%"': r"metrics\.cycles: expected a table, written \[metrics\.cycles\], got '2%'",
    "[metrics.cycles]\nallowed = -1": r"metrics\.cycles\.allowed: expected a number of at least 0, got -1",
    '[metrics.cycles]\nallowed = "-1%"': r"metrics\.cycles\.allowed: expected a number of at least 0, got '-1%'",
    '[metrics.cycles]\nallowed = "x%"': r"metrics\.cycles\.allowed: expected a number of at least 0, got 'x%'",
    "[metrics.cycles]\nallowed = inf": r"metrics\.cycles\.allowed: expected a number of at least 0, got inf",
    "[metrics.cycles]\nallowed = nan": r"metrics\.cycles\.allowed: expected a number of at least 0, got nan",
    "[metrics.cycles]\nallowed = true": r'expected a number or a percentage such as "2%", got True',
    '[metrics.accuracy]\nallowed = "2"': r'expected a number or a percentage such as "2%", got \'2\'',
    '[metrics.cycles]\nallowed = "1KiB"': r"metrics\.cycles\.allowed: '1KiB' ",
    '[metrics.flash_bytes]\nallowed = "1 kb"': r"metrics\.flash_bytes\.allowed: '1 kb' .*1KiB",
    '[metrics.flash_bytes]\nallowed = "-1KiB"': r"metrics\.flash_bytes\.allowed: '-1KiB' ",
    '[metrics."*"]\nallowed = "1KiB"': r'expected a number or a percentage such as "2%", got \'1KiB\'',
    '[metrics."*_db"]\nallowed = "2%"': r"metrics\.\*_db\.allowed: a percentage of dB says nothing",
    '[metrics.cycles]\ndirection = "down"': r"metrics\.cycles\.direction: expected 'higher' or 'lower', got 'down'",
    "[metrics.cycles]\nignore = 1": r"metrics\.cycles\.ignore: expected true or false, got 1",
    "[metrics.cycles]\nignore = true\nallowed = 1": r"metrics\.cycles: what is ignored has no other key",
    "[metrics.macs]\nallowed = 1": r"metrics\.macs: it is only information: say which is better",
    '[metrics."*"]\nignore = true\n[metrics.cycles]\nallowed = 1': r"metrics\.cycles: it never counts, because \*",
    "[metrics": r"is not TOML: .*",
    "[metrics.cycles]\n[metrics.cycles]": r"is not TOML: .*",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=lambda text: text[:40])
def test_what_is_wrong_is_one_line_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        policy(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "policy.toml"))
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read policy .*none\.toml: No such file"):
        load_policy(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"binary\.toml is not TOML"):
        load_policy(tmp_path / "binary.toml")


@pytest.mark.parametrize("metric", [name for name in METRICS if name not in ERRORS])
def test_of_every_other_metric_more_is_better(metric):
    assert default_rule(metric).direction == HIGHER
    assert default_rule(metric).allowed.amount == {"_db": 0.1}.get(
        metric[-3:], 0.05 if metric[:4] == "pesq" else 0.01
    )
