import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.quick import quick
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MaskUpdater, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare, strip
from tinyprune.config import MagnitudePruning
from tinyprune.errors import CheckFailed, TinypruneError
from tinyprune.export.matching import read_kernels
from tinyprune.export.tflite import export
from tinyprune.models.tinylstm import build
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.interpreter import Int8Model

BANDS, UNITS, HIDDEN, FRAMES = 8, 6, 5, 4
SIZES = {
    "lstm_1/kernel": BANDS * 4 * UNITS,
    "lstm_1/recurrent_kernel": UNITS * 4 * UNITS,
    "lstm_2/kernel": UNITS * 4 * UNITS,
    "lstm_2/recurrent_kernel": UNITS * 4 * UNITS,
    "dense/kernel": UNITS * HIDDEN,
    "mask/kernel": HIDDEN * BANDS,
}
FEATURES = np.cumsum(np.random.default_rng(0).normal(0, 0.3, (100, BANDS)), axis=0).astype(
    np.float32
)


def network() -> keras.Model:
    """Weights large enough for outputs all over [0, 1]."""
    keras.utils.set_random_seed(0)
    model = build((None, BANDS), BANDS, UNITS, HIDDEN)
    model.set_weights([2 * weights for weights in model.get_weights()])
    return model


@dataclass
class Pruned:
    """A network that was pruned, and its export. Attributes: model (plain), masks, artifact, path."""

    model: keras.Model
    masks: dict[str, np.ndarray]
    artifact: TFLiteArtifact
    path: Path


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    model = network()
    prepared = prepare(model)
    config = MagnitudePruning(importance="lamp", sparsity=0.5, scope="layer", schedule="constant")
    MaskUpdater(prepared, plan(model, config), 2).update(1)
    plain, masks = strip(prepared, model), read_masks(prepared)
    path = tmp_path_factory.mktemp("export") / "pruned.tflite"
    return Pruned(plain, masks, export(plain, FRAMES, FEATURES, masks, path), path)


def sqnr_db(reference: np.ndarray, found: np.ndarray) -> float:
    signal = reference - reference.mean()
    return 10 * np.log10(np.sum(signal**2) / np.sum((reference - found) ** 2))


def test_the_zeros_of_the_file_are_those_of_the_plan_layer_by_layer(pruned):
    kernels = read_kernels(read(pruned.path), pruned.model)
    assert list(kernels) == list(SIZES)
    for tensor in pruned.artifact.tensors:
        kernel, mask = kernels[tensor.name], pruned.masks[tensor.name]
        assert tensor.size == SIZES[tensor.name]
        assert tensor.masked == np.sum(mask == 0) == SIZES[tensor.name] // 2
        assert np.all(kernel[mask == 0] == 0)
        assert tensor.zeros == np.sum(kernel == 0) >= tensor.masked
        assert tensor.zeros < 0.6 * tensor.size  # the rest is alive


def test_the_record_describes_the_file(pruned):
    content = pruned.path.read_bytes()
    assert pruned.artifact.path == pruned.path
    assert pruned.artifact.file_bytes == len(content)
    assert pruned.artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert pruned.artifact.frames == FRAMES
    assert [path.name for path in pruned.path.parent.iterdir()] == ["pruned.tflite"]


def test_int8_in_and_out_with_the_scales_of_the_record(pruned):
    graph, artifact = read(pruned.path), pruned.artifact
    (given,), (made,) = graph.inputs, graph.outputs
    assert (given.dtype, given.shape) == ("int8", (1, FRAMES, BANDS))
    assert (made.dtype, made.shape) == ("int8", (1, FRAMES, BANDS))
    assert (given.scale[0], given.zero_point[0]) == (
        np.float32(artifact.input_scale),
        artifact.input_zero_point,
    )
    assert (made.scale[0], made.zero_point[0]) == (
        np.float32(artifact.output_scale),
        artifact.output_zero_point,
    )


def test_int8_is_close_to_the_fake_quantized_network_and_closer_than_the_float_one(pruned):
    simulated = prepare(pruned.model, masked=False)
    calibrate(simulated, [FEATURES[None]])
    made = Int8Model(pruned.path).run(FEATURES)
    reference = np.asarray(simulated(FEATURES[None]))[0]
    assert np.ptp(reference) > 0.3
    assert sqnr_db(reference, made) > 30
    assert sqnr_db(reference, made) > sqnr_db(np.asarray(pruned.model(FEATURES[None]))[0], made)


def fails(model: keras.Model, masks: dict[str, np.ndarray], folder: Path, message: str) -> None:
    """An export that must raise CheckFailed in one line and leave the folder as it was."""
    (folder / "old.tflite").write_bytes(b"old")
    with pytest.raises(CheckFailed, match=message) as caught:
        export(model, 1, FEATURES, masks, folder / "old.tflite")
    assert "\n" not in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["old.tflite"]
    assert (folder / "old.tflite").read_bytes() == b"old"


def test_masks_that_the_weights_do_not_have_are_a_failed_check(pruned, tmp_path):
    mask = pruned.masks["dense/kernel"].copy()
    lost = np.count_nonzero(pruned.model.get_layer("dense").kernel.numpy()[mask == 1])
    mask[:] = 0
    masks = {**pruned.masks, "dense/kernel": mask}
    message = (
        rf"^dense/kernel: {lost} of {UNITS * HIDDEN} pruned weights are not zero in the export$"
    )
    fails(pruned.model, masks, tmp_path, message)


def test_one_pruned_weight_that_came_back_is_a_failed_check(pruned, tmp_path):
    layer, mask = pruned.model.get_layer("lstm_2"), pruned.masks["lstm_2/recurrent_kernel"]
    recurrent = layer.cell.recurrent_kernel
    before, (row, column) = recurrent.numpy(), np.argwhere(mask == 0)[0]
    broken = before.copy()
    broken[row, column] = 0.5
    recurrent.assign(broken)
    try:
        fails(
            pruned.model,
            pruned.masks,
            tmp_path,
            r"^lstm_2/recurrent_kernel: 1 of \d+ pruned weights are not zero",
        )
    finally:
        recurrent.assign(before)


def test_zeros_that_nobody_learned_are_a_failed_check(tmp_path):
    """A kernel that is not on the int8 grid: what is small in it vanishes in the file."""
    model = strip(prepare(network()), network())
    kernel = model.get_layer("dense").kernel
    expected, small = np.sum(kernel.numpy()[1:] == 0), kernel.numpy()
    small[0] = 1e-5
    kernel.assign(small)
    masks = {"dense/kernel": np.ones((UNITS, HIDDEN), np.float32)}
    message = rf"^dense/kernel: {expected + HIDDEN} zeros in the export, {expected} expected from the trained int8 .*$"
    fails(model, masks, tmp_path, message)


def test_values_that_nobody_learned_are_a_failed_check(tmp_path):
    keras.utils.set_random_seed(0)
    model = fold(keras.Sequential([keras.Input((20,)), keras.layers.Dense(30, name="head")]))
    calibration = np.random.default_rng(0).normal(size=(10, 20)).astype(np.float32)
    with pytest.raises(CheckFailed, match=r"^head/kernel: \d+ values in the export, 16 were"):
        export(model, None, calibration, {}, tmp_path / "a.tflite", {"head/kernel": 16})
    assert not list(tmp_path.iterdir())


def test_without_masks_nothing_is_claimed(tmp_path):
    artifact = export(network(), 1, FEATURES, {}, tmp_path / "float.tflite")
    assert [tensor.masked for tensor in artifact.tensors] == [0] * len(SIZES)


def test_a_file_that_cannot_be_written_is_one_line(pruned, tmp_path):
    (tmp_path / "taken.tflite").mkdir()
    with pytest.raises(TinypruneError, match=r"^cannot write .*taken\.tflite: Is a directory; .*$"):
        export(pruned.model, 1, FEATURES, pruned.masks, tmp_path / "taken.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.tflite"]


# --- networks with layers of which nothing is known
# -------------------------------------------------------------------

L = keras.layers
VECTORS = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)


@keras.saving.register_keras_serializable("tests")
class Doubled(L.Dense):
    """A user's subclass of Dense."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training)


def around(middle) -> keras.Model:
    """Dense -> middle -> Dense."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    return fold(
        keras.Model(
            inputs, L.Dense(3, name="last")(middle(L.Dense(8, name="first")(inputs))), name="odd"
        )
    )


INT8 = {
    "a user's subclass": lambda x: Doubled(8, name="own")(x),
    "BatchNorm that cannot be folded": lambda x: L.BatchNormalization()(L.Activation("relu")(x)),
    "PReLU": lambda x: L.PReLU()(x),
    "TimeDistributed": lambda x: L.Flatten()(L.TimeDistributed(L.PReLU())(L.Reshape((4, 2))(x))),
}


@pytest.mark.parametrize("kind", quick(list(INT8), "a user's subclass"))
def test_what_tflite_makes_int8_by_itself_is_left_dense(kind, tmp_path):
    model = around(INT8[kind])
    found, prepared = plan(model, MagnitudePruning(importance="lamp", sparsity=0.5)), prepare(model)
    assert [item.key for item in found.layers] == ["first/kernel", "last/kernel"]
    assert len(found.skipped) == 1  # and named
    MaskUpdater(prepared, found, 1).update(0)
    calibrate(prepared, [VECTORS])
    plain, path = strip(prepared, model), tmp_path / "odd.tflite"
    export(plain, None, VECTORS, read_masks(prepared), path)
    runner = Int8Model(path)
    made = np.stack([runner.step(item) for item in VECTORS])
    assert np.abs(made - prepared(VECTORS).numpy()).max() < 4 * runner.output_scale


def test_the_sparsity_is_that_of_the_file_with_what_is_left_dense(tmp_path):
    """First 6 -> 8 and last 8 -> 3 have 80 % zeros; the kernel in between, 8 -> 8, has few."""
    model, path = around(INT8["a user's subclass"]), tmp_path / "own.tflite"
    found, prepared = (
        plan(model, MagnitudePruning(importance="lamp", sparsity=0.8, scope="layer")),
        prepare(model),
    )
    MaskUpdater(prepared, found, 1).update(0)
    calibrate(prepared, [VECTORS])
    artifact = export(strip(prepared, model), None, VECTORS, read_masks(prepared), path)
    (own,) = artifact.dense
    first, last = artifact.tensors
    assert (own.name, own.size, own.masked) == ("own", 8 * 8, 0)
    sizes = [first.size, own.size, last.size]
    zeros = [first.zeros, own.zeros, last.zeros]
    weights = [op.inputs[1].values for op in read(path).operators if op.name == "FULLY_CONNECTED"]
    assert sizes == [values.size for values in weights]
    assert zeros == [np.count_nonzero(values == 0) for values in weights]
    assert artifact.sparsity == sum(zeros) / sum(sizes) < 0.5
    assert artifact.dense_share == own.size / sum(sizes)


def test_what_acts_while_learning_only_is_not_in_the_file(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = L.GaussianNoise(0.5, name="noise")(L.RandomFlip(name="flip")(inputs))
    x = L.AlphaDropout(0.5, name="alpha")(L.Conv2D(4, 3, name="conv")(x))
    x = L.ActivityRegularization(0.1, name="small")(L.GlobalAveragePooling2D(name="pool")(x))
    model = fold(keras.Model(inputs, L.Dense(2, name="last")(x), name="learned"))
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype(np.float32)
    found, prepared = plan(model, MagnitudePruning(importance="lamp", sparsity=0.5)), prepare(model)
    assert not found.skipped
    MaskUpdater(prepared, found, 1).update(0)
    calibrate(prepared, [images])
    expected = prepared(images, training=False).numpy()
    assert np.abs(strip(prepared, model)(images, training=True) - expected).max() > 0.01
    path = tmp_path / "learned.tflite"
    export(strip(prepared, model), None, images, read_masks(prepared), path)
    operators = [operator.name for operator in read(path).operators]
    assert operators == ["CONV_2D", "MEAN", "FULLY_CONNECTED"]
    runner = Int8Model(path)
    made = np.stack([runner.step(item) for item in images])
    assert np.abs(made - expected).max() < 4 * runner.output_scale


FLOAT = {
    "Embedding": (
        lambda x: L.Flatten()(L.Embedding(9, 2, name="table")(x)),
        r"CAST of .*/table\w* stays in float",
    ),
    "sine": (keras.ops.sin, r"SIN\b.* stays in float"),
    "erf, which TFLite does not have": (keras.ops.erf, "tf.Erf"),
    "FFT, of complex numbers": (lambda x: keras.ops.rfft(x)[0], r"RFFT2D\b.* stays in float"),
}


@pytest.mark.parametrize("kind", quick(list(FLOAT), "sine"))
def test_what_would_stay_in_float_is_a_failed_check_that_names_it(kind, tmp_path):
    """TensorFlow's converter leaves most of it in the middle of an int8 graph without a word."""
    middle, names = FLOAT[kind]
    message = (
        f"^model 'odd' cannot be fully int8 in TFLite: {names}; replace the layers that need it$"
    )
    with pytest.raises(CheckFailed, match=message) as caught:
        export(around(middle), None, VECTORS, {}, tmp_path / "odd.tflite")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
