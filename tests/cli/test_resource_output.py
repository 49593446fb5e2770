"""What networks cost, on stdout, and the gate behind it."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import records
from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.cli import resource_output
from tinyprune.config.budget import Budget
from tinyprune.errors import CheckFailed

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
REPORT = records.resource_report(
    target=TARGET,
    sram_bytes=2048.0,
    flash_bytes=3000.0,
    encoded_weight_bytes=2000.0,
    cycles=700.0,
    cycles_npu=500.0,
    cycles_sram=100.0,
    cycles_off_chip_flash=700.0,
    macs=1000,
    cpu_operators=("Softmax",),
    bound_by="off-chip flash",
)
TFLITE = records.tflite_artifact("m.tflite", file_bytes=4000)
BASELINE = records.quality("streaming", 8, si_sdr_db=9.0)
SUMMARY = records.run_summary(
    records.variant_summary(report=REPORT, parameters=1000, quality=BASELINE, tflite=TFLITE),
    target=TARGET,
    hop_seconds=0.016,
    noisy=records.quality("noisy", 8, si_sdr_db=1.0),
    schema=1,
)
SRAM_ONLY = replace(TARGET, memory_mode="Sram_Only")
OTHER = replace(
    SUMMARY,
    target=SRAM_ONLY,
    variants=tuple(replace(v, report=replace(REPORT, target=SRAM_ONLY)) for v in SUMMARY.variants),
)


@pytest.fixture
def compiled(tmp_path):
    source = tmp_path / "m.tflite"
    source.write_bytes(bytes(4000))
    return CompiledArtifact(source, "0" * 64, Path("m_vela.tflite"), REPORT)


def summaries(records, output_format, capsys):
    resource_output.summaries(records, output_format)
    return capsys.readouterr().out


@pytest.mark.parametrize("records", [[SUMMARY], [SUMMARY, OTHER], [SUMMARY, OTHER, SUMMARY]])
@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
def test_summaries_are_plain_text_in_100_columns(records, output_format, capsys):
    text = summaries(records, output_format, capsys)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text
    assert output_format != "table" or max(map(len, text.splitlines())) <= 100


def test_one_summary_is_one_record_several_are_a_list(capsys):
    assert json.loads(summaries([SUMMARY], "json", capsys))["variants"][0]["name"] == "baseline"
    assert len(json.loads(summaries([SUMMARY, OTHER], "json", capsys))) == 2


def test_several_summaries_share_one_csv_header(capsys):
    rows = list(csv.DictReader(io.StringIO(summaries([SUMMARY, OTHER], "csv", capsys))))
    assert [row["memory_mode"] for row in rows] == ["Shared_Sram", "Sram_Only"]


def test_two_targets_are_shown_one_after_the_other_and_side_by_side_more_only_so(capsys):
    once = summaries([SUMMARY], "table", capsys)
    assert summaries([SUMMARY, OTHER], "table", capsys).startswith(f"{once}\n")
    assert "peak" not in summaries([SUMMARY, OTHER, SUMMARY], "table", capsys)


def test_a_compiled_file_as_csv_is_a_row_per_target(compiled, capsys):
    resource_output.compiled([compiled, compiled], "csv")
    row, _ = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["flash_bytes"], row["memory_mode"], row["cpu_operators"]) == (
        "3000.0",
        "Shared_Sram",
        "Softmax",
    )


def test_a_compiled_file_as_json_and_as_a_table(compiled, capsys):
    resource_output.compiled([compiled], "json")
    assert json.loads(capsys.readouterr().out)["report"]["target"]["npu"] == "ethos-u55-128"
    resource_output.compiled([compiled], "table")
    text = capsys.readouterr().out
    assert text.startswith("m_vela.tflite on ethos-u55-128")
    assert max(map(len, text.splitlines())) <= 100
    resource_output.compiled([compiled, compiled], "table")
    assert "ethos-u55-128" in capsys.readouterr().out


def test_a_limit_that_holds_is_shown(capsys):
    resource_output.gate([SUMMARY], Budget(flash_bytes=4000), ())
    out, err = capsys.readouterr()
    assert "holds" in out
    assert err == ""


def test_a_limit_that_does_not_hold_is_shown_and_raised(capsys):
    with pytest.raises(CheckFailed, match="^baseline on ethos-u55-128-shared-sram: flash 3000 B"):
        resource_output.gate([SUMMARY], Budget(flash_bytes=2000), ())
    assert "OVER" in capsys.readouterr().out


def test_beside_json_the_verdicts_are_on_stderr(capsys):
    resource_output.gate([SUMMARY], Budget(flash_bytes=4000), (), "json")
    out, err = capsys.readouterr()
    assert out == ""
    assert "holds" in err


def test_without_a_limit_nothing_is_said(capsys):
    resource_output.gate([SUMMARY], Budget(), ())
    on_npu = replace(SUMMARY.variants[0], report=replace(REPORT, cpu_operators=()))
    resource_output.gate([replace(SUMMARY, variants=(on_npu,))], Budget(cpu_operators=0), ())
    assert capsys.readouterr() == ("", "")


def test_operators_on_the_cpu_are_named(capsys):
    with pytest.raises(CheckFailed, match="CPU operators 1.*Softmax.*--allow-cpu"):
        resource_output.gate([SUMMARY], Budget(cpu_operators=0), ())
