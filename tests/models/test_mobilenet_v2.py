import keras
import numpy as np
import pytest

from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.remove import remove
from tinyprune.errors import UsageError
from tinyprune.models.mobilenet_v2 import build

#: (channels that come in, inside, that go out); ``block_1a`` has no expansion.
BLOCKS = {
    "block_1a": (16, 16, 8),
    "block_2a": (8, 6 * 8, 24),
    "block_2b": (24, 6 * 24, 24),
    "block_3a": (24, 6 * 24, 32),
    "block_3b": (32, 6 * 32, 32),
    "block_4a": (32, 6 * 32, 64),
    "block_4b": (64, 6 * 64, 64),
    "block_5a": (64, 6 * 64, 96),
    "block_5b": (96, 6 * 96, 96),
}
#: Pixels that a block's depthwise kernel makes; those that it reads are the ones of the block
#: before.
PIXELS = dict(zip(BLOCKS, [32**2, *(side**2 for side in (16, 16, 8, 8, 4, 4, 4, 4))], strict=True))


def sizes() -> dict[str, int]:
    """Weights of every kernel, and of the dense layer's bias."""
    found = {"conv": 3 * 3 * 3 * 16}
    for name, (given, inside, made) in BLOCKS.items():
        found |= {f"{name}_expand": given * inside} if name != "block_1a" else {}
        found |= {f"{name}_depthwise": 3 * 3 * inside, f"{name}_project": inside * made}
    return found | {"last": 96 * 256, "classes": 256 * 10 + 10}


def normalised() -> int:
    """Channels that have a BatchNormalization."""
    return (
        16
        + sum(2 * inside + made for _, inside, made in BLOCKS.values())
        - BLOCKS["block_1a"][0]
        + 256
    )


def macs() -> int:
    total, pixels = 32**2 * 3 * 3 * 3 * 16, 32**2
    for name, (given, inside, made) in BLOCKS.items():
        total += pixels * given * inside if name != "block_1a" else 0
        pixels = PIXELS[name]
        total += pixels * (3 * 3 * inside + inside * made)
    return total + 4**2 * 96 * 256 + 256 * 10


def small() -> keras.Model:
    """Few channels, random BatchNormalization: nothing is 0 or 1 that hides a mistake."""
    rng, model = np.random.default_rng(0), build((16, 16, 3), outputs=4, width=0.25, expansion=2)
    model.set_weights(
        [
            rng.uniform(0.2, 1, w.shape) * rng.choice([-1, 1], w.shape) / 2
            for w in model.get_weights()
        ]
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance))
    return model


def images(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)


def test_parameters():
    model = build()
    with_kernels = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    assert {
        layer.name: layer.count_params()
        for layer in model.layers
        if isinstance(layer, with_kernels)
    } == sizes()
    assert model.count_params() == sum(sizes().values()) + 4 * normalised() == 334_266


def test_bottlenecks_are_linear_and_added_where_shapes_are_equal():
    model = build()
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Add)] == [
        f"block_{number}b_add" for number in (2, 3, 4, 5)
    ]
    readers = {
        layer.name: layer.input for layer in model.layers if isinstance(layer, keras.layers.Add)
    }
    for name, tensors in readers.items():
        block = name.removesuffix("_add")
        ends = [f"{block[:-1]}{half}_project_bn" for half in "ab"]
        assert tensors == [model.get_layer(end).output for end in ends]
    assert all(
        layer.max_value == 6 for layer in model.layers if isinstance(layer, keras.layers.ReLU)
    )


def test_feature_maps():
    model = build()
    shapes = [model.get_layer(f"{name}_project").output.shape[1:] for name in BLOCKS]
    assert shapes == [
        (round(PIXELS[name] ** 0.5), round(PIXELS[name] ** 0.5), made)
        for name, (_, _, made) in BLOCKS.items()
    ]


@pytest.mark.parametrize(("width", "channels"), [(0.1, 8), (0.5, 16), (1.0, 24), (1.4, 32)])
def test_width_is_rounded_to_eight_channels(width, channels):
    model = build((8, 8, 1), width=width, expansion=2)
    assert model.get_layer("block_2a_project").filters == channels
    assert model.get_layer("block_2b_expand").filters == 2 * channels


@pytest.mark.parametrize("inputs", [(32, 32, 3), (33, 17, 1), (1, 1, 1)])
def test_probabilities_of_any_image(inputs):
    found = np.asarray(build(inputs, outputs=5, width=0.25, expansion=1)(images(inputs)))
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("inputs", [(None, 128), (None, None, 3), (32, 32)])
def test_inputs_of_another_kind_are_refused(inputs):
    with pytest.raises(
        UsageError, match=r"mobilenet_v2 takes inputs of shape \(height, width, channels\)"
    ):
        build(inputs)


@pytest.mark.slow
def test_the_bottlenecks_of_a_residual_stream_are_one_set():
    found = coupling(fold(build()))
    bottlenecks = [f"block_{number}a_project" for number in range(1, 6)]
    inside = [f"{name}_expand" for name in BLOCKS if name != "block_1a"]
    assert {item.name for item in found.sets} == {"conv", *bottlenecks, *inside, "last"}
    for number in range(2, 6):
        first, second = (found.outputs[f"block_{number}{half}_project/kernel"] for half in "ab")
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, found.inputs[f"block_{number}b_expand/kernel"])
    # a depthwise kernel has the units of what it reads
    np.testing.assert_array_equal(
        found.outputs["block_3b_depthwise/kernel"], found.outputs["block_3b_expand/kernel"]
    )


@pytest.mark.slow
def test_removed_units_are_masked_units():
    model = fold(small())
    found, rng = coupling(model), np.random.default_rng(1)
    keep = np.zeros(found.units, bool)
    for item in found.sets:
        keep[item.start + rng.permutation(item.size)[: max(1, item.size * 3 // 5)]] = True
    removed, values, whole = (
        remove(model, found, keep),
        images((16, 16, 3)),
        model(images((16, 16, 3))),
    )
    masks = found.masks(keep)
    for layer in model.layers:
        for name, kernel in kernels(layer).items() if f"{layer.name}/kernel" in masks else ():
            kernel.assign(kernel.numpy() * masks[f"{layer.name}/{name}"])
    np.testing.assert_allclose(removed(values), model(values), atol=1e-5)
    assert np.abs(whole - model(values)).max() > 1e-3
    assert removed.count_params() < 0.6 * model.count_params()


@pytest.mark.slow
def test_the_npu_runs_all_of_it(cost):
    found = cost(build())
    assert found.cpu_operators == ()
    assert macs() <= found.macs <= 1.02 * macs()
    assert macs() == pytest.approx(10.5e6, rel=0.01)
    assert 250_000 < found.flash_bytes < 400_000
