"""The output error of a file that was pruned without training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.int8_files import Networks
from tinyprune.compress.offline import OfflineResult
from tinyprune.config import OfflinePruning
from tinyprune.errors import UsageError
from tinyprune.stages.offline import prune_offline
from tinyprune.stages.output_error import output_error, representative_inputs
from tinyprune.tflite.interpreter import Int8Model

Prune = Callable[..., OfflineResult]


@pytest.fixture
def prune(networks: Networks, tmp_path: Path) -> Prune:
    """Prunes the dense network of 16 inputs and 8 outputs into a new file."""

    def pruned(data: Path | None = None, sparsity: float = 0.5) -> OfflineResult:
        config = OfflinePruning(sparsity=sparsity)
        output = tmp_path / "pruned.tflite"
        result = prune_offline(tmp_path / "no-run", networks.dense(), config, output, data)
        assert isinstance(result, OfflineResult)
        return result

    return pruned


def inputs(count: int = 20) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 16)).astype(np.float32)


def test_the_error_is_that_of_the_outputs(networks: Networks, prune: Prune, tmp_path: Path):
    np.save(tmp_path / "inputs.npy", inputs())
    result = prune(tmp_path / "inputs.npy")
    before, after = Int8Model(networks.dense()), Int8Model(result.path)
    y = np.stack([before.run(one) for one in inputs()])
    changed = np.stack([after.run(one) for one in inputs()])
    error = result.error
    assert error is not None
    assert error.sqnr_db == pytest.approx(
        10 * np.log10(np.sum(y**2) / np.sum((y - changed) ** 2)), abs=1e-4
    )
    assert error.agreement == np.mean(y.argmax(axis=1) == changed.argmax(axis=1))
    assert (error.inputs, error.source, error.accuracy) == (20, "inputs.npy", None)


def test_labels_give_the_accuracy_before_and_after(
    networks: Networks, prune: Prune, tmp_path: Path
):
    model = Int8Model(networks.dense())
    labels = np.array([model.run(one).argmax() for one in inputs()])
    labels[:5] = (labels[:5] + 1) % 8  # five of twenty are wrong
    np.savez(tmp_path / "labelled.npz", x=inputs(), y=labels)
    error = prune(tmp_path / "labelled.npz").error
    assert error is not None
    assert error.original_accuracy == 0.75
    assert error.accuracy is not None and error.accuracy < 0.75


def test_without_data_it_is_noise_in_the_range_of_the_input(networks: Networks, prune: Prune):
    given = representative_inputs(networks.dense(), None)
    assert given is not None
    lowest, highest = Int8Model(networks.dense()).input_range
    assert lowest <= given.values.min() < lowest / 2 < highest / 2 < given.values.max() <= highest
    error = prune().error
    assert error is not None
    assert (error.inputs, error.source) == (64, "")


@pytest.mark.slow
def test_a_file_does_not_differ_from_itself(networks: Networks):
    given = representative_inputs(networks.dense(), None)
    assert given is not None
    error = output_error(networks.dense(), networks.dense(), given)
    assert (error.sqnr_db, error.agreement) == (None, 1.0)


def test_inputs_of_another_shape_are_refused_before_anything_is_written(
    prune: Prune, tmp_path: Path
):
    np.save(tmp_path / "wide.npy", np.zeros((3, 17)))
    with pytest.raises(UsageError, match=r"wide.npy holds inputs of shape \(17,\), and .* \(16,\)"):
        prune(tmp_path / "wide.npy")
    assert not (tmp_path / "pruned.tflite").exists()


def test_labels_of_more_classes_than_outputs_are_refused(networks: Networks, tmp_path: Path):
    np.savez(tmp_path / "many.npz", x=inputs(), y=np.arange(20))
    with pytest.raises(UsageError, match="labels of 20 classes, and the network 8 outputs"):
        representative_inputs(networks.dense(), tmp_path / "many.npz")


def test_numbers_that_are_no_classes_are_left_out(
    networks: Networks, tmp_path: Path, log_lines: list[str]
):
    np.savez(tmp_path / "numbers.npz", x=inputs(), y=np.linspace(0, 1, 20))
    given = representative_inputs(networks.dense(), tmp_path / "numbers.npz")
    assert given is not None and given.labels is None
    assert "the labels are not used" in log_lines[0]


def test_inputs_of_another_range_are_told(networks: Networks, tmp_path: Path, log_lines: list[str]):
    np.save(tmp_path / "pixels.npy", 255 * np.abs(inputs()))
    representative_inputs(networks.dense(), tmp_path / "pixels.npy")
    assert "they may need the normalisation" in log_lines[0]


def test_data_beside_a_graph_of_a_run_are_refused(networks: Networks, tmp_path: Path):
    graph = tmp_path / "run/variants/baseline/int8.tflite"
    with pytest.raises(UsageError, match="which is scored on the data of the run"):
        prune_offline(tmp_path / "run", graph, OfflinePruning(), None, tmp_path / "a.npy")
