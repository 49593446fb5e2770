"""The names of ``import tinyprune``: export, compilation, finished runs."""

import subprocess
import sys

import numpy as np
import pytest

import tinyprune
from tinyprune.errors import UsageError
from tinyprune.models.tinylstm import build


def test_every_name_resolves_and_importing_loads_nothing_heavy():
    for name in tinyprune.__all__:
        assert getattr(tinyprune, name) is not None
    code = "import tinyprune, sys; print([n for n in ('tensorflow', 'keras', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'prune_it'"):
        _ = tinyprune.prune_it


def test_a_compilation_prints_itself_as_a_table(networks, tmp_path):
    compiled = tinyprune.compile(networks.dense(), npu="ethos-u55-128", output=tmp_path)
    assert compiled.path.exists()
    assert compiled.report.macs == 16 * 32 + 32 * 8
    text = repr(compiled)
    assert "ethos-u55-128" in text
    assert "encoded weights" in text
    assert max(map(len, text.splitlines())) <= 100
    html = compiled._repr_html_()
    assert html.startswith("<pre>")
    assert "encoded weights" in html


def test_an_accelerator_that_does_not_exist_is_told(networks):
    with pytest.raises(UsageError, match="ethos-u55-128"):
        tinyprune.compile(networks.dense(), npu="ethos-u55-127")


@pytest.mark.slow
def test_a_network_of_sequences_is_exported_frame_by_frame(tmp_path):
    network = build((None, 16), 16, 8, 8)
    frames = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    artifact = tinyprune.export_int8(network, frames, tmp_path / "one.tflite")
    assert artifact.frames == 1
    assert tinyprune.export_int8(network, frames, tmp_path / "ten.tflite", frames=10).frames == 10


def test_calibration_that_does_not_fit_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"shape \(40, 3\).*consecutive frames \(n, features\)"):
        tinyprune.export_int8(build((None, 16), 16, 8, 8), np.zeros((40, 3)), tmp_path / "a.tflite")
    assert not (tmp_path / "a.tflite").exists()


def test_a_run_is_variants_qualities_and_costs(finished_run):
    run = tinyprune.open_run(finished_run.folder)
    assert list(run.variants) == ["baseline", "weight-0.80"]
    variant = run["weight-0.80"]
    assert [quality.form for quality in variant.qualities][-2:] == ["streaming", "sequence"]
    assert variant.tflite.name == "streaming.tflite"
    [costs] = variant.costs.values()
    assert costs == finished_run.summary.variants[1].report
    assert variant.model().count_params() == finished_run.summary.variants[1].parameters


def test_rows_are_flat_numbers_for_a_data_frame(finished_run):
    rows = tinyprune.open_run(finished_run.folder).rows()
    assert [row["variant"] for row in rows] == ["baseline", "weight-0.80"]
    assert rows[1]["flash_bytes"] == finished_run.summary.variants[1].report.flash_bytes
    assert all(not isinstance(value, dict | list | tuple) for row in rows for value in row.values())


def test_a_run_prints_itself_as_its_report(finished_run):
    text = repr(tinyprune.open_run(finished_run.folder))
    assert "weight-0.80" in text
    assert "ethos-u55-128" in text


def test_a_variant_or_a_run_that_does_not_exist_is_told(finished_run, tmp_path):
    with pytest.raises(UsageError, match="baseline"):
        tinyprune.open_run(finished_run.folder)["weight-0.81"]
    with pytest.raises(UsageError, match="there is no run in"):
        tinyprune.open_run(tmp_path / "nothing")
