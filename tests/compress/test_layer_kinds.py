import keras
import pytest

from tinyprune.compress.layer_kinds import LAYOUTS, bias, kernels, kind, layout
from tinyprune.compress.layers import COMPRESSED
from tinyprune.sparsity.layout import Layout

layers = keras.layers
#: Layer, the shape it is built for, the shapes of its kernels, its number of biases, how the axes
#: lie.
KINDS = {
    "Dense": (layers.Dense(5), (None, 3), {"kernel": (3, 5)}, 5, Layout.STANDARD),
    "Conv1D": (layers.Conv1D(5, 2), (None, 8, 3), {"kernel": (2, 3, 5)}, 5, Layout.STANDARD),
    "Conv2D": (
        layers.Conv2D(5, (2, 4)),
        (None, 8, 8, 3),
        {"kernel": (2, 4, 3, 5)},
        5,
        Layout.STANDARD,
    ),
    "DepthwiseConv2D": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        (None, 8, 8, 4),
        {"kernel": (3, 3, 4, 2)},
        4 * 2,
        Layout.DEPTHWISE,
    ),
    "Conv2DTranspose": (
        layers.Conv2DTranspose(5, 2),
        (None, 8, 8, 3),
        {"kernel": (2, 2, 5, 3)},
        5,
        Layout.TRANSPOSED,
    ),
    "LSTM": (
        layers.LSTM(5),
        (None, 8, 3),
        {"kernel": (3, 4 * 5), "recurrent_kernel": (5, 4 * 5)},
        4 * 5,
        Layout.STANDARD,
    ),
}


@pytest.fixture(params=KINDS)
def case(request):
    layer, inputs, *expected = KINDS[request.param]
    if not layer.built:
        layer.build(inputs)
    return layer, *expected


def test_where_kernels_and_biases_are_and_how_the_axes_lie(case):
    layer, shapes, biases, axes = case
    assert {name: tuple(kernel.shape) for name, kernel in kernels(layer).items()} == shapes
    assert bias(layer).shape == (biases,)
    assert layout(layer) is axes
    assert kind(layer) is type(layer)


def test_kernels_and_bias_are_all_weights_of_the_layer_in_its_order(case):
    layer, *_ = case
    assert [id(v) for v in layer.weights] == [
        id(v) for v in (*kernels(layer).values(), bias(layer))
    ]


@pytest.mark.parametrize("name", KINDS)
def test_without_a_bias_there_is_none(name):
    layer, inputs, *_ = KINDS[name]
    bare = type(layer).from_config({**layer.get_config(), "use_bias": False})
    bare.build(inputs)
    assert bias(bare) is None


def test_every_kind_has_a_layout_and_a_compressed_form():
    assert set(LAYOUTS) == set(COMPRESSED) == {type(layer) for layer, *_ in KINDS.values()}
    for plain, compressed in COMPRESSED.items():
        assert issubclass(compressed, plain)
        assert compressed.plain is plain


def test_a_compressed_layer_is_of_the_kind_of_its_plain_form():
    assert kind(COMPRESSED[layers.Dense](units=3)) is layers.Dense


class Own(layers.Dense):
    """What it computes, nobody knows."""


@pytest.mark.parametrize(
    "layer", [layers.ReLU(), layers.Conv3D(2, 2), layers.GRU(2), Own(2), layers.Embedding(3, 2)]
)
def test_other_layers_are_of_no_kind_users_subclasses_too(layer):
    assert kind(layer) is None
    with pytest.raises(
        TypeError, match=f"^{type(layer).__name__} layer '{layer.name}' has no kernels$"
    ):
        layout(layer)
