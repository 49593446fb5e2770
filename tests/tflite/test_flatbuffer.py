"""Reading TFLite files that are written here by hand, so that every value in them is known."""

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tinyprune.errors import UsageError
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import constants

KERNEL = np.array([[1, -2, 3], [0, 0, -128]], np.int8)
BIAS = np.array([7, -9], np.int32)


def tensor(
    name: str, shape: list[int], kind: int, buffer: int = 0, scale=(), zero_point=()
) -> schema.TensorT:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = list(scale), list(zero_point)
    return made


def operator(code: int, inputs: list[int], outputs: list[int]) -> schema.OperatorT:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    return made


def code(builtin: int, custom: str | None = None) -> schema.OperatorCodeT:
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode, made.customCode = (
        builtin,
        min(builtin, 127),
        custom,
    )
    return made


def buffer(values: np.ndarray | None) -> schema.BufferT:
    made = schema.BufferT()
    made.data = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
    return made


def model(
    kind: int = schema.TensorType.INT8,
    builtin: int = schema.BuiltinOperator.FULLY_CONNECTED,
    custom=None,
):
    """One operator: 3 inputs, a 2 x 3 kernel with a scale per row, a bias, 2 outputs."""
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", [1, 3], kind, scale=[0.5], zero_point=[-3]),
        tensor("kernel", [2, 3], schema.TensorType.INT8, 1, [0.25, 0.125], [0, 0]),
        tensor("bias", [2], schema.TensorType.INT32, 2),
        tensor("y", [1, 2], kind),
    ]
    graph.inputs, graph.outputs = [0], [3]
    graph.operators = [operator(0, [0, 1, 2, -1], [3])]
    made = schema.ModelT()
    made.version, made.subgraphs, made.operatorCodes = 3, [graph], [code(builtin, custom)]
    made.buffers = [buffer(None), buffer(KERNEL), buffer(BIAS)]
    return made


def written(path: Path, made: schema.ModelT) -> Path:
    builder = flatbuffers.Builder()
    builder.Finish(made.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "m.tflite", model())


def test_operators_and_tensors(path: Path) -> None:
    graph = flatbuffer.read(path)
    (only,) = graph.operators
    x, kernel, bias, left_out = only.inputs
    assert (only.name, left_out) == ("FULLY_CONNECTED", None)
    assert (kernel.name, kernel.shape, kernel.dtype) == ("kernel", (2, 3), "int8")
    assert kernel.data.dtype == np.int8
    assert kernel.data.tolist() == KERNEL.tolist()
    assert kernel.scale.tolist() == [0.25, 0.125]
    assert kernel.zero_point.tolist() == [0, 0]
    assert bias.data.tolist() == [7, -9]
    assert bias.scale.size == bias.zero_point.size == 0
    assert (x.data, x.scale.tolist(), x.zero_point.tolist()) == (None, [0.5], [-3])
    assert [tensor.name for tensor in graph.inputs + graph.outputs] == ["x", "y"]


def test_operator_codes_above_the_old_limit_and_custom_ones(tmp_path: Path) -> None:
    gelu = written(tmp_path / "gelu.tflite", model(builtin=schema.BuiltinOperator.GELU))
    custom = written(
        tmp_path / "custom.tflite", model(builtin=schema.BuiltinOperator.CUSTOM, custom="mine")
    )
    assert schema.BuiltinOperator.GELU > 127
    assert flatbuffer.read(gelu).operators[0].name == "GELU"
    assert flatbuffer.read(custom).operators[0].name == "mine"


def test_a_shared_buffer_is_one_constant(tmp_path: Path) -> None:
    made = model()
    graph = made.subgraphs[0]
    graph.tensors.append(tensor("again", [2, 3], schema.TensorType.INT8, 1))
    graph.tensors.append(tensor("z", [1, 2], schema.TensorType.INT8))
    graph.operators.append(operator(0, [0, 4, 2], [5]))
    operators = flatbuffer.read(written(tmp_path / "m.tflite", made)).operators
    assert [tensor.name for tensor in constants(operators)] == ["kernel", "bias"]
    assert sum(tensor.data.nbytes for tensor in constants(operators)) == 2 * 3 * 1 + 2 * 4


def test_operators_of_every_subgraph_but_the_boundary_of_the_first(tmp_path: Path) -> None:
    made = model()
    body = schema.SubGraphT()
    names = ("into the loop", "out of it")
    body.tensors = [tensor(name, [1], schema.TensorType.INT8) for name in names]
    body.inputs, body.outputs = [0], [1]
    body.operators = [operator(0, [0], [1])]
    made.subgraphs.append(body)
    graph = flatbuffer.read(written(tmp_path / "m.tflite", made))
    assert len(graph.operators) == 2
    assert [tensor.name for tensor in graph.inputs] == ["x"]


def test_int8_is_fine_also_with_int16_or_float_inside(path: Path, tmp_path: Path) -> None:
    flatbuffer.require_int8(path, flatbuffer.read(path))
    for kind in (schema.TensorType.INT16, schema.TensorType.FLOAT32):
        made = model()
        made.subgraphs[0].tensors.append(tensor("inside", [1], kind))
        made.subgraphs[0].operators.append(operator(0, [0], [4]))
        mixed = written(tmp_path / "mixed.tflite", made)
        flatbuffer.require_int8(mixed, flatbuffer.read(mixed))


@pytest.mark.parametrize("kind", ["FLOAT32", "FLOAT16"])
def test_a_float_network_names_tensor_and_operator(kind: str, tmp_path: Path) -> None:
    path = written(tmp_path / "f.tflite", model(kind=getattr(schema.TensorType, kind)))
    with pytest.raises(UsageError) as caught:
        flatbuffer.require_int8(path, flatbuffer.read(path))
    assert str(caught.value) == (
        f"{path} is not an int8 network: input 'x' is {kind.lower()}, first float operator FULLY_CONNECTED; "
        "export it as int8 first (tinyprune export)"
    )


def test_a_network_compiled_by_vela_is_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path / "v.tflite", model(builtin=schema.BuiltinOperator.CUSTOM, custom="ethos-u")
    )
    with pytest.raises(UsageError, match="already compiled by Vela"):
        flatbuffer.require_int8(path, flatbuffer.read(path))


def test_every_truncation_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    assert len(whole) > 100
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(
            UsageError, match="not a TFLite file" if size < 8 else "damaged TFLite file"
        ):
            flatbuffer.read(path)


def test_flipped_bytes_never_end_in_a_traceback(path: Path) -> None:
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(1000):
        broken = bytearray(whole)
        for position in rng.integers(8, len(whole), 3):
            broken[position] = rng.integers(256)
        path.write_bytes(broken)
        try:
            flatbuffer.read(path)
            outcomes["read"] += 1
        except UsageError:
            outcomes["refused"] += 1
    # Both happen, or the bytes that are flipped matter to nobody.
    assert min(outcomes.values()) > 10


def test_missing_folder_and_garbage(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.tflite"
    garbage.write_bytes(b"PK\x03\x04 a zip or whatever")
    empty = tmp_path / "empty.tflite"
    empty.touch()
    for path, words in (
        (tmp_path / "none.tflite", "does not exist"),
        (tmp_path, "is a folder"),
        (garbage, "not a TFLite file"),
        (empty, "not a TFLite file"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            flatbuffer.read(path)
        assert str(caught.value).startswith(str(path))


def test_the_axis_of_the_scales_and_the_options_of_an_operator(tmp_path: Path) -> None:
    made = model(builtin=schema.BuiltinOperator.BATCH_MATMUL)
    grid = made.subgraphs[0].tensors[1].quantization
    grid.quantizedDimension, grid.scale, grid.zeroPoint = 1, [0.25, 0.125, 0.5], [0, 0, 0]
    only = made.subgraphs[0].operators[0]
    only.builtinOptionsType, only.builtinOptions = (
        schema.BuiltinOptions.BatchMatMulOptions,
        schema.BatchMatMulOptionsT(),
    )
    only.builtinOptions.adjY = True
    found = flatbuffer.read(written(tmp_path / "m.tflite", made)).operators[0]
    assert [tensor.axis for tensor in found.inputs[:3]] == [0, 1, 0]
    assert (found.options["adjX"], found.options["adjY"]) == (False, True)
    assert flatbuffer.read(written(tmp_path / "n.tflite", model())).operators[0].options == {}


def test_writing_to_the_data_of_a_bytearray_edits_it(path: Path) -> None:
    before, content = path.read_bytes(), bytearray(path.read_bytes())
    flatbuffer.parse(path, content).operators[0].inputs[1].data[0, 1] = 5
    position = before.index(KERNEL.tobytes()) + 1
    assert before[position] == 256 - 2
    assert content == before[:position] + b"\5" + before[position + 1 :]


def behind(path: Path, beyond: int = 0) -> Path:
    """The kernel at an offset into the file, behind the flatbuffer, as in networks above 2 GB."""
    made = model()
    made.buffers[1] = schema.BufferT()
    made.buffers[1].offset, made.buffers[1].size = 2, KERNEL.size + beyond
    made.buffers[1].offset = len(written(path, made).read_bytes())
    path.write_bytes(written(path, made).read_bytes() + KERNEL.tobytes())
    return path


def test_a_buffer_behind_the_flatbuffer(tmp_path: Path) -> None:
    kernel = flatbuffer.read(behind(tmp_path / "m.tflite")).operators[0].inputs[1]
    assert kernel.data.tolist() == KERNEL.tolist()


def test_a_buffer_that_ends_outside_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="damaged TFLite file"):
        flatbuffer.read(behind(tmp_path / "m.tflite", beyond=1))
