"""Kernels of operators that are written here by hand, in the order (spatial..., inputs, outputs)."""

import numpy as np
import pytest

from tinyprune.tflite.graph import Operator, Tensor
from tinyprune.tflite.kernels import int8_kernels


def tensor(values: np.ndarray | None, dtype: str = "int8") -> Tensor:
    shape = () if values is None else values.shape
    return Tensor("x", shape, dtype, np.ones(1, np.float32), np.zeros(1, np.int64), values, 0)


def operator(name: str, *constants: np.ndarray) -> Operator:
    """An operator that reads a computed tensor and then these constants."""
    return Operator(name, (tensor(None), *map(tensor, constants)), (tensor(None),))


@pytest.mark.parametrize(
    ("name", "shape", "canonical"),
    [
        ("FULLY_CONNECTED", (2, 3), (3, 2)),
        ("CONV_2D", (5, 2, 3, 4), (2, 3, 4, 5)),
        ("TRANSPOSE_CONV", (5, 2, 3, 4), (2, 3, 4, 5)),
        ("DEPTHWISE_CONV_2D", (1, 2, 3, 8), (2, 3, 1, 8)),
    ],
)
def test_outputs_come_last_and_inputs_before_them(name, shape, canonical):
    [kernel] = int8_kernels(operator(name, np.ones(shape, np.int8))).values()
    assert kernel.shape == canonical


def test_gates_of_an_lstm_lie_side_by_side():
    gates = [np.full((2, 3), gate, np.int8) for gate in range(4)]
    recurrent = [np.full((2, 2), gate, np.int8) for gate in range(4)]
    found = int8_kernels(operator("UNIDIRECTIONAL_SEQUENCE_LSTM", *gates, *recurrent))
    assert found["kernel"].tolist() == 3 * [[0, 0, 1, 1, 2, 2, 3, 3]]
    assert found["recurrent_kernel"].tolist() == 2 * [[0, 0, 1, 1, 2, 2, 3, 3]]


def test_what_is_not_constant_int8_is_no_kernel():
    computed = Operator("FULLY_CONNECTED", (tensor(None), tensor(None)), ())
    floats = Operator("FULLY_CONNECTED", (tensor(None), tensor(np.ones((2, 3)), "float32")), ())
    half = operator("UNIDIRECTIONAL_SEQUENCE_LSTM", *4 * [np.ones((2, 3), np.int8)])
    for case in (computed, floats, half, operator("ADD", np.ones((2, 3), np.int8))):
        assert int8_kernels(case) == {}
