import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.ds_cnn import build, large

CHANNELS, WORDS = 64, 12


def layer_sizes(channels: int, blocks: int) -> dict[str, int]:
    """Parameters of every layer that has some."""
    sizes = {"conv": 10 * 4 * 1 * channels + channels, "conv_bn": 4 * channels}
    for block in range(1, blocks + 1):
        sizes |= {
            f"block_{block}_depthwise": 3 * 3 * channels + channels,
            f"block_{block}_depthwise_bn": 4 * channels,
            f"block_{block}_pointwise": channels * channels + channels,
            f"block_{block}_pointwise_bn": 4 * channels,
        }
    return sizes | {"words": channels * WORDS + WORDS}


def found_sizes(model: keras.Model) -> dict[str, int]:
    return {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}


def test_parameters_of_the_benchmark():
    model = build()
    assert found_sizes(model) == layer_sizes(CHANNELS, 4)
    assert model.count_params() == sum(layer_sizes(CHANNELS, 4).values()) == 24_908
    moving = (1 + 2 * 4) * 2 * CHANNELS  # mean and variance of each BatchNormalization
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trainable == 24_908 - moving == 23_756


def test_parameters_of_the_paper():
    model = large()
    assert found_sizes(model) == layer_sizes(276, 5)
    assert model.count_params() == sum(layer_sizes(276, 5).values()) == 422_844


def test_layers_of_the_benchmark():
    kinds = [type(layer).__name__ for layer in build().layers]
    block = [
        kind
        for conv in ("DepthwiseConv2D", "Conv2D")
        for kind in (conv, "BatchNormalization", "ReLU")
    ]
    end = ["Dropout", "AveragePooling2D", "Flatten", "Dense"]
    assert kinds == [
        "InputLayer",
        "Conv2D",
        "BatchNormalization",
        "ReLU",
        "Dropout",
        *4 * block,
        *end,
    ]
    assert [build().get_layer(name).rate for name in ("conv_dropout", "dropout")] == [0.2, 0.4]


@pytest.mark.parametrize(
    ("network", "conv", "block_1", "pool"),
    [
        (build, (25, 5), (25, 5), (24, 5)),  # 49 x 10 halved; 49 // 2 x 10 // 2
        (large, (25, 10), (13, 5), (12, 5)),  # frames halved, then both; 49 // 4 x 10 // 2
    ],
)
def test_feature_maps(network, conv, block_1, pool):
    model = network()
    assert model.get_layer("conv").output.shape[1:3] == conv
    assert model.get_layer("block_1_depthwise").output.shape[1:3] == block_1
    assert model.get_layer("pool").pool_size == pool
    assert model.get_layer("flatten").output.shape == (None, model.get_layer("conv").filters)


@pytest.mark.parametrize("inputs", [(49, 10, 1), (98, 40, 1), (3, 1, 2), (1, 1, 1)])
def test_probabilities_of_any_input(inputs):
    model = build(inputs, outputs=5, channels=4, blocks=1)
    found = np.asarray(model(np.random.default_rng(0).normal(size=(2, *inputs)).astype(np.float32)))
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("inputs", [(None, 128), (None, 10, 1), (49, 0, 1), ()])
def test_inputs_of_another_kind_are_refused(inputs):
    with pytest.raises(
        UsageError, match=r"ds_cnn takes inputs of shape \(frames, coefficients, channels\)"
    ):
        build(inputs)


@pytest.mark.slow
def test_the_npu_runs_all_of_it(cost):
    found = cost(build())
    assert found.cpu_operators == ()
    frames, coefficients, pixels = 49, 10, 25 * 5
    assert found.macs > pixels * (10 * 4 * CHANNELS + 4 * (9 * CHANNELS + CHANNELS**2))
    assert found.flash_bytes < 40_000
    assert frames * coefficients < found.sram_bytes < 40_000
