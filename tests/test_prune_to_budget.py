"""Prunings to a budget from end to end: a run on pictures, real stages, real Vela."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.resources import CompiledArtifact
from tinyprune.cli import main
from tinyprune.config import BudgetPruning, PruneConfig, TargetConfig
from tinyprune.config.budget import BudgetConfig
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.npu.limits import RECORD
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.prune import prune_variants
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json, write_json

pytestmark = pytest.mark.slow  # tests/budget trains too, in seconds

NPU = TargetConfig("ethos-u55-128")


def config(name: str, **fields) -> PruneConfig:
    fields = {"epochs": 4, "distill": False, "round_to": 4} | fields
    return BudgetPruning(name=name, **fields)


def macs(stem: int, pointwise: int) -> int:
    """Of the network of conftest.py on 8x8 pictures: stride 2, depthwise, 1x1, 3 classes."""
    return 4 * 4 * (9 * 3 * stem + 9 * stem + stem * pointwise) + pointwise * 3


#: A budget of the network itself, and one of what Vela says.
OWN = config("own", budget=BudgetConfig(max_macs=str(macs(8, 12)), max_flash="1kB"))
ON_NPU = config("npu", budget=BudgetConfig(max_flash="3.5kB", max_cycles="4500"), target=NPU)


@pytest.fixture(scope="module")
def run(image_run, tmp_path_factory) -> Path:
    """The run on pictures with two prunings to a budget."""
    folder = tmp_path_factory.mktemp("budget") / "run"
    shutil.copytree(image_run.folder, folder)
    prune_variants(folder, [OWN, ON_NPU])
    return folder


def record(run: Path, name: str) -> BudgetRecord:
    return read_json(run / "variants" / name / RECORD, BudgetRecord)


def left(run: Path, name: str) -> tuple[int, int]:
    model = keras.models.load_model(run / "variants" / name / "model.keras")
    return model.get_layer("stem").filters, model.get_layer("pointwise").filters


def test_a_budget_of_the_network_itself_is_kept_and_recorded(run):
    stem, pointwise = left(run, "own")
    size = (
        9 * 3 * stem + 9 * stem + stem * pointwise + 3 * pointwise + 4 * (2 * stem + pointwise + 3)
    )
    flash, operations = record(run, "own").lines
    assert (flash.name, flash.most, flash.measured) == ("flash", 1000, None)
    assert (operations.name, operations.most, operations.before) == (
        "MACs",
        macs(8, 12),
        macs(16, 24),
    )
    assert (flash.expected, operations.expected) == (size, macs(stem, pointwise))
    assert size <= 1000
    assert macs(stem, pointwise) <= macs(8, 12)
    assert stem % 4 == pointwise % 4 == 0
    found = record(run, "own")
    assert (found.target, found.sets, found.whole) == (None, ("stem", "pointwise"), (16, 24))
    assert found.removals[-1].left == (stem, pointwise)


def test_a_budget_of_an_accelerator_is_kept_by_what_vela_says_of_the_export(run):
    found, folder = record(run, "npu"), run / "variants/npu"
    assert found.target == "ethos-u55-128-shared-sram"
    flash, cycles = found.lines
    assert flash.measured <= flash.most == 3500
    assert cycles.measured <= cycles.most == 4500
    made = read_json(next(folder.glob("compiled/*/report.json")), CompiledArtifact).report
    assert (made.flash_bytes, made.cycles) == (flash.measured, cycles.measured)
    assert made.target.name == found.target
    assert flash.before > 3500
    assert flash.expected == pytest.approx(flash.measured, rel=0.1)
    assert len(found.compilations) >= 2
    assert not (folder / "vela-loop").exists()


@pytest.mark.parametrize("name", ["own", "npu"])
def test_it_is_a_variant_like_any_other(run, name):
    folder = run / "variants" / name
    plan = read_json(folder / "plan.json", PruningPlan)
    assert {layer.method for layer in plan.layers} == {"differentiable"}
    assert (
        read_json(folder / "size.json", int)
        == keras.models.load_model(folder / "model.keras").count_params()
    )
    stem, pointwise = left(run, name)
    tensors = {
        tensor.name: tensor.size
        for tensor in read_json(folder / "int8.json", TFLiteArtifact).tensors
    }
    assert tensors["stem/kernel"] == 9 * 3 * stem
    assert tensors["pointwise/kernel"] == stem * pointwise
    with (folder / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    train = json.loads((folder / "train.json").read_text())
    own = (
        {RECORD} if name == "own" else set()
    )  # the other one is changed when Vela has seen the export
    assert set(train["outputs"]) == {"model.keras", "size.json", "history.csv", "plan.json"} | own
    assert all(sha256(folder / file) == digest for file, digest in train["outputs"].items())
    assert not (folder / "masks.npz").exists()


def test_what_is_done_is_not_done_again(run):
    before = {
        path: path.stat().st_mtime_ns
        for path in (run / "variants/own").rglob("*")
        if path.is_file()
    }
    names = [name for name, _ in prune_variants(run, [OWN])]
    assert set(names) == {"own"}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def doctored(run: Path, name: str, **changes: float) -> None:
    found = record(run, name)
    lines = tuple(replace(line, most=changes.get(line.name, line.most)) for line in found.lines)
    write_json(run / "variants" / name / RECORD, replace(found, lines=lines))


def test_a_variant_that_vela_finds_too_large_fails_with_exit_3(run, tmp_path, own_network):
    """As if int8 learning had ended a little above: the command says how near it came, and keeps the variant."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    doctored(folder, "npu", flash=2000.0)
    with pytest.raises(
        CheckFailed,
        match=r"^npu: flash \d+ B of 2000 B, .*: flash is \d+\.\d% above it; the variant ",
    ):
        prune_variants(folder, [ON_NPU])
    command = [
        "prune",
        "--method",
        "differentiable",
        "--max-flash",
        "3.5kB",
        "--max-cycles",
        "4500",
    ]
    command += [
        "--npu",
        "ethos-u55-128",
        "--epochs",
        "4",
        "--no-distill",
        "--round-to",
        "4",
        "--name",
        "npu",
    ]
    result = CliRunner().invoke(main, [*command, "--run", str(folder)])
    assert result.exit_code == 3, result.stderr
    assert "above it; the variant is kept" in result.stderr.splitlines()[-1]
    assert (folder / "variants/npu/model.keras").exists()


def test_a_variant_with_pruned_weights_is_refused(run):
    with pytest.raises(UsageError) as caught:
        prune_variants(
            run, [config("more", base="weight-0.50", budget=BudgetConfig(max_macs="10k"))]
        )
    assert str(caught.value) == (
        "variant 'weight-0.50' has pruned weights, which a differentiable pruning would bring back: "
        "start --from one without, and prune its weights afterwards"
    )
    assert not (run / "variants/more").exists()


def test_a_variant_of_fewer_units_goes_on_from_there(run):
    """Its masks have no zeros: what went is not in the network any more."""
    [base] = [path.name for path in (run / "variants").glob("unit-0.50")]
    units = left(run, base)
    asked = config(
        "more", base=base, round_to=1, epochs=2, budget=BudgetConfig(max_macs=str(macs(*units) - 1))
    )
    prune_variants(run, [asked])
    stem, pointwise = left(run, "more")
    assert macs(stem, pointwise) < macs(*units)
    assert record(run, "more").whole == units


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 1}, "epochs: expected 2 or more, for gates and then for int8, got 1"),
        (
            {"budget": BudgetConfig(max_flash="100B")},
            "flash: a budget of 100 B cannot be met: with 4 units left of ",
        ),
        (
            {"budget": BudgetConfig(max_flash="1KiB"), "target": NPU},
            "flash: a budget of 1024 B cannot be met: ",
        ),
        (
            {"budget": BudgetConfig(max_sram="100B")},
            "SRAM: a budget of 100 B is less than the network's own input of ",
        ),
        ({"exclude": ("stem", "pointwise")}, ""),
    ],
    ids=[
        "one epoch",
        "unreachable",
        "unreachable by Vela",
        "less than its input",
        "nothing to prune",
    ],
)
def test_what_cannot_be_is_said_before_training_and_leaves_nothing(run, fields, message):
    asked = config("bad", **{"budget": BudgetConfig(max_macs=str(macs(8, 12)))} | fields)
    with pytest.raises(TinypruneError) as caught:
        prune_variants(run, [asked])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError)
    assert not (run / "variants/bad").exists()


def test_a_budget_that_is_kept_already_is_said_and_prunes_nothing(run, log_lines):
    prune_variants(run, [config("kept", epochs=2, budget=BudgetConfig(max_macs="1M"))])
    [line] = [line for line in log_lines if "kept already" in line]
    assert line.startswith("kept: MACs ")
    assert line.endswith("the budget is kept already, nothing is removed")
    assert left(run, "kept") == (16, 24)
    assert record(run, "kept").removals == ()
