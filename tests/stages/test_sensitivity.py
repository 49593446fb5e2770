"""Sensitivities of a run, from the command line."""

import json

import pytest
from click.testing import CliRunner

from tests.support.own_network import write_images
from tinyprune.artifacts.sensitivity import Sensitivity, SensitivityPoint
from tinyprune.cli import main
from tinyprune.report.render import sensitivity as rendering


def run(*arguments):
    return CliRunner().invoke(main, ["sensitivity", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--structure", "wieght"], "unknown structure 'wieght': did you mean 'weight'?"),
        (["--sparsity", "1.5"], "--sparsity 1.5: expected a fraction in [0, 1)"),
        (["--importance", "taylor"], "importance 'taylor' needs training"),
        (["--importance", "lapm"], "unknown importance 'lapm': did you mean 'lamp'?"),
        (["--block-size", "4"], "block size '4' is not RxC"),
        (
            ["--structure", "low-rank"],
            "structure 'low-rank' makes other layers, a sensitivity masks weights: "
            "`tinyprune prune --structure low-rank --show-plan`",
        ),
        (["--picture", "layers.txt"], "expected FILE.png, FILE.svg or FILE.pdf"),
        ([], "no finished variant 'baseline' in"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, message, tmp_path):
    found = run(*arguments, "--run", tmp_path / "none")
    assert found.exit_code == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_nothing_is_ranked_by_gradients_that_no_training_makes():
    from tinyprune.sparsity.importance import FROM_GRADIENTS
    from tinyprune.stages.sensitivity import SensitivityRequest

    prunings = SensitivityRequest().prunings()
    assert {pruning.structure for pruning in prunings} == {"weight", "block", "unit"}
    assert not {pruning.settled_importance for pruning in prunings} & FROM_GRADIENTS


def record(points):
    return Sensitivity(1, "baseline", "", "lamp", "accuracy", 0.9, points, {"unit": {"head": "no"}})


def test_the_table_has_the_change_of_each_layer_and_fits_80_columns():
    names = [("a" * 60,), ("stem", "block_1", "block_2")]
    points = []
    for layers in names:
        points.append(SensitivityPoint(layers, "weight", 0.5, 0.875))
        points.append(SensitivityPoint(layers, "weight", 0.9, None))
    text = rendering.as_table(record(tuple(points)))
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split() for line in text.splitlines() if "weight" in line]
    assert rows[1] == ["stem", "+2", "weight", "-0.025", "none"]  # 0.875 - 0.9
    assert "without unit: head: no" in text


@pytest.mark.slow
def test_points_are_kept_and_measured_once(own_network, tmp_path, monkeypatch):
    recipe = tmp_path / "tiny.toml"
    images = write_images(tmp_path / "images.npz")
    recipe.write_text(
        f'[data]\nname = "images"\npath = "{images}"\naugment = false\n'
        '[model]\nname = "tiny_net:build"\n'
        "[train]\nepochs = 2\nbatch_size = 8\nlearning_rate = 0.02\n"
    )
    from tinyprune.config.recipe import load_recipe
    from tinyprune.stages import sensitivity
    from tinyprune.stages.train import train_baseline

    train_baseline(tmp_path / "run", load_recipe(recipe))
    arguments = ["--run", tmp_path / "run", "--structure", "weight", "--format", "json"]
    first = run(*arguments, "--sparsity", "0.5")
    assert first.exit_code == 0, first.output
    points = json.loads(first.stdout)["points"]
    assert [point["layers"] for point in points] == [
        ["stem"],
        ["depthwise"],
        ["pointwise"],
        ["head"],
    ]

    scored = []
    score = sensitivity._Score.__call__
    monkeypatch.setattr(
        sensitivity._Score, "__call__", lambda self: scored.append(1) or score(self)
    )
    picture = tmp_path / "layers.png"
    second = run(*arguments, "--sparsity", "0.5,0.9", "--picture", picture)
    assert len(scored) == 4  # those of 90 %
    assert json.loads(second.stdout)["points"][:4] == points
    assert picture.read_bytes().startswith(b"\x89PNG")
