"""``tinyprune compare`` from the command line, on a run folder made by hand."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from tests.support import records
from tests.support.int8_files import Networks
from tests.support.startup import PROBE
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.cli import COMMANDS, main
from tinyprune.report.model.record import SCHEMA, RunReport
from tinyprune.storage.records import write_json

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
POLICY = Path(__file__).parents[2] / "docs" / "policy.example.toml"
MOST_MODULES = 450


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "compare", "tinyprune.cli.compare:compare")


def variant(name: str, si_sdr_db: float, flash: float) -> VariantSummary:
    report = records.resource_report(
        target=TARGET, flash_bytes=flash, encoded_weight_bytes=flash / 2, macs=10
    )
    quality = records.quality(si_sdr_db=si_sdr_db)
    tflite = records.tflite_artifact(file_bytes=1000)
    return records.variant_summary(name, report, parameters=10, quality=quality, tflite=tflite)


@pytest.fixture
def summary() -> RunSummary:
    variants = (
        variant("baseline", 9.4, 100e3),
        variant("small", 9.35, 50e3),
        variant("bad", 8.0, 100e3),
    )
    return records.run_summary(*variants, target=TARGET, hop_seconds=0.016)


@pytest.fixture
def run(tmp_path: Path, summary: RunSummary, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_json(Path("runs/default/summary-x.json"), summary)
    return Path("runs/default")


def compare(*arguments: object):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_two_variants_of_the_run(run: Path) -> None:
    result = compare("baseline", "small")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "flash_bytes lower 100 kB 50 kB -50 kB -50.0% 1% better" in " ".join(
        result.stdout.split()
    )
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_what_is_worse_than_allowed_is_shown_and_exits_with_3(run: Path) -> None:
    result = compare("baseline", "bad")
    assert result.exit_code == 3
    assert "WORSE" in result.stdout
    assert result.stderr == (
        "error: worse than the policy (default) allows: baseline -> bad on ethos-u55-128-shared-sram: "
        "si_sdr_db -1.40 (allowed 0.1)\n"
    )


def test_a_policy_decides(run: Path) -> None:
    Path("strict.toml").write_text("[metrics.si_sdr_db]\nallowed = 0.01\n")
    result = compare("baseline", "small", "--policy", "strict.toml")
    assert result.exit_code == 3
    assert "worse than the policy (strict.toml) allows" in result.stderr
    assert (
        compare("baseline", "small", "--policy", POLICY).exit_code == 0
    )  # 9.4 - 9.35 = 0.05, which it allows


def test_a_metric_of_the_records_alone_is_known_to_a_policy(run: Path, summary: RunSummary) -> None:
    own = replace(
        summary.variants[0], quality=Quality("streaming", "dev", 48, 0, {"my_score": 1.0})
    )
    write_json(Path("own.json"), replace(summary, variants=(own,)))
    Path("own.toml").write_text("[metrics.my_score]\nallowed = 0.5\n")
    assert compare("own.json", "own.json", "--policy", "own.toml").exit_code == 0
    result = compare("baseline", "small", "--policy", "own.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: own.toml: unknown metric 'my_score': ")


def test_runs_and_files(run: Path, summary: RunSummary) -> None:
    write_json(Path("report.json"), RunReport(SCHEMA, "r", "", {}, None, (), (summary,)))
    for other in (
        "report.json",
        "report.json:small",
        "runs/default",
        "runs/default:small",
        "runs/default/summary-x.json",
    ):
        assert compare("runs/default", other).exit_code == 0, other


def test_files_are_compiled_and_say_nothing_of_quality(tmp_path: Path, networks: Networks) -> None:
    dense = networks.dense()
    pruned = tmp_path / "pruned.tflite"
    arguments = ["prune", "--offline", str(dense), "--sparsity", "0.9", "--output", str(pruned)]
    CliRunner().invoke(main, arguments, catch_exceptions=False)
    found = compare(dense, pruned, "--npu", "ethos-u55-64", "--format", "json")
    assert found.exit_code == 0, found.output
    assert found.stderr.startswith("costs only: a compiled file says nothing of its quality")
    [of_target] = json.loads(found.stdout)["variants"]
    assert of_target["target"]["npu"] == "ethos-u55-64"
    metrics = {metric["metric"]: metric for metric in of_target["metrics"]}
    assert metrics["sparsity"]["after"] > 0.89
    assert metrics["flash_bytes"]["after"] < metrics["flash_bytes"]["before"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pruned.tflite"]


def test_what_compile_prints_of_a_file(run: Path, networks: Networks) -> None:
    arguments = ["compile", str(networks.dense()), "-o", "compiled", "--format", "json"]
    printed = CliRunner().invoke(main, arguments, catch_exceptions=False).stdout
    for name in ("a.json", "b.json"):
        Path(name).write_text(printed)
    found = compare("a.json", "b.json")
    assert found.exit_code == 0, found.output
    assert "flash_bytes" in found.stdout
    assert compare("a.json", "b.json", "--npu", "ethos-u55-128").stderr.startswith(
        "error: --npu goes with .tflite files"
    )


def test_junit_has_a_test_for_every_metric(run: Path) -> None:
    """What the policy does not allow has failed; names with quotes or brackets are escaped."""
    printed = compare("baseline", "bad", "--format", "junit").stdout
    [suite] = ElementTree.fromstring(printed)
    names = [case.get("name") for case in suite]
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    table = json.loads(compare("baseline", "bad", "--format", "json").stdout)
    [metrics] = [variant["metrics"] for variant in table["variants"]]
    assert failed == [metric["metric"] for metric in metrics if metric["verdict"] == "WORSE"]
    assert failed and len(names) > len(failed)
    assert (suite.get("tests"), suite.get("failures")) == (str(len(names)), str(len(failed)))
    assert "allowed" in suite[0].findtext("system-out", "") + suite[0].find("*").get("message", "")


@pytest.mark.parametrize(
    ("output_format", "start"),
    [
        ("table", "A: baseline "),
        ("json", "{\n"),
        ("csv", "target,variant_a,"),
        ("markdown", "**FAILED"),
        ("junit", "<?xml "),
    ],
)
def test_formats_on_stdout_and_in_a_file(run: Path, output_format: str, start: str) -> None:
    shown = compare("baseline", "bad", "--format", output_format)
    kept = compare("baseline", "bad", "--format", output_format, "-o", "out/report.txt")
    assert shown.exit_code == kept.exit_code == 3
    assert shown.stdout.startswith(start)
    assert kept.stdout == ""
    assert Path("out/report.txt").read_text() == shown.stdout
    if output_format == "json":
        assert json.loads(shown.stdout)["before"] == "baseline"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["baseline", "none"], 2, "unknown variant of runs/default 'none'"),
        (
            ["baseline", "small", "--run", "nowhere"],
            2,
            "'baseline' is neither a run folder nor a JSON file, nor a var",
        ),
        (
            ["new.json", "baseline"],
            1,
            "new.json has schema 9, this tinyprune reads up to 2: install a newer one",
        ),
        (
            ["other.json", "baseline"],
            1,
            "other.json is neither a report nor a summary of tinyprune",
        ),
        (
            ["baseline", "small", "--policy", "none.toml"],
            2,
            "cannot read policy none.toml: No such file",
        ),
        (
            ["baseline", "small", "--policy", "bad.toml"],
            2,
            "bad.toml: unknown metric 'flesh_bytes': did you mean 'fl",
        ),
        (["baseline"], 2, "Missing argument 'B'"),
    ],
)
def test_bad_input_is_one_line(run: Path, arguments: list[str], code: int, message: str) -> None:
    Path("new.json").write_text('{"schema": 9}')
    Path("other.json").write_text('{"a": 9}')
    Path("bad.toml").write_text("[metrics.flesh_bytes]\nallowed = 1\n")
    result = compare(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("output_format", ["table", "markdown"])
def test_comparing_loads_little_and_nothing_heavy(run: Path, output_format: str) -> None:
    command = [
        sys.executable,
        "-c",
        PROBE,
        "compare",
        "baseline",
        "small",
        "--format",
        output_format,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    heavy, modules = done.stderr.splitlines()[-1].split("|")
    assert (done.returncode, heavy) == (0, "[]")
    assert int(modules) < MOST_MODULES
