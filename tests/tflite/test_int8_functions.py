import math
from pathlib import Path

import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.export.tflite import convert
from tinyprune.tflite.flatbuffer import parse
from tinyprune.tflite.interpreter import Int8Model

L = keras.layers


def converted(build, values: np.ndarray) -> bytes:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(values.shape[1:])
    return convert(fold(keras.Model(inputs, build(inputs))), None, values)


def names(content: bytes) -> list[str]:
    return [operator.name for operator in parse(Path("file"), content).operators]


def test_an_elu_alone_reads_and_makes_integers(tmp_path):
    values = np.linspace(-4, 2, 128, dtype=np.float32).reshape(32, 4)
    content = converted(L.ELU(), values)
    assert names(content) == ["ELU"]
    path = tmp_path / "elu.tflite"
    path.write_bytes(content)
    made = Int8Model(path).run(np.float32([[-4, -1, 0, 2]])).ravel()
    expected = [math.exp(-4) - 1, math.exp(-1) - 1, 0, 2]
    # Steps of the argument, 6 / 255, and of the result, 3 / 255; the slope is at most 1.
    np.testing.assert_allclose(made, expected, atol=0.5 * 6 / 255 + 0.5 * 3 / 255)


@pytest.mark.slow
def test_several_in_a_row_and_side_by_side_leave_no_float_tensor_behind():
    def build(x):
        x = L.Dense(6, activation="elu")(x)
        y = L.Dense(6, activation="elu")(x)
        return L.Dense(3)(L.ELU()(L.Add()([x, y])))

    values = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    content = converted(build, values)
    assert names(content).count("ELU") == 3
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    floats = [t.name for t in model.subgraphs[0].tensors if t.type == schema.TensorType.FLOAT32]
    assert floats == []
