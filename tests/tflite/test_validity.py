"""Networks of TFLite that break a rule: each is one line that names the tensor."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tflite.test_flatbuffer import model, operator, tensor, written
from tinyprune.errors import UsageError
from tinyprune.tflite import flatbuffer

INT8 = schema.TensorType.INT8


def convolution(graph, **settings):
    only = graph.operators[0]
    only.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    only.builtinOptions = schema.Conv2DOptionsT()
    for name in ("strideW", "strideH", "dilationWFactor", "dilationHFactor"):
        setattr(only.builtinOptions, name, settings.get(name, 1))


def set_scale(number, values):
    def change(graph):
        graph.tensors[number].quantization.scale = values

    return change


def set_zero_point(number, values):
    def change(graph):
        graph.tensors[number].quantization.zeroPoint = values

    return change


def set_shape(number, shape):
    def change(graph):
        graph.tensors[number].shape = shape

    return change


def axis(number):
    def change(graph):
        graph.tensors[1].quantization.quantizedDimension = number

    return change


def wired(inputs, outputs):
    def change(graph):
        graph.operators[0].inputs, graph.operators[0].outputs = inputs, outputs

    return change


def twice(graph):
    graph.operators.append(copy.deepcopy(graph.operators[0]))


def late(graph):
    graph.tensors.append(tensor("late", [1, 3], INT8))
    graph.operators[0].inputs[0] = 4
    graph.operators.append(operator(0, [0], [4]))


BROKEN = {
    "no scale": (set_scale(0, [0.0]), "tensor 'x' has the scale 0, expected a positive"),
    "negative": (set_scale(1, [0.5, -0.5]), "tensor 'kernel' has the scale -0.5"),
    "nan": (set_scale(0, [float("nan")]), "tensor 'x' has the scale nan"),
    "infinite": (set_scale(0, [float("inf")]), "tensor 'x' has the scale inf"),
    "zero point": (set_zero_point(0, [200]), "tensor 'x' has the zero point 200, expected one of"),
    "zero points": (set_zero_point(1, [0] * 3), "'kernel' has 2 scales and 3 zero points"),
    "axis": (axis(7), "tensor 'kernel' has 2 scales along axis 7 of the shape 2x3"),
    "shape": (set_shape(3, [1, -2]), "tensor 'y' has the shape 1x-2, expected sizes from 0"),
    "size": (
        set_shape(3, [2**31 - 1, 2**31 - 1]),
        "tensor 'y' has the shape 2147483647x2147483647: what is computed takes more than 1,024 MiB",
    ),
    "ends": (
        set_shape(0, [67_000_000, 8]),
        "tensor 'x' has the shape 67000000x8: expected at most 33,554,432 values at its inputs",
    ),
    "stride": (lambda graph: convolution(graph, strideH=0), "of tensor 'y' has strideH = 0"),
    "dilation": (
        lambda graph: convolution(graph, dilationWFactor=-3),
        "of tensor 'y' has dilationWFactor = -3",
    ),
    "input": (wired([0, 99, 2], [3]), "it names tensor 99 of 4"),
    "negative input": (wired([0, -2, 2], [3]), "it names tensor -2 of 4"),
    "negative output": (wired([0, 1, 2], [-1]), "it names tensor -1 of 4"),
    "circle": (wired([3, 1, 2], [3]), "reads tensor 'y', which nothing has made"),
    "order": (late, "of tensor 'y' reads tensor 'late', which nothing has made"),
    "twice": (twice, "makes tensor 'y', which is there already"),
    "constant": (wired([0, 1, 2], [1]), "makes tensor 'kernel', which is there already"),
}


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        flatbuffer.read(path)
    return str(caught.value)


@pytest.mark.parametrize(("change", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_network_names_the_tensor(tmp_path, change, line):
    made = model()
    change(made.subgraphs[0])
    message = refusal(written(tmp_path / "m.tflite", made))
    assert "m.tflite is no valid network: " in message
    assert line in message


def loop(number: int):
    only = operator(0, [0], [1])
    only.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    only.builtinOptions = schema.WhileOptionsT()
    only.builtinOptions.bodySubgraphIndex = only.builtinOptions.condSubgraphIndex = number
    graph = schema.SubGraphT()
    graph.tensors = [tensor("a", [1], INT8), tensor("b", [1], INT8)]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [only]
    return graph


@pytest.mark.parametrize(
    ("numbers", "line"),
    [([1, 0], "subgraph 0 calls itself"), ([7], "calls subgraph 7 of 2")],
)
def test_subgraphs_that_call_each_other_in_a_circle(tmp_path, numbers, line):
    made = model(builtin=schema.BuiltinOperator.WHILE)
    made.subgraphs = [loop(number) for number in numbers]
    if len(numbers) == 1:
        made.subgraphs.append(model().subgraphs[0])
    assert line in refusal(written(tmp_path / "m.tflite", made))


def test_weights_that_are_nan(tmp_path):
    made = model()
    made.subgraphs[0].tensors[1] = tensor("kernel", [2], schema.TensorType.FLOAT32, 1)
    values = np.array([1, np.nan], np.float32)
    made.buffers[1].data = np.frombuffer(values.tobytes(), np.uint8)
    assert "'kernel' has 1 of 2 values that are NaN" in refusal(written(tmp_path / "m", made))


def test_a_small_file_of_shared_tables_does_not_take_forever(tmp_path):
    """2,000 subgraphs that share the 20,000 tensors of one: 40 million in 90 kB."""
    made = model()
    made.subgraphs[0].tensors *= 5_000
    whole = written(tmp_path / "m.tflite", made).read_bytes()
    root = schema.Model.GetRootAs(whole)
    place = root.Subgraphs(0)._tab.Pos
    vector = len(whole) + 4
    offsets = b"".join(
        (2**32 + place - (vector + 4 * number)).to_bytes(8, "little")[:4] for number in range(2_000)
    )
    content = bytearray(whole + bytes(4) + (2_000).to_bytes(4, "little") + offsets)
    field = root._tab.Pos + root._tab.Offset(8)
    content[field : field + 4] = (len(whole) + 4 - field).to_bytes(4, "little")
    (tmp_path / "m.tflite").write_bytes(content)
    assert "damaged TFLite file" in refusal(tmp_path / "m.tflite")


def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "m.tflite")
    assert "is a FIFO or a device, no file" in refusal(tmp_path / "m.tflite")


def test_a_file_of_a_terabyte_is_not_read(tmp_path):
    path = tmp_path / "m.tflite"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no place on the disk
    assert "takes 1,048,576 MiB, the most that is read is 768 MiB" in refusal(path)
