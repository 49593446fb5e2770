"""The table of operators: its kinds are those that resources follow from, and no input has two roles."""

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator

from tinyprune.sparsity.network_shape import KINDS, WITH_KERNELS
from tinyprune.tflite.graph import Operator, Tensor
from tinyprune.tflite.operators import GATES, OPERATORS, operator_type, weight_axes


@pytest.mark.parametrize("name", OPERATORS)
def test_every_entry_is_an_operator_of_tflite_with_a_known_kind(name):
    assert hasattr(BuiltinOperator, name)
    assert OPERATORS[name].kind in KINDS


@pytest.mark.parametrize("name", OPERATORS)
def test_every_input_has_one_role(name):
    known = OPERATORS[name]
    numbers = [known.data_input] if known.kernels else []
    for kernel in known.kernels:
        numbers.extend(kernel.inputs)
    numbers.extend(known.bias_inputs)
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", OPERATORS)
def test_kernels_are_said_of_the_kinds_that_have_them(name):
    known = OPERATORS[name]
    assert bool(known.kernels) == (known.kind in WITH_KERNELS)
    assert known.has_weights or not known.kernels


def test_an_lstm_has_a_matrix_and_a_bias_for_each_gate():
    lstm = operator_type("UNIDIRECTIONAL_SEQUENCE_LSTM")
    assert [len(kernel.inputs) for kernel in lstm.kernels] == [GATES, GATES]
    assert len(lstm.bias_inputs) == GATES


def test_an_unknown_operator_is_of_another_kind_and_has_no_weights():
    unknown = operator_type("ethos-u")
    assert (unknown.kind, unknown.kernels, unknown.has_weights) == ("other", (), False)


def matmul(**options: bool) -> Operator:
    def tensor(*shape: int) -> Tensor:
        none = np.zeros(0)
        return Tensor("x", shape, "int8", none, none, None, 0)

    return Operator("BATCH_MATMUL", (tensor(5, 2, 3), tensor(5, 3, 4)), (), options)


@pytest.mark.parametrize(
    ("options", "axes"),
    [
        ({}, {0: (0, 2, 1), 1: (0, 1, 2)}),
        ({"adjX": True}, {0: (0, 1, 2), 1: (0, 1, 2)}),
        ({"adjX": False, "adjY": True}, {0: (0, 2, 1), 1: (0, 2, 1)}),
    ],
)
def test_the_options_of_a_product_say_how_the_axes_of_its_factors_lie(options, axes):
    assert weight_axes(matmul(**options)) == axes


def test_axes_of_every_matrix_of_an_lstm():
    operator = Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", (), ())
    assert weight_axes(operator) == dict.fromkeys(range(1, 9), (1, 0))
