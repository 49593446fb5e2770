"""Costs of operators as node data of Model Explorer, which colours the graph of a network by them.

A file has one number per node, as Model Explorer's ``GraphNodeData`` says; nodes are named by the
tensors that they make (github.com/google-ai-edge/model-explorer, "custom node data").
"""

import json
from collections import defaultdict
from collections.abc import Callable

from tinyprune.artifacts.resources import OperatorCost, ResourceReport
from tinyprune.tflite.graph import Graph

#: Colours of the least and of the largest number.
_GRADIENT = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#d9480f"}]


def _cycles(operator: OperatorCost) -> float:
    return float(operator.cycles)


def _flash(operator: OperatorCost) -> float:
    return operator.flash_bytes


#: Name of a file -> what an operator of Vela adds to that of the ``.tflite`` which it comes from.
COSTS: dict[str, Callable[[OperatorCost], float]] = {"cycles": _cycles, "flash-bytes": _flash}


def node_data(graph: Graph, report: ResourceReport) -> dict[str, str]:
    """Return the JSON of each cost, by its name.

    Args:
        graph: the network that was compiled.
        report: what Vela says of it. Operators of which it does not say where they come from are
            in none of the files.
    """
    return {name: _one(graph, report, cost) for name, cost in COSTS.items()}


def _one(graph: Graph, report: ResourceReport, cost: Callable[[OperatorCost], float]) -> str:
    """Return the node data of one cost."""
    values: dict[str, float] = defaultdict(float)
    for operator in report.operators:
        if operator.source is not None:
            node = graph.operators[operator.source].outputs[0].name
            values[node] += cost(operator)
    results = {node: {"value": round(value)} for node, value in values.items()}
    return json.dumps({"results": results, "gradient": _GRADIENT}, indent=2) + "\n"
