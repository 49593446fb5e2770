"""Networks with several inputs and outputs: pruned, exported, and run by their names."""

import numpy as np
import pytest

import tinyprune
from tests.support import several
from tinyprune.compress.ends import given, made
from tinyprune.compress.fold import fold
from tinyprune.compress.prepare import batches, calibrate, prepare
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.models.ends import with_names
from tinyprune.named_arrays import joined, split
from tinyprune.tflite.interpreter import Int8Model
from tinyprune.tflite.response import is_constant, made_inputs
from tinyprune.training.masked_network import MaskedNetwork

VALUES = several.inputs()


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """(plain pruned network, its export), half of the weights gone."""
    pruner = tinyprune.Pruner(several.network(), structure="unit", sparsity=0.5)
    pruner.prepare(split(VALUES), steps=4)
    for _ in range(5):
        pruner.step()
    path = tmp_path_factory.mktemp("several") / "net.tflite"
    model = pruner.finalize()
    return model, tinyprune.export_int8(model, split(VALUES), path, masks=pruner.masks)


def test_each_output_of_the_file_is_the_one_of_its_name(pruned):
    model, artifact = pruned
    simulated = prepare(fold(model), masked=False)
    calibrate(simulated, batches(VALUES, simulated))
    expected = made(simulated, simulated(given(simulated, VALUES)))
    runner = Int8Model(artifact.path)
    found = np.stack([runner.run(value) for value in VALUES])
    assert set(found.dtype.names) == set(several.OUTPUTS)
    for end in artifact.outputs:
        assert found[end.name].shape == (len(VALUES), *several.OUTPUTS[end.name])
        np.testing.assert_allclose(found[end.name], expected[end.name], atol=4 * end.scale)


def test_the_record_of_the_file_says_where_each_end_is(pruned):
    _, artifact = pruned
    assert {end.name: end.shape[1:] for end in artifact.inputs} == several.INPUTS
    assert sorted(end.position for end in artifact.outputs) == [0, 1, 2]
    # the angles are ten times as large as the picture
    scales = {end.name: end.scale for end in artifact.inputs}
    assert scales["angle"] > 5 * scales["picture"]


def test_an_output_that_is_constant_is_seen_beside_others_that_are_not(tmp_path):
    model = with_names(several.network())
    layer = model.get_layer("box")
    layer.set_weights([0 * weights for weights in layer.get_weights()])
    path = tmp_path / "net.tflite"
    tinyprune.export_int8(model, split(VALUES), path)
    assert is_constant(path)
    assert {value.dtype.names for value in made_inputs(Int8Model(path))} == {("angle", "picture")}


def test_a_pruning_that_closes_the_ways_to_one_output_is_refused():
    canonical = fold(with_names(several.network()))
    pruner = tinyprune.Pruner(canonical, sparsity=0.5)
    network = MaskedNetwork(canonical, pruner.plan, VALUES)
    network.check()
    network.prepared.get_layer("alarm").masks["kernel"].assign(np.zeros((16, 2)))
    with pytest.raises(CheckFailed, match="nothing is left of alarm/kernel"):
        network.check()


def test_calibration_of_other_inputs_is_told_with_both_shapes(tmp_path):
    arrays = split(VALUES)
    with pytest.raises(UsageError, match=r"'angle': \(2,\).*expected.*'angle': \(3,\)"):
        tinyprune.export_int8(
            several.network(), {**arrays, "angle": arrays["angle"][:, :2]}, tmp_path / "a.tflite"
        )
    with pytest.raises(UsageError, match="different lengths"):
        tinyprune.Pruner(several.network(), sparsity=0.5).prepare(
            {**arrays, "angle": arrays["angle"][:5]}
        )
    with pytest.raises(UsageError, match="has inputs picture, angle: got angle, sound"):
        given(several.network(), joined({"angle": arrays["angle"], "sound": arrays["angle"]}))
