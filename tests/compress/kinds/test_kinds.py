import keras
import numpy as np
import pytest

from tinyprune.compress.kinds.base import Grid, LayerKind, bias, kernels
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.compress.kinds.channels import UnitNumbers
from tinyprune.compress.kinds.lookup import KERNEL_KINDS, kernel_kind, layer_kind, layout
from tinyprune.compress.kinds.mean import channel_mean, group_mean
from tinyprune.compress.kinds.passive import PASSIVE_LAYERS, PASSIVE_OPERATIONS
from tinyprune.compress.layers import Compressed
from tinyprune.sparsity.layout import Layout, canonical_shape
from tinyprune.sparsity.network_shape import KINDS as OPERATOR_KINDS
from tinyprune.sparsity.network_shape import WITH_KERNELS

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
    "DepthwiseConv1D": (
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        (None, 8, 4),
        {"kernel": (3, 4, 2)},
        4 * 2,
        Layout.DEPTHWISE,
    ),
    "DepthwiseConv2D": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        (None, 8, 8, 4),
        {"kernel": (3, 3, 4, 2)},
        4 * 2,
        Layout.DEPTHWISE,
    ),
    "Conv1DTranspose": (
        layers.Conv1DTranspose(5, 2),
        (None, 8, 3),
        {"kernel": (2, 5, 3)},
        5,
        Layout.TRANSPOSED,
    ),
    "Conv2DTranspose": (
        layers.Conv2DTranspose(5, 2),
        (None, 8, 8, 3),
        {"kernel": (2, 2, 5, 3)},
        5,
        Layout.TRANSPOSED,
    ),
    "ChannelMean": (
        channel_mean(3, 0.5, "mean"),
        (None, 3),
        {"kernel": (3, 1)},
        1,
        Layout.STANDARD,
    ),
    "GroupMean": (group_mean(4, "means"), (None, 4), {"kernel": (4, 4)}, 4, Layout.STANDARD),
    "LSTM": (
        layers.LSTM(5),
        (None, 8, 3),
        {"kernel": (3, 4 * 5), "recurrent_kernel": (5, 4 * 5)},
        4 * 5,
        Layout.STANDARD,
    ),
    "CellLSTM": (
        CellLSTM(5),
        (None, 8, 3),
        {"kernel": (3, 4 * 5), "recurrent_kernel": (5, 4 * 5)},
        4 * 5,
        Layout.STANDARD,
    ),
    "GRU": (
        layers.GRU(5),
        (None, 8, 3),
        {"kernel": (3, 3 * 5), "recurrent_kernel": (5, 3 * 5)},
        2 * 3 * 5,  # of the inputs, and of the state
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
    assert np.prod(bias(layer).shape) == biases
    assert layout(layer) is axes
    assert kernel_kind(layer).plain is type(layer)


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


def test_every_kind_is_here_with_a_compressed_form():
    assert {kind.plain for kind in KERNEL_KINDS} == {type(layer) for layer, *_ in KINDS.values()}
    for kind in KERNEL_KINDS:
        assert issubclass(kind.compressed, kind.plain)
        assert issubclass(kind.compressed, Compressed)
        assert kind.compressed.plain is kind.plain


def test_a_compressed_layer_is_of_the_kind_of_its_plain_form():
    dense = kernel_kind(layers.Dense(3))
    assert kernel_kind(dense.compressed(units=3)) is dense


class Own(layers.Dense):
    """What it computes, nobody knows."""


@pytest.mark.parametrize(
    "layer",
    [layers.ReLU(), layers.Conv3D(2, 2), layers.SimpleRNN(2), Own(2), layers.Embedding(3, 2)],
)
def test_other_layers_are_of_no_kind_users_subclasses_too(layer):
    assert kernel_kind(layer) is None
    with pytest.raises(
        TypeError, match=f"^{type(layer).__name__} layer '{layer.name}' has no kernels$"
    ):
        layout(layer)


# --- every kind answers every question


@pytest.fixture(params=KERNEL_KINDS, ids=lambda kind: kind.plain.__name__)
def with_kernels(request):
    """A kind, and a layer of it with the inputs that it was built for."""
    kind = request.param
    layer, inputs, *_ = KINDS[kind.plain.__name__]
    if not layer.built:
        layer.build(inputs)
    return kind, layer, inputs


def test_the_channels_of_every_kernel_are_known(with_kernels):
    kind, layer, inputs = with_kernels
    numbers = UnitNumbers()
    read = numbers.new("before", inputs[-1])
    made = kind.units(layer, read, numbers)
    assert len(made) == layer.compute_output_shape(inputs)[-1]
    found = kind.kernel_channels(read, made)
    assert list(found) == list(kernels(layer))
    for name, kernel in kernels(layer).items():
        *_, rows, columns = canonical_shape(tuple(kernel.shape), kind.layout)
        assert (len(found[name].inputs), len(found[name].outputs)) == (rows, columns)
    assert tuple(kernels(layer)["kernel"].shape)[kind.input_axis] == inputs[-1]
    assert columns == len(made) * kind.gates
    assert kind.keeps_units_apart(layer)


def test_a_layer_with_fewer_units_follows_from_the_configuration(with_kernels):
    kind, layer, inputs = with_kernels
    changes = kind.resized(None, 2 * kind.gates)
    smaller = type(layer).from_config({**layer.get_config(), **changes})
    width = smaller.compute_output_shape(inputs)[-1]
    assert width == (2 if changes else layer.compute_output_shape(inputs)[-1])


def test_every_kernel_has_an_operator_a_window_and_a_grid(with_kernels):
    kind, layer, _ = with_kernels
    assert kind.operator in WITH_KERNELS
    assert kind.operator in kind.exported_operators
    assert set(kind.exported_operators) <= set(WITH_KERNELS)
    size, stride = kind.window(layer, (8, 8))
    assert len(size) == len(stride) == 2
    assert kind.grid is Grid.OWN
    assert kind.function_after(layer) == "linear"
    outputs = canonical_shape(tuple(kernels(layer)["kernel"].shape), kind.layout)[-1]
    assert outputs % kind.scales(outputs) == 0


def test_every_layer_with_kernels_is_exported_as_a_layer_of_its_configuration(with_kernels):
    kind, layer, inputs = with_kernels
    exported = kind.exported(layer).from_config(layer.get_config())
    exported.build(inputs)
    assert [v.shape for v in exported.weights] == [v.shape for v in layer.weights]


def test_a_layer_is_two_with_few_channels_between_or_it_is_said_why_not(with_kernels):
    kind, layer, inputs = with_kernels
    for kernel in kernels(layer):
        reason = kind.whole_because(layer, kernel)
        assert not reason or reason.endswith("left whole")
    if kind.whole_because(layer, "kernel"):
        with pytest.raises(NotImplementedError):
            kind.factors(layer, 2, "first")
        return
    first, second = kind.factors(layer, 2, "first")
    between = first.compute_output_shape(inputs)
    assert (first.name, first.use_bias, between[-1]) == ("first", False, 2)
    assert (second.name, second.use_bias) == (layer.name, True)
    assert second.compute_output_shape(between) == layer.compute_output_shape(inputs)
    rows = kind.kernel_inputs(layer, np.zeros((1, *inputs[1:]), np.float32))
    assert rows.shape[-1] == np.prod(kernels(layer)["kernel"].shape[:-1])


def frame_answers(kind: LayerKind, layer, shape, output_shape) -> None:
    """Ask what one frame needs; every answer has its type."""
    assert isinstance(kind.frame_problem(layer, shape, output_shape), str)
    assert kind.reach(layer) >= 0
    assert kind.look_back(layer) >= 0
    copy = kind.one_frame(layer, output_shape)
    assert copy is None or type(copy) is type(layer)


def test_every_kind_with_kernels_says_how_it_runs_frame_by_frame(with_kernels):
    kind, layer, inputs = with_kernels
    frame_answers(kind, layer, inputs, layer.compute_output_shape(inputs))
    kind.check(layer)
    kind.check_call(layer, (None,), {})


#: Configurations of the layers without kernels that need one.
PASSIVE_CONFIG = {
    "Activation": {"activation": "relu"},
    "RepeatVector": {"n": 2},
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling2D": {"pool_size": 2},
    "Permute": {"dims": (1, 2)},
    "Reshape": {"target_shape": (8, 4)},
    "Rescaling": {"scale": 2.0},
    "SeparableConv1D": {"filters": 2, "kernel_size": 2},
    "SeparableConv2D": {"filters": 2, "kernel_size": 2},
    "Bidirectional": {"layer": layers.LSTM(2)},
    "SimpleRNN": {"units": 2},
    "ComposedFunction": {"function": "softplus"},
    "HeadAttention": {"key_size": 2, "value_size": 2},
    **dict.fromkeys(
        ["Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "AlphaDropout"],
        {"rate": 0.5},
    ),
    "GaussianNoise": {"stddev": 0.5},
    "SpatialDropout3D": {"rate": 0.5},
    "ActivityRegularization": {"l1": 0.5},
    "RandomShear": {"x_factor": 0.5},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    **dict.fromkeys(
        [
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomContrast",
            "RandomHue",
            "RandomPosterization",
            "RandomRotation",
            "RandomSaturation",
            "RandomSharpness",
        ],
        {"factor": 1},
    ),
    "RandomZoom": {"height_factor": 0.5},
}


@pytest.mark.parametrize("plain", PASSIVE_LAYERS, ids=lambda plain: plain.__name__)
def test_every_layer_without_kernels_answers_every_question(plain):
    layer = plain(**PASSIVE_CONFIG.get(plain.__name__, {}))
    kind = layer_kind(layer)
    assert kind is PASSIVE_LAYERS[plain]
    assert isinstance(kind.grid, Grid)
    assert kind.operator in OPERATOR_KINDS
    assert kind.function(layer) is None or isinstance(kind.function(layer), str)
    size, stride = kind.window(layer, (8, 8))
    assert len(size) == len(stride) == 2
    frame_answers(kind, layer, (None, 8, 4, 4), (None, 8, 4, 4))
    kind.check(layer)


TRAINING_ONLY = [plain for plain, kind in PASSIVE_LAYERS.items() if kind.is_training_only]


@pytest.mark.parametrize("plain", TRAINING_ONLY, ids=lambda plain: plain.__name__)
def test_what_acts_while_learning_only_passes_its_input_on_otherwise(plain):
    layer = plain(**PASSIVE_CONFIG.get(plain.__name__, {}))
    shape = (2, 4, 4, 4, 3) if plain is layers.SpatialDropout3D else (2, 4, 4, 3)
    shape = (2, 4, 3) if plain is layers.SpatialDropout1D else shape
    values = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    np.testing.assert_array_equal(layer(values, training=False), values)
    assert layer_kind(layer).one_frame(layer, shape) is None


@pytest.mark.parametrize("name", PASSIVE_OPERATIONS)
def test_every_operation_is_one_of_keras_with_a_known_operator(name):
    operations = keras.src.ops
    modules = (operations.numpy, operations.nn, operations.math)
    modules = (*modules, keras.src.activations.activations)
    assert any(hasattr(module, name) for module in modules)
    kind = PASSIVE_OPERATIONS[name]
    assert isinstance(kind.grid, Grid)
    assert kind.operator in OPERATOR_KINDS
