"""SimpleRNN layers as steps: the same outputs, one kernel for all steps, units that go."""

import keras
import numpy as np
import pytest

from tinyprune.compress.ends import given
from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.config import MagnitudePruning
from tinyprune.errors import UsageError
from tinyprune.export.tflite import export
from tinyprune.tflite.interpreter import Int8Model
from tinyprune.training.masked_network import MaskedNetwork

L = keras.layers
FRAMES = 4
INPUTS = np.random.default_rng(0).normal(size=(32, FRAMES, 3)).astype(np.float32)


def network(frames=FRAMES, **settings) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((frames, 3))
    state = L.SimpleRNN(8, name="rnn", **settings)(inputs)
    return keras.Model(inputs, L.Dense(2, name="out")(state))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"return_sequences": True, "dropout": 0.2},
        {"go_backwards": True, "activation": "relu", "use_bias": False},
        {"return_sequences": True, "go_backwards": True, "activation": "linear"},
    ],
    ids=["last", "sequences", "backwards", "linear"],
)
def test_steps_compute_what_the_layer_does(settings):
    model = network(**settings)
    for layer in model.layers:
        weights = layer.get_weights()
        layer.set_weights([weight + 0.1 for weight in weights])  # biases, too
    folded = fold(model)
    np.testing.assert_allclose(folded(INPUTS), model(INPUTS), atol=1e-5)
    kernels = {layer.name for layer in folded.layers if layer.weights}
    assert kernels == {"rnn_inputs", "rnn_recurrent", "out"}


@pytest.mark.parametrize("settings", [{}, {"return_sequences": True}], ids=["last", "sequences"])
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_both_directions_are_written_out(merge, settings):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((FRAMES, 3))
    both = L.Bidirectional(L.SimpleRNN(8, **settings), merge_mode=merge, name="both")
    model = keras.Model(inputs, L.Dense(2, name="out")(both(inputs)))
    folded = fold(model)
    np.testing.assert_allclose(folded(INPUTS), model(INPUTS), atol=1e-5)
    directions = [f"both_{way}" for way in ("forward", "backward")]
    parts = {f"{name}_{part}" for name in directions for part in ("inputs", "recurrent")}
    assert {layer.name for layer in folded.layers if layer.weights} == {*parts, "out"}


def test_both_directions_need_a_number_of_frames():
    inputs = keras.Input((None, 3))
    outputs = L.Bidirectional(L.SimpleRNN(8, name="rnn"))(inputs)
    with pytest.raises(UsageError, match="^SimpleRNN layer '.*rnn' takes any number of frames"):
        prepare(keras.Model(inputs, outputs), masked=False, quantized=False)


def test_a_layer_that_is_called_twice_is_two_calls_of_the_same_steps():
    left, right = keras.Input((FRAMES, 3), name="a"), keras.Input((FRAMES, 3), name="b")
    rnn = L.SimpleRNN(8, name="rnn")
    model = keras.Model([left, right], L.Subtract()([rnn(left), rnn(right)]))
    folded = fold(model)
    expected = model([INPUTS, -INPUTS])
    np.testing.assert_allclose(folded([INPUTS, -INPUTS]), expected, atol=1e-5)


@pytest.mark.slow
def test_units_are_removed_and_the_int8_graph_computes_what_was_learned(tmp_path):
    canonical = fold(network())
    pruning = plan(canonical, MagnitudePruning(structure="unit", sparsity=0.5, round_to=1))
    masked = MaskedNetwork(canonical, pruning, INPUTS)
    updater = masked.updater(2)
    for step in range(3):
        updater.update(step)
    pruned = masked.finish()
    # half of 8 units: (3, 4) and (4, 4) are left, and out reads 4
    shapes = {layer.name: layer.kernel.shape for layer in pruned.model.layers if layer.weights}
    assert shapes == {"rnn_inputs": (3, 4), "rnn_recurrent": (4, 4), "out": (4, 2)}

    path = tmp_path / "rnn.tflite"
    artifact = export(pruned.model, None, INPUTS, pruned.masks, path)
    simulated = prepare(pruned.model, masked=False)
    calibrate(simulated, [INPUTS])
    runner = Int8Model(path)
    found = np.stack([runner.run(value) for value in INPUTS])
    expected = np.asarray(simulated(given(simulated, INPUTS)))
    assert np.ptp(expected) > 20 * artifact.output_scale
    np.testing.assert_allclose(found, expected, atol=3 * artifact.output_scale)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"recurrent_dropout": 0.5}, "SimpleRNN layer 'rnn' sets recurrent_dropout: "),
        ({"frames": None}, "SimpleRNN layer 'rnn' takes any number of frames: "),
    ],
)
def test_what_cannot_be_written_out_is_refused_in_one_line(settings, line):
    with pytest.raises(UsageError, match=f"^{line}"):
        prepare(network(**settings), masked=False, quantized=False)
