import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.resnet8 import build


def conv(size: int, inputs: int, outputs: int) -> int:
    return size * size * inputs * outputs + outputs


SIZES = {
    "conv": conv(3, 3, 16),
    "stack_1_conv_1": conv(3, 16, 16),
    "stack_1_conv_2": conv(3, 16, 16),
    "stack_2_conv_1": conv(3, 16, 32),
    "stack_2_conv_2": conv(3, 32, 32),
    "stack_2_projection": conv(1, 16, 32),
    "stack_3_conv_1": conv(3, 32, 64),
    "stack_3_conv_2": conv(3, 64, 64),
    "stack_3_projection": conv(1, 32, 64),
    "classes": 64 * 10 + 10,
}
BATCH_NORMS = 3 * 16 + 2 * 32 + 2 * 64  # channels that are normalised; a projection is not


def test_parameters_of_the_benchmark():
    model = build()
    kernels = (keras.layers.Conv2D, keras.layers.Dense)
    assert {
        layer.name: layer.count_params() for layer in model.layers if isinstance(layer, kernels)
    } == SIZES
    assert model.count_params() == sum(SIZES.values()) + 4 * BATCH_NORMS == 78_666
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trainable == sum(SIZES.values()) + 2 * BATCH_NORMS == 78_186


def test_feature_maps_of_the_benchmark():
    model = build()
    shapes = [model.get_layer(f"stack_{stack}_relu").output.shape[1:] for stack in (1, 2, 3)]
    assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert model.get_layer("stack_3_projection").strides == (2, 2)


def test_a_stack_adds_its_input():
    """With second kernels of zero and no bias, a stack of equal shape passes its input on."""
    model = build((8, 8, 3), filters=4)
    last = model.get_layer("stack_1_conv_2")
    last.set_weights([np.zeros_like(weights) for weights in last.get_weights()])
    ends = [model.get_layer(name).output for name in ("conv_relu", "stack_1_relu")]
    before, after = keras.Model(model.inputs[0], ends)(images((8, 8, 3)))
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert np.asarray(before).max() > 0


def images(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)


@pytest.mark.parametrize("inputs", [(32, 32, 3), (33, 17, 1), (1, 1, 1)])
def test_probabilities_of_any_image(inputs):
    found = np.asarray(build(inputs, outputs=5, filters=4)(images(inputs)))
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("inputs", [(None, 128), (None, None, 3), (32, 32)])
def test_inputs_of_another_kind_are_refused(inputs):
    with pytest.raises(
        UsageError, match=r"resnet8 takes inputs of shape \(height, width, channels\)"
    ):
        build(inputs)


@pytest.mark.slow
def test_the_npu_runs_all_of_it(cost):
    found = cost(build())
    assert found.cpu_operators == ()
    stacks = (
        32**2 * (27 * 16 + 2 * 9 * 16**2)
        + 16**2 * (9 * (16 + 32) + 16) * 32
        + 8**2 * (9 * (32 + 64) + 32) * 64
    )
    assert stacks + 64 * 10 <= found.macs <= 1.01 * stacks
    assert 70_000 < found.flash_bytes < 100_000
