"""Limits, what Vela says of them, and a variant that is held to its budget."""

from pathlib import Path

import numpy as np
import pytest

from tests.support import records
from tinyprune.artifacts.budget import BudgetLine, BudgetRecord, Removal
from tinyprune.artifacts.quantity import LIMITED
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.config.budget import Budget, BudgetConfig
from tinyprune.errors import CheckFailed
from tinyprune.npu.limits import (
    RECORD,
    Limit,
    budget_limits,
    exceeded,
    hold_to_budget,
    limits_text,
    measured,
)
from tinyprune.storage.records import read_json, write_json

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
ALL = [Limit(name, 1.0) for name in ("flash", "SRAM", "MACs", "cycles", "latency")]


def report(**values) -> ResourceReport:
    usual = {
        "target": TARGET,
        "sram_bytes": 30_000.0,
        "flash_bytes": 50_000.0,
        "encoded_weight_bytes": 0.0,
        "cycles": 120_000.0,
        "cycles_npu": 0.0,
        "macs": 2_500_000,
    }
    return records.resource_report(**{**usual, **values})


def variant(folder: Path, *lines: BudgetLine, **fields) -> Path:
    write_json(folder / RECORD, BudgetRecord(TARGET.name, lines, **fields))
    return folder


def test_the_limits_of_a_budget_are_those_that_it_sets():
    budget = BudgetConfig(max_flash="64KiB", max_latency="2ms", max_macs="2M").resolved()
    assert budget_limits(budget) == (
        Limit("flash", 64 * 1024),
        Limit("MACs", 2e6),
        Limit("latency", 0.002),
    )
    assert budget_limits(Budget(cycles=3.0, sram_bytes=5, cpu_operators=0)) == (
        Limit("SRAM", 5),
        Limit("cycles", 3),
    )
    assert budget_limits(Budget()) == ()


def test_every_field_of_a_budget_that_removing_units_changes_is_a_limit():
    assert {quantity.option.field for quantity in LIMITED.values()} == set(vars(Budget())) - {
        "cpu_operators"
    }


def test_what_vela_says_of_each():
    assert measured(report(), ALL).tolist() == [50_000, 30_000, 2_500_000, 120_000, 120_000 / 5e8]
    assert measured(report(), [ALL[3], ALL[0]]).tolist() == [120_000, 50_000]


def test_only_more_than_a_limit_is_over_it():
    limits = [Limit("flash", 100.0), Limit("SRAM", 100.0), Limit("MACs", 100.0)]
    assert exceeded(limits, np.array([100.0, 100.5, 99.0])) == [(limits[1], 100.5)]


def test_a_person_reads_units():
    limits = [Limit("flash", 64 * 1024), Limit("MACs", 2e6), Limit("latency", 0.002)]
    values = np.array([71_234.0, 2_500_000, 0.00025])
    assert (
        limits_text(limits, values)
        == "flash 71 kB of 66 kB, MACs 2.50 M of 2.00 M, latency 0.25 ms of 2.00 ms"
    )


def test_a_variant_that_keeps_its_budget_has_what_vela_said_in_its_record(tmp_path):
    lines = (
        BudgetLine("flash", 60_000, 90_000, 49_000),
        BudgetLine("cycles", 120_000, 200_000, 119_000),
    )
    variant(tmp_path, *lines, sets=("conv",), whole=(8,), removals=(Removal(1, (4,)),))
    hold_to_budget(tmp_path, report())
    found = read_json(tmp_path / RECORD, BudgetRecord)
    assert [line.measured for line in found.lines] == [
        50_000,
        120_000,
    ]  # a limit that is just reached is kept
    assert [(line.name, line.most, line.before, line.expected) for line in found.lines] == [
        ("flash", 60_000, 90_000, 49_000),
        ("cycles", 120_000, 200_000, 119_000),
    ]
    assert (found.removals, found.sets, found.whole) == ((Removal(1, (4,)),), ("conv",), (8,))


def test_a_variant_that_is_above_fails_the_check_and_says_how_near_it_came(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    variant(
        folder,
        BudgetLine("flash", 40_000, 90_000, 39_000),
        BudgetLine("SRAM", 40_000, 50_000, 30_000),
    )
    with pytest.raises(CheckFailed) as caught:
        hold_to_budget(folder, report())
    assert str(caught.value) == (
        "small: flash 50 kB of 40 kB, SRAM 30 kB of 40 kB on ethos-u55-128-shared-sram: "
        "flash is 25.0% above it; the variant is kept: ask for a little less, or for more --epochs"
    )
    assert caught.value.exit_code == 3
    assert [line.measured for line in read_json(folder / RECORD, BudgetRecord).lines] == [
        50_000,
        30_000,
    ]


def test_all_that_is_above_is_named(tmp_path):
    variant(
        tmp_path,
        BudgetLine("MACs", 2_000_000, 9e6, 2e6),
        BudgetLine("latency", 0.0002, 1.0, 0.0002),
    )
    with pytest.raises(
        CheckFailed, match=r": MACs is 25\.0% above it and latency is 20\.0% above it; "
    ):
        hold_to_budget(tmp_path, report())
