"""A run on pictures, with a network of one's own and every structure; every stage is real, every size is tiny."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyprune.artifacts.network import TensorSparsity, TFLiteArtifact
from tinyprune.artifacts.quality import TaskRecord
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.config import (
    ImageData,
    LayerRule,
    MagnitudePruning,
    ModelConfig,
    OfflinePruning,
    RunConfig,
    TrainConfig,
)
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.errors import UsageError
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.evaluate import evaluate_models
from tinyprune.stages.export import export_variant
from tinyprune.stages.model_reference import EvaluationRequest
from tinyprune.stages.offline import prune_offline
from tinyprune.stages.prune import plan_pruning, prune_variants
from tinyprune.stages.train import train_baseline
from tinyprune.storage.records import read_json

#: layer/kernel -> number of weights.
KERNELS = {
    "stem/kernel": 3 * 3 * 3 * 16,
    "depthwise/kernel": 3 * 3 * 16,
    "pointwise/kernel": 16 * 24,
    "head/kernel": 24 * 3,
}
BIASES = 16 + 16 + 24 + 3
NORM = (
    4 * 16
)  # gamma, beta, mean and variance of the BatchNorm, which pruning folds into the kernel before it
VARIANTS = ["baseline", "weight-0.50", "unit-0.50", "2-4", "offline-weight-0.80"]


def row(summary: RunSummary, name: str) -> VariantSummary:
    return next(variant for variant in summary.variants if variant.name == name)


def zeros(run, name: str) -> dict[str, TensorSparsity]:
    """Kernel -> its zeros in the flatbuffer of a variant."""
    return {tensor.name: tensor for tensor in row(run.summary, name).tflite.tensors}


def masks(run, name: str) -> dict[str, np.ndarray]:
    with np.load(run.folder / f"variants/{name}/masks.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def snapshot(folder: Path) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def load(run: Path, name: str):
    import keras

    return keras.models.load_model(run / f"variants/{name}/model.keras")


# --- the baseline
# -----------------------------------------------------------------------------------------------------


def test_the_baseline_says_what_it_is_for(image_run):
    folder = image_run.folder / "variants/baseline"
    record = TaskRecord("classification", "accuracy", ("int8",), None, ("0", "1", "2"))
    assert read_json(folder / "task.json", TaskRecord) == record
    assert read_json(folder / "size.json", int) == sum(KERNELS.values()) + BIASES + NORM
    assert json.loads((folder / "frontend.json").read_text())["shape"] == [8, 8, 3]
    with (folder / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [int(line["step"]) for line in history] == [48 // 8, 2 * 48 // 8]
    assert all(0 <= float(line["dev_accuracy"]) <= 1 for line in history)


def test_what_was_left_open_is_written_down(image_run):
    configuration = json.loads((image_run.folder / "variants/baseline/variant.json").read_text())
    model = {"name": "tiny_net:build", "weights": None, "custom": [], "gates": "soft", "width": 1.0}
    assert configuration["model"] == model
    assert configuration["train"]["epochs"] == 2
    assert "model_sha256" not in configuration  # it comes from no file


# --- every structure
# --------------------------------------------------------------------------------------------------


def test_the_summary_has_a_row_for_every_variant(image_run):
    summary = image_run.summary
    assert [variant.name for variant in summary.variants] == VARIANTS
    assert (summary.hop_seconds, summary.noisy) == (None, None)
    assert {variant.quality.form for variant in summary.variants} == {"int8"}
    assert {variant.quality.utterances for variant in summary.variants} == {24}
    assert all(
        variant.quality.metrics.keys() == {"accuracy", "auc"} for variant in summary.variants
    )
    assert (
        read_json(image_run.folder / f"summary-{summary.target.name}.json", RunSummary) == summary
    )


def test_every_pruning_reports_float_and_int8(image_run):
    trained = [name for name in VARIANTS if name != "baseline" and not name.startswith("offline")]
    assert [(name, found.form) for name, found in image_run.qualities] == [
        (name, form) for name in trained for form in ("float", "int8")
    ]
    assert [(name, found.form) for name, found in image_run.offline] == [
        ("offline-weight-0.80", "int8")
    ]


def test_a_sparsity_is_met(image_run):
    tensors = zeros(image_run, "weight-0.50")
    assert {name: tensor.size for name, tensor in tensors.items()} == KERNELS
    assert sum(tensor.masked for tensor in tensors.values()) == sum(KERNELS.values()) // 2
    assert all(tensor.zeros >= tensor.masked for tensor in tensors.values())


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.7])
def test_each_level_of_a_ladder_is_met(structures_run, level):
    tensors = zeros(structures_run, f"weight-{level:.2f}")
    assert {name: tensor.size for name, tensor in tensors.items()} == KERNELS
    assert sum(tensor.masked for tensor in tensors.values()) == int(level * sum(KERNELS.values()))
    assert all(tensor.zeros >= tensor.masked for tensor in tensors.values())


@pytest.mark.slow
def test_a_level_keeps_masked_what_the_one_before_masked(structures_run):
    first, second = masks(structures_run, "weight-0.50"), masks(structures_run, "weight-0.70")
    assert all((first[key] >= second[key]).all() for key in KERNELS)
    assert sum((first[key] > second[key]).sum() for key in KERNELS) > 0


def test_units_are_gone_and_their_number_is_a_multiple_of_eight(image_run):
    model = load(image_run.folder, "unit-0.50")
    stem, pointwise = (model.get_layer(name).filters for name in ("stem", "pointwise"))
    assert stem % 8 == pointwise % 8 == 0
    assert stem + pointwise <= (16 + 24) / 2 + 8
    kept = (
        (3 * 3 * 3 + 1) * stem + (3 * 3 + 1) * stem + (stem + 1) * pointwise + (pointwise + 1) * 3
    )
    whole, smaller = row(image_run.summary, "weight-0.50"), row(image_run.summary, "unit-0.50")
    assert whole.parameters == sum(KERNELS.values()) + BIASES
    assert smaller.parameters == model.count_params() == kept < whole.parameters
    assert smaller.report.macs < whole.report.macs
    assert smaller.report.flash_bytes < row(image_run.summary, "baseline").report.flash_bytes
    assert smaller.tflite.file_bytes < whole.tflite.file_bytes


@pytest.mark.slow
def test_weights_are_pruned_after_units(structures_run):
    units, both = (
        row(structures_run.summary, name) for name in ("unit-0.50", "unit-0.50-weight-0.80")
    )
    assert both.parameters == units.parameters
    sizes = [tensor.size for tensor in both.tflite.tensors]
    assert sizes == [tensor.size for tensor in units.tflite.tensors]
    assert sum(tensor.masked for tensor in both.tflite.tensors) == int(0.8 * sum(sizes))
    assert both.sparsity >= 0.79


def test_of_four_inputs_two_stay(image_run):
    tensors = zeros(image_run, "2-4")
    assert {name: tensor.masked for name, tensor in tensors.items()} == {
        "stem/kernel": 0,  # excluded
        "depthwise/kernel": 0,  # one input
        "pointwise/kernel": 16 * 24 // 2,
        "head/kernel": 24 * 3 // 2,
    }
    kept = masks(image_run, "2-4")["pointwise/kernel"].reshape(16 // 4, 4, 24)
    assert (kept.sum(axis=1) == 2).all()
    plan = read_json(image_run.folder / "variants/2-4/plan.json", PruningPlan)
    assert [layer.key for layer in plan.layers] == ["pointwise/kernel", "head/kernel"]
    assert plan.skipped["stem/kernel"] == "excluded"


@pytest.mark.slow
def test_blocks_are_masked_whole(structures_run):
    found = masks(structures_run, "block-4x8-0.50")
    pointwise = found["pointwise/kernel"].reshape(16, 24)
    for top in range(0, 16, 4):
        for left in range(0, 24, 8):
            block = pointwise[top : top + 4, left : left + 8]
            assert block.min() == block.max()
    assert found["head/kernel"].all()  # 24 x 3: narrower than a block
    assert found["stem/kernel"].all()  # 3 inputs
    blocks = 4 * 3  # of 16 x 24
    plan = read_json(structures_run.folder / "variants/block-4x8-0.50/plan.json", PruningPlan)
    assert sum(layer.groups for layer in plan.layers) == blocks
    assert {layer.structure.label for layer in plan.layers} == {"block 4x8"}
    assert plan.importance == "l2"
    assert "block of 4x8 is larger than the kernel of shape (24, 3)" in plan.skipped["head/kernel"]


def test_the_offline_control_is_a_variant_without_training(image_run):
    folder = image_run.folder / "variants/offline-weight-0.80"
    assert not list(folder.glob("*.keras"))
    assert not (folder / "history.csv").exists()
    base, control = (row(image_run.summary, name) for name in ("baseline", "offline-weight-0.80"))
    assert control.parameters == base.parameters
    assert control.tflite.file_bytes == base.tflite.file_bytes  # edited in place
    assert control.tflite.sha256 != base.tflite.sha256
    assert sum(tensor.masked for tensor in control.tflite.tensors) == int(
        0.8 * sum(KERNELS.values())
    )
    assert control.report.encoded_weight_bytes < base.report.encoded_weight_bytes


# --- what is done with a finished run
# ---------------------------------------------------------------------------------


def test_all_variants_are_scored_on_the_test_split(image_run):
    found = evaluate_models(image_run.folder, (), EvaluationRequest("test"))
    forms = [(name, form) for name in VARIANTS[:-1] for form in ("float", "int8")]
    assert [(row.model, row.form) for row in found.rows] == [*forms, (VARIANTS[-1], "int8")]
    assert (found.noisy, found.metrics) == (None, ("accuracy", "auc"))
    assert {(row.split, len(row.items)) for row in found.rows} == {("test", 12)}
    assert all(row.whole.keys() == {"auc"} for row in found.rows)


def test_a_form_that_a_variant_does_not_have(image_run):
    message = r"^variant 'offline-weight-0\.80' has no form 'float': expected int8$"
    with pytest.raises(UsageError, match=message):
        evaluate_models(image_run.folder, ("offline-weight-0.80:float",))
    with pytest.raises(
        UsageError, match="^variant 'baseline' has no form 'sequence': expected float or int8$"
    ):
        evaluate_models(image_run.folder, ("baseline:sequence",))


def test_files_of_a_classifier_are_scored_on_the_data_of_the_run(image_run):
    folder = image_run.folder / "variants/2-4"
    files = [str(folder / name) for name in ("model.keras", "int8.tflite")]
    found = evaluate_models(image_run.folder, ("2-4", *files))
    variant, *others = found.models
    assert [row.values("accuracy").tolist() for row in variant] == [
        row.values("accuracy").tolist() for (row,) in others
    ]


def test_a_classifier_has_no_recordings_to_be_scored_on(image_run, tmp_path):
    data = EvaluationData(noisy=str(tmp_path), clean=str(tmp_path))
    with pytest.raises(
        UsageError, match="is a run of classification: it is scored on its own data$"
    ):
        evaluate_models(image_run.folder, (), EvaluationRequest("test", data=data))


AGAIN = """
import pickle, sys
from pathlib import Path
from tinyprune.npu import targets
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.prune import prune_variants
run, configs = Path(sys.argv[1]), pickle.loads(bytes.fromhex(sys.argv[2]))
prune_variants(run, configs)
compile_variants(run, [targets.resolve("ethos-u55-128")])
print([name for name in ("tensorflow", "keras", "librosa") if name in sys.modules])
"""


def test_what_is_finished_is_not_done_again_and_loads_nothing_heavy(image_run):
    import pickle

    before = snapshot(image_run.folder / "variants")
    command = [
        sys.executable,
        "-c",
        AGAIN,
        str(image_run.folder),
        pickle.dumps(image_run.configs).hex(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
    assert snapshot(image_run.folder / "variants") == before


def test_the_same_training_is_not_done_again(image_run, log_lines):
    before = snapshot(image_run.folder / "variants")
    train_baseline(image_run.folder, image_run.config)
    assert [line.partition(",")[0] for line in log_lines] == ["baseline: trained already"]
    assert snapshot(image_run.folder / "variants") == before


def test_the_same_offline_pruning_is_not_done_again(image_run):
    before = snapshot(image_run.folder / "variants")
    int8 = image_run.folder / "variants/baseline/int8.tflite"
    again = prune_offline(image_run.folder, int8, OfflinePruning(), None)
    assert again == image_run.offline
    assert snapshot(image_run.folder / "variants") == before


def test_another_offline_pruning_of_the_same_name_is_refused(image_run):
    int8 = image_run.folder / "variants/baseline/int8.tflite"
    config = OfflinePruning(name="offline-weight-0.80", sparsity=0.5)
    with pytest.raises(
        UsageError, match=r"another configuration \(offline\.sparsity: null, now 0\.5\)"
    ):
        prune_offline(image_run.folder, int8, config, None)


def test_a_graph_of_a_run_may_be_pruned_into_a_file_of_its_own(image_run, tmp_path):
    before = snapshot(image_run.folder)
    int8 = image_run.folder / "variants/baseline/int8.tflite"
    found = prune_offline(
        image_run.folder, int8, OfflinePruning(sparsity=0.5), tmp_path / "out.tflite"
    )
    assert found.path == tmp_path / "out.tflite"
    assert found.sparsity == pytest.approx(0.5, abs=0.01)
    assert snapshot(image_run.folder) == before


def test_a_plan_of_any_variant_is_shown_without_training(image_run):
    before = snapshot(image_run.folder)
    plan = plan_pruning(image_run.folder, MagnitudePruning(base="unit-0.50", structure="2:4"))
    stem = load(image_run.folder, "unit-0.50").get_layer("stem").filters
    assert {layer.key: layer.groups for layer in plan.layers}["stem/kernel"] == 3 * 3 * 3 * stem
    assert snapshot(image_run.folder) == before


def test_runs_of_m_that_do_not_divide_the_inputs_are_said_in_the_plan(image_run):
    plan = plan_pruning(image_run.folder, MagnitudePruning(structure="2:5"))
    assert {layer.layer: layer.note for layer in plan.layers} == {
        "stem": "last run of 3 inputs padded to 5",
        "pointwise": "last run of 1 inputs padded to 5",
        "head": "last run of 4 inputs padded to 5",
    }


def test_layers_may_have_rules_of_their_own(image_run):
    rules = (
        LayerRule("stem", "unit"),
        LayerRule("head/kernel", skip=True),
        LayerRule("point*", "2:4"),
    )
    plan = plan_pruning(image_run.folder, MagnitudePruning(sparsity=0.75, layers=rules))
    assert {
        layer.layer: (layer.structure.label, layer.final_sparsity) for layer in plan.layers
    } == {
        "stem": ("unit", 0.75),
        "depthwise": ("weight", 0.75),
        "pointwise": ("2:4", 0.5),
    }
    assert plan.skipped == {"head/kernel": "excluded"}


@pytest.mark.slow
def test_a_schedule_may_be_given_in_steps_and_a_ranking_by_gradients(image_run_copy):
    config = MagnitudePruning(
        name="soon",
        structure="weight",
        sparsity=0.6,
        importance="taylor",
        scope="layer",
        schedule="one-shot",
        begin=2,
        end=2,
        epochs=4,
        learning_rate=0.004,
    )
    prune_variants(image_run_copy, [config])
    tensors = read_json(image_run_copy / "variants/soon/int8.json", TFLiteArtifact).tensors
    assert {tensor.name: tensor.masked for tensor in tensors}.items() >= {
        ("head/kernel", int(0.6 * KERNELS["head/kernel"])),
        ("pointwise/kernel", int(0.6 * KERNELS["pointwise/kernel"])),
    }


def test_what_was_deleted_is_exported_again_and_is_the_same(image_run_copy, image_run):
    path = image_run_copy / "variants/2-4/int8.tflite"
    path.unlink()
    again = export_variant(image_run_copy, "2-4")
    assert [found for name, found in image_run.qualities if name == "2-4"] == [
        found for _, found in again
    ]
    assert path.read_bytes() == (image_run.folder / "variants/2-4/int8.tflite").read_bytes()


@pytest.mark.slow
def test_a_stopped_pruning_continues_and_gives_what_one_go_gives(
    image_run_copy, image_run, monkeypatch
):
    from tinyprune.training.fit import Fit

    folder = image_run_copy / "variants/again"
    config = replace(image_run.configs[0], name="again")
    epoch = Fit._epoch

    def stop(self, number, *more):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(self, number, *more)

    with monkeypatch.context() as patch:
        patch.setattr(Fit, "_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            prune_variants(image_run_copy, [config])
    assert (folder / "checkpoint.npz").exists()
    assert not (folder / "train.json").exists()
    prune_variants(image_run_copy, [config])
    with (folder / "history.csv").open() as file:
        assert [int(line["epoch"]) for line in csv.DictReader(file)] == [1, 2]
    assert (folder / "int8.tflite").read_bytes() == (
        image_run.folder / "variants/weight-0.50/int8.tflite"
    ).read_bytes()


# --- a model in a file
# ------------------------------------------------------------------------------------------------


@pytest.fixture
def adopt(image_run, tmp_path) -> Callable[[], None]:
    """Trains a run in ``tmp_path / "run"`` from the file ``tmp_path / "net.keras"``, with nothing else said."""
    load(image_run.folder, "baseline").save(tmp_path / "net.keras")
    data = replace(image_run.config.data, augment=True)
    config = RunConfig(
        data=data, model=ModelConfig(str(tmp_path / "net.keras")), train=TrainConfig(batch_size=8)
    )
    return lambda: train_baseline(tmp_path / "run", config)


def test_a_model_in_a_file_keeps_its_weights(adopt, image_run, tmp_path, log_lines):
    adopt()
    folder = tmp_path / "run/variants/baseline"
    [line] = log_lines
    assert re.fullmatch(rf"baseline: dev accuracy \d\.\d\d\d; in {folder}", line)
    assert not (folder / "history.csv").exists()
    assert json.loads((folder / "variant.json").read_text())["train"]["epochs"] == 0
    before, after = (
        load(run, "baseline").get_weights() for run in (image_run.folder, tmp_path / "run")
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    adopt()
    assert log_lines[1:] == [f"baseline: trained already, in {folder}"]


def test_another_model_in_the_same_file_is_refused(adopt, tmp_path):
    adopt()
    import keras

    model = keras.models.load_model(tmp_path / "net.keras")
    model.get_layer("head").kernel.assign(0 * model.get_layer("head").kernel)
    model.save(tmp_path / "net.keras")
    before = snapshot(tmp_path / "run")
    with pytest.raises(UsageError, match=r'exists with another configuration \(model_sha256: "'):
        adopt()
    assert snapshot(tmp_path / "run") == before


def test_what_was_adopted_needs_its_file_no_more(adopt, tmp_path):
    adopt()
    (tmp_path / "net.keras").unlink()
    assert plan_pruning(tmp_path / "run", MagnitudePruning()).layers
    with pytest.raises(UsageError, match=r"^there is no file .*net\.keras: expected a file "):
        adopt()


def test_changed_data_are_refused(image_run_copy, image_run):
    path = Path(image_run.config.data.path)
    with np.load(path) as arrays:
        other = {name: arrays[name] for name in arrays.files}
    other["x_train"][0, 0, 0, 0] ^= 1
    kept, stat = path.read_bytes(), path.stat()
    before = snapshot(image_run_copy)
    try:
        np.savez(path, **other)
        with pytest.raises(
            UsageError, match="^the files of the data have changed since the baseline in "
        ):
            prune_variants(image_run_copy, [MagnitudePruning(sparsity=0.25, epochs=1)])
        with pytest.raises(UsageError, match=r'exists with another configuration \(data_sha256: "'):
            train_baseline(image_run_copy, image_run.config)
    finally:
        path.write_bytes(kept)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert snapshot(image_run_copy) == before


@pytest.mark.slow
def test_pictures_in_folders_with_the_model_of_the_task(tmp_path, monkeypatch):
    """The same chain on ``CLASS/*.png``, with what the data choose: a small resnet8, its own epochs and rates."""

    from PIL import Image

    from tinyprune.tasks.classification import Classification

    rng = np.random.default_rng(0)
    for colour in range(3):
        for number in range(8):
            pixels = rng.integers(0, 80, (8, 8, 3), dtype=np.uint8)
            pixels[..., colour] += 150
            path = tmp_path / f"data/{'rgb'[colour]}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    monkeypatch.setattr(Classification, "default_epochs", 1)
    data = ImageData(path=str(tmp_path / "data"), hold_out=0.25)
    train_baseline(tmp_path / "run", RunConfig(data=data, train=TrainConfig(batch_size=6)))
    folder = tmp_path / "run/variants/baseline"
    assert json.loads((folder / "variant.json").read_text())["model"]["name"] == "resnet8"
    assert read_json(folder / "task.json", TaskRecord).classes == ("b", "g", "r")
    assert json.loads((folder / "variant.json").read_text())["train"]["epochs"] == 1
