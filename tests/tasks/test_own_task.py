"""A task of a user: the example as it stands, and objects that are no task."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.config import OwnData
from tinyprune.errors import UsageError
from tinyprune.tasks.own import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_task.py"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The current folder, with the example in it."""
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_task", raising=False)
    return tmp_path


def command(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_the_example_goes_through_every_stage(here):
    run = ["--run", here / "run"]
    command(
        "train", "--task", "own_task:direction", "--model", "own_task:network", *run, "--epochs", 3
    )
    command("prune", *run, "--sparsity", 0.5, "--epochs", 2)
    task = json.loads((here / "run/variants/baseline/task.json").read_text())
    assert (task["name"], task["metric"]) == ("own", "degrees_error")
    quality = json.loads((here / "run/variants/weight-0.50/quality.json").read_text())
    errors = {each["form"]: each["metrics"]["degrees_error"] for each in quality}
    assert errors["float"] < 5
    assert errors["int8"] == pytest.approx(errors["float"], abs=0.5)
    shown = json.loads(command("evaluate", *run, "--split", "test", "--format", "json"))
    assert shown["metrics"] == ["degrees_error"]
    assert shown["items"] == 300

    refused = CliRunner().invoke(
        main, ["train", "--task", "own_task:direction", "--loss", "mae", "--run", "other"]
    )
    assert (refused.exit_code, refused.stderr) == (
        2,
        "error: own_task:direction has a loss of its own: leave out --loss, --loss-weights and --class-weights\n",
    )


def test_a_network_with_another_number_of_outputs_is_refused_with_both_shapes(here):
    (here / "three_outputs.py").write_text(
        "import keras\n"
        "def three():\n"
        "    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])\n"
    )
    train = [
        "train",
        "--task",
        "own_task:direction",
        "--model",
        "three_outputs:three",
        "--run",
        "run",
    ]
    result = CliRunner().invoke(main, train)
    assert result.exit_code == 2
    assert "gives outputs of shape (3,): the data need (2,)" in result.stderr


class Described:
    """A task of given arrays."""

    metric = "mse"
    output_shape = (1,)

    def __init__(self, **splits):
        self.splits = splits

    def data(self, split):
        return self.splits.get(split)

    def loss(self, targets, outputs):
        return (targets - outputs) ** 2

    def score(self, targets, outputs):
        return 0.0


X = np.ones((4, 2))


@pytest.mark.parametrize(
    ("own", "line"),
    [
        (object(), "gives an object without metric, output_shape, data, loss, score: expected one"),
        (Described(train=(X, X)), r"data\('dev'\) gives nothing: train and dev are needed"),
        (Described(train=(X, X[:3])), r"data\('train'\) gives arrays \(4, 2\) and \(3, 2\)"),
        (Described(train=3), r"data\('train'\) gives no pair: expected \(inputs, targets\)"),
        (Described(train=(X * np.nan, X)), r"data\('train'\) gives inputs that are NaN"),
    ],
    ids=["no task", "no dev", "lengths", "no pair", "NaN"],
)
def test_what_is_no_task_is_one_line(own, line, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mine", type(sys)("mine"))
    sys.modules["mine"].create = lambda: own
    with pytest.raises(UsageError, match=f"^mine:create.*{line}"):
        load(OwnData(task="mine:create"), tmp_path)


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("mine.py", "'mine.py' names no task: expected package.module:function"),
        ("nowhere:create", "there is no module 'nowhere'"),
        ("json:create", "module 'json' has no function 'create': expected a function that returns"),
    ],
)
def test_a_name_of_no_task_is_one_line(task, line, tmp_path):
    with pytest.raises(UsageError, match=line):
        load(OwnData(task=task), tmp_path)
