"""Predicted against Vela: errors and medians are visible arithmetic; every format has them."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import records
from tinyprune.artifacts.resources import NpuTarget, Prediction
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model import predictions
from tinyprune.report.model.record import SCHEMA, RunReport
from tinyprune.report.model.summary import summary_rows
from tinyprune.report.render import (
    cost_tables,
    html,
    markdown,
    prediction_tables,
    run_tables,
    table,
    terminal,
)

U55 = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
U85 = NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")
SMALL = NpuTarget("ethos-u55-32", "Ethos_U55_Deep_Embedded", "Shared_Sram")  # without constants
FLASH, SRAM, CYCLES = 100_000.0, 8_000.0, 200_000.0


def variant(name: str, target: NpuTarget, *factors: float) -> VariantSummary:
    """Predicted are Vela's flash, SRAM and cycles times these factors; no factors: nothing is predicted."""
    report = records.resource_report(
        target=target, sram_bytes=SRAM, flash_bytes=FLASH, cycles=CYCLES
    )
    if factors:
        flash, sram, expected = (f * v for f, v in zip(factors, (FLASH, SRAM, CYCLES), strict=True))
        report = replace(
            report,
            predicted=Prediction(target, flash, flash - 40_000, 40_000, sram, expected, 968_192),
        )
    return records.variant_summary(name, report, quality=records.quality(si_sdr_db=9.4))


def summary(target: NpuTarget = U55, *variants: VariantSummary) -> RunSummary:
    known = (
        variant("baseline", target, 1.01, 0.5, 0.9),
        variant("weight-0.80", target, 0.97, 1.0, 1.2),
        variant("unit-0.50", target, 1.05, 2.0, 1.04),
    )
    return records.run_summary(*(variants or known), target=target, hop_seconds=0.016)


def report(*summaries: RunSummary) -> RunReport:
    return RunReport(
        SCHEMA, "default", "2026-01-01T00:00:00+00:00", {"tinyprune": "0.1"}, None, (), summaries
    )


def lines(renderable) -> list[str]:
    return terminal.to_text(renderable).splitlines()


def test_the_sentence_has_the_median_of_each_quantity() -> None:
    # sizes of errors: flash 1, 3, 5 %; SRAM 50, 0, 100 %; cycles 10, 20, 4 %
    assert (
        predictions.error_sentence([summary()])
        == "median error of 3 compilations: flash 3.0%, SRAM 50.0%, cycles 10.0%"
    )
    one = summary(U55, variant("baseline", U55, 1.01, 0.5, 0.9))
    assert (
        predictions.error_sentence([one])
        == "median error of 1 compilation: flash 1.0%, SRAM 50.0%, cycles 10.0%"
    )


def test_a_line_per_variant_has_predicted_vela_and_error() -> None:
    text = lines(prediction_tables.format_predictions([summary()]))
    assert text[:2] == ["Predicted against Vela", "ethos-u55-128-shared-sram"]
    [baseline] = [line.split() for line in text if line.startswith("baseline")]
    assert baseline == [
        *("baseline", "101", "kB", "100", "kB", "+1.0%"),
        *("4000", "B", "8000", "B", "-50.0%", "180", "k", "200", "k", "-10.0%"),
    ]


def test_many_targets_are_a_line_each() -> None:
    shared = [replace(U55, memory_mode=mode) for mode in ("Shared_Sram", "Sram_Only")]
    text = lines(
        prediction_tables.format_predictions([summary(target) for target in (*shared, U85)])
    )
    [row] = [line.split() for line in text if line.startswith("ethos-u85-256")]
    assert row == ["ethos-u85-256-sram-only", "3.0%", "50.0%", "10.0%", "3"]
    assert not any(line.startswith("baseline") for line in text)
    assert text[-1].startswith("median error of 9 compilations")


def test_targets_without_constants_are_named() -> None:
    nothing = summary(SMALL, variant("baseline", SMALL))
    assert prediction_tables.format_predictions([nothing]) is None
    assert predictions.error_sentence([nothing]) == ""
    text = lines(prediction_tables.format_predictions([summary(), nothing]))
    assert text[-1] == "The cost model has no constants for ethos-u55-32-shared-sram."


def test_what_vela_says_nothing_of_has_no_error() -> None:
    one = variant("baseline", U55, 1.01, 0.5, 0.9)
    one = replace(one, report=replace(one.report, sram_bytes=0.0))
    text = lines(prediction_tables.format_predictions([summary(U55, one)]))
    [row] = [line.split() for line in text if line.startswith("baseline")]
    assert row[6:11] == ["4000", "B", "0", "B", "-"]
    assert (
        predictions.error_sentence([summary(U55, one)])
        == "median error of 1 compilation: flash 1.0%, cycles 10.0%"
    )


@pytest.mark.parametrize(
    "name", ["weight-0.80", "a-name-that-somebody-made-far-too-long", "with[red]markup"]
)
def test_it_fits_100_columns(name: str) -> None:
    one = variant(name, U55, 11.6, 123.4, 0.001)
    big = replace(
        one.report, flash_bytes=123_456_789.0, sram_bytes=1_234_567.0, cycles=123_456_789.0
    )
    other = replace(
        U55, system_config="A_System_Of_Somebody_With_A_Long_Name", is_default_system=False
    )
    found = [
        summary(U55, replace(one, report=big)),
        summary(other, replace(one, report=replace(big, target=other))),
    ]
    assert max(map(len, lines(prediction_tables.format_predictions(found)))) <= 100
    assert max(map(len, lines(prediction_tables.format_predictions([*found, summary(U85)])))) <= 100


def test_rows_and_csv_have_it() -> None:
    [row, *_] = summary_rows(summary())
    assert row["predicted_cycles"] == pytest.approx(0.9 * CYCLES)
    assert row["predicted_sram_bytes_error"] == pytest.approx(0.5 - 1)
    written = list(
        csv.DictReader(io.StringIO(table.to_csv(summary(SMALL, variant("baseline", SMALL)))))
    )
    assert (written[0]["predicted_flash_bytes"], written[0]["predicted_flash_bytes_error"]) == (
        "",
        "",
    )


def test_the_report_has_it_in_every_format(tmp_path: Path) -> None:
    found = report(summary(), summary(U85))
    assert "\n\nPredicted against Vela\nethos-u55-128-shared-sram\n" in terminal.to_text(
        run_tables.format_report(found)
    )
    text = markdown.run_report(found)
    assert "## Predicted against Vela" in text
    assert "| ethos-u85-256-sram-only | weight-0.80 | 97 kB | 100 kB | -3.0% | 8000 B |" in text
    assert "- median error of 6 compilations: flash 3.0%, SRAM 50.0%, cycles 10.0%" in text
    page = html.page(found, tmp_path)
    assert '<section id="predicted">' in page
    assert page.count("median error of 6 compilations") == 1
    assert page.count("<td>+5.0%") == 2
    said = " ".join(lines(cost_tables.format_model(found.summaries[0].variants[0].report)))
    assert (
        "predicted" in said
        and "flash 101 kB (+1.0%), SRAM 4000 B (-50.0%), cycles 180 k (-10.0%)" in said
    )


def test_a_report_without_predictions_does_not_speak_of_them(tmp_path: Path) -> None:
    found = report(summary(SMALL, variant("baseline", SMALL)))
    for text in (
        terminal.to_text(run_tables.format_report(found)),
        markdown.run_report(found),
        html.page(found, tmp_path),
        terminal.to_text(cost_tables.format_model(found.summaries[0].variants[0].report)),
    ):
        assert "predicted" not in text.lower()
