"""Prunings to a budget on the command line: what they are called with, what does not go with them, their plan."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from tests.support.startup import PROBE
from tinyprune.artifacts.budget import BudgetLine
from tinyprune.cli import budget_plan, main
from tinyprune.cli.prunings import prunings
from tinyprune.config import BudgetPruning, MagnitudePruning, PruneConfig, TargetConfig
from tinyprune.config.budget import BudgetConfig
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.sparsity.unit import Unit

TO_BUDGET = ("prune", "--method", "differentiable")
FLASH = (*TO_BUDGET, "--max-flash", "64KiB")


def asked(*arguments) -> PruneConfig:
    """The one pruning that a command line asks for."""
    with (
        mock.patch(
            "tinyprune.stages.prune.prune_variants", autospec=True, return_value=[]
        ) as patched,
        mock.patch("tinyprune.cli.output.qualities", autospec=True),
    ):
        result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    _, [config] = patched.call_args.args
    return config


def test_a_size_and_a_count():
    config = asked(*FLASH, "--max-sram", "48KiB", "--max-macs", "2M")
    budget = BudgetConfig(max_flash="64KiB", max_sram="48KiB", max_macs="2M")
    assert config == BudgetPruning(budget=budget)
    assert config.variant == "differentiable-flash-64KiB-sram-48KiB-macs-2M"


def test_cycles_and_time_of_an_accelerator_and_all_that_goes_with_it():
    config = asked(
        *(
            *TO_BUDGET,
            "--structure",
            "unit",
            "--max-cycles",
            "200k",
            "--max-latency",
            "2ms",
            "--max-latency",
            "2ms",
        ),
        *(
            "--npu",
            "ethos-u55-128",
            "--memory-mode",
            "Sram_Only",
            "--system-config",
            "S",
            "--vela-config",
            "a/b.ini",
        ),
        *(
            "--round-to",
            "16",
            "--exclude",
            "stem",
            "--epochs",
            "3",
            "--learning-rate",
            "0.5",
            "--no-distill",
        ),
        *("--from", "b", "--name", "n", "--seed", "5"),
    )
    assert config == BudgetPruning(
        name="n",
        base="b",
        round_to=16,
        exclude=("stem",),
        epochs=3,
        learning_rate=0.5,
        distill=False,
        seed=5,
        budget=BudgetConfig(max_cycles="200k", max_latency="2ms"),
        target=TargetConfig("ethos-u55-128", "S", "Sram_Only", "a/b.ini"),
    )


def test_the_method_may_be_said_of_a_pruning_by_magnitude():
    assert asked("prune", "--method", "magnitude", "--structure", "unit") == MagnitudePruning(
        structure="unit"
    )


def test_a_chain_of_one():
    values = {"method": "differentiable", "max_macs": ("2M",), "base": "a"}
    [config] = prunings(values, [], [])
    assert (config.structure, config.variant) == ("unit", "a-differentiable-macs-2M")
    [config] = prunings({**values, "name": "n"}, [], [])
    assert (config.base, config.variant, config.budget) == ("a", "n", BudgetConfig(max_macs="2M"))


NOT = "does not go with --method differentiable:"
ADD = "goes with --method differentiable: add that; "
OF_NPU = "goes with --npu NAME: it is a setting of that"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["prune", "--max-flash", "64KiB"], f"--max-flash {ADD}"),
        (["prune", "--method", "magnitude", "--max-macs", "2M"], f"--max-macs {ADD}"),
        (["prune", "--memory-mode", "Sram_Only"], f"--memory-mode {OF_NPU}"),
        (["prune", "--offline", "m.tflite", "--max-sram", "1kB"], f"--max-sram {ADD}"),
        (
            ["prune", "--method", "gates"],
            "method: expected one of: magnitude, differentiable, got gates",
        ),
        (
            ["prune", "--method", "gates", "--max-sram", "1kB"],
            "method: expected one of: magnitude, differentiable, ",
        ),
        (
            TO_BUDGET,
            "budget: differentiable prunes until one is met: give --max-flash, --max-sram or --max-macs, with ",
        ),
        (
            [*TO_BUDGET, "--npu", "ethos-u55-128"],
            "budget: differentiable prunes until one is met: give --max-flash, ",
        ),
        (
            [*FLASH, "--structure", "weight"],
            f"--structure weight {NOT} differentiable removes whole units",
        ),
        (
            [*FLASH, "--structure", "2:4"],
            f"--structure 2:4 {NOT} differentiable removes whole units",
        ),
        ([*FLASH, "--sparsity", "0.8"], f"--sparsity {NOT} the budget says how much goes"),
        ([*FLASH, "--sparsity", "0.5,0.8"], f"--sparsity {NOT} the budget says how much goes"),
        (
            [*FLASH, "--then", "weight"],
            f"--then {NOT} one pruning meets the budget; prune its result again with --from",
        ),
        ([*FLASH, "--offline", "m.tflite"], f"--offline {NOT} it prunes without training"),
        ([*FLASH, "--schedule", "polynomial"], f"--schedule {NOT} gates close as "),
        ([*FLASH, "--begin", "0"], f"--begin {NOT} gates close as "),
        ([*FLASH, "--end", "0.5"], f"--end {NOT} gates close as "),
        ([*FLASH, "--scope", "global"], f"--scope {NOT} the budget is that of the whole network"),
        (
            [*FLASH, "--importance", "l1"],
            f"--importance {NOT} the gates learn what a unit is worth",
        ),
        (
            [*FLASH, "--block-size", "16x16"],
            f"--block-size {NOT} differentiable removes whole units",
        ),
        (
            [*TO_BUDGET, "--max-cycles", "1k"],
            "budget.max_cycles: cycles are those of an accelerator: give --npu NAME",
        ),
        (
            [*FLASH, "--max-latency", "1ms"],
            "budget.max_latency: the time is that of an accelerator: give --npu NAME",
        ),
        ([*FLASH, "--memory-mode", "Sram_Only"], f"--memory-mode {OF_NPU}"),
        ([*FLASH, "--system-config", "S"], f"--system-config {OF_NPU}"),
        ([*FLASH, "--vela-config", "a.ini"], f"--vela-config {OF_NPU}"),
        (
            [*FLASH, "--npu", "ethos-u55-12"],
            "unknown npu 'ethos-u55-12': did you mean 'ethos-u55-128'?",
        ),
        (
            [*FLASH, "--npu", "ethos-u55-128", "--memory-mode", "S"],
            "unknown memory mode of ethos-u55-128 with ",
        ),
        ([*FLASH, "--npu", "a", "--npu", "b"], "--npu a and b contradict each other: give one"),
        (
            [*FLASH, "--max-flash", "1kB"],
            "--max-flash 64KiB and 1kB contradict each other: give one",
        ),
        (
            [*TO_BUDGET, "--max-flash", "0B"],
            "budget.max_flash: nothing fits into '0B': expected more than 0, ",
        ),
        ([*TO_BUDGET, "--max-sram", "-1kB"], "budget.max_sram: '-1kB' is not a size: "),
        (
            [*TO_BUDGET, "--max-sram", "64"],
            "budget.max_sram: '64' can be read in several ways: write 64KiB ",
        ),
        (
            [*TO_BUDGET, "--max-macs", "2m"],
            "budget.max_macs: '2m' is not clear: write 2M (1000000 each)",
        ),
        (
            [*TO_BUDGET, "--max-macs", "0"],
            "budget.max_macs: nothing fits into '0': expected more than 0, e.g. 2M; ",
        ),
        ([*FLASH, "--max-cpu-ops", "0"], "No such option '--max-cpu-ops'."),
        (["compile", "--max-macs", "2m"], "max_macs: '2m' is not clear: write 2M (1000000 each)"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_loaded(
    arguments, line, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert (result.exit_code, result.stdout) == (2, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pruning", ['target = {npu = "u55"}', 'structure = "weight"'])
def test_a_recipe_is_refused_before_its_baseline_is_trained(pruning, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'[[prune]]\nmethod = "differentiable"\nbudget = {{max_flash = "64KiB"}}\n{pruning}\n'
    )
    result = CliRunner().invoke(main, ["run", str(recipe), "--run", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (("prune", "--max-flash", "64KiB"), []),
        ((*TO_BUDGET, "--max-cycles", "1k"), []),
        ((*FLASH, "--npu", "none"), ["numpy"]),
    ],
)
def test_a_slip_is_said_at_once(arguments, heavy, tmp_path):
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.stderr.splitlines()[-1].split("|")[0] == str(heavy)
    assert done.returncode == 2


# --- the plan
# ---------------------------------------------------------------------------------------------------------

PLAN = PruningPlan(
    layers=(LayerPlan("stem", "kernel", (3, 3, 3, 16), Unit(), "differentiable", 16, 0.0),),
    skipped={"head/kernel": "its outputs are outputs of the network"},
    scope="global",
    schedule="polynomial",
    sparsity=0.0,
)
CONFIG = BudgetPruning(
    budget=BudgetConfig(max_flash="64KiB", max_cycles="200k"),
    target=TargetConfig(),
)

COSTS = [BudgetLine("flash", most=65536.0, before=81920.0, expected=81920.0)]


def printed(output_format, capsys) -> str:
    budget_plan.show(PLAN, CONFIG, COSTS, output_format)
    return capsys.readouterr().out


def test_the_plan_says_the_budget_and_no_sparsity_that_nobody_asked_for(capsys):
    lines = printed("table", capsys).splitlines()
    assert lines[0].split() == ["kernel", "shape", "structure", "groups", "note"]
    assert lines[1].split() == ["stem/kernel", "3x3x3x16", "unit", "16"]
    assert lines[2].split(maxsplit=1) == [
        "head/kernel",
        "skipped: its outputs are outputs of the network",
    ]
    assert lines[4] == "differentiable, --max-flash 64KiB, --max-cycles 200k on ethos-u55-128:"
    assert lines[5] == "flash: 82 kB now, 66 kB allowed"
    assert lines[6] == "the training finds out how many units of each kernel stay"
    assert max(map(len, lines)) <= 100
    for output_format in ("table", "json", "csv"):
        assert "sparsity" not in printed(output_format, capsys)
        assert "polynomial" not in printed(output_format, capsys)


def test_the_plan_as_data(capsys):
    found = json.loads(printed("json", capsys))
    assert (found["method"], found["budget"]) == (
        "differentiable",
        {"max_flash": "64KiB", "max_cycles": "200k"},
    )
    assert (found["layers"][0]["groups"], found["layers"][0]["method"]) == (16, "differentiable")
    assert found["target"]["npu"] == "ethos-u55-128"
    rows = list(csv.DictReader(io.StringIO(printed("csv", capsys))))
    assert [row["kernel"] for row in rows] == ["stem/kernel", "head/kernel"]


def test_the_plan_of_a_run(image_run):
    result = CliRunner().invoke(main, [*FLASH, "--show-plan", "--run", str(image_run.folder)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "stem/kernel" in result.stdout
    assert "flash: 1268 B now, 66 kB allowed" in result.stdout
    assert "skipped: its outputs are outputs of the network" in result.stdout
    assert result.stdout.splitlines()[-1] == "the budget is kept already: nothing would be removed"
    tighter = (*TO_BUDGET, "--max-flash", "1KiB", "--show-plan", "--run", str(image_run.folder))
    assert (
        CliRunner().invoke(main, tighter).stdout.splitlines()[-1]
        == "the training finds out how many units of each kernel stay"
    )
    with mock.patch(
        "tinyprune.stages.prune.plan_pruning", autospec=True, return_value=PLAN
    ) as shown:
        CliRunner().invoke(main, [*FLASH, "--show-plan"])
    shown.assert_called_once_with(
        Path("runs/default"),
        BudgetPruning(budget=BudgetConfig(max_flash="64KiB")),
    )
