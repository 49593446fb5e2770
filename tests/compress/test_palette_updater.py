"""Few values learned along: how many there are, which, where they move, and that the converter finds them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.learners import BANDS, Imitate
from tests.support.quick import quick
from tinyprune.compress.fake_quant import fake_cluster_kernel, fake_quantize_kernel
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.export.matching import rounded_to_int8
from tinyprune.training.compression import ScheduledMasks
from tinyprune.training.fit import Fit
from tinyprune.training.masked_network import MaskedNetwork

VALUES = 6


def conv_network() -> keras.Model:
    """Every kind of kernel but an LSTM's."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(6, 3, name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Conv2DTranspose(5, 2, name="transposed"),
            layers.Flatten(),
            layers.Dense(7, name="head"),
        ]
    )


def small_network() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((3, 3, 4)),
            layers.Conv2D(6, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(7, name="head"),
        ]
    )


def lstm_network() -> keras.Model:
    lstm = keras.layers.LSTM(6, return_sequences=True, name="lstm")
    return keras.Sequential(
        [keras.Input((None, BANDS)), lstm, keras.layers.Dense(BANDS, name="mask")]
    )


def gru_network() -> keras.Model:
    gru = keras.layers.GRU(6, return_sequences=True, name="gru")
    return keras.Sequential([keras.Input((None, BANDS)), gru])


def cell_lstm_network() -> keras.Model:
    cell = CellLSTM(6, return_sequences=True, name="cell")
    return keras.Sequential(
        [keras.Input((None, BANDS)), cell, keras.layers.Dense(BANDS, name="mask")]
    )


def network(build=small_network, **settings) -> MaskedNetwork:
    keras.utils.set_random_seed(0)
    canonical = fold(build())
    settings = {"sparsity": 0.5, "clusters": VALUES, **settings}
    shape = [8 if size is None else size for size in canonical.input_shape]
    if build in (lstm_network, gru_network, cell_lstm_network):
        shape = shape[1:]  # consecutive frames
    calibration = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return MaskedNetwork(canonical, plan(canonical, MagnitudePruning(**settings)), calibration)


def integers(model: keras.Model, matrices: int = 1) -> dict[str, list[np.ndarray]]:
    """``layer/kernel`` -> the int8 matrices that the converter will make of it."""
    found = {}
    for layer in model.layers:
        if layer.weights:
            for name, kernel in kernels(layer).items():
                parts = matrices if isinstance(layer, keras.layers.LSTM) else 1
                grid = rounded_to_int8(layer, kernel.numpy())
                found[f"{layer.name}/{name}"] = np.split(grid, parts, axis=-1)
    return found


def test_a_weight_takes_the_nearest_value():
    """The largest weight is step 127; of the values -100, 0 and 100 the grid makes -127, 0 and 127."""
    kernel = tf.constant([[1.27], [-0.6], [0.4]])
    found = fake_cluster_kernel(kernel, [0], tf.constant([-100.0, 0.0, 100.0]))
    np.testing.assert_allclose(found, [[1.0], [-1.0], [0.0]], rtol=1e-6)


def test_all_values_are_the_int8_grid_itself():
    kernel = tf.constant(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    everything = tf.range(-127.0, 128.0)
    found = fake_cluster_kernel(kernel, [0], everything)
    np.testing.assert_allclose(found, fake_quantize_kernel(kernel, [0]), rtol=1e-6)


def test_the_gradient_is_that_of_the_identity():
    kernel = tf.Variable([[1.0], [-0.3]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fake_cluster_kernel(kernel, [0], tf.constant([-9.0, 9.0])) * 3.0)
    np.testing.assert_array_equal(tape.gradient(loss, kernel), [[3.0], [3.0]])


@pytest.mark.parametrize("structure", quick(["weight", "unit", "block", "2:4"], "unit"))
def test_every_kernel_has_that_many_values_whatever_is_masked(structure):
    sparsity = None if ":" in structure else 0.5
    learned = network(
        conv_network, structure=structure, sparsity=sparsity, block_size="2x2", round_to=1
    )
    masks = ScheduledMasks(learned.updater(4), palettes=learned.palettes)
    for step in range(4):
        masks.before_step(step)
    pruned = learned.finish()
    assert set(learned.plan.few_values) == {
        f"{name}/kernel" for name in ("conv", "depthwise", "transposed", "head")
    }
    for key, (matrix,) in integers(pruned.model).items():
        assert len(np.unique(matrix)) <= VALUES
        assert not matrix[pruned.masks[key] == 0].any()


def test_integers_of_a_channel_with_a_negative_factor_are_those_of_the_others():
    learned = network(sparsity=0.0)
    normaliser = learned.prepared.get_layer("conv").normaliser
    normaliser.gain.assign(normaliser.gain.value * [-1, 1, -1, 1, 1, 1])
    learned.palettes.update()
    [conv] = integers(learned.finish().model)["conv/kernel"]
    assert len(np.unique(conv)) == VALUES


@pytest.mark.slow
def test_gates_have_values_of_their_own():
    learned = network(lstm_network, sparsity=0.0)
    found = integers(learned.finish().model, matrices=4)
    counts = {key: [len(np.unique(gate)) for gate in gates] for key, gates in found.items()}
    assert max(max(numbers) for numbers in counts.values()) == VALUES
    together = np.unique(np.concatenate(found["lstm/kernel"], axis=-1))
    assert len(together) > VALUES


def test_the_gates_of_a_gru_share_their_values():
    """They have one scale too."""
    learned = network(gru_network, sparsity=0.0)
    for [matrix] in integers(learned.finish().model).values():
        assert len(np.unique(matrix)) <= VALUES


def test_excluded_kernels_keep_all_their_values():
    learned = network(exclude=("head",))
    assert learned.plan.few_values == {"conv/kernel": VALUES}
    [head] = integers(learned.finish().model)["head/kernel"]
    assert len(np.unique(head)) > VALUES


def test_the_values_follow_the_weights():
    """Weights that are as large as the largest one again pull the ends outwards."""
    learned = network(sparsity=0.0)
    layer = learned.prepared.get_layer("head")
    before = layer.palettes["kernel"].numpy()[0, -1]
    layer.kernel.assign(np.sign(layer.kernel.numpy()))
    learned.palettes.update()
    assert before < 127 == layer.palettes["kernel"].numpy()[0, -1]


class Stops(ScheduledMasks):
    """A training that is interrupted before a step."""

    stop = 10**6

    def before_step(self, step: int) -> None:
        if step == self.stop:
            raise KeyboardInterrupt
        super().before_step(step)


@pytest.mark.slow
def test_a_training_that_is_continued_comes_to_the_same_weights(tmp_path):
    def training(folder, stop):
        folder.mkdir(exist_ok=True)
        learner = Imitate()
        learned = network(lstm_network)
        course = Stops(learned.updater(2 * learner.steps_per_epoch()), palettes=learned.palettes)
        course.stop = stop
        return Fit(learned.prepared, learner, 2, 0.03, folder, course)

    whole = training(tmp_path / "whole", stop=-1)
    whole.run("whole")
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / "parts", stop=whole.steps // 2 + 1).run("first part")
    parts = training(tmp_path / "parts", stop=-1)
    parts.run("second part")
    for variable, expected in zip(parts.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(variable, expected)
