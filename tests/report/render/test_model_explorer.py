"""Node data of Model Explorer: a number per node, named by the tensor that it makes."""

import json

import numpy as np

from tests.support import records
from tinyprune.artifacts.resources import OperatorCost
from tinyprune.report.render.model_explorer import node_data
from tinyprune.tflite.graph import Graph, Operator, Tensor


def operator(output: str) -> Operator:
    nothing = np.zeros(0)
    tensor = Tensor(output, (1,), "int8", nothing, nothing, None, 0)
    return Operator("FULLY_CONNECTED", (), (tensor,))


def cost(source: int | None, cycles: float, weights: float = 0.0) -> OperatorCost:
    cycles_of_parts = dict.fromkeys(
        (
            "cycles_npu",
            "cycles_sram",
            "cycles_dram",
            "cycles_on_chip_flash",
            "cycles_off_chip_flash",
        ),
        0.0,
    )
    return OperatorCost(
        cycles=cycles,
        **cycles_of_parts,
        name="n",
        operator="FullyConnected",
        sram_bytes=0.0,
        macs=0,
        source=source,
        encoded_weight_bytes=weights,
    )


def test_operators_of_vela_add_up_to_those_that_they_come_from():
    graph = Graph((operator("a/MatMul"), operator("b/Relu")), (), ())
    operators = (cost(0, 100.0, 40.0), cost(0, 20.0), cost(1, 7.0), cost(None, 3.0))
    data = node_data(graph, records.resource_report(operators=operators))
    assert {name: json.loads(text)["results"] for name, text in data.items()} == {
        "cycles": {"a/MatMul": {"value": 120}, "b/Relu": {"value": 7}},
        "flash-bytes": {"a/MatMul": {"value": 40}, "b/Relu": {"value": 0}},
    }
    stops = [stop["stop"] for stop in json.loads(data["cycles"])["gradient"]]
    assert stops == [0, 1]
