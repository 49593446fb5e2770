"""A run whose network has hard gates, from the baseline to the compiled stream."""

import json

import keras
import pytest

from tests.support.runs import tiny_sizes
from tinyprune.config import (
    MagnitudePruning,
    ModelConfig,
    RunConfig,
    SyntheticSpeechData,
    TrainConfig,
)
from tinyprune.errors import UsageError
from tinyprune.npu import targets
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.prune import prune_variants
from tinyprune.stages.train import check_model, train_baseline

DATA = SyntheticSpeechData(minutes=0.3, dev_utterances=3)
TRAIN = TrainConfig(epochs=1, batch_size=4, frames=50)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tinylstm", "tinygru"])
def test_a_network_with_hard_gates_is_trained_pruned_exported_and_compiled(name, tmp_path):
    config = RunConfig(data=DATA, model=ModelConfig(name, gates="hard"), train=TRAIN)
    with tiny_sizes():
        train_baseline(tmp_path, config)
        prune_variants(
            tmp_path, [MagnitudePruning(epochs=1, sparsity=0.5)]
        )  # within 0.05 dB, or it fails
        [summary] = compile_variants(tmp_path, [targets.resolve("ethos-u55-128")])
    variants = tmp_path / "variants"
    baseline = keras.models.load_model(variants / "baseline/model.keras", compile=False)
    functions = {layer.activation.__name__ for layer in baseline.layers[1:3]}
    assert functions == {"hard_tanh"}
    plan = json.loads((variants / "weight-0.50/plan.json").read_text())
    forms = [(cell["form"], cell["note"]) for cell in plan["cells"]]
    assert forms == [("explicit", "hard gates")] * (2 if name == "tinylstm" else 0)
    for variant in summary.variants:
        assert len(variant.tflite.contexts) == 2 * 2  # two layers, each with two states
        assert variant.report.cpu_operators == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("crn", "^model.gates: crn has no gates to choose: expected tinylstm or tinygru$"),
        ("nets:build", "^model.gates: nets:build has the gates that it was made with: give its "),
    ],
)
def test_hard_gates_of_another_network_are_refused_in_one_line(name, message):
    with pytest.raises(UsageError, match=message):
        check_model(RunConfig(model=ModelConfig(name, gates="hard")))
