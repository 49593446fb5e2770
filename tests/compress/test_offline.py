"""Pruning finished files: some written here by hand, so that every byte of them is known, some converted from Keras."""

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tests.support.quick import quick
from tinyprune.artifacts.network import TensorSparsity
from tinyprune.compress.offline import OfflineResult, default_output, prune_file
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.export.tflite import convert
from tinyprune.sparsity import layout
from tinyprune.sparsity.block import Block
from tinyprune.sparsity.layout import Layout
from tinyprune.sparsity.masks import masks
from tinyprune.sparsity.structure import Structure, parse
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.response import is_constant

WEIGHT, TILES = parse("weight"), parse("block", "2x3")
KINDS, OPERATORS = schema.TensorType, schema.BuiltinOperator
#: Rows are output channels of a scale each: what they stand for is [[1, -2, 3], [0.9, -1.27, 0.5]].
KERNEL, SCALES = np.array([[1, -2, 3], [90, -127, 50]], np.int8), [1.0, 0.01]


def tensor(
    name: str,
    shape: tuple[int, ...],
    kind: int = KINDS.INT8,
    data: int = 0,
    scale=(0.5,),
    zero_point=(0,),
):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, list(shape), kind, data
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = list(scale), list(zero_point)
    return made


def fully_connected(inputs: list[int], outputs: list[int]) -> schema.OperatorT:
    return operator(
        0,
        inputs,
        outputs,
        schema.BuiltinOptions.FullyConnectedOptions,
        schema.FullyConnectedOptionsT(),
    )


def operator(
    code: int, inputs: list[int], outputs: list[int], kind: int = 0, options=None
) -> schema.OperatorT:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def code(builtin: int, custom: str | None = None) -> schema.OperatorCodeT:
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode, made.customCode = (
        builtin,
        min(builtin, 127),
        custom,
    )
    made.version = 5 if builtin == OPERATORS.FULLY_CONNECTED else 1  # per-channel scales
    return made


def buffer(values: np.ndarray | None) -> schema.BufferT:
    made = schema.BufferT()
    made.data = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
    return made


def network(
    kernel: np.ndarray = KERNEL, scale=tuple(SCALES), zero_point=(0, 0), given: int = KINDS.INT8
):
    """One dense operator (kernel, bias) from "x" to "y"."""
    outputs, inputs = kernel.shape
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", (1, inputs), given),
        tensor("kernel", kernel.shape, KINDS.INT8, 1, scale, zero_point),
        tensor("bias", (outputs,), KINDS.INT32, 2, [0.5 * s for s in scale], [0] * len(scale)),
        tensor("y", (1, outputs), given),
    ]
    graph.inputs, graph.outputs = [0], [3]
    graph.operators = [fully_connected([0, 1, 2], [3])]
    made = schema.ModelT()
    made.version, made.subgraphs, made.operatorCodes = 3, [graph], [code(OPERATORS.FULLY_CONNECTED)]
    made.buffers = [buffer(None), buffer(kernel), buffer(np.arange(1, outputs + 1, dtype=np.int32))]
    return made


def complete(made: schema.ModelT) -> None:
    """Give every operator an output of its own, and the network every input that nothing makes."""
    for graph in made.subgraphs:
        known = set(graph.inputs)
        for one in graph.operators:
            for index in one.inputs:
                if index >= 0 and index not in known and not graph.tensors[index].buffer:
                    graph.inputs = [*graph.inputs, index]
                    known.add(index)
            if known.intersection(one.outputs):
                graph.tensors.append(tensor("again", (1, 2)))
                one.outputs = [len(graph.tensors) - 1]
            known.update(one.outputs)


def packed(made: schema.ModelT) -> bytes:
    complete(made)
    builder = flatbuffers.Builder()
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def written(path: Path, made: schema.ModelT) -> Path:
    path.write_bytes(packed(made))
    return path


def pruned(
    path: Path, structure: Structure = WEIGHT, sparsity: float = 0.5, scope: str = "global"
) -> OfflineResult:
    return prune_file(
        path, structure, sparsity, scope, "l1", default_output(path, structure, sparsity)
    )


def constant(path: Path, name: str) -> np.ndarray:
    tensors = (tensor for operator in flatbuffer.read(path).operators for tensor in operator.inputs)
    return next(tensor.data for tensor in tensors if tensor is not None and tensor.name == name)


def run(path: Path, given: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "m.tflite", network())


# --- what goes
# --------------------------------------------------------------------------------------------------------


def test_channels_are_compared_as_what_they_stand_for(path):
    """0.5 * (2 * 3) = 3 weights go: 0.5, 0.9 and 1.0; ranked as integers it would be 1, -2 and 3."""
    result = pruned(path)
    assert constant(result.path, "kernel").tolist() == [[0, -2, 3], [0, -127, 0]]
    assert result.tensors == (TensorSparsity("kernel", size=2 * 3, masked=3, zeros=3),)
    assert result.sparsity == 3 / 6


def test_a_pruned_weight_is_the_zero_point(tmp_path):
    """Around 10, the integers 10, 11, 7 and 30 stand for 0, 1, -3 and 20."""
    kernel = np.array([[10, 11], [7, 30]], np.int8)
    result = pruned(written(tmp_path / "m.tflite", network(kernel, [0.5], [10])))
    assert constant(result.path, "kernel").tolist() == [[10, 10], [7, 30]]
    assert result.tensors == (TensorSparsity("kernel", 2 * 2, 2, 2),)


def test_zero_points_of_channels(tmp_path):
    kernel = np.array([[5, 6], [-100, 30]], np.int8)
    result = pruned(
        written(tmp_path / "m.tflite", network(kernel, [0.5, 0.5], [4, -101])), sparsity=0.75
    )
    assert constant(result.path, "kernel").tolist() == [[4, 4], [-101, 30]]


def test_blocks_go_by_their_mean(path):
    """Tiles of 3 inputs x 1 output are the rows: (1 + 2 + 3) / 3 against (0.9 + 1.27 + 0.5) / 3."""
    result = pruned(path, parse("block", "3x1"))
    assert constant(result.path, "kernel").tolist() == [[1, -2, 3], [0, 0, 0]]


def test_two_of_four_inputs_of_every_output_stay(tmp_path):
    """Whatever sparsity says; the third run of outputs with 10 inputs has 2 weights, of which none may go."""
    kernel = np.random.default_rng(0).permutation(np.arange(1, 31)).reshape(3, 10).astype(np.int8)
    result = pruned(
        written(tmp_path / "m.tflite", network(kernel, [0.5] * 3, [0] * 3)), parse("2:4"), 0.0
    )
    kept = constant(result.path, "kernel")
    for run_of_inputs in np.split(kept, [4, 8], axis=1)[:2]:
        assert (np.count_nonzero(run_of_inputs, axis=1) == 2).all()
    assert np.array_equal(kept[:, 8:], kernel[:, 8:])
    assert set(kernel[0, :4][kept[0, :4] != 0]) == set(sorted(kernel[0, :4])[2:])
    assert result.path.name == "m-offline-2-4-0.50.tflite"


def test_global_scope_ranks_tensors_together_and_layer_scope_each_alone(tmp_path):
    made = network(np.array([[1, 2], [3, 4]], np.int8), [0.5, 0.5])
    graph = made.subgraphs[0]
    graph.tensors += [tensor("large", (2, 2), KINDS.INT8, 3), tensor("z", (1, 2))]
    graph.operators.append(fully_connected([3, 4, 2], [5]))
    made.buffers.append(buffer(np.array([[10, 20], [30, 40]], np.int8)))
    path = written(tmp_path / "m.tflite", made)
    for scope, masked in (("global", (3, 0)), ("layer", (1, 1))):  # 3/8 of 8, and of 4 and 4
        found = pruned(path, sparsity=3 / 8, scope=scope)
        assert tuple(tensor.masked for tensor in found.tensors) == masked


# --- the file
# ---------------------------------------------------------------------------------------------------------


def test_nothing_else_of_the_file_changes(path):
    before, result = path.read_bytes(), pruned(path)
    after = result.path.read_bytes()
    start = before.index(KERNEL.tobytes())
    end = start + KERNEL.size
    assert before.count(KERNEL.tobytes()) == 1
    assert (after[:start], after[end:]) == (before[:start], before[end:])
    assert after[start:end] == np.array([[0, -2, 3], [0, -127, 0]], np.int8).tobytes()
    assert (result.file_bytes, result.sha256) == (len(before), hashlib.sha256(after).hexdigest())
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} == {
        "m.tflite",
        "m-offline-weight-0.50.tflite",
    }


@pytest.mark.parametrize("structure", [WEIGHT, parse("block", "2x1")])
def test_sparsity_0_is_the_file_itself(path, structure):
    assert pruned(path, structure, 0.0).path.read_bytes() == path.read_bytes()


def test_default_output_is_beside_the_file():
    path = Path("folder/model_int8.tflite")
    for structure, name in (
        (WEIGHT, "weight-0.80"),
        (TILES, "block-2x3-0.80"),
        (parse("2:4"), "2-4-0.50"),
    ):
        assert default_output(path, structure, 0.8) == Path(
            f"folder/model_int8-offline-{name}.tflite"
        )


def test_an_output_with_clusters_says_so():
    path = Path("folder/m.tflite")
    assert default_output(path, WEIGHT, 0.0, 16) == Path("folder/m-offline-16-clusters.tflite")
    assert default_output(path, WEIGHT, 0.8, 16) == Path(
        "folder/m-offline-weight-0.80-16-clusters.tflite"
    )
    assert default_output(path, parse("2:4"), 0.0, 8) == Path(
        "folder/m-offline-2-4-0.50-8-clusters.tflite"
    )


def clustered(path: Path, number: int, sparsity: float = 0.0) -> OfflineResult:
    return prune_file(path, WEIGHT, sparsity, "global", "l1", path.with_name("out.tflite"), number)


def test_few_values_are_left_and_zero_is_one_of_them(tmp_path):
    """Beside zero there are two: (1 + 3) / 2 = 2 and (-8 - 10) / 2 = -9."""
    kernel = np.array([[0, 1, 3], [-8, 0, -10]], np.int8)
    result = clustered(written(tmp_path / "m.tflite", network(kernel, [1.0, 1.0])), 3)
    assert constant(result.path, "kernel").tolist() == [[0, 2, 2], [-9, 0, -9]]
    assert result.tensors == (TensorSparsity("kernel", size=2 * 3, masked=0, zeros=2),)


def test_a_kernel_without_zeros_has_all_clusters_for_its_values(tmp_path):
    kernel = np.array([[1, 3, 20], [-8, 22, -10]], np.int8)
    result = clustered(written(tmp_path / "m.tflite", network(kernel, [1.0, 1.0])), 3)
    assert constant(result.path, "kernel").tolist() == [[2, 2, 21], [-9, 21, -9]]


def test_pruned_first_then_clustered(tmp_path):
    """0.5 * 6 = 3 weights go: 1, 3 and -8; zero and one value are left, (20 + 22 - 12) / 3 = 10."""
    kernel = np.array([[1, 3, 20], [-8, 22, -12]], np.int8)
    result = clustered(written(tmp_path / "m.tflite", network(kernel, [1.0, 1.0])), 2, 0.5)
    assert constant(result.path, "kernel").tolist() == [[0, 0, 10], [0, 10, 10]]
    assert result.tensors == (TensorSparsity("kernel", size=2 * 3, masked=3, zeros=3),)


def test_clusters_around_a_zero_point(tmp_path):
    """Around 10, which stays: (11 + 13) / 2 = 12, (30 + 34) / 2 = 32."""
    kernel = np.array([[10, 11, 13], [30, 34, 10]], np.int8)
    result = clustered(written(tmp_path / "m.tflite", network(kernel, [0.5], [10])), 3)
    assert constant(result.path, "kernel").tolist() == [[10, 12, 12], [32, 32, 10]]


def test_enough_clusters_change_nothing(path):
    assert clustered(path, 255).path.read_bytes() == path.read_bytes()


def test_what_is_shared_is_pruned_once(tmp_path):
    """By a second operator, by a second tensor with other scales, and by another subgraph."""
    made = network()
    graph = made.subgraphs[0]
    graph.tensors += [
        tensor("again", (2, 3), KINDS.INT8, 1, [5.0, 5.0], [0, 0]),
        tensor("z", (1, 2)),
    ]
    graph.operators += [fully_connected([0, 1, 2], [3]), fully_connected([0, 4, 2], [5])]
    body = schema.SubGraphT()
    body.tensors = [
        tensor("x", (1, 3)),
        tensor("kernel", (2, 3), KINDS.INT8, 1, SCALES, [0, 0]),
        tensor("y", (1, 2)),
    ]
    body.inputs, body.outputs, body.operators = [0], [2], [fully_connected([0, 1, -1], [2])]
    made.subgraphs.append(body)
    result = pruned(written(tmp_path / "m.tflite", made))
    assert result.tensors == (TensorSparsity("kernel", 2 * 3, 3, 3),)
    assert constant(result.path, "again").tolist() == [[0, -2, 3], [0, -127, 0]]


def test_tensors_of_one_name_are_told_apart(tmp_path):
    made = network()
    graph = made.subgraphs[0]
    graph.tensors += [tensor("kernel", (2, 2), KINDS.INT8, 3), tensor("z", (1, 2))]
    graph.operators.append(fully_connected([3, 4, 2], [5]))
    made.buffers.append(buffer(np.array([[100, 99], [98, 97]], np.int8)))
    result = pruned(written(tmp_path / "m.tflite", made))
    assert [(tensor.name, tensor.size) for tensor in result.tensors] == [
        ("kernel", 2 * 3),
        ("kernel (2)", 2 * 2),
    ]


def test_buffers_behind_the_flatbuffer_as_in_networks_above_2_gb(tmp_path):
    """Two buffers with an offset into the file, the same one, as the converter stores equal weights."""
    made = network(
        np.array([[1, -2, 3], [90, -127, 50], [60, 2, 4]], np.int8), [1.0, 0.5, 0.25], [0, 0, 0]
    )
    graph = made.subgraphs[0]
    graph.tensors += [
        tensor("twin", (3, 3), KINDS.INT8, 3, [1.0, 0.5, 0.25], [0, 0, 0]),
        tensor("z", (1, 3)),
    ]
    graph.operators.append(fully_connected([0, 4, 2], [5]))
    kernel, made.buffers[1] = made.buffers[1].data, schema.BufferT()
    made.buffers[1].offset, made.buffers[1].size = 2, 3 * 3
    made.buffers.append(made.buffers[1])
    made.buffers[1].offset = -(-len(packed(made)) // 16) * 16
    path = tmp_path / "m.tflite"
    path.write_bytes(packed(made).ljust(made.buffers[1].offset, b"\0") + kernel.tobytes())
    result = pruned(path)
    before, after = path.read_bytes(), result.path.read_bytes()
    # Worth 1, 2, 3; 45, 63.5, 25; 15, 0.5, 1: floor(0.5 * 9) = 4 of them go.
    assert constant(result.path, "twin").tolist() == [[0, 0, 3], [90, -127, 50], [60, 0, 0]]
    assert after[: -3 * 3] == before[: -3 * 3]
    assert result.tensors == (TensorSparsity("kernel", 3 * 3, 4, 4),)
    # (2 w + b) * scale for the first input's w and b = 1, 2, 3.
    x = np.array([[2, 0, 0]], np.int8)
    assert run(path, x).tolist() == [[(2 * 1 + 1) * 1, (2 * 90 + 2) / 2, round((2 * 60 + 3) / 4)]]
    assert run(result.path, x).tolist() == [
        [(2 * 0 + 1) * 1, (2 * 90 + 2) / 2, round((2 * 60 + 3) / 4)]
    ]


# --- what it computes
# -------------------------------------------------------------------------------------------------


def test_the_interpreter_computes_what_numpy_does(tmp_path):
    """Scales 0.5 * (0.5, 1.0) / 0.25 = (1, 2): y = (x - 3) w + b, exactly."""
    rng = np.random.default_rng(0)
    kernel = rng.integers(-9, 10, (2, 16)).astype(np.int8)
    made = network(kernel, [0.5, 1.0])
    made.subgraphs[0].tensors[0].quantization.zeroPoint = [3]
    made.subgraphs[0].tensors[3].quantization.scale = [0.25]
    result = pruned(written(tmp_path / "m.tflite", made))
    kept = constant(result.path, "kernel").astype(np.int64)
    assert np.count_nonzero(kept == 0) >= 16
    for _ in range(20):
        x = rng.integers(-5, 10, (1, 16)).astype(np.int8)
        expected = np.clip(((x.astype(np.int64) - 3) @ kept.T + [1, 2]) * [1, 2], -128, 127)
        assert np.array_equal(run(result.path, x), expected)


CONVOLUTIONS = {
    "Conv2D": (Layout.STANDARD, (3, 3, 4, 6)),
    "Conv2DTranspose": (Layout.TRANSPOSED, (3, 3, 6, 4)),
    "DepthwiseConv2D": (Layout.DEPTHWISE, (3, 3, 4, 2)),
    "Conv1D": (Layout.STANDARD, (3, 4, 6)),
    "Dense": (Layout.STANDARD, (4, 6)),
}


def keras_layer(kind: str):
    import keras

    arguments = {
        "Dense": {"units": 6},
        "DepthwiseConv2D": {"kernel_size": 3, "depth_multiplier": 2},
    }.get(kind, {"filters": 6, "kernel_size": 3})
    given = {"Dense": (4,), "Conv1D": (8, 4)}.get(kind, (8, 8, 4))
    layer = getattr(keras.layers, kind)(**arguments, use_bias=False)
    return keras.Sequential([keras.Input(given), layer]), layer


def int8_file(path: Path, model) -> np.ndarray:
    """Convert a Keras model; returns the samples that it was calibrated on, (8, ...)."""
    import tensorflow as tf

    samples = (
        np.random.default_rng(1).uniform(-1, 1, (8, *model.input_shape[1:])).astype(np.float32)
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    return samples


@pytest.mark.parametrize("kind", quick(list(CONVOLUTIONS), "Dense", "Conv2D"))
def test_blocks_are_those_of_the_keras_kernel(kind, tmp_path):
    """Every tile has a magnitude of its own, so the mask does not depend on how the weights are rounded."""
    axes, shape = CONVOLUTIONS[kind]
    tiles_of_kernel = Block(1, 3) if axes is Layout.DEPTHWISE else TILES
    ids = tiles_of_kernel.groups(layout.canonical_shape(shape, axes))
    rng, tiles = np.random.default_rng(0), int(ids.max()) + 1
    levels = np.linspace(0.2, 1, tiles)[rng.permutation(tiles)]
    kernel = layout.restored(levels[ids] * rng.choice([-1, 1], ids.shape), axes, shape).astype(
        np.float32
    )
    mask = layout.restored(masks({"": levels}, {"": ids}, 0.5, "layer")[""], axes, shape)
    model, layer = keras_layer(kind)
    layer.set_weights([kernel])
    samples = int8_file(tmp_path / "m.tflite", model)

    result = pruned(tmp_path / "m.tflite", tiles_of_kernel)

    (counted,) = result.tensors
    assert (counted.size, counted.masked, counted.zeros) == (
        kernel.size,
        *2 * [np.count_nonzero(mask == 0)],
    )
    layer.set_weights([kernel * mask])
    given, made = flatbuffer.read(result.path).inputs[0], flatbuffer.read(result.path).outputs[0]
    x = np.round(samples[:1] / given.scale + given.zero_point).clip(-128, 127).astype(np.int8)
    y = run(result.path, x)
    expected = (np.asarray(model(samples[:1])) / made.scale + made.zero_point).clip(-128, 127)
    assert int(y.max()) - int(y.min()) > 80
    assert np.abs(y - expected).max() < 3


def test_a_fused_lstm_is_eight_matrices_that_still_run(tmp_path):
    from tinyprune.export.tflite import convert
    from tinyprune.models.tinylstm import build
    from tinyprune.tflite.interpreter import Int8Model

    features = np.cumsum(np.random.default_rng(0).normal(0, 0.3, (100, 8)), axis=0).astype(
        np.float32
    )
    path = tmp_path / "m.tflite"
    path.write_bytes(convert(build((None, 8), 8, 6, 5), 4, features))
    result = pruned(path, scope="layer")
    sizes = [*4 * [8 * 6], *4 * [6 * 6], *8 * [6 * 6], 6 * 5, 5 * 8]
    assert [tensor.size for tensor in result.tensors] == sizes
    assert [tensor.masked for tensor in result.tensors] == [size // 2 for size in sizes]
    assert result.skipped == {}
    before, after = (Int8Model(file).run(features[:20]) for file in (path, result.path))
    assert np.isfinite(after).all()
    assert 0 < np.abs(after - before).max() < 1


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("adjoint", [False, True])
def test_a_constant_of_a_matrix_product_lies_as_its_options_say(index, adjoint, tmp_path):
    """The constant is (inputs, outputs) on the right of the product and (outputs, inputs) on its left."""
    made = network()
    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY = adjoint and index == 0, adjoint and index == 1
    graph = made.subgraphs[0]
    inputs = [1, 0] if index == 0 else [0, 1]
    graph.operators = [operator(0, inputs, [3], schema.BuiltinOptions.BatchMatMulOptions, options)]
    made.operatorCodes = [code(OPERATORS.BATCH_MATMUL)]
    kernel = np.array([[[1, 9, 9, 9], [1, 9, 9, 9]]], np.int8)
    graph.tensors[1], made.buffers[1] = (
        tensor("kernel", kernel.shape, KINDS.INT8, 1),
        buffer(kernel),
    )
    inputs_last = (index == 0) != adjoint
    result = pruned(
        written(tmp_path / "m.tflite", made),
        Block(*((1, 2) if inputs_last else (2, 1))),
        0.25,
    )
    assert constant(result.path, "kernel").tolist() == [[[0, 9, 9, 9], [0, 9, 9, 9]]]


# --- what is left alone
# -----------------------------------------------------------------------------------------------


def added(made: schema.ModelT, builtin: int, inputs: list[int]) -> schema.ModelT:
    """The network with one more operator, which reads some tensors and makes "z"."""
    graph = made.subgraphs[0]
    made.operatorCodes.append(code(builtin))
    graph.tensors.append(tensor("z", (1, 2)))
    graph.operators.append(operator(1, inputs, [len(graph.tensors) - 1]))
    return made


def test_other_constants_stay_and_are_named(tmp_path):
    made = network()
    made.subgraphs[0].tensors.append(tensor("offset", (1, 2), KINDS.INT8, 3))
    made.buffers.append(buffer(np.array([[1, 2]], np.int8)))
    result = pruned(written(tmp_path / "m.tflite", added(made, OPERATORS.ADD, [3, 4])))
    assert result.skipped == {"offset": "is a constant of ADD"}
    assert [tensor.name for tensor in result.tensors] == ["kernel"]
    assert constant(result.path, "offset").tolist() == [[1, 2]]


def test_weights_that_something_else_reads_stay(tmp_path):
    """Two weights take part, so that one remains to prune."""
    made = network()
    graph = made.subgraphs[0]
    graph.tensors.append(tensor("table", (2, 3), KINDS.INT8, 3))
    made.buffers.append(buffer(np.full((2, 3), 1, np.int8)))
    graph.operators.append(fully_connected([0, 4, 2], [3]))
    result = pruned(written(tmp_path / "m.tflite", added(made, OPERATORS.GATHER, [4])))
    assert result.skipped == {"table": "is stored together with a constant of GATHER"}
    assert (constant(result.path, "table") == 1).all()


def other(
    kind: int = KINDS.INT8, values: np.ndarray | None = None, shape=(2, 3), **quantization
) -> schema.ModelT:
    """The network with a second dense operator, of other weights."""
    made = network()
    graph = made.subgraphs[0]
    graph.tensors.append(tensor("other", shape, kind, 3, **quantization))
    graph.operators.append(fully_connected([0, 4, 2], [3]))
    made.buffers.append(buffer(np.ones(shape, np.int8) if values is None else values))
    return made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: other(KINDS.INT4, np.ones(3, np.uint8)), "has int4 weights: expected int8"),
        (lambda: other(shape=(2, 3, 1)), r"has the shape (2, 3, 1): expected 2 axes"),
        (lambda: other(scale=[], zero_point=[]), "has 0 scales: expected 1 or 2"),
    ],
)
def test_weights_of_another_kind_stay(made, reason, tmp_path):
    result = pruned(written(tmp_path / "m.tflite", made()))
    assert result.skipped == {"other": reason}
    assert [tensor.name for tensor in result.tensors] == ["kernel"]


def test_scales_that_do_not_fit_are_refused(tmp_path):
    made = other(scale=[1.0, 1.0, 1.0], zero_point=[0, 0, 0])
    with pytest.raises(UsageError, match="tensor 'other' has 3 scales along axis 0"):
        pruned(written(tmp_path / "m.tflite", made))


def test_weights_in_compressed_form_stay(tmp_path):
    made = other(values=np.ones(4, np.int8))
    made.subgraphs[0].tensors[4].sparsity = schema.SparsityParametersT()
    result = pruned(written(tmp_path / "m.tflite", made))
    assert result.skipped == {
        "other": "is stored in a compressed form: expected plain int8 weights"
    }


def test_one_buffer_with_two_zero_points_stays(tmp_path):
    made = other()
    made.subgraphs[0].tensors.append(tensor("shifted", (2, 3), KINDS.INT8, 3, zero_point=[7]))
    made.subgraphs[0].operators.append(fully_connected([0, 5, 2], [3]))
    result = pruned(written(tmp_path / "m.tflite", made))
    assert result.skipped == {"other": "is stored together with weights of another zero point"}


def test_n_m_names_what_has_too_few_inputs(tmp_path):
    made = other(shape=(2, 1))
    result = pruned(written(tmp_path / "m.tflite", made), parse("1:2"))
    assert result.skipped == {"other": "keeps all of its weights as 1:2: too few inputs"}
    assert [tensor.name for tensor in result.tensors] == ["kernel"]


# --- what is refused
# --------------------------------------------------------------------------------------------------


def refused(
    path: Path, message: str, structure: Structure = WEIGHT, error: type = UsageError, **changes
) -> None:
    """A call that must fail in one line and leave the folder as it was."""
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    arguments = {
        "sparsity": 0.5,
        "scope": "global",
        "importance": "l1",
        "output": path.parent / "out.tflite",
    } | changes
    with pytest.raises(error, match=message) as caught:
        prune_file(path, structure, **arguments)
    assert "\n" not in str(caught.value)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def test_other_types_and_hybrid_operators_are_named(tmp_path):
    path = written(tmp_path / "uint8.tflite", network(given=KINDS.UINT8))
    refused(
        path,
        rf"^{path} is not an int8 network: FULLY_CONNECTED 'y' has uint8 activations; expected int8",
    )
    made = network()  # int8 at both ends, float32 in the middle
    made.subgraphs[0].tensors.append(tensor("made", (1, 2), KINDS.FLOAT32))
    made.subgraphs[0].operators.append(fully_connected([0, 1, 2], [4]))
    refused(written(tmp_path / "m.tflite", made), "FULLY_CONNECTED 'made' has float32 activations")


def test_int16_without_weights_is_nobodys_business(tmp_path):
    made = network()
    made.subgraphs[0].tensors.append(tensor("inside", (1, 2), KINDS.INT16))
    assert (
        pruned(written(tmp_path / "m.tflite", added(made, OPERATORS.ADD, [4, 4]))).tensors[0].masked
        == 3
    )


def test_float_and_compiled_networks_are_refused(tmp_path):
    path = written(tmp_path / "f.tflite", network(given=KINDS.FLOAT32))
    refused(
        path, "input 'x' is float32, first float operator FULLY_CONNECTED; export it as int8 first"
    )
    made = network()
    made.operatorCodes = [code(OPERATORS.CUSTOM, "ethos-u")]
    refused(written(tmp_path / "v.tflite", made), "already compiled by Vela")


def test_a_network_without_weights_is_refused(tmp_path):
    made = network()
    made.operatorCodes = [code(OPERATORS.MUL)]
    path = written(tmp_path / "m.tflite", made)
    refused(
        path, rf"^{path} has no weights to prune: expected Conv, .*; 'kernel' is a constant of MUL$"
    )


def test_what_makes_no_sense_is_refused(path):
    refused(path, r"^structure 'unit' removes channels, .*without --offline", parse("unit"))
    refused(path, r"^importance 'taylor' needs training data", importance="taylor")
    refused(path, r"^unknown importance 'l3'", importance="l3")
    refused(path, r"^unknown scope 'kernel'", scope="kernel")
    for sparsity in (1.0, -0.1, float("nan")):
        refused(path, r"^sparsity .* is out of range", sparsity=sparsity)
    refused(
        path,
        r"has no weights to prune: 'kernel' a block of 4x1 is larger than the kernel",
        parse("block", "4x1"),
    )


def test_the_input_is_never_overwritten(path, tmp_path):
    (tmp_path / "link.tflite").symlink_to(path)
    (tmp_path / "hard.tflite").hardlink_to(path)
    for output in (
        path,
        tmp_path / "link.tflite",
        tmp_path / "hard.tflite",
        path.parent / "." / "m.tflite",
    ):
        refused(path, "is the file to prune, which is never overwritten", output=output)


def test_missing_and_damaged_files(path, tmp_path):
    refused(tmp_path / "none.tflite", "does not exist")
    (tmp_path / "cut.tflite").write_bytes(path.read_bytes()[:100])
    refused(tmp_path / "cut.tflite", "damaged TFLite file")


@pytest.mark.slow
def test_flipped_bytes_never_end_in_a_traceback(path, tmp_path):
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    outcomes = {"pruned": 0, "refused": 0}
    for _ in range(500):
        broken = bytearray(whole)
        for position in rng.integers(8, len(whole), 3):
            broken[position] = rng.integers(256)
        path.write_bytes(broken)
        try:
            pruned(path)
            outcomes["pruned"] += 1
        except UsageError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10


def test_a_full_disk_leaves_nothing(path, full_disk):
    refused(path, r"^cannot write .*out\.tflite: No space left", error=TinypruneError)


def test_an_edit_that_does_not_arrive_in_the_file_is_a_failed_check(path, monkeypatch):
    parse_file = flatbuffer.parse
    monkeypatch.setattr(
        flatbuffer, "parse", lambda path, content: parse_file(path, bytearray(content))
    )  # a copy
    refused(
        path, r"^'kernel': 3 of 3 pruned weights are not zero in .*out\.tflite$", error=CheckFailed
    )


def test_neither_tensorflow_nor_keras_is_loaded(path):
    program = (
        "import sys; from pathlib import Path; from tinyprune.compress.offline import prune_file\n"
        "from tinyprune.sparsity.structure import parse\n"
        f"prune_file(Path({str(path)!r}), parse('weight'), 0.5, 'global', 'l2', Path({str(path)!r} + '.out'))\n"
        "assert not {'tensorflow', 'keras', 'tf_keras'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("kind", quick(["dense_int16", "dense_float_ends"], "dense_float_ends"))
def test_activations_of_16_bits_and_float_ends_stay_as_they_are(networks, tmp_path, kind):
    source = getattr(networks, kind)()
    result = prune_file(source, WEIGHT, 0.5, "layer", "l1", tmp_path / "pruned.tflite")
    assert result.sparsity >= 0.5
    before, after = flatbuffer.read(source), flatbuffer.read(result.path)
    kinds = [(tensor.dtype, tensor.shape) for tensor in (*before.inputs, *before.outputs)]
    assert [(tensor.dtype, tensor.shape) for tensor in (*after.inputs, *after.outputs)] == kinds


# --- networks whose layers have weights of different size


def raw_pixels(path: Path) -> Path:
    """A network on pixels from 0 to 255: its first kernel is a hundred times smaller."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    first, second = model.layers[:2]
    first.set_weights([0.01 * first.get_weights()[0], first.get_weights()[1]])
    second.set_weights([20 * second.get_weights()[0], second.get_weights()[1]])
    pixels = np.random.default_rng(0).uniform(0, 255, (16, 8, 8, 3)).astype(np.float32)
    path.write_bytes(convert(model, None, pixels))
    return path


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_pixels(tmp_path_factory.mktemp("pixels") / "raw.tflite")


@pytest.mark.parametrize("sparsity", [0.3, 0.7, 0.95])
def test_small_weights_are_not_emptied_and_outputs_depend_on_inputs(pixels, sparsity, tmp_path):
    output = tmp_path / "out.tflite"
    result = prune_file(pixels, WEIGHT, sparsity, "global", "lamp", output, floor=0.25)
    assert not is_constant(pixels)
    assert not is_constant(output)
    for tensor in result.tensors:
        assert tensor.size - tensor.masked >= math.floor(0.25 * (1 - sparsity) * tensor.size)


def test_a_network_of_constant_outputs_is_not_written_and_its_empty_layer_is_named(
    pixels, tmp_path
):
    output = tmp_path / "out.tflite"
    with pytest.raises(CheckFailed, match=r"nothing is left of \S*conv2d\S*; nothing is written"):
        prune_file(pixels, WEIGHT, 0.7, "global", "l1", output)
    assert not output.exists()


def test_a_floor_keeps_the_emptied_layer_with_any_importance(pixels, tmp_path):
    result = prune_file(pixels, WEIGHT, 0.7, "global", "l1", tmp_path / "out.tflite", floor=0.25)
    first = result.tensors[0]
    assert first.size - first.masked == math.ceil(0.25 * 0.3 * first.size)


def test_every_output_keeps_a_weight(pixels, tmp_path):
    output = tmp_path / "out.tflite"
    prune_file(pixels, WEIGHT, 0.95, "global", "lamp", output, floor=0.25)
    last = flatbuffer.read(output).operators[-2]
    assert last.name == "FULLY_CONNECTED"
    assert (last.inputs[1].values != 0).any(axis=1).all()


def test_a_layer_that_loses_nearly_everything_is_told(pixels, tmp_path, log_lines):
    inputs = [np.zeros((8, 8, 3), np.float32)] * 2  # to which it does not respond before either
    output = tmp_path / "out.tflite"
    prune_file(pixels, WEIGHT, 0.7, "global", "l1", output, inputs=inputs)
    [line] = log_lines
    assert line.startswith(f"{output}: nothing is left of ")
    assert line.endswith("; try --scope layer, or a --floor")
