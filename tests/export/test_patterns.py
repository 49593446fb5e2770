"""Masks survive every activation pattern: their zeros are read from the exported flatbuffer, kernel by kernel.

The path is that of a run: fold, prepare, masks, calibrate, strip, export. Beside the zeros, the
    int8 graph must compute
what the fake-quantized Keras model does.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.quick import quick
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.compress.kinds.lookup import kernel_kind
from tinyprune.compress.mask_updater import MaskUpdater, kept_units, read_masks
from tinyprune.compress.offline import prune_file
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, compressed_layers, prepare, strip
from tinyprune.compress.remove import remove, remove_masks
from tinyprune.config import MagnitudePruning
from tinyprune.export.matching import read_kernels
from tinyprune.export.tflite import convert, export
from tinyprune.sparsity.weight import Weight
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.forward import of_int8
from tinyprune.tflite.interpreter import Int8Model

L, ops = keras.layers, keras.ops
IMAGE, SEQUENCE, VECTOR = (8, 8, 3), (10, 4), (12,)
HARD = {"activation": "hard_tanh", "recurrent_activation": "hard_sigmoid"}
PRUNED = 0.7
#: Steps of the output's scale that an int8 graph may be off.
STEPS = 2.02
#: A normalisation multiplies what a rounded mean is off at all positions of a channel; scores that
#: nothing scales make a steep softmax.
MORE_STEPS = {
    "GroupNormalization": 4.02,
    "GroupNormalization of all": 4.02,
    "GroupNormalization of each": 4.02,
    "attention of one head": 8.02,
}


def conv(x, filters: int = 8, **config):
    return L.Conv2D(filters, 3, padding="same", **config)(x)


def norm(x):
    return L.BatchNormalization()(x)


def residual(x):
    return L.ReLU()(L.Add()([conv(x, 4), conv(x, 4)]))


def residual_of_batch_norms(x):
    x = L.ReLU()(norm(conv(x, 4)))
    return L.Add()([norm(conv(x, 4)), x])


def squeeze_and_excite(x):
    x = L.ReLU()(norm(conv(x)))
    y = L.GlobalAveragePooling2D(keepdims=True)(x)
    y = L.Conv2D(8, 1, activation="sigmoid")(L.Conv2D(4, 1, activation="relu")(y))
    return L.Multiply()([x, y])


def classifier(x):
    x = L.ReLU()(norm(conv(x)))
    return L.Softmax()(L.Dense(5)(L.Flatten()(L.AveragePooling2D(2)(x))))


def one_relu_for_all(x):
    relu = L.ReLU()
    return relu(norm(conv(relu(norm(conv(x))), 4)))


def preactivation(x):
    x = conv(x, 4)
    return L.Add()([conv(L.ReLU()(norm(x)), 4), x])


def concatenated(x):
    return conv(L.Concatenate()([L.ReLU()(norm(conv(x))), conv(x, 4, activation="sigmoid")]))


def nested(x):
    block = keras.Sequential(
        [keras.Input((8, 8, 8)), L.Conv2D(6, 3), L.BatchNormalization(), L.ReLU(6)], name="block"
    )
    return block(L.ReLU()(norm(conv(x))))


def conv_of_every_frame(x):
    x = L.TimeDistributed(L.Conv2D(8, 3, strides=2, padding="same"))(x)
    x = L.TimeDistributed(L.Activation("relu"))(L.TimeDistributed(L.BatchNormalization())(x))
    return L.TimeDistributed(L.Dense(8))(L.TimeDistributed(L.GlobalAveragePooling2D())(x))


#: One pattern for each way in which a kernel reaches its operator.
QUICK = (
    "Conv -> BN -> ReLU6",
    "one ReLU layer for all",
    "LayerNormalization",
    "Dense on frames",
    "GRU, last frame",
)
PATTERNS = {
    "Conv -> ReLU layer": (IMAGE, lambda x: L.ReLU()(conv(x))),
    "Conv -> BN -> ReLU6": (IMAGE, lambda x: L.ReLU(6)(norm(conv(x)))),
    "Conv -> Activation": (IMAGE, lambda x: L.Activation("relu")(conv(x))),
    "Conv with a fused relu": (IMAGE, lambda x: conv(x, activation="relu")),
    "Conv with a fused relu6": (IMAGE, lambda x: conv(x, activation="relu6")),
    "Conv with a fused tanh": (IMAGE, lambda x: conv(x, activation="tanh")),
    "Conv -> keras.ops.relu": (IMAGE, lambda x: ops.relu(conv(x))),
    "Conv -> LeakyReLU": (IMAGE, lambda x: L.LeakyReLU(0.1)(conv(x))),
    "Conv -> ReLU(max_value=3)": (IMAGE, lambda x: L.ReLU(max_value=3)(conv(x))),
    "Conv -> PReLU": (IMAGE, lambda x: L.PReLU(shared_axes=[1, 2])(conv(x))),
    "Conv -> ELU": (IMAGE, lambda x: L.ELU()(norm(conv(x)))),
    "Conv -> ELU of another alpha": (IMAGE, lambda x: L.ELU(0.5)(conv(x))),
    "Conv with selu": (IMAGE, lambda x: conv(conv(x, activation="selu"))),
    "Conv with softplus": (IMAGE, lambda x: conv(conv(x, activation="softplus"))),
    "Conv with log_sigmoid": (IMAGE, lambda x: conv(conv(x, activation="log_sigmoid"))),
    "Conv with mish": (IMAGE, lambda x: conv(conv(x, activation="mish"))),
    "Conv with softsign": (IMAGE, lambda x: conv(conv(x, activation="softsign"))),
    "Conv with celu": (IMAGE, lambda x: conv(ops.celu(conv(x), 0.5))),
    "Conv with soft_shrink": (IMAGE, lambda x: conv(conv(x, activation="soft_shrink"))),
    "Conv with tanh_shrink": (IMAGE, lambda x: conv(conv(x, activation="tanh_shrink"))),
    "Conv with exponential": (IMAGE, lambda x: conv(conv(x, activation="exponential"))),
    "Conv with gelu": (IMAGE, lambda x: conv(conv(x, activation="gelu"))),
    "Conv with silu": (IMAGE, lambda x: conv(conv(x, activation="silu"))),
    "Dense with log_softmax": (VECTOR, lambda x: L.Dense(16, activation="log_softmax")(x)),
    "Conv -> hard swish": (IMAGE, lambda x: L.Activation("hard_silu")(norm(conv(x)))),
    "Conv -> pool -> ReLU": (IMAGE, lambda x: L.ReLU()(L.MaxPooling2D(2)(conv(x)))),
    "strided Conv -> BN -> ReLU": (IMAGE, lambda x: L.ReLU()(norm(conv(x, strides=2)))),
    "padding -> Conv": (IMAGE, lambda x: L.ReLU()(norm(L.Conv2D(8, 3)(L.ZeroPadding2D(1)(x))))),
    "Conv -> BN -> Add": (IMAGE, residual_of_batch_norms),
    "Add -> ReLU": (IMAGE, residual),
    "one ReLU layer for all": (IMAGE, one_relu_for_all),
    "BN -> ReLU -> Conv -> Add": (IMAGE, preactivation),
    "Concatenate -> Conv": (IMAGE, concatenated),
    "squeeze and excite": (IMAGE, squeeze_and_excite),
    "nested block": (IMAGE, nested),
    "Conv -> pool -> Dense -> Softmax": (IMAGE, classifier),
    "Depthwise -> BN -> ReLU6": (
        IMAGE,
        lambda x: L.ReLU(6)(norm(L.DepthwiseConv2D(3, depth_multiplier=2)(x))),
    ),
    "Depthwise of one channel": (
        (8, 8, 1),
        lambda x: L.ReLU()(norm(L.DepthwiseConv2D(3, depth_multiplier=4)(x))),
    ),
    "Conv2DTranspose -> BN -> ReLU": (
        IMAGE,
        lambda x: L.ReLU()(norm(L.Conv2DTranspose(8, 3, strides=2)(x))),
    ),
    "Conv1DTranspose -> BN -> ReLU": (
        SEQUENCE,
        lambda x: L.ReLU()(norm(L.Conv1DTranspose(8, 3, strides=2)(x))),
    ),
    "SeparableConv2D -> BN -> ReLU": (IMAGE, lambda x: L.ReLU()(norm(L.SeparableConv2D(8, 3)(x)))),
    "Conv1D -> BN -> ReLU": (
        SEQUENCE,
        lambda x: L.ReLU()(norm(L.Conv1D(8, 3, padding="causal")(x))),
    ),
    "dilated Conv1D -> ReLU": (
        SEQUENCE,
        lambda x: L.ReLU()(L.Conv1D(8, 3, padding="causal", dilation_rate=2)(x)),
    ),
    "SeparableConv1D -> BN -> ReLU": (
        SEQUENCE,
        lambda x: L.ReLU()(norm(L.SeparableConv1D(8, 3)(x))),
    ),
    "DepthwiseConv1D": (SEQUENCE, lambda x: L.DepthwiseConv1D(3, activation="relu")(x)),
    "Conv of every frame": ((3, 8, 8, 3), conv_of_every_frame),
    "LayerNormalization": (SEQUENCE, lambda x: L.LayerNormalization()(L.Dense(8)(x))),
    "RMSNormalization": (SEQUENCE, lambda x: L.RMSNormalization()(L.Dense(8)(x))),
    "GroupNormalization": (IMAGE, lambda x: conv(L.GroupNormalization(2)(conv(x)))),
    "GroupNormalization of all": (SEQUENCE, lambda x: L.GroupNormalization(1)(L.Dense(8)(x))),
    "GroupNormalization of each": (IMAGE, lambda x: conv(L.GroupNormalization(-1)(conv(x)))),
    "attention of one head": (
        SEQUENCE,
        lambda x: L.Attention()(
            [L.Dense(8)(x), L.Dense(6)(x), L.Dense(8)(x)], use_causal_mask=True
        ),
    ),
    "causal attention": (
        SEQUENCE,
        lambda x: L.MultiHeadAttention(2, 4, output_shape=8)(x, x, use_causal_mask=True),
    ),
    "attention": (SEQUENCE, lambda x: L.MultiHeadAttention(2, 4, output_shape=8)(x, x)),
    "Dense -> Activation": (VECTOR, lambda x: L.Activation("relu")(L.Dense(16)(x))),
    "Dense with a fused relu": (VECTOR, lambda x: L.Dense(16, activation="relu")(x)),
    "Dense -> BN -> ReLU": (VECTOR, lambda x: L.ReLU()(norm(L.Dense(16)(x)))),
    "Dense -> sigmoid layer": (VECTOR, lambda x: L.Activation("sigmoid")(L.Dense(16)(x))),
    "Dense -> BN -> Dense": (VECTOR, lambda x: L.Dense(8)(norm(L.Dense(16)(x)))),
    "LSTM as a cell": (
        SEQUENCE,
        lambda x: L.Dense(4)(CellLSTM(8)(CellLSTM(6, return_sequences=True)(x))),
    ),
    "LSTM as a cell of one product": (
        SEQUENCE,
        lambda x: L.Dense(4)(
            CellLSTM(8, input_limit=1.0)(CellLSTM(6, input_limit=4.0, return_sequences=True)(x))
        ),
    ),
    "GRU": (SEQUENCE, lambda x: L.Dense(4)(L.GRU(8, return_sequences=True)(x))),
    "GRU, last frame": (SEQUENCE, lambda x: L.Dense(4)(L.GRU(8)(L.Dense(6)(x)))),
    "GRU that resets before": (SEQUENCE, lambda x: L.Dense(4)(L.GRU(8, reset_after=False)(x))),
    "GRU in both directions": (SEQUENCE, lambda x: L.Dense(4)(L.Bidirectional(L.GRU(6))(x))),
    "SimpleRNN in both directions": (
        SEQUENCE,
        lambda x: L.Dense(4)(L.Bidirectional(L.SimpleRNN(6, return_sequences=True))(x)),
    ),
    "LSTM with hard gates": (
        SEQUENCE,
        lambda x: L.Dense(4)(L.LSTM(8, **HARD)(L.LSTM(6, return_sequences=True, **HARD)(x))),
    ),
    "LSTM with a hard sigmoid": (
        SEQUENCE,
        lambda x: L.Dense(4)(L.LSTM(8, recurrent_activation="hard_sigmoid")(x)),
    ),
    "hard LSTM in both directions": (
        SEQUENCE,
        lambda x: L.Dense(4)(L.Bidirectional(L.LSTM(6, activation="hard_tanh"))(x)),
    ),
    "GRU with hard gates": (SEQUENCE, lambda x: L.Dense(4)(L.GRU(8, **HARD)(x))),
    "GRU alone": (SEQUENCE, lambda x: L.GRU(8)(L.GRU(8, return_sequences=True)(x))),
    "Dense on frames": (SEQUENCE, lambda x: L.ReLU()(norm(L.Dense(8)(x)))),
}


def network(shape: tuple[int, ...], build) -> keras.Model:
    """Random weights, random statistics of BatchNorms."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, build(inputs))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if any(name in variable.path for name in ("gamma", "variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif any(name in variable.path for name in ("beta", "mean", "bias")):
            variable.assign(rng.uniform(-0.5, 0.5, variable.shape))
    return model


def samples(model: keras.Model) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(32, *model.inputs[0].shape[1:])).astype(np.float32)


def mask_at_random(prepared: keras.Model) -> dict[str, np.ndarray]:
    """Masks of all kernels that are learned; a mean stays whole."""
    rng = np.random.default_rng(2)
    for layer in filter(lambda layer: layer.trainable, compressed_layers(prepared)):
        for mask in layer.masks.values():
            mask.assign(rng.random(mask.shape) >= PRUNED)
    return read_masks(prepared)


def check_file(path: Path, plain: keras.Model, masks: dict[str, np.ndarray]) -> None:
    """The zeros of each kernel in the file are those of its mask, and those that the int8 grid adds."""
    found = read_kernels(read(path), plain)
    expected = {
        f"{layer.name}/{name}": kernel.numpy()
        for layer in plain.layers
        if kernel_kind(layer) is not None
        for name, kernel in kernels(layer).items()
    }
    assert found.keys() == expected.keys() == masks.keys()
    for key, integers in found.items():
        assert np.all(integers[masks[key] == 0] == 0), key
        np.testing.assert_array_equal(integers == 0, expected[key] == 0, err_msg=key)
        np.testing.assert_array_equal(np.sign(integers), np.sign(expected[key]), err_msg=key)


def check_outputs(
    path: Path, simulated: keras.Model, inputs: np.ndarray, steps: float = STEPS
) -> None:
    """The int8 graph computes what the fake-quantized model does, on all inputs."""
    runner = Int8Model(path)
    made, expected = np.stack([runner.step(item) for item in inputs]), simulated(inputs).numpy()
    assert np.ptp(expected) > 20 * runner.output_scale
    assert np.abs(made - expected).max() <= steps * runner.output_scale


@pytest.mark.parametrize("pattern", quick(list(PATTERNS), *QUICK))
def test_masks_survive(pattern, tmp_path):
    model = fold(network(*PATTERNS[pattern]))
    inputs, prepared, path = samples(model), prepare(model), tmp_path / "pattern.tflite"
    masks = mask_at_random(prepared)
    calibrate(prepared, [inputs])
    plain = strip(prepared, model)
    artifact = export(plain, None, inputs, masks, path)
    check_file(path, plain, masks)
    check_outputs(path, prepared, inputs, MORE_STEPS.get(pattern, STEPS))
    for tensor in artifact.tensors:
        assert tensor.masked == (masks[tensor.name] == 0).sum()
        kind = kernel_kind(plain.get_layer(tensor.name.split("/")[0]))
        assert (tensor.masked > 0.3 * tensor.size) != kind.is_fixed


def stack(x):
    """Kernels of several kinds in a row."""
    x = L.ReLU(6)(norm(conv(x, 16)))
    x = L.ReLU()(norm(L.SeparableConv2D(16, 3, padding="same")(x)))
    x = L.ReLU()(norm(L.Conv2DTranspose(8, 2, strides=2)(x)))
    return L.Softmax()(L.Dense(8)(L.GlobalAveragePooling2D()(x)))


STRUCTURES = {
    "weight": {"sparsity": PRUNED},
    "block": {"sparsity": PRUNED, "block_size": "4x4"},
    "2:4": {},
    "unit": {"sparsity": 0.5, "round_to": 4},
}


@pytest.mark.parametrize("structure", quick(list(STRUCTURES), "unit"))
def test_masks_of_every_structure_survive(structure, tmp_path):
    model = fold(network((8, 8, 4), stack))
    found = plan(
        model,
        MagnitudePruning(
            structure=structure,
            importance="lamp",  # nothing is trained, so there are no gradients
            scope="layer",
            **STRUCTURES[structure],
        ),
    )
    inputs, prepared, path = samples(model), prepare(model), tmp_path / "structure.tflite"
    units = coupling(model) if structure == "unit" else None
    MaskUpdater(prepared, found, 1, units).update(0)
    calibrate(prepared, [inputs])
    plain, masks = strip(prepared, model), read_masks(prepared)
    planned = {item.key for item in found.layers}
    assert all((mask == 0).any() for key, mask in masks.items() if key in planned)
    if units is not None:
        before, keep = plain.count_params(), kept_units(units, masks)
        plain, masks = remove(plain, units, keep), remove_masks(masks, units, keep)
        assert plain.count_params() < 0.6 * before
        assert all(np.all(mask == 1) for mask in masks.values())
    artifact = export(plain, None, inputs, masks, path)
    check_file(path, plain, masks)
    check_outputs(path, prepared, inputs)
    if structure == "2:4":  # as Vela looks for it: along the inputs of each output and position
        for key, kernel in read_kernels(read(path), plain).items():
            inputs_last = np.moveaxis(kernel, -1 if "transpose" in key else -2, -1)
            if key in planned:
                assert np.all((inputs_last.reshape(-1, 4) != 0).sum(axis=1) <= 2), key
    if structure == "weight":
        share = sum(tensor.zeros for tensor in artifact.tensors) / sum(
            tensor.size for tensor in artifact.tensors
        )
        assert (
            PRUNED - 0.01 < share < PRUNED + 0.05
        )  # each kernel has floor(0.7 * size), and what rounds to 0


def transformer(x):
    """A block: heads, a residual stream with its norms, and hidden units between two products."""
    x = L.Dense(16, name="stream")(x)
    x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(4, 4, name="heads")(x, x)]))
    y = L.Dense(16, name="narrow")(L.Dense(32, activation="relu", name="wide")(x))
    x = L.RMSNormalization()(L.Add()([x, y]))
    return L.Dense(4, name="words")(L.GlobalAveragePooling1D()(x))


@pytest.mark.slow
def test_heads_and_channels_of_a_transformer_go_for_good(tmp_path):
    """Half of 4 heads of 4 channels, of 16 channels of the stream and of 32 hidden units."""
    model = fold(network((10, 8), transformer))
    found = plan(
        model,
        MagnitudePruning(
            importance="lamp", structure="unit", scope="layer", sparsity=0.5, round_to=4
        ),
    )
    inputs, prepared, path = samples(model), prepare(model), tmp_path / "transformer.tflite"
    units = coupling(model)
    assert [(item.name, item.size) for item in units.sets] == [
        ("stream", 16),
        ("heads_query", 4),
        ("wide", 32),
    ]
    MaskUpdater(prepared, found, 1, units).update(0)
    calibrate(prepared, [inputs])
    plain, masks = strip(prepared, model), read_masks(prepared)
    keep = kept_units(units, masks)
    smaller = remove(plain, units, keep)
    np.testing.assert_allclose(smaller(inputs), plain(inputs), atol=1e-4)
    shapes = {name: smaller.get_layer(name).kernel.shape for name in ("stream", "heads_query")}
    assert shapes == {"stream": (8, 8), "heads_query": (8, 2 * 4)}
    left = remove_masks(masks, units, keep)
    assert all(np.all(mask == 1) for mask in left.values())
    export(smaller, None, inputs, left, path)
    check_file(path, smaller, left)
    runner = Int8Model(path)
    made = np.stack([runner.step(item) for item in inputs])
    expected = prepared(inputs).numpy()
    assert np.abs(made - expected).mean() < 0.05 * np.ptp(expected)


@pytest.mark.slow
def test_masks_of_both_directions_survive(tmp_path):
    """The state of an LSTM lives from call to call, so the graph begins anew for each sequence."""
    wrapped = L.Bidirectional(L.LSTM(6, return_sequences=True), name="both")
    model = fold(network(SEQUENCE, lambda x: L.Dense(4)(wrapped(x))))
    inputs, prepared, path = samples(model), prepare(model), tmp_path / "both.tflite"
    masks = mask_at_random(prepared)
    calibrate(prepared, [inputs])
    plain = strip(prepared, model)
    export(plain, None, inputs, masks, path)
    check_file(path, plain, masks)
    operators = [operator.name for operator in read(path).operators]
    assert operators.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 2
    assert operators.count("REVERSE_V2") == 2
    made, expected = of_int8(path)(inputs), prepared(inputs).numpy()
    assert np.abs(made - expected).mean() < 0.03 * np.ptp(expected)


def test_a_pruning_without_training_leaves_the_means_of_a_normalisation_alone(tmp_path):
    model = fold(network(SEQUENCE, lambda x: L.LayerNormalization()(L.Dense(8)(x))))
    path = tmp_path / "norm.tflite"
    path.write_bytes(convert(model, None, samples(model)))
    pruned = prune_file(path, Weight(), 0.7, "global", "l1", tmp_path / "pruned.tflite")
    assert len(pruned.tensors) == 1
    reasons = [reason for reason in pruned.skipped.values() if "mean" in reason]
    assert reasons == ["is a mean: its weights are all alike"]  # one buffer for both
