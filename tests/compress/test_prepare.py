import keras
import numpy as np
import pytest

from tinyprune.compress.fake_quant import Observe
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.dense import CompressedDense
from tinyprune.compress.kinds.lstm import CompressedLSTM
from tinyprune.compress.layers import Compressed
from tinyprune.compress.prepare import (
    batches,
    calibrate,
    compressed_layers,
    copy_state,
    prepare,
    quantizers,
    strip,
)
from tinyprune.errors import UsageError
from tinyprune.models.tinylstm import build

BANDS, UNITS, HIDDEN = 8, 6, 5
FEATURES = np.random.default_rng(0).normal(size=(3, 12, BANDS)).astype(np.float32)


@pytest.fixture
def tiny() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build((None, BANDS), BANDS, UNITS, HIDDEN)


def with_random_masks(prepared: keras.Model) -> keras.Model:
    rng = np.random.default_rng(1)
    for layer in compressed_layers(prepared):
        for mask in layer.masks.values():
            mask.assign(rng.integers(0, 2, mask.shape).astype(np.float32))
    return prepared


def ranges(prepared: keras.Model, layer: str) -> tuple[float, float]:
    found = prepared.get_layer(layer)
    quantizer = found.output_quantizer if isinstance(found, Compressed) else found
    return float(quantizer.low.numpy()), float(quantizer.high.numpy())


def test_without_masks_and_int8_the_output_is_the_same(tiny):
    prepared = prepare(tiny, masked=False, quantized=False)
    np.testing.assert_allclose(prepared(FEATURES), tiny(FEATURES), atol=1e-6)
    assert not any(layer.masks for layer in compressed_layers(prepared))


def test_masks_of_ones_change_nothing(tiny):
    np.testing.assert_allclose(prepare(tiny, quantized=False)(FEATURES), tiny(FEATURES), atol=1e-6)


def test_every_layer_with_a_kernel_is_swapped_and_the_input_gets_a_grid(tiny):
    prepared = prepare(tiny)
    kinds = {layer.name: type(layer) for layer in compressed_layers(prepared)}
    assert kinds == {
        "lstm_1": CompressedLSTM,
        "lstm_2": CompressedLSTM,
        "dense": CompressedDense,
        "mask": CompressedDense,
    }
    # features; h of two LSTMs; output of two Dense; argument of the sigmoid
    assert len(quantizers(prepared)) == 1 + 2 + 2 + 1


def test_the_model_itself_is_left_alone(tiny):
    before = tiny.get_weights()
    prepared = with_random_masks(prepare(tiny))
    for variable in prepared.trainable_variables:
        variable.assign(variable.value + 1)
    for mine, theirs in zip(tiny.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_strip_of_prepare_is_the_model_again(tiny):
    plain = strip(prepare(tiny, quantized=False), tiny)
    assert [type(layer) for layer in plain.layers] == [type(layer) for layer in tiny.layers]
    for mine, theirs in zip(plain.get_weights(), tiny.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_strip_bakes_masks_and_int8_in(tiny):
    prepared = with_random_masks(prepare(tiny))
    plain = strip(prepared, tiny)
    for layer in compressed_layers(prepared):
        found = {
            variable.name: variable.numpy() for variable in plain.get_layer(layer.name).weights
        }
        source = {
            variable.name: variable.numpy() for variable in tiny.get_layer(layer.name).weights
        }
        np.testing.assert_array_equal(found.pop("bias"), source["bias"])
        assert list(found) == list(kernels(layer))
        for name, kernel in found.items():
            np.testing.assert_array_equal(kernel, layer.effective(name))
            assert np.all(kernel[layer.masks[name].numpy() == 0] == 0)
            assert np.any(kernel != source[name])
    assert plain.count_params() == tiny.count_params()


def test_the_stripped_model_computes_what_the_prepared_one_did(tiny):
    prepared = with_random_masks(prepare(tiny, quantized=False))
    np.testing.assert_allclose(strip(prepared, tiny)(FEATURES), prepared(FEATURES), atol=1e-6)


def test_a_stripped_model_can_be_prepared_again(tiny):
    plain = strip(with_random_masks(prepare(tiny)), tiny)
    for mine, theirs in zip(
        strip(prepare(plain), plain).get_weights(), plain.get_weights(), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_calibrate_sets_the_extremes_of_every_activation(tiny):
    """Nothing is quantized while it observes, so the ranges are those of the stripped model."""
    prepared = prepare(tiny)
    calibrate(prepared, [FEATURES[:1], FEATURES[1:]])
    plain = strip(prepared, tiny)
    inner = keras.Model(
        plain.inputs[0], [plain.get_layer(name).output for name in ("lstm_1", "lstm_2", "dense")]
    )
    outputs = dict(zip(("lstm_1", "lstm_2", "dense"), inner(FEATURES), strict=True))
    for layer, values in {"features_grid": FEATURES, **outputs}.items():
        expected = (min(0, np.min(values)), max(0, np.max(values)))
        assert ranges(prepared, layer) == pytest.approx(expected, abs=1e-6), layer
    assert ranges(prepared, "mask") == (0, 255 / 256)  # of a sigmoid, as TFLite prescribes
    assert all(quantizer.observe is Observe.AVERAGE for quantizer in quantizers(prepared))


@pytest.mark.slow
def test_calibrate_forgets_what_it_saw_before(tiny):
    prepared = prepare(tiny)
    for scale in (10, 1):
        calibrate(prepared, [scale * FEATURES])
    assert ranges(prepared, "features_grid") == pytest.approx((FEATURES.min(), FEATURES.max()))


def test_calibrate_puts_things_back_when_it_fails(tiny):
    prepared = prepare(tiny)
    with pytest.raises(ZeroDivisionError):
        calibrate(prepared, (1 / 0 for _ in range(1)))
    assert all(quantizer.observe is Observe.AVERAGE for quantizer in quantizers(prepared))


@pytest.mark.slow
def test_int8_costs_little(tiny):
    prepared = prepare(tiny)
    calibrate(prepared, [FEATURES])
    assert 0 < np.abs(np.asarray(prepared(FEATURES)) - np.asarray(tiny(FEATURES))).max() < 3 / 256


@pytest.mark.parametrize(
    "setting",
    [
        {"stateful": True},
        {"go_backwards": True},
        {"return_state": True},
        {"activation": "relu"},
        {"recurrent_activation": "relu"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_an_lstm_that_int8_does_not_have_is_refused_in_one_line(setting):
    inputs = keras.Input((5, BANDS), batch_size=1)
    outputs = keras.layers.LSTM(UNITS, name="odd", **setting)(inputs)
    word = next(iter(setting))
    with pytest.raises(UsageError, match=rf"^LSTM layer 'odd' sets {word}: .*$"):
        prepare(keras.Model(inputs, outputs))


@pytest.mark.parametrize("given", ["initial_state", "positional state", "mask"])
def test_an_lstm_that_is_given_a_state_or_a_mask_is_refused_in_one_line(given):
    inputs, state = keras.Input((5, BANDS)), keras.Input((UNITS,))
    layer = keras.layers.LSTM(UNITS, name="odd")
    outputs = {
        "initial_state": lambda: layer(inputs, initial_state=[state, state]),
        "positional state": lambda: layer(inputs, [state, state]),
        "mask": lambda: layer(keras.layers.Masking()(inputs)),
    }[given]()
    with pytest.raises(
        UsageError,
        match=rf"^LSTM layer 'odd' is given a {given.split()[-1].removeprefix('initial_')}.*$",
    ):
        prepare(keras.Model([inputs, state], outputs))


@pytest.mark.parametrize("kind", ["RNN", "Sequential"])
def test_other_recurrences_are_refused_before_they_crash_the_converter(kind):
    inputs, inner = keras.Input((5, BANDS)), keras.layers.LSTM(UNITS)
    layer = {
        "RNN": lambda: keras.layers.RNN(keras.layers.SimpleRNNCell(UNITS), name="odd"),
        "Sequential": lambda: keras.Sequential([keras.Input((5, BANDS)), inner], name="odd"),
    }[kind]()
    with pytest.raises(
        UsageError,
        match=f"^{kind} layer 'odd' is recurrent: expected LSTM or GRU layers, not wrapped or nested$",
    ):
        prepare(keras.Model(inputs, layer(inputs)))


@pytest.fixture
def branches() -> keras.Model:
    """Inputs a and b; a is read by two Dense layers and, as it is, by the join."""
    keras.utils.set_random_seed(0)
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    parts = [
        keras.layers.Dense(4, name=name)(source)
        for name, source in (("one", a), ("two", a), ("three", b))
    ]
    return keras.Model(
        [a, b],
        keras.layers.Dense(2, name="out")(keras.layers.Concatenate(name="join")([a, *parts])),
    )


def test_each_of_two_inputs_gets_one_grid_that_all_its_readers_share(branches):
    prepared = prepare(branches)
    grids = {name: prepared.get_layer(f"{name}_grid") for name in ("a", "b")}
    assert (
        len(quantizers(prepared)) == len(grids) + len(compressed_layers(prepared)) + 1 == 2 + 4 + 1
    )  # the join's
    for reader, name in {"one": "a", "two": "a", "three": "b"}.items():
        assert prepared.get_layer(reader).input is grids[name].output
    assert prepared.get_layer("join").input[0] is grids["a"].output


def test_two_inputs_are_calibrated_and_stripped(branches):
    a, b = np.float32([[-1, 0, 2, 3]]), np.float32([[4, 5, 6]])
    prepared = prepare(branches)
    calibrate(prepared, [[a, b]])
    assert ranges(prepared, "a_grid") == (-1, 3)
    assert ranges(prepared, "b_grid") == (0, 6)
    np.testing.assert_allclose(
        prepare(branches, quantized=False)([a, b]), branches([a, b]), atol=1e-6
    )
    np.testing.assert_allclose(strip(prepared, branches)([a, b]), prepared([a, b]), atol=0.1)


def test_a_layer_that_is_used_twice_stays_one_layer():
    inputs, shared = keras.Input((4,)), keras.layers.Dense(4, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    prepared = prepare(model, quantized=False)
    assert [layer.name for layer in compressed_layers(prepared)] == ["shared"]
    np.testing.assert_allclose(prepared(np.eye(4)), model(np.eye(4)), atol=1e-6)


def test_a_sequential_model_is_as_good():
    layers = [
        keras.layers.LSTM(UNITS, return_sequences=True, name="lstm"),
        keras.layers.Dense(2, name="out"),
    ]
    model = keras.Sequential([keras.Input((None, BANDS)), *layers])
    prepared = prepare(model, quantized=False)
    assert [layer.name for layer in compressed_layers(prepared)] == ["lstm", "out"]
    np.testing.assert_allclose(prepared(FEATURES), model(FEATURES), atol=1e-6)
    np.testing.assert_array_equal(strip(prepare(model), model)(FEATURES).shape, (3, 12, 2))


def test_plain_operations_are_copied():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(4, name="dense")(inputs) * 2 + inputs)
    np.testing.assert_allclose(
        prepare(model, quantized=False)(np.eye(4)), model(np.eye(4)), atol=1e-6
    )
    assert strip(prepare(model), model)(np.eye(4)).shape == (4, 4)


def test_other_layers_keep_their_weights():
    inputs = keras.Input((4,))
    x = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(3, name="dense")(inputs))
    model = keras.Model(inputs, x)
    model.get_layer("norm").moving_mean.assign([1.0, 2.0, 3.0])
    prepared = prepare(model, quantized=False)
    np.testing.assert_allclose(prepared(np.eye(4)), model(np.eye(4)), atol=1e-6)
    np.testing.assert_allclose(strip(prepared, model)(np.eye(4)), model(np.eye(4)), atol=1e-6)


def test_a_normalization_keeps_what_it_derives_from_its_weights():
    norm = keras.layers.Normalization(name="norm")
    norm.adapt(np.float32([[0, 10, 1, 2], [2, 30, 1, 5]]))
    model = keras.Sequential([keras.Input((4,)), norm, keras.layers.Dense(3)])
    np.testing.assert_allclose(
        prepare(model, quantized=False)(np.eye(4)), model(np.eye(4)), atol=1e-5
    )
    np.testing.assert_allclose(
        strip(prepare(model, quantized=False), model)(np.eye(4)), model(np.eye(4)), atol=1e-5
    )


def images() -> keras.Model:
    """A layer of each kind with an image in front of it."""
    keras.utils.set_random_seed(0)
    L, inputs = keras.layers, keras.Input((6, 6, 3))
    x = L.DepthwiseConv2D(3, activation="relu", name="depth")(
        L.Conv2D(4, 3, padding="same", name="conv")(inputs)
    )
    x = L.Conv2DTranspose(5, 2, strides=2, activation="relu6", name="up")(x)
    x = L.Conv1D(6, 3, padding="causal", activation="tanh", name="line")(L.Reshape((8 * 8, 5))(x))
    return keras.Model(
        inputs, L.Dense(2, activation="softmax", name="out")(L.GlobalAveragePooling1D()(x))
    )


def test_convolutions_are_swapped_masked_quantized_and_stripped():
    model, values = images(), np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(prepare(model, quantized=False)(values), model(values), atol=1e-6)
    prepared = with_random_masks(prepare(model))
    assert [layer.name for layer in compressed_layers(prepared)] == [
        "conv",
        "depth",
        "up",
        "line",
        "out",
    ]
    calibrate(prepared, [values])
    plain = strip(prepared, model)
    assert np.abs(prepared(values) - plain(values)).max() < 4 / 256
    for layer in compressed_layers(prepared):
        kernel = kernels(plain.get_layer(layer.name))["kernel"].numpy()
        np.testing.assert_array_equal(kernel, layer.effective("kernel"))
        assert np.all(kernel[layer.masks["kernel"].numpy() == 0] == 0)


def test_saliency_is_kept_only_where_it_is_asked_for():
    kept = {
        layer.name: list(layer.saliency)
        for layer in compressed_layers(prepare(images(), salient=True))
    }
    assert kept == {name: ["kernel"] for name in ("conv", "depth", "up", "line", "out")}
    assert not any(layer.saliency for layer in compressed_layers(prepare(images())))


def test_channels_first_is_refused_in_one_line():
    inputs = keras.Input((3, 6, 6))
    model = keras.Model(
        inputs, keras.layers.Conv2D(4, 3, data_format="channels_first", name="odd")(inputs)
    )
    with pytest.raises(
        UsageError,
        match="^layer 'odd' is channels_first: expected channels_last, as TFLite has it$",
    ):
        prepare(model)


def test_consecutive_frames_are_one_batch_and_examples_are_taken_as_they_are(tiny):
    (frames,) = batches(FEATURES[0], tiny)
    assert frames.shape == (1, 12, BANDS)
    (examples,) = batches(np.zeros((7, 6, 6, 3)), images())
    assert examples.shape == (7, 6, 6, 3)


def test_dropout_goes_on_where_it_was():
    inputs = keras.Input((BANDS,))
    x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.Dense(UNITS, name="dense")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(x))
    features, one = FEATURES[0], prepare(model, masked=False, quantized=False)
    one(features, training=True)
    other = prepare(model, masked=False, quantized=False)
    assert not np.array_equal(other(features, training=True), one(features, training=True))
    copy_state(one, other)
    for _ in range(2):
        np.testing.assert_array_equal(other(features, training=True), one(features, training=True))
    int8 = prepare(model)  # which has layers that the other has not
    copy_state(one, int8)
    states = [np.asarray(each.get_layer("dropout").variables[0]) for each in (one, int8)]
    np.testing.assert_array_equal(*states)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            keras.layers.RNN(keras.layers.SimpleRNNCell(2)),
            "Bidirectional layer 'both' wraps RNN: expected LSTM, GRU or SimpleRNN",
        ),
        (keras.layers.LSTM(2, activation="relu"), "LSTM layer '.*' sets activation: "),
    ],
    ids=["RNN", "another activation"],
)
def test_a_bidirectional_layer_of_something_else_is_refused_in_one_line(layer, message):
    inputs = keras.Input((5, BANDS))
    outputs = keras.layers.Bidirectional(layer, name="both")(inputs)
    with pytest.raises(UsageError, match=f"^{message}"):
        prepare(keras.Model(inputs, outputs), masked=False, quantized=False)
