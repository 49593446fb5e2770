"""The budget that a variant was pruned to, in every format; numbers are round, so that shares and factors show."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support import records
from tinyprune.artifacts.budget import BudgetLine, BudgetRecord, Expectation, Removal
from tinyprune.artifacts.quantity import LIMITED
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.cli import main
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.npu.limits import RECORD
from tinyprune.report.model import budget_history
from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import SCHEMA, RunReport, VariantRecord
from tinyprune.report.render import budget_tables, formats, html, markdown, run_tables, terminal
from tinyprune.storage.records import from_jsonable, to_jsonable, write_json
from tinyprune.storage.run_folder import Workspace

TARGET = "ethos-u55-128-shared-sram"
COUNTED = BudgetRecord(
    target=None,
    lines=(
        BudgetLine("flash", 64 * 1024, 262_144, 64_000),
        BudgetLine("MACs", 800_000, 2_400_000, 784_000),
    ),
    sets=("lstm", "lstm_1"),
    whole=(256, 256),
    removals=(Removal(6, (200, 256)), Removal(8, (128, 96))),
)
MEASURED = replace(
    COUNTED,
    target=TARGET,
    lines=(
        BudgetLine("flash", 16_000, 31_000, 9_000, 8_000),
        BudgetLine("cycles", 40_000, 90_000, 38_000, 40_001),
    ),
    # first: flash 97 / 100, cycles 110 / 100; last: both as expected but for 1 / 200 of the flash
    compilations=(
        Expectation((97.0, 110.0), (100.0, 100.0)),
        Expectation((50.0, 50.0), (100.0, 100.0)),
        Expectation((199.0, 100.0), (200.0, 100.0)),
    ),
)


def lines(renderable) -> list[str]:
    return terminal.to_text(renderable).splitlines()


def row(record: BudgetRecord, name: str) -> str:
    """The line of one limit or set, its columns one blank apart."""
    [found] = [
        line.split()
        for line in lines(budget_tables.format_budget(record))
        if line.split()[:1] == [name]
    ]
    return " ".join(found)


def notes(record: BudgetRecord) -> str:
    return " ".join(budget_history.budget_history(record).notes)


def test_a_limit_has_budget_before_now_factor_and_how_near_it_is():
    # 262,144 / 64,000 = 4.1, 64,000 / 65,536 = 97.7 %; 2400 / 784 = 3.1, 784 / 800 = 98 %
    assert row(COUNTED, "flash") == "flash 64 KiB = 65.5 kB 262.1 kB 64.0 kB 4.1x 97.7%"
    assert row(COUNTED, "MACs") == "MACs 800.0 k 2400.0 k 784.0 k 3.1x 98.0%"
    assert "counted in the network itself" in notes(COUNTED)
    assert "Vela" not in notes(COUNTED)


def test_now_is_what_vela_measured_and_one_above_a_limit_is_said():
    assert row(MEASURED, "flash") == "flash 16.0 kB 31.0 kB 8000 B 3.9x 50.0% -3.0% -0.5%"
    assert row(MEASURED, "cycles") == "cycles 40.0 k 90.0 k 40.0 k 2.2x 100.0% OVER +10.0% +0.0%"
    assert f"measured by Vela for {TARGET}" in notes(MEASURED)
    assert "asked 3 times" in notes(MEASURED)


def test_what_vela_has_not_measured_is_expected():
    expected = replace(
        MEASURED, lines=(replace(MEASURED.lines[0], measured=None),), compilations=()
    )
    assert row(expected, "flash") == "flash 16.0 kB 31.0 kB 9000 B 3.4x 56.2%"
    assert f"expected for {TARGET}; Vela has not measured" in notes(expected)
    assert "measured by" not in notes(expected) and "asked" not in notes(expected)


def test_units_are_those_after_the_last_removal():
    assert row(COUNTED, "lstm") == "lstm 128 of 256 50%"
    assert row(COUNTED, "lstm_1") == "lstm_1 96 of 256 38%"
    assert f"{128 + 96} of {256 + 256} units are left; the others were removed in 2 steps" in notes(
        COUNTED
    )
    assert "after epochs 6 and 8." in notes(COUNTED)
    assert "in one step, after epoch 6." in notes(replace(COUNTED, removals=COUNTED.removals[:1]))
    many = tuple(Removal(epoch, (9, 9)) for epoch in (6, 7, 8))
    assert "in 3 steps, after epochs 6, 7 and 8." in notes(replace(COUNTED, removals=many))


def test_a_budget_that_was_kept_already_removed_nothing():
    kept = replace(COUNTED, removals=())
    assert row(kept, "lstm_1") == "lstm_1 256 of 256 100%"
    assert "No unit was removed: all 512 are left." in notes(kept)
    bare = BudgetRecord(None, COUNTED.lines)  # its sets are not recorded
    assert "unit" not in terminal.to_text(budget_tables.format_budget(bare))


def test_nothing_is_divided_by_nothing():
    odd = replace(
        MEASURED,
        lines=(BudgetLine("SRAM", 0, 10, 5, 0.0),),
        compilations=(Expectation((1.0,), (0.0,)),),
    )
    assert row(odd, "SRAM") == "SRAM 0 KiB = 0 B 10 B 0 B - - - -"
    assert "asked once" in notes(odd)


@pytest.mark.parametrize("name", LIMITED)
def test_every_quantity_is_in_its_unit(name):
    limit, before, now = budget_history.budget_history(
        BudgetRecord(None, (BudgetLine(name, 0.002, 0.004, 0.001),))
    ).rows[0][1:4]
    unit = {"flash": "0 B", "SRAM": "0 B", "latency": "2 ms"}.get(name, "0")
    assert (limit, before, now) == (
        (unit, "4 ms", "1 ms") if name == "latency" else (unit, unit, unit)
    )


@pytest.mark.parametrize(
    "name", ["a", "functional_1/block/inner_block/a_very_long_name_of_a_layer", "with[red]markup"]
)
def test_it_fits_100_columns_and_loses_nothing(name):
    big = tuple(
        BudgetLine(limit, 10_000 * 1024**2, 123_456_789_000, 123_456_789_000, 123_456_789_000)
        for limit in LIMITED
    )
    off = tuple(-0.005 if index else 12.0 for index in range(len(LIMITED)))
    record = replace(
        MEASURED,
        lines=big,
        sets=(name, "b"),
        whole=(100_000, 9),
        compilations=(Expectation(off, (1.0,) * len(LIMITED)),),
    )
    text = lines(budget_tables.format_budget(record))
    assert max(map(len, text)) <= 100
    assert "…" not in "".join(text)
    assert "[red]" not in name or name in "\n".join(text)


# --- of a run
# ---------------------------------------------------------------------------------------------------------


def trained(space: Workspace, name: str, record: BudgetRecord | None) -> Path:
    """A variant whose training is finished; nothing is exported."""
    variant = space.variant(name)
    variant.claim({"prune": {"method": "differentiable"}})
    write_json(variant.folder / "size.json", 100)
    if record:
        write_json(variant.folder / RECORD, record)
    variant.finish("train", {}, ["size.json", *([RECORD] if record else [])])
    return variant.folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    space = Workspace(tmp_path / "run")
    for name, record in (("baseline", None), ("counted", COUNTED), ("measured", MEASURED)):
        trained(space, name, record)
    return space.root


def test_the_record_is_under_its_variant(run):
    found = collect_report(Workspace(run))
    assert {variant.name: variant.budget for variant in found.variants} == {
        "baseline": None,
        "counted": COUNTED,
        "measured": MEASURED,
    }
    made = json.loads(formats.to_format(found, run, "json"))
    assert made["variants"][1]["budget"] == to_jsonable(COUNTED)
    assert from_jsonable(made, RunReport) == found


def test_a_training_that_is_not_finished_has_no_budget_yet(run):
    (run / "variants/counted/train.json").unlink()
    assert [
        variant.budget
        for variant in collect_report(Workspace(run)).variants
        if variant.name == "counted"
    ] == [None]


def test_a_record_that_cannot_be_read_is_one_line(run):
    (run / "variants/counted" / RECORD).write_text('{"target": null, "lines": [{"name": "flash"}]}')
    with pytest.raises(TinypruneError, match="budget.json is not a readable BudgetRecord record"):
        collect_report(Workspace(run))


def test_the_command_shows_it_before_anything_is_compiled(run):
    result = CliRunner().invoke(main, ["report", "counted", "measured", "--run", str(run)])
    assert result.exit_code == 0
    text = result.output.splitlines()
    assert [text[0], *(line for line in text if line == "measured")] == ["counted", "measured"]
    assert sum(line.startswith("lstm_1") for line in text) == 2
    assert text[-1] == "Its layers are not known yet: run `tinyprune compile`."


@pytest.mark.parametrize(
    ("names", "operators"),
    [(["baseline"], False), (["counted", "none"], False), (["counted"], True)],
)
def test_what_needs_a_compilation_says_so(run, names, operators):
    with pytest.raises(UsageError, match="nothing of run is compiled yet: run `tinyprune compile`"):
        run_tables.format_variants(collect_report(Workspace(run)), names, operators)


def made(*variants: VariantRecord) -> RunReport:
    return RunReport(
        SCHEMA, "default", "2026-01-01T00:00:00+00:00", {"tinyprune": "0.1"}, None, variants, ()
    )


def test_of_a_compiled_variant_it_stands_below_the_layers():
    target = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
    cost = records.resource_report(
        target=target,
        sram_bytes=4e3,
        flash_bytes=8e3,
        encoded_weight_bytes=7e3,
        cycles=4e4,
        macs=10,
    )
    row = records.variant_summary(
        "m",
        cost,
        parameters=100,
        quality=records.quality("int8", 9),
        tflite=records.tflite_artifact(file_bytes=9_000),
    )
    variants = (
        VariantRecord("m", "export", {}, budget=MEASURED),
        VariantRecord("later", "train", {}, budget=COUNTED),
    )
    found = replace(made(*variants), summaries=(records.run_summary(row, target=target),))
    text = terminal.to_text(run_tables.format_variants(found, ["m"], operators=False))
    assert text.startswith(f"m on {TARGET}, by Vela 5.2.0\n")
    assert text.index("peak SRAM") < text.index("units are left")
    assert "Its layers are not known yet" not in text
    assert "units are left" in terminal.to_text(
        run_tables.format_variants(found, ["later"], operators=False)
    )
    assert "units" not in terminal.to_text(run_tables.format_variants(found, ["m"], operators=True))
    with pytest.raises(UsageError, match="unknown compiled variant 'later'"):
        run_tables.format_variants(found, ["later"], operators=True)


def test_markdown_and_html_have_every_such_variant(tmp_path):
    odd = replace(COUNTED, sets=("a|b", "<b>"))
    found = made(
        *(
            VariantRecord(name, "train", {}, budget=it)
            for name, it in (("a_", odd), ("m", MEASURED))
        )
    )
    text = markdown.run_report(found)
    assert text.count("## Pruned to a budget\n") == 1
    assert "### a\\_\n\n| budget | at most | before | now | factor | used |\n| :-- | --: |" in text
    assert "| flash | 64 KiB = 65.5 kB | 262.1 kB | 64.0 kB | 4.1x | 97.7% |\n" in text
    assert "| a\\|b | 128 of 256 | 50% |\n| \\<b> | 96 of 256 | 38% |\n" in text
    assert "| cycles | 40.0 k | 90.0 k | 40.0 k | 2.2x | 100.0% OVER | +10.0% | +0.0% |\n" in text
    assert "- before, now: counted in the network itself.\n" in text
    page = html.page(found, tmp_path)
    assert page.count('<section id="budgets">') == 1
    assert page.count('class="chart"') == 2
    assert "<title>Units of a_</title>" in page and "&lt;b&gt;" in page
    assert '<span class="warn">100.0% OVER</span>' in page and "<td>97.7%" in page
    assert page.count("<li>before, now: counted in the network itself.") == 1


def test_a_run_without_budgets_does_not_speak_of_them(tmp_path):
    found = made(VariantRecord("baseline", "train", {}))
    assert "udget" not in markdown.run_report(found)
    assert 'id="budgets"' not in html.page(found, tmp_path)
