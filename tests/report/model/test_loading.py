"""Records of every schema are read; whatever else a file holds is one line."""

import json
from pathlib import Path

import pytest

from tests.support import records
from tests.support.costs import cycles
from tinyprune.artifacts.resources import Kernel, LayerCost, NpuTarget, OperatorCost
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.report.model.loading import load, load_summaries
from tinyprune.report.model.record import SCHEMA, RunReport, VariantRecord
from tinyprune.storage.records import to_jsonable, write_json

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
CYCLES = cycles(64.0, npu=60.0, sram=8.0, off_chip_flash=64.0)
OPERATOR = OperatorCost("out", "FullyConnected", 512.0, 32 * 16, source=0, **CYCLES)
LAYER = LayerCost(
    *("dense", ("FULLY_CONNECTED",), (Kernel((32, 16), 100),), 300.0, 320.0, 32 * 16),
    *(512.0, "NPU", "off-chip flash"),
    **CYCLES,
)


def summary(target: NpuTarget = TARGET) -> RunSummary:
    report = records.resource_report(
        target=target,
        sram_bytes=512.0,
        flash_bytes=620.0,
        encoded_weight_bytes=300.0,
        cycles=64.0,
        cycles_npu=60.0,
        cycles_sram=8.0,
        cycles_off_chip_flash=64.0,
        macs=32 * 16,
        layers=(LAYER,),
        bound_by="off-chip flash",
        operators=(OPERATOR,),
        file_bytes=2000.0,
    )
    variant = records.variant_summary(
        report=report,
        parameters=528,
        sparsity=0.1,
        quality=records.quality("int8", 100, accuracy=0.9),
        tflite=records.tflite_artifact("int8.tflite", file_bytes=2500),
    )
    return records.run_summary(variant, target=target)


def run_report() -> RunReport:
    made = VariantRecord("baseline", "export", {"stage": "train"}, 528, 0.1)
    return RunReport(
        SCHEMA, "default", "2026-01-01T00:00:00+00:00", {}, None, (made,), (summary(),)
    )


def first_schema() -> dict:
    """What version 1 wrote: layers were operators, targets had three fields."""
    old = to_jsonable(summary())
    old["schema"] = 1
    old["target"] = {key: old["target"][key] for key in ("npu", "system_config", "memory_mode")}
    report = old["variants"][0]["report"]
    report["target"] = old["target"]
    wanted = (
        "name",
        "operator",
        "sram_bytes",
        "cycles",
        "cycles_npu",
        "cycles_sram",
        "cycles_dram",
    )
    wanted += ("cycles_on_chip_flash", "cycles_off_chip_flash", "macs")
    report["layers"] = [
        {key: operator[key] for key in wanted} for operator in report.pop("operators")
    ]
    for key in (
        "dram_bytes",
        "scale_bytes",
        "cpu_weight_bytes",
        "command_stream_bytes",
        "file_bytes",
    ):
        del report[key]
    return old


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_a_summary_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", summary())
    assert (
        load(tmp_path / "summary.json") == load_summaries(tmp_path / "summary.json") == (summary(),)
    )


def test_a_report_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "report.json", run_report())
    assert load(tmp_path / "report.json") == run_report()
    assert load_summaries(tmp_path / "report.json") == (summary(),)


def test_several_targets_as_compile_prints_them(tmp_path: Path) -> None:
    both = (summary(), summary(NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")))
    write_json(tmp_path / "both.json", list(both))
    assert load(tmp_path / "both.json") == both


def test_the_first_schema_called_operators_layers(tmp_path: Path) -> None:
    (found,) = load_summaries(written(tmp_path / "old.json", first_schema()))
    report = found.variants[0].report
    assert (found.schema, found.target) == (SCHEMA, TARGET)
    assert report.layers == ()
    assert [(one.name, one.operator, one.macs, one.source) for one in report.operators] == [
        ("out", "FullyConnected", 32 * 16, None)
    ]
    assert (report.flash_bytes, report.file_bytes) == (620.0, 0.0)


def test_an_old_summary_inside_a_report(tmp_path: Path) -> None:
    mixed = to_jsonable(run_report()) | {"summaries": [first_schema()]}
    found = load(written(tmp_path / "report.json", mixed))
    assert isinstance(found, RunReport)
    assert found.summaries[0].variants[0].report.operators[0].name == "out"


def _with_more(value: object) -> object:
    """The same with a field in every object that nobody knows."""
    if isinstance(value, list):
        return [_with_more(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    more = {key: _with_more(entry) for key, entry in value.items()}
    # What maps names to numbers has no fields: another number there is another metric.
    return more if {*value} <= {"accuracy"} else more | {"of_the_future": {"a": [1]}}


def test_fields_of_the_future_are_ignored(tmp_path: Path) -> None:
    assert load(written(tmp_path / "s.json", _with_more(to_jsonable(summary())))) == (summary(),)
    report = to_jsonable(run_report()) | {"of_the_future": 1}
    assert load(written(tmp_path / "r.json", report)) == run_report()


def test_a_mark_before_the_text_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "windows.json"
    path.write_text(json.dumps(to_jsonable(summary())), encoding="utf-8-sig")
    assert load(path) == (summary(),)


@pytest.mark.parametrize("make", [summary, run_report])
def test_a_newer_schema_is_said(tmp_path: Path, make) -> None:
    path = written(tmp_path / "new.json", to_jsonable(make()) | {"schema": 9})
    with pytest.raises(TinypruneError) as error:
        load(path)
    assert (
        str(error.value)
        == f"{path} has schema 9, this tinyprune reads up to {SCHEMA}: install a newer one"
    )
    assert error.value.exit_code == 1


def test_a_newer_schema_inside_a_report_is_said(tmp_path: Path) -> None:
    newer = to_jsonable(run_report())
    newer["summaries"][0]["schema"] = 3
    with pytest.raises(TinypruneError, match="has schema 3, this"):
        load(written(tmp_path / "new.json", newer))


def _without_cycles() -> dict:
    value = to_jsonable(summary())
    del value["variants"][0]["report"]["cycles"]
    return value


OTHERS = {
    "empty list": [],
    "number": 3,
    "numbers": [1, 2],
    "null": None,
    "no schema": {"variants": []},
    "schema of another kind": {"schema": True},
    "schema 0": {"schema": 0},
    "text": {"schema": "2"},
    "another record": {"schema": 1, "before": "a", "variants": [{"before": "a"}]},
    "variants of another kind": {"schema": 1, "variants": 3},
    "summaries of another kind": {"schema": 2, "summaries": 3},
    "half a summary": _without_cycles(),
    "half a report": {"schema": 2, "summaries": []},
}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
def test_another_record_is_said(tmp_path: Path, value: object) -> None:
    path = written(tmp_path / "other.json", value)
    with pytest.raises(TinypruneError) as error:
        load(path)
    assert str(error.value).startswith(
        f"{path} is neither a report nor a summary of tinyprune: expected a summary-"
    )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{\x00", b"[" * 100_000, b"no"])
def test_what_is_no_json_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(
        TinypruneError, match=r"broken\.json is not JSON \(.+\); expected a summary-"
    ):
        load(path)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*none\.json: expected"):
        load(tmp_path / "none.json")
    with pytest.raises(TinypruneError, match="is a folder: expected"):
        load(tmp_path)
