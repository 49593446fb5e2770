import csv
import io
import json
from pathlib import Path

import pytest

from tinyprune.artifacts import (
    CompiledArtifact,
    LayerPlan,
    NpuTarget,
    PruningPlan,
    Quality,
    ResourceReport,
    RunSummary,
    TFLiteArtifact,
    VariantSummary,
)
from tinyprune.cli import output

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
REPORT = ResourceReport(
    target=TARGET,
    vela_version="5.2.0",
    sram_bytes=2048.0,
    flash_bytes=3000.0,
    encoded_weight_bytes=2000.0,
    cycles=700.0,
    cycles_npu=500.0,
    cycles_sram=100.0,
    cycles_dram=0.0,
    cycles_on_chip_flash=0.0,
    cycles_off_chip_flash=700.0,
    macs=1000,
    clock_hz=500e6,
    inference_seconds=700 / 500e6,
    cpu_operators=("Softmax",),
    layers=(),
    bound_by="off-chip flash",
)
COMPILED = CompiledArtifact(Path("m.tflite"), "0" * 64, Path("m_vela.tflite"), REPORT)
PLAN = PruningPlan(
    layers=(LayerPlan("lstm", "kernel", (32, 4 * 8), "weight", "magnitude", 32 * 4 * 8, 0.8),),
    skipped={"head": "too small"},
    scope="global",
    schedule="polynomial",
    sparsity=0.8,
)
BASELINE = Quality("streaming", "dev", 8, 0, {"si_sdr_db": 9.0})
SMALL = Quality("streaming", "dev", 8, 1, {"si_sdr_db": 8.5, "sdr_db": 8.75}, {"-6": {"si_sdr_db": 5.0}})
QUALITIES = [("baseline", BASELINE), ("small", SMALL)]
TFLITE = TFLiteArtifact(Path("m.tflite"), "0" * 64, 4000, 1, 0.1, 0, 0.1, 0)
SUMMARY = RunSummary(
    schema=1,
    target=TARGET,
    hop_seconds=0.016,
    noisy=Quality("noisy", "dev", 8, 0, {"si_sdr_db": 1.0}),
    variants=(VariantSummary("baseline", 1000, 0.0, BASELINE, TFLITE, REPORT),),
)
RECORDS = {
    "compiled": COMPILED,
    "plan": PLAN,
    "qualities": QUALITIES,
    "summary": SUMMARY,
    "summaries": [SUMMARY, SUMMARY],
}


def printed(kind, output_format, capsys):
    getattr(output, kind)(RECORDS[kind], output_format)
    return capsys.readouterr().out


@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
@pytest.mark.parametrize("name", RECORDS)
def test_every_record_is_printed_plainly_in_every_format(name, output_format, capsys):
    text = printed(name, output_format, capsys)
    assert text.strip()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("name", RECORDS)
def test_csv_has_a_header_and_rows_of_the_same_length(name, capsys):
    rows = list(csv.reader(io.StringIO(printed(name, "csv", capsys))))
    assert len(rows) >= 2
    assert {len(row) for row in rows} == {len(rows[0])}


def test_json_is_the_whole_record(capsys):
    assert json.loads(printed("compiled", "json", capsys))["report"]["target"]["npu"] == "ethos-u55-128"
    assert json.loads(printed("qualities", "json", capsys))[1]["metrics"] == {"si_sdr_db": 8.5, "sdr_db": 8.75}
    assert json.loads(printed("summary", "json", capsys))["variants"][0]["name"] == "baseline"
    assert len(json.loads(printed("summaries", "json", capsys))) == 2


def test_the_cost_as_csv(capsys):
    (row,) = csv.DictReader(io.StringIO(printed("compiled", "csv", capsys)))
    assert row["flash_bytes"] == "3000.0"
    assert row["memory_mode"] == "Shared_Sram"
    assert row["cpu_operators"] == "Softmax"


def test_the_plan_says_what_is_pruned_and_why_the_rest_is_not(capsys):
    header, pruned, skipped = printed("plan", "table", capsys).splitlines()
    assert header.split() == ["kernel", "shape", "structure", "method", "groups", "sparsity", "note"]
    assert pruned.split()[:6] == ["lstm/kernel", "32x32", "weight", "magnitude", "1024", "0.80"]
    assert skipped.split(maxsplit=1) == ["head", "skipped: too small"]


def test_a_variant_without_a_metric_has_an_empty_cell(capsys):
    first, second, quiet = csv.DictReader(io.StringIO(printed("qualities", "csv", capsys)))
    assert (first["si_sdr_db"], first["sdr_db"]) == ("9.000", "")
    assert (second["si_sdr_db"], second["sdr_db"]) == ("8.500", "8.750")
    assert (quiet["variant"], quiet["snr_db"], quiet["si_sdr_db"], quiet["sdr_db"]) == ("small", "-6", "5.000", "")


def test_the_table_of_qualities_has_one_line_each_and_another_per_snr(capsys):
    lines = printed("qualities", "table", capsys).splitlines()
    assert len(lines) == (1 + len(QUALITIES)) + 1 + (1 + len(QUALITIES))
    assert lines[1 + len(QUALITIES)] == ""
    assert lines[-3].endswith("si_sdr_db at  -6 dB")
    assert lines[-1].split() == ["small", "streaming", "5.000"]


def test_several_summaries_share_one_csv_header_and_have_a_blank_line_between_tables(capsys):
    assert len(printed("summaries", "csv", capsys).splitlines()) == 1 + 2
    once = printed("summary", "table", capsys)
    assert printed("summaries", "table", capsys) == f"{once}\n{once}"
