"""The benchmark of structures: which rows no other one beats, and what is in its table."""

from dataclasses import replace

import pytest

from benchmarks.quality.structures import IN_FLASH, IN_SRAM, ROWS, Measured, Outcome, table
from tinyprune.config import MagnitudePruning, OfflinePruning


def outcome(row: str, dev: float, flash: float, cycles: float) -> Outcome:
    return Outcome(
        row, {"dev": dev, "test": dev}, flash, {IN_FLASH: cycles, IN_SRAM: cycles / 2}, 60
    )


BASE = outcome("baseline", 0.90, 40_000, 100_000)
GOOD = outcome("weight 80 %", 0.88, 12_000, 60_000)
WORSE = outcome("block 80 %", 0.86, 13_000, 60_000)  # less right and larger than the one before
CHEAP = outcome("unit 50 %", 0.80, 20_000, 30_000)
REFUSED = Outcome("weight 90 %", {}, refused="no output depends on the input")


def lines_of(*outcomes: Outcome, metric: str = "accuracy") -> dict[str, str]:
    """Row -> its line, without the mark."""
    _, *lines = table(Measured("ds_cnn", metric, "", list(outcomes)))
    assert all(len(line) <= 100 for line in lines)
    return {line[2:34].strip(): line for line in lines}


def test_a_star_is_where_no_row_is_better_in_all() -> None:
    lines = lines_of(BASE, GOOD, WORSE, CHEAP, REFUSED)
    marked = {row for row, line in lines.items() if line.startswith("*")}
    assert marked == {"baseline", "weight 80 %", "unit 50 %"}
    assert lines["weight 90 %"].endswith("refused: no output depends on the input")


def test_less_is_better_of_an_error() -> None:
    lines = lines_of(outcome("a", 0.2, 100, 100), outcome("b", 0.1, 90, 90), metric="mse")
    assert lines["b"].startswith("*")
    assert lines["a"].startswith(" ")


def test_equal_rows_do_not_beat_each_other() -> None:
    lines = lines_of(GOOD, replace(GOOD, row="the same"))
    assert all(line.startswith("*") for line in lines.values())


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_made_of_prunings_that_there_are(row: str) -> None:
    for step in ROWS[row]:
        kind = OfflinePruning if step.is_offline else MagnitudePruning
        config = kind(structure=step.structure, sparsity=step.sparsity, clusters=step.clusters)
        assert config.complaints() == []
