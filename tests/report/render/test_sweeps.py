"""Sweeps as tables of 80 columns, Markdown, CSV and one line."""

import csv
import io
from dataclasses import replace

import pytest

from tests.metrics.test_sweep import files
from tinyprune.metrics import sweep
from tinyprune.report.render import sweeps
from tinyprune.report.render.terminal import to_text


def of_model(model):
    swept = files([(0.0, 6.0), (1.0, 5.0)], condition="5 dB", model=model, category="rain")
    swept += files([(20.0, 12.0)], condition="20 dB", model=model, category="crackling_fire")
    clean = files([(60.0, 20.0)], "clean", "loud, +3 dB/octave", has_noise=False, model=model)
    room = files([(0.0, 2.0)], "room", "decay 0.3 s", model=model)
    wet = files([(60.0, 29.0)], "room", "decay 0.3 s, no noise", has_noise=False, model=model)
    return [*swept, *clean, *room, *wet]


@pytest.fixture
def alone():
    return sweep.report(of_model("pretrained"), "dev")


@pytest.fixture
def compared():
    swept = []
    models = [of_model(f"/very/long/path/{name}.tflite") for name in ("one", "two")]
    for both in zip(*models, strict=True):
        swept += both
    return sweep.report(swept, "dev")


def test_the_tables_fit_80_columns(alone, compared):
    for report in (alone, compared):
        assert max(map(len, to_text(sweeps.format_sweep(report)).splitlines())) <= 80


def test_every_figure_is_there(alone):
    lines = to_text(sweeps.format_sweep(alone)).splitlines()
    assert lines[0] == "SI-SDR dB of pretrained streaming on the dev split, 2 files at most"
    assert "5 dB             0.50    5.50  +5.00  +4.00     0/2" in lines
    assert "20 dB           20.00   12.00  -8.00  -8.00     1/1" in lines
    assert "loud, +3 dB/octave  20.00  20.00     0/1" in lines
    assert "room: Simulated rooms, without noise" in lines
    assert "Where pretrained streaming must not be used" in lines


def test_models_stand_below_each_other(compared):
    lines = to_text(sweeps.format_sweep(compared)).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("5 dB "))
    assert lines[first].endswith("one.tflite streaming")
    assert lines[first + 1].startswith("       ")
    assert lines[first + 1].endswith("two.tflite streaming")


def test_markdown_is_a_section_with_the_same_figures(alone):
    text = sweeps.sweep_markdown(alone)
    assert text.startswith("## Robustness\n\nSI-SDR dB of pretrained streaming on the dev split")
    assert "| 20 dB | 20.00 | 12.00 | -8.00 | -8.00 | 1/1 |" in text
    assert "\n### Where pretrained streaming must not be used\n\n- snr: recordings become" in text


def test_no_limit_is_said_too(alone):
    report = replace(alone, limits=())
    assert sweeps.NOWHERE in to_text(sweeps.format_sweep(report))
    assert sweeps.NOWHERE in sweeps.sweep_markdown(report)
    assert sweeps.in_one_line(report) == ""


def test_limits_in_one_line(alone):
    assert sweeps.in_one_line(alone) == "pretrained streaming has limits, found by: snr, clean"


def test_csv_has_a_line_per_condition(alone):
    rows = list(csv.DictReader(io.StringIO(sweeps.sweep_csv(alone))))
    assert len(rows) == len(alone.rows)
    assert (rows[0]["condition"], rows[0]["gain_db"]) == ("5 dB", "5")
    files_rows = list(csv.DictReader(io.StringIO(sweeps.swept_files_csv(of_model("m")))))
    assert (files_rows[0]["name"], files_rows[0]["output_db"]) == ("folder/0.wav", "6")
