"""The report of real runs, whole and half: what it says is in the files of the run."""

import json
import shutil

import pytest

from tinyprune.errors import CheckFailed, UsageError
from tinyprune.report.model.advice import advice
from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import SCHEMA, RunReport
from tinyprune.report.render import formats, run_tables
from tinyprune.report.render.terminal import to_text
from tinyprune.storage.digests import sha256, write_sealed
from tinyprune.storage.records import from_jsonable, read_json, to_jsonable
from tinyprune.storage.run_folder import Workspace

PRUNED = "weight-0.80"


def test_a_finished_run(finished_run):
    report = collect_report(Workspace(finished_run.folder))
    assert (report.schema, report.run) == (SCHEMA, finished_run.folder.name)
    assert report.summaries == (finished_run.summary,)
    assert report.notes == ()
    assert (
        report.advice
        == {name: lines for name, lines in advice(finished_run.summary).items() if lines}
        != {}
    )
    baseline, pruned = report.variants
    assert (baseline.name, pruned.name) == ("baseline", PRUNED)
    assert baseline.state == pruned.state == "export"
    assert [row["epoch"] for row in pruned.history] == [1, 2]
    assert pruned.sparsity == finished_run.summary.variants[1].sparsity
    assert {quality.form for quality in pruned.qualities} == {
        "noisy",
        "float",
        "streaming",
        "sequence",
    }
    assert pruned.configuration["prune"]["epochs"] == 2
    assert {"tinyprune", "python", "keras", "tensorflow", "ethos-u-vela"} <= set(report.versions)
    assert from_jsonable(json.loads(json.dumps(to_jsonable(report))), RunReport) == report


def test_every_artefact_has_its_hash_and_the_command_that_made_it(finished_run):
    report = collect_report(Workspace(finished_run.folder))
    entries = {entry.path: entry for entry in report.manifest}
    assert f"variants/{PRUNED}/model.keras" in entries
    assert f"variants/{PRUNED}/streaming.tflite" in entries
    assert (
        f"variants/{PRUNED}/compiled/{finished_run.summary.target.name}/streaming_vela.tflite"
        in entries
    )
    for path, entry in entries.items():
        assert entry.sha256 == sha256(finished_run.folder / path)
        assert entry.file_bytes == (finished_run.folder / path).stat().st_size
        assert (entry.state, bool(entry.command)) == ("unchanged", True)
        assert entry.made.endswith("+00:00")
    assert {
        entry.stage for entry in report.manifest if entry.path.endswith("streaming.tflite")
    } == {
        "baseline/export",
        f"{PRUNED}/export",
    }


def test_a_file_that_was_changed_or_deleted_is_named(run_copy):
    (run_copy / f"variants/{PRUNED}/history.csv").write_text("epoch\n")
    (run_copy / "variants/baseline/model.keras").unlink()
    states = {entry.path: entry.state for entry in collect_report(Workspace(run_copy)).manifest}
    assert states[f"variants/{PRUNED}/history.csv"] == "changed"
    assert states["variants/baseline/model.keras"] == "missing"
    assert states[f"variants/{PRUNED}/streaming.tflite"] == "unchanged"


def test_a_training_that_was_refused_says_why(run_copy):
    space = Workspace(run_copy)
    with pytest.raises(CheckFailed), space.variant("weight-0.99").claimed({"prune": {}}):
        raise CheckFailed("weight-0.99: accuracy 0.1 on dev, which is chance")
    assert collect_report(space).notes == (
        "weight-0.99 was refused: accuracy 0.1 on dev, which is chance",
    )


def test_half_a_run_shows_what_is_there(run_copy):
    shutil.rmtree(run_copy / "variants/baseline/compiled")
    for path in run_copy.glob("summary-*.json"):
        path.unlink()
    for name in ("train.json", "export.json", "size.json"):
        (run_copy / f"variants/{PRUNED}/{name}").unlink()
    report = collect_report(Workspace(run_copy))
    baseline, pruned = report.variants
    assert (baseline.state, pruned.state) == ("export", "")
    assert (pruned.parameters, pruned.sparsity, pruned.tflite) == (None, None, None)
    assert len(pruned.history) == 2
    assert (report.summaries, report.advice) == ((), {})
    first, second = report.notes
    assert (
        first
        == f"{PRUNED}: its training is not finished; the same `tinyprune prune` goes on with it"
    )
    assert second == "nothing is compiled yet: run `tinyprune compile`"
    shown = to_text(run_tables.format_report(report))
    assert all(part in shown for part in (PRUNED, "baseline", first, second))
    for output_format in ("json", "markdown", "html"):
        assert PRUNED in formats.to_format(report, run_copy, output_format)
    assert formats.to_format(report, run_copy, "csv") == ""


def test_a_summary_that_is_out_of_date_is_named(run_copy, finished_run):
    path = run_copy / f"summary-{finished_run.summary.target.name}.json"
    record = read_json(path, dict)
    del record["record_sha256"]
    write_sealed(path, record | {"variants": record["variants"][:1]})
    [note] = collect_report(Workspace(run_copy)).notes
    command = "`tinyprune compile --npu ethos-u55-128 --memory-mode Shared_Sram`"
    assert (
        note == f"{finished_run.summary.target.name} does not have {PRUNED} as now: run {command}"
    )


def test_a_task_that_does_not_stream_with_every_structure(image_run):
    report = collect_report(Workspace(image_run.folder))
    assert [variant.name for variant in report.variants] == [
        v.name for v in image_run.summary.variants
    ]
    layers = report.summaries[0].variants[0].report.layers
    assert [layer.name for layer in layers][:4] == ["stem", "depthwise", "pointwise", "pool"]
    assert layers[-1].name == "head"
    assert layers[0].weights == 3 * 3 * 3 * 16
    offline = next(variant for variant in report.variants if variant.name.startswith("offline"))
    assert offline.state == "export"
    shown = to_text(run_tables.format_report(report))
    assert max(map(len, shown.splitlines())) <= 100


def test_layers_and_operators_of_a_variant(finished_run):
    report = collect_report(Workspace(finished_run.folder))
    layers = to_text(run_tables.format_variants(report, [PRUNED], operators=False))
    assert "lstm_1" in layers
    assert "4 of 16x128, 4 of 16x16" in layers
    assert "output_gate" in to_text(
        run_tables.format_variants(report, ["baseline"], operators=True)
    )
    with pytest.raises(
        UsageError, match="unknown compiled variant 'weight-0.8': did you mean 'weight-0.80'"
    ):
        run_tables.format_variants(report, ["weight-0.8"], operators=False)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UsageError, match="there is no run in .*: run `tinyprune train` first"):
        collect_report(Workspace(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
