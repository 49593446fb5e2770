"""What TensorFlow Lite Micro needs for a compiled network: its operators and its arena."""

from collections.abc import Sequence

from tinyprune.tflite.compiled import CpuStep, NpuStep

_NPU_METHOD = "EthosU"
#: Operators whose method of MicroMutableOpResolver is not the name in capitals of words.
_METHODS = {
    "BATCH_MATMUL": "BatchMatMul",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def resolver_methods(steps: Sequence[NpuStep | CpuStep]) -> tuple[str, ...]:
    """Return what follows "Add" in the methods of a resolver, each operator once."""
    methods: dict[str, None] = {}
    for step in steps:
        if isinstance(step, NpuStep):
            methods[_NPU_METHOD] = None
        else:
            methods |= dict.fromkeys(map(resolver_method, step.names))
    return tuple(methods)


def resolver_method(operator: str) -> str:
    """Return what follows "Add" in the method for an operator, e.g. "Conv2D" for CONV_2D."""
    if operator in _METHODS:
        return _METHODS[operator]
    return "".join(part.capitalize() for part in operator.split("_")).replace("2d", "2D")
