"""The export of a causal network as a stage of a run: a real task of tiny sizes, a pruned network, its files."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MASKS
from tinyprune.config import OfflinePruning, SyntheticSpeechData, TrainConfig
from tinyprune.data.speech import calibration, fixed_mixtures
from tinyprune.data.synthetic import corpus
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.export.matching import read_kernels
from tinyprune.models import crn
from tinyprune.registry import DATASETS
from tinyprune.stages.int8_graphs import evaluate, export_graphs
from tinyprune.stages.offline_graphs import prune_graphs
from tinyprune.storage.records import read_json
from tinyprune.storage.writing import write_arrays
from tinyprune.tasks.lookup import task_of
from tinyprune.tasks.task import Task
from tinyprune.tflite.flatbuffer import read

BANDS = 128
SIZES = {
    "encoder_1/kernel": 2 * 3 * 1 * 4,
    "encoder_2/kernel": 2 * 3 * 4 * 6,
    "squeeze/kernel": BANDS // 4 * 6 * 8,
    "temporal_1/kernel": 3 * 8 * 8,
    "temporal_2/kernel": 3 * 8 * 8,
    "expand/kernel": 8 * BANDS // 4 * 6,
    "decoder_2/kernel": 3 * 6 * 4,
    "decoder_1/kernel": 3 * 4 * 1,
    "mask/kernel": BANDS * BANDS,
}
FILES = ["quality.json", "streaming.frontend.json", "streaming.json", "streaming.tflite"]


@dataclass
class Exported:
    """A causal network, half of whose weights are masked. Attributes: model (plain, folded), masks, folder, outputs."""

    model: keras.Model
    masks: dict[str, np.ndarray]
    folder: Path
    outputs: list[str]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """Speech of a second per utterance, 3 of them to score, 40 frames of calibration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "HELD_OUT_MINUTES", 0.1)
        patch.setattr(fixed_mixtures, "MAX_UTTERANCE_SECONDS", 1.0)
        patch.setattr(calibration, "SEQUENCES", 2)
        patch.setattr(calibration, "FRAMES", 20)
        dataset = DATASETS["synthetic-speech"](
            SyntheticSpeechData(minutes=0.3, dev_utterances=3), tmp_path_factory.mktemp("data")
        )
        yield task_of(dataset, TrainConfig(batch_size=4, frames=50))


@pytest.fixture(scope="module")
def exported(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    keras.utils.set_random_seed(0)
    model = crn.build((None, BANDS), BANDS, channels=(4, 6), hidden=8, dilations=(1, 2))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(task.calibration()[None], training=True)
    plain, rng, masks = fold(model), np.random.default_rng(0), {}
    for key in SIZES:
        kernel = plain.get_layer(key.split("/")[0]).kernel
        masks[key] = rng.permutation(np.arange(SIZES[key]) % 2).reshape(kernel.shape)
        kernel.assign(kernel * on_grid(kernel.numpy(), masks[key]))
    folder = tmp_path_factory.mktemp("variants") / "half"
    folder.mkdir()
    write_arrays(folder / MASKS, {key: mask.astype(bool) for key, mask in masks.items()})
    return Exported(plain, masks, folder, export_graphs(plain, task, folder))


def on_grid(kernel: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mask without the weights that would be rounded to zero: training leaves none between the steps of int8."""
    return mask * (np.abs(kernel) > np.abs(kernel).max() / 127)


def test_the_device_s_form_alone_is_exported(exported):
    assert sorted(exported.outputs) == FILES
    assert sorted(path.name for path in exported.folder.iterdir()) == sorted([MASKS, *FILES])


def test_the_record_says_which_bytes_to_copy(exported):
    record, graph = (
        read_json(exported.folder / "streaming.json", TFLiteArtifact),
        read(exported.folder / "streaming.tflite"),
    )
    assert (record.path, record.frames) == (Path("streaming.tflite"), 1)
    assert {state.layer: state.shape for state in record.contexts} == {
        "encoder_1_past": (1, 1, BANDS, 1),
        "encoder_2_past": (1, 1, BANDS // 2, 4),
        "temporal_1": (1, 2 * 1, 8),
        "temporal_2": (1, 2 * 2, 8),
    }
    own_input, own_output = set(range(len(graph.inputs))), set(range(len(graph.outputs)))
    for state in record.contexts:
        given, made = graph.inputs[state.input_position], graph.outputs[state.output_position]
        assert (given.name, made.name) == (state.input_name, state.output_name)
        assert given.shape == made.shape == state.shape
        for tensor in (given, made):
            assert (tensor.dtype, tensor.zero_point.tolist()) == ("int8", [state.zero_point])
            assert tensor.scale.tolist() == [pytest.approx(state.scale)]
        own_input.remove(state.input_position)
        own_output.remove(state.output_position)
    (features,), (mask,) = own_input, own_output
    assert graph.inputs[features].shape == graph.outputs[mask].shape == (1, 1, BANDS)


def test_the_front_end_for_the_device_is_the_one_of_the_task(exported, task):
    record = read_json(exported.folder / "streaming.frontend.json", DeviceFrontEnd)
    graph = read_json(exported.folder / "streaming.json", TFLiteArtifact)
    assert record.frontend == task.frontend
    assert (record.model, record.sha256) == ("streaming.tflite", graph.sha256)
    assert record.contexts == graph.contexts
    assert record.state.startswith("after each call copy the bytes")
    assert record.input_scale == graph.input_scale


def test_zeros_of_the_file_are_those_of_the_masks(exported):
    record = read_json(exported.folder / "streaming.json", TFLiteArtifact)
    kernels = read_kernels(read(exported.folder / "streaming.tflite"), exported.model)
    assert {tensor.name: (tensor.size, tensor.masked) for tensor in record.tensors} == {
        key: (size, size // 2) for key, size in SIZES.items()
    }
    for key, mask in exported.masks.items():
        assert not kernels[key][mask == 0].any()
        assert kernels[key].any()


def test_int8_does_what_the_trained_network_does(exported, task):
    """The stage has compared it with the fake-quantized network already; float is near too."""
    scores = {
        q.form: q.metrics["si_sdr_db"]
        for q in read_json(exported.folder / "quality.json", list[Quality])
    }
    assert list(scores) == ["noisy", "float", "streaming"]
    assert scores["streaming"] == pytest.approx(scores["float"], abs=0.3)
    assert abs(scores["streaming"] - scores["noisy"]) > 0.1
    found = evaluate(None, task, "dev", exported.folder)
    assert [(quality.form, quality.metrics["si_sdr_db"]) for quality in found] == [
        ("streaming", scores["streaming"])
    ]


@pytest.mark.slow
def test_a_graph_further_away_than_the_task_tolerates_is_a_failed_check(
    exported, task, tmp_path, monkeypatch
):
    monkeypatch.setattr(type(task), "tolerance", -1.0)
    shutil.copy(exported.folder / MASKS, tmp_path / MASKS)
    with pytest.raises(
        CheckFailed, match=r"the int8 streaming graph is .* from the fake-quantized model, expected"
    ):
        export_graphs(exported.model, task, tmp_path)
    assert not (tmp_path / "quality.json").exists()


def test_the_offline_control_prunes_the_one_graph_there_is(exported, task, tmp_path):
    (exported.folder / "size.json").write_text("1\n")
    config = OfflinePruning(structure="weight", sparsity=0.7)
    assert sorted(prune_graphs(exported.folder, task, config, tmp_path)) == FILES
    before, after = (
        read_json(folder / "streaming.json", TFLiteArtifact)
        for folder in (exported.folder, tmp_path)
    )
    assert after.contexts == before.contexts
    assert after.sha256 != before.sha256
    assert read_json(tmp_path / "streaming.frontend.json", DeviceFrontEnd).sha256 == after.sha256
    assert sum(tensor.masked for tensor in after.tensors) == int(0.7 * sum(SIZES.values()))


def test_clusters_alone_prune_nothing(exported, task, tmp_path):
    (exported.folder / "size.json").write_text("1\n")
    prune_graphs(exported.folder, task, OfflinePruning(clusters=4), tmp_path)
    kernels = [
        tensor.data
        for operator in read(tmp_path / "streaming.tflite").operators
        if operator.name in ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM")
        for tensor in operator.inputs
        if tensor is not None and tensor.dtype == "int8" and tensor.data is not None
    ]
    assert kernels
    assert all(np.unique(kernel).size <= 4 for kernel in kernels)
    before, after = (
        read_json(folder / "streaming.json", TFLiteArtifact)
        for folder in (exported.folder, tmp_path)
    )
    assert after.sparsity >= before.sparsity
    assert all(tensor.masked == 0 for tensor in after.tensors)


def test_a_network_that_looks_ahead_is_named(task, tmp_path):
    ahead = keras.layers.Conv1D(BANDS, 3, padding="same", activation="sigmoid", name="ahead")
    model = keras.Sequential([keras.Input((None, BANDS)), ahead])
    with pytest.raises(
        UsageError, match=r"^layer 'ahead' \(Conv1D\) cannot run frame by frame: it looks ahead"
    ):
        export_graphs(model, task, tmp_path)
    assert not list(tmp_path.iterdir())
