"""The whole chain on tiny sizes: every stage is real."""

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.runs import strip_digests
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import TaskRecord
from tinyprune.artifacts.summary import RunSummary
from tinyprune.config import (
    MagnitudePruning,
    MixtureData,
    OfflinePruning,
    PruneConfig,
    RunConfig,
    SyntheticSpeechData,
    TargetConfig,
    from_mapping,
)
from tinyprune.config.budget import Budget, BudgetConfig
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.errors import UsageError
from tinyprune.metrics.scores import ItemScore, Scores, quality
from tinyprune.npu import targets
from tinyprune.registry import DATASETS
from tinyprune.stages.compile import compile_file, compile_variants
from tinyprune.stages.evaluate import evaluate_models
from tinyprune.stages.export import export_variant
from tinyprune.stages.model_reference import EvaluationRequest
from tinyprune.stages.offline import prune_offline
from tinyprune.stages.prune import plan_pruning, prune_variants
from tinyprune.stages.recipe import run_recipe
from tinyprune.stages.report import report_run
from tinyprune.stages.run import Run
from tinyprune.stages.train import train_baseline
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json
from tinyprune.tasks.speech import Speech

#: TFLM computes variants, LiteRT files from elsewhere: a few steps of the grid apart.
STEPS_DB = 0.01
PRUNED = "weight-0.80"
U55, U85 = targets.resolve("ethos-u55-128"), targets.resolve("ethos-u85-256")
#: layer/kernel -> number of weights, of 128 bands, 16 LSTM units and 16 hidden units.
KERNELS = {
    "lstm_1/kernel": 128 * 4 * 16,
    "lstm_1/recurrent_kernel": 16 * 4 * 16,
    "lstm_2/kernel": 16 * 4 * 16,
    "lstm_2/recurrent_kernel": 16 * 4 * 16,
    "dense/kernel": 16 * 16,
    "mask/kernel": 16 * 128,
}
BIASES = 4 * 16 + 4 * 16 + 16 + 128


def snapshot(folder):
    """Every file with its time of change; the lock is taken, not written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_train_leaves_a_baseline_with_its_history(finished_run):
    folder = finished_run.folder / "variants/baseline"
    record = json.loads((folder / "train.json").read_text())
    assert set(record["outputs"]) == {
        "model.keras",
        "size.json",
        "history.csv",
        "frontend.json",
        "task.json",
    }
    assert all(sha256(folder / name) == digest for name, digest in record["outputs"].items())
    task = TaskRecord("speech", "si_sdr_db", ("streaming", "sequence"), 256 / 16_000)
    assert read_json(folder / "task.json", TaskRecord) == task
    assert read_json(folder / "size.json", int) == sum(KERNELS.values()) + BIASES
    with (folder / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    steps = round(0.3 * 60 * 16_000 / (4 * 51 * 256))  # of about 18 s; the last clip passes them
    assert [int(line["epoch"]) for line in history] == [1, 2]
    assert steps <= int(history[0]["step"]) <= steps + 3
    assert int(history[1]["step"]) == 2 * int(history[0]["step"])
    assert np.isfinite([float(line["dev_si_sdr_db"]) for line in history]).all()


def test_prune_reports_every_form_of_the_variant(finished_run):
    assert [(name, quality.form) for name, quality in finished_run.qualities] == [
        (PRUNED, form) for form in ("noisy", "float", "streaming", "sequence")
    ]
    noisy, *_, streaming, sequence = (quality for _, quality in finished_run.qualities)
    assert noisy.utterances + noisy.undefined == 3
    assert noisy.metrics["si_sdr_db"] == pytest.approx(
        (-6 - 3 + 0) / 3, abs=0.5
    )  # the nominal SNRs
    assert streaming.metrics["si_sdr_db"] == pytest.approx(sequence.metrics["si_sdr_db"], abs=0.1)


def test_zeros_of_the_export_are_those_of_the_plan(finished_run):
    tensors = read_json(
        finished_run.folder / f"variants/{PRUNED}/streaming.json", TFLiteArtifact
    ).tensors
    assert {tensor.name: tensor.size for tensor in tensors} == KERNELS
    assert sum(tensor.masked for tensor in tensors) == int(0.8 * sum(KERNELS.values()))
    assert all(tensor.zeros >= tensor.masked for tensor in tensors)


def test_summary_puts_the_variant_beside_its_baseline(finished_run):
    summary = finished_run.summary
    baseline, pruned = summary.variants
    assert (baseline.name, pruned.name) == ("baseline", PRUNED)
    assert baseline.parameters == pruned.parameters == sum(KERNELS.values()) + BIASES
    assert baseline.sparsity < 0.1
    assert 0.799 < pruned.sparsity < 0.9
    assert pruned.report.encoded_weight_bytes < baseline.report.encoded_weight_bytes / 2
    assert pruned.report.cycles <= baseline.report.cycles
    assert pruned.quality.form == "streaming"
    assert summary.noisy.form == "noisy"
    assert summary.hop_seconds == 256 / 16_000
    assert summary.target.npu == "ethos-u55-128"
    assert (
        read_json(finished_run.folder / f"summary-{summary.target.name}.json", RunSummary)
        == summary
    )


def forms_of(scored):
    return [(row.model, row.form) for row in scored.rows]


BOTH = ("float", "streaming")


@pytest.mark.slow
def test_evaluate_scores_all_variants_on_another_split(finished_run, tiny_sizes):
    found = evaluate_models(finished_run.folder, (), EvaluationRequest("test"))
    assert forms_of(found) == [
        ("-", "noisy"),
        *((name, form) for name in ("baseline", PRUNED) for form in BOTH),
    ]
    assert (found.split, found.metrics) == ("test", ("si_sdr_db", "sdr_db", "stoi"))
    assert {row.split for row in found.rows} == {"test"}
    names = [item.name for item in found.noisy.items]
    assert len(names) == 3
    assert all([item.name for item in row.items] == names for row in found.rows)


def test_evaluate_scores_the_forms_that_are_named_once(finished_run, tiny_sizes):
    asked = EvaluationRequest(metrics=("si_sdr_db",))
    found = evaluate_models(
        finished_run.folder, (f"{PRUNED}:sequence", PRUNED, f"{PRUNED}:float"), asked
    )
    assert [[row.form for row in forms] for forms in found.models] == [
        ["sequence"],
        ["float", "streaming"],
    ]
    on_export = {scored.form: scored.metrics["si_sdr_db"] for _, scored in finished_run.qualities}
    assert {row.form: quality(row).metrics["si_sdr_db"] for row in found.rows} == pytest.approx(
        on_export, abs=1e-6
    )


def test_a_variant_alone_is_held_to_the_baseline(finished_run, tiny_sizes):
    found = evaluate_models(
        finished_run.folder,
        (PRUNED,),
        EvaluationRequest(metrics=("si_sdr_db",), limited=("seg_snr_db",)),
    )
    assert [forms[0].model for forms in found.models] == ["baseline", PRUNED]
    assert found.metrics == ("si_sdr_db", "seg_snr_db")
    with pytest.raises(UsageError, match="name another beside baseline$"):
        evaluate_models(finished_run.folder, ("baseline",), EvaluationRequest(limited=("sdr_db",)))


@pytest.fixture
def recordings(finished_run, tiny_sizes, tmp_path):
    """The dev mixtures of the run as files, and what is asked of models on them."""
    dataset = DATASETS["synthetic-speech"](finished_run.train.data, finished_run.folder / "data")
    for number, mixture in enumerate(dataset.utterances("dev")):
        for kind in ("noisy", "clean"):
            (tmp_path / kind).mkdir(exist_ok=True)
            soundfile.write(
                tmp_path / kind / f"p_{number}.wav", getattr(mixture, kind), 16_000, subtype="FLOAT"
            )
    return EvaluationRequest(
        "test",
        ("si_sdr_db",),
        EvaluationData(noisy=str(tmp_path / "noisy"), clean=str(tmp_path / "clean")),
    )


@pytest.mark.slow
def test_files_on_recordings_need_no_run_and_give_what_the_variant_gives(
    finished_run, recordings, tmp_path
):
    folder, before = finished_run.folder / "variants" / PRUNED, set(tmp_path.rglob("*"))
    files = [str(folder / name) for name in ("model.keras", "streaming.tflite", "sequence.tflite")]
    found = evaluate_models(tmp_path / "none", files, recordings)
    assert forms_of(found) == [
        ("-", "noisy"),
        *zip(files, ("float", "streaming", "sequence"), strict=True),
    ]
    variant = evaluate_models(finished_run.folder, (PRUNED,), recordings)
    for one, other in zip(found.rows[:3], variant.rows, strict=True):
        assert one.values("si_sdr_db") == pytest.approx(other.values("si_sdr_db"), abs=STEPS_DB)
    on_export = {scored.form: scored.metrics["si_sdr_db"] for _, scored in finished_run.qualities}
    assert {row.form: quality(row).metrics["si_sdr_db"] for row in found.rows} == pytest.approx(
        on_export, abs=0.01
    )
    assert set(tmp_path.rglob("*")) == before


def test_a_file_on_the_data_of_the_run(finished_run, tiny_sizes):
    file = str(finished_run.folder / "variants" / PRUNED / "streaming.tflite")
    found = evaluate_models(
        finished_run.folder, (PRUNED, file), EvaluationRequest(metrics=("si_sdr_db",))
    )
    assert [[row.form for row in forms] for forms in found.models] == [
        ["float", "streaming"],
        ["streaming"],
    ]
    assert found.rows[2].values("si_sdr_db") == pytest.approx(
        found.rows[3].values("si_sdr_db"), abs=STEPS_DB
    )


AGAIN = """
import sys
from pathlib import Path
from tinyprune.config import MagnitudePruning
from tinyprune.npu import targets
from tinyprune.report.render.table import to_csv
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.export import export_variant
from tinyprune.stages.prune import prune_variants
run = Path(sys.argv[1])
prune_variants(run, [MagnitudePruning(epochs=2)])
export_variant(run, None)
print(to_csv(compile_variants(run, [targets.resolve("ethos-u55-128")])[0]))
print([name for name in ("tensorflow", "keras", "librosa") if name in sys.modules])
"""


def test_what_is_finished_is_not_done_again_and_loads_nothing_heavy(finished_run):
    before = snapshot(finished_run.folder / "variants")
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(finished_run.folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert snapshot(finished_run.folder / "variants") == before


def test_a_recipe_continues_where_the_run_is(run_copy, finished_run, tiny_sizes):
    before = snapshot(run_copy / "variants")
    targets = (finished_run.target, TargetConfig(npu="ethos-u55-32"))
    config = replace(finished_run.train, prune=(finished_run.prune,), target=targets)
    config = replace(config, budget=BudgetConfig(max_flash="1MB"))
    big, small = run_recipe(config, run_copy)
    assert report_run(run_copy).limits == Budget(flash_bytes=1e6)
    exported = big.variants[0].quality
    assert exported.half_widths.keys() == exported.metrics.keys()
    assert [variant.report for variant in big.variants] == [
        v.report for v in finished_run.summary.variants
    ]
    assert small.target.npu == "ethos-u55-32"
    assert (
        small.variants[0].report.cycles_npu > big.variants[0].report.cycles_npu
    )  # a quarter of the multipliers
    after = snapshot(run_copy / "variants")
    assert {path: after[path] for path in before} == before
    assert {path.parent.name for path in after.keys() - before.keys()} == {small.target.name}


@pytest.mark.parametrize("name", ["report.json", "streaming_vela.tflite"])
def test_what_was_deleted_is_compiled_again(run_copy, finished_run, name):
    [path] = (run_copy / "variants/baseline/compiled").rglob(name)
    path.unlink()
    [summary] = compile_variants(run_copy, [U55])
    assert summary.variants[0].report == finished_run.summary.variants[0].report
    assert path.exists()


def test_a_plan_is_shown_without_training(finished_run):
    plan = plan_pruning(finished_run.folder, MagnitudePruning(sparsity=0.5, name="not-yet"))
    assert {layer.key: layer.groups for layer in plan.layers} == KERNELS
    assert not (finished_run.folder / "variants/not-yet").exists()


@pytest.mark.parametrize(
    "stage",
    [
        lambda run: prune_variants(run, [MagnitudePruning()]),
        lambda run: plan_pruning(run, MagnitudePruning()),
        lambda run: export_variant(run, None),
        lambda run: compile_variants(run, [U55]),
        lambda run: evaluate_models(run),
    ],
    ids=["prune", "show_plan", "export", "compile", "evaluate"],
)
def test_without_a_baseline_nothing_is_done_and_nothing_is_left(tmp_path, stage):
    run = tmp_path / "run"
    with pytest.raises(
        UsageError, match=f"^no finished variant 'baseline' in {run}: run `tinyprune train` first$"
    ):
        stage(run)
    assert not run.exists()


def test_a_variant_that_is_not_there(finished_run):
    message = f"^no finished variant 'block-0.80' in .*: it has baseline, {PRUNED}$"
    with pytest.raises(UsageError, match=message):
        export_variant(finished_run.folder, "block-0.80")
    with pytest.raises(UsageError, match=message):
        evaluate_models(finished_run.folder, ("block-0.80",))


def test_another_configuration_of_the_baseline_is_refused(finished_run, tiny_sizes):
    other = replace(finished_run.train, train=replace(finished_run.train.train, epochs=3))
    with pytest.raises(
        UsageError, match=r"exists with another configuration \(train\.epochs: 2, now 3\)"
    ):
        train_baseline(finished_run.folder, other)


def test_other_data_are_refused(finished_run, tiny_sizes):
    other = replace(finished_run.train, data=SyntheticSpeechData(minutes=0.3, dev_utterances=4))
    with pytest.raises(UsageError, match=r"data\.dev_utterances: 3, now 4; data_sha256: "):
        train_baseline(finished_run.folder, other)


def test_another_pruning_of_the_same_name_is_refused(finished_run):
    with pytest.raises(
        UsageError,
        match=r"another configuration \(prune\.schedule: \"polynomial\", now \"constant\"\)",
    ):
        prune_variants(finished_run.folder, [MagnitudePruning(epochs=2, schedule="constant")])


def test_test_folders_that_would_not_be_used_are_refused(finished_run, tmp_path):
    with pytest.raises(
        UsageError,
        match='test_speech: is not used by data.name = "synthetic-speech"; choose "mixture"',
    ):
        evaluate_models(
            finished_run.folder,
            (),
            EvaluationRequest("test", data=EvaluationData(str(tmp_path), str(tmp_path))),
        )


@pytest.mark.slow
def test_a_file_is_compiled_beside_itself_or_into_a_folder_per_target(networks, tmp_path):
    path = Path(shutil.copy(networks.dense(), tmp_path))
    [beside] = compile_file(path, [U55], None)
    assert beside.path == tmp_path / f"dense-{U55.name}" / "dense_vela.tflite"
    [alone] = compile_file(path, [U55], tmp_path / "out")
    assert alone.path == tmp_path / "out" / "dense_vela.tflite"
    both = compile_file(path, [U55, U85], tmp_path / "all")
    assert [made.path.parent for made in both] == [
        tmp_path / "all" / U55.name,
        tmp_path / "all" / U85.name,
    ]
    assert all(made.path.exists() for made in (beside, alone, *both))


def test_every_variant_for_every_target(run_copy, finished_run):
    before = snapshot(run_copy / "variants")
    first, second = compile_variants(run_copy, [U55, U85])
    assert first == finished_run.summary
    assert (second.target, [v.name for v in second.variants]) == (U85, ["baseline", PRUNED])
    assert {path: snapshot(run_copy / "variants")[path] for path in before} == before
    report = report_run(run_copy)
    assert [summary.target for summary in report.summaries] == [U55, U85]
    assert report.summaries == (first, second)


class Stub:
    """A task that scores nothing: the name of the only item is where its first mixture is from."""

    record = TaskRecord("speech", "si_sdr_db", ("streaming", "sequence"), 256 / 16_000)
    input_shape = output_shape = (None, 128)
    default_model, default_epochs, learning_rate = "tinylstm", 1, 1e-3
    activation, compact_output_shape = None, ()
    name, default_metrics, all_metrics = "speech", ("si_sdr_db",), ("si_sdr_db",)
    forms, exported = Speech.forms, Speech.exported
    frontend, preparation = None, None

    def __init__(self, dataset):
        self.dataset = dataset

    def unprocessed_scores(self, split, metrics):
        return self.scores(None, "noisy", split, metrics, "-")

    def scores(self, forward, form, split, metrics, model):
        item = ItemScore(self.dataset.utterances(split)[0].name[:3], "", "", None, {})
        return Scores(model, form, split, metrics, (item,))


def test_test_folders_are_remembered_and_no_part_of_the_baseline(tmp_path, monkeypatch):
    for name in ("speech", "noise", "one", "two"):
        for number in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            samples = np.random.default_rng(number).uniform(-0.3, 0.3, 1600)
            soundfile.write(tmp_path / name / f"{name}{number}.wav", samples, 16_000)
    # What is trained and scored does not matter here: only on which mixtures.
    monkeypatch.setattr("tinyprune.stages.baseline.fit_baseline", lambda *_: [])
    monkeypatch.setattr("tinyprune.tasks.lookup.task_of", lambda dataset, *_: Stub(dataset))
    monkeypatch.setattr(Run, "record", Stub.record)
    monkeypatch.setattr("tinyprune.stages.evaluate.ensure_exported", lambda *_: None)
    monkeypatch.setattr(Run, "load_network", lambda *_: None)

    def train(**test):
        folders = {name: str(tmp_path / name) for name in ("speech", "noise")}
        data = MixtureData(
            dev_utterances=1,
            **folders,
            **{k: str(tmp_path / v) for k, v in test.items()},
        )
        train_baseline(tmp_path / "run", RunConfig(data=data))

    def scored(*folders):
        data = EvaluationData(*(str(tmp_path / folder) for folder in folders))
        return (
            evaluate_models(tmp_path / "run", (), EvaluationRequest("test", data=data))
            .noisy.items[0]
            .name
        )

    train()
    with pytest.raises(UsageError, match="no 'test' split"):
        scored()
    train(test_speech="one", test_noise="noise")
    assert scored() == "one"
    assert scored("two", "noise") == "two"
    train(test_speech="two", test_noise="noise")
    assert scored() == "two"
    with pytest.raises(UsageError, match="--test-speech and --test-noise go together"):
        train(test_speech="one")
    with pytest.raises(UsageError, match="folder .*/gone does not exist"):
        train(test_speech="gone", test_noise="noise")
    assert scored() == "two"


def test_pruning_on_other_data_than_the_baseline_is_refused(run_copy, tiny_sizes):
    strip_digests(run_copy)
    record = run_copy / "variants" / "baseline" / "variant.json"
    record.write_text(
        re.sub(r'"data_sha256": "\w+"', '"data_sha256": "of other samples"', record.read_text())
    )
    with pytest.raises(UsageError, match="files of the data have changed since the baseline"):
        prune_variants(run_copy, [MagnitudePruning(sparsity=0.5, epochs=1)])


# --- what is asked wrongly is said before anything is loaded or made
# --------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"model": {"name": "tinylstn"}},
            "unknown model 'tinylstn': did you mean 'tinylstm'? expected one of: ",
        ),
        (
            {"model": {"name": "gone.keras"}},
            "there is no file gone.keras: expected a file (.keras, .h5, .hdf5) or ",
        ),
        (
            {"train": {"epochs": 0}},
            "train.epochs: expected at least 1, got 0: only a model of your own ",
        ),
        (
            {"train": {"epochs": 0}, "model": {"name": "tinylstm"}},
            "train.epochs: expected at least 1, got 0: ",
        ),
    ],
)
def test_a_model_that_cannot_be_is_named_at_once(tmp_path, monkeypatch, table, message):
    monkeypatch.chdir(tmp_path)
    for stage in (
        lambda config: train_baseline(Path("run"), config),
        lambda config: run_recipe(config, Path("run")),
    ):
        with pytest.raises(UsageError) as caught:
            stage(from_mapping(table))
        assert str(caught.value).startswith(message)
        assert not Path("run").exists()


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        (
            ["none"],
            "'weight-0.50-0' starts from 'none', which does not exist: expected one of: base",
        ),
        (["weight-0.50-0"], "starts from 'weight-0.50-0', which is made after it"),
        (["baseline", "weight-0.50-2", "weight-0.50-1"], "'weight-0.50-2', which is made after it"),
    ],
)
def test_a_base_that_will_not_be_there_is_found_before_anything_is_trained(
    tmp_path, bases, message
):
    prunings = [
        MagnitudePruning(base=base, name=f"weight-0.50-{number}")
        for number, base in enumerate(bases)
    ]
    with pytest.raises(UsageError, match=message):
        run_recipe(RunConfig(prune=tuple(prunings)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_offline_pruning_is_not_for_training(tmp_path):
    config, run = OfflinePruning(clusters=16), tmp_path / "run"
    for stage in (
        lambda: prune_variants(run, [MagnitudePruning(), config]),
        lambda: plan_pruning(run, config),
        lambda: run_recipe(RunConfig(prune=(config,)), run),
    ):
        with pytest.raises(
            UsageError, match=r"^an offline pruning is not trained: it goes with --offline FILE"
        ):
            stage()
    assert not run.exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"structure": "wieght"},
            "unknown structure 'wieght': did you mean 'weight'? expected one of: 2:4, block, ",
        ),
        ({"structure": "we ight"}, "unknown structure 'we ight': did you mean 'weight'? "),
        (
            {"structure": "5:4"},
            "structure '5:4' keeps 5 of 4 weights: expected n:m with 1 <= n < m, try 2:4",
        ),
        ({"structure": "4:4"}, "structure '4:4' keeps 4 of 4 weights: "),
        ({"structure": "0:4"}, "structure '0:4' keeps 0 of 4 weights: "),
        ({"structure": "2:"}, "structure '2:' is not n:m with two numbers: try 2:4"),
        (
            {"structure": "block", "block_size": "16"},
            "block size '16' is not RxC, inputs x outputs of a block: ",
        ),
        ({"structure": "block", "block_size": "0x4"}, "block size '0x4' is not RxC"),
        (
            {"layers": [{"match": "a", "structure": "blok"}]},
            "unknown structure 'blok': did you mean 'block'? ",
        ),
        (
            {"layers": [{"match": "a", "structure": "block", "block_size": "a/b"}]},
            "block size 'a/b' is not RxC",
        ),
    ],
)
def test_a_structure_that_cannot_be_is_named_at_once(tmp_path, table, message):
    config, run = from_mapping(table, PruneConfig), tmp_path / "run"

    def offline():
        """The offline control, which has no rules for layers."""
        prune_offline(run, tmp_path / "m.tflite", from_mapping(table, OfflinePruning), None)

    stages = [
        lambda: prune_variants(run, [MagnitudePruning(), config]),
        lambda: plan_pruning(run, config),
        lambda: run_recipe(RunConfig(prune=(config,)), run),
    ]
    if "layers" not in table:
        stages.append(offline)
    for stage in stages:
        with pytest.raises(UsageError) as caught:
            stage()
        assert str(caught.value).startswith(message)
    assert not run.exists()
