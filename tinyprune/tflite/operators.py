"""The operators of TFLite: the work that each of them does, and the inputs that hold its weights.

This table is the only place that knows inputs of an operator by their number. The kinds are those
of ``sparsity/network_shape.py``, which has the resources that follow from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tinyprune.tflite.graph import Graph, Operator

#: Number of gates of an LSTM. Keras and TFLite have them in the same order: input (i), forget (f),
#: cell (g), output (o). Keras lays them side by side in one kernel; TFLite has a matrix for each.
GATES = 4
#: Kind of recurrent work -> number of its gates. TFLite has no operator for a GRU: several do it.
RECURRENT = {"lstm": GATES, "gru": 3}

Axes = tuple[int, ...]


@dataclass(frozen=True)
class KernelInputs:
    """The inputs of an operator that hold one kernel.

    Attributes:
        name: "kernel" or "recurrent_kernel", the name that Keras has for it.
        inputs: numbers of the inputs: one, or one for each gate of an LSTM in the order i, f, g, o.
        axes: axes of each of these tensors in the order (spatial..., inputs, outputs) of
            ``sparsity/layout.py``.
    """

    name: str
    inputs: tuple[int, ...]
    axes: Axes


@dataclass(frozen=True)
class OperatorType:
    """One built-in operator of TFLite.

    Attributes:
        kind: the kind of its work; "other" where tinyprune has no rule for it.
        kernels: its kernels; empty where there are none, or none whose axes are known.
        has_weights: whether constants of two and more axes are weights.
        data_input: number of the input that holds the feature map.
        bias_inputs: numbers of the inputs that hold biases, of an LSTM one for each gate.
        is_global_pool: whether it pools over all positions.
        is_view: whether its output is in the memory of its input: the same bytes in another shape,
            or an activation that Vela makes part of the operator before.
    """

    kind: str = "other"
    kernels: tuple[KernelInputs, ...] = ()
    has_weights: bool = False
    data_input: int = 0
    bias_inputs: tuple[int, ...] = ()
    is_global_pool: bool = False
    is_view: bool = False


def _with_kernel(kind: str, axes: Axes, data_input: int = 0, bias_input: int = 2) -> OperatorType:
    """An operator whose one kernel is its second input."""
    kernel = KernelInputs("kernel", (1,), axes)
    return OperatorType(kind, (kernel,), True, data_input, (bias_input,))


_MATRIX_AXES = (1, 0)  # (outputs, inputs) in TFLite
_LSTM_KERNELS = (
    KernelInputs("kernel", (1, 2, 3, 4), _MATRIX_AXES),
    KernelInputs("recurrent_kernel", (5, 6, 7, 8), _MATRIX_AXES),
)
_UNKNOWN_KERNELS = OperatorType(has_weights=True)
_ADD = OperatorType("add")
_ACTIVATION = OperatorType("activation")
_POOL = OperatorType("pool")
_SLICE = OperatorType("slice")
_VIEW = OperatorType(is_view=True)
_OTHER = OperatorType()

#: Name of an operator -> what is known of it; operators that are missing are of kind "other".
OPERATORS: Mapping[str, OperatorType] = {
    # TFLite has the outputs of a convolution first, and the channels of a depthwise one last,
    # behind a 1.
    "CONV_2D": _with_kernel("conv", (1, 2, 3, 0)),
    "DEPTHWISE_CONV_2D": _with_kernel("depthwise", (1, 2, 0, 3)),
    "TRANSPOSE_CONV": _with_kernel("transposed", (1, 2, 3, 0), data_input=2, bias_input=3),
    "FULLY_CONNECTED": _with_kernel("dense", _MATRIX_AXES),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": OperatorType(
        "lstm", _LSTM_KERNELS, has_weights=True, bias_inputs=(12, 13, 14, 15)
    ),
    # The options of a product say how the axes of its factors lie: weight_axes.
    "BATCH_MATMUL": OperatorType("matmul", has_weights=True),
    "BIDIRECTIONAL_SEQUENCE_LSTM": _UNKNOWN_KERNELS,
    "BIDIRECTIONAL_SEQUENCE_RNN": _UNKNOWN_KERNELS,
    "CONV_3D": _UNKNOWN_KERNELS,
    "CONV_3D_TRANSPOSE": _UNKNOWN_KERNELS,
    "LSTM": _UNKNOWN_KERNELS,
    "RNN": _UNKNOWN_KERNELS,
    "STABLEHLO_CONVOLUTION": _UNKNOWN_KERNELS,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _UNKNOWN_KERNELS,
    # Element by element, on one or two inputs.
    "ADD": _ADD,
    "MAXIMUM": _ADD,
    "MINIMUM": _ADD,
    "MUL": _ADD,
    "SUB": _ADD,
    "ELU": _ACTIVATION,
    "HARD_SWISH": _ACTIVATION,
    "LEAKY_RELU": _ACTIVATION,
    "LOGISTIC": _ACTIVATION,
    "PRELU": _ACTIVATION,
    "RSQRT": _ACTIVATION,
    "TANH": _ACTIVATION,
    "SOFTMAX": OperatorType("softmax"),
    # Over positions, and of parts of a feature map.
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "MEAN": OperatorType("pool", is_global_pool=True),
    "CONCATENATION": OperatorType("concat"),
    "PAD": OperatorType("pad"),
    "SLICE": _SLICE,
    "STRIDED_SLICE": _SLICE,
    "TRANSPOSE": OperatorType("transpose"),
    # Without work of their own.
    "EXPAND_DIMS": _VIEW,
    "RELU": _VIEW,
    "RELU6": _VIEW,
    "RESHAPE": _VIEW,
    "SQUEEZE": _VIEW,
}


def operator_type(name: str) -> OperatorType:
    """Return what is known of an operator; of an unknown one its kind is "other"."""
    return OPERATORS.get(name, _OTHER)


def weight_axes(operator: Operator) -> dict[int, Axes]:
    """Return the inputs of an operator that hold weights -> axes as (spatial..., inputs, outputs).

    An LSTM has a matrix (inputs, units) for each gate.
    """
    if operator.name == "BATCH_MATMUL":
        return _matmul_axes(operator)
    axes: dict[int, Axes] = {}
    for kernel in operator_type(operator.name).kernels:
        axes |= dict.fromkeys(kernel.inputs, kernel.axes)
    return axes


def makers_of_outputs(graph: Graph) -> list[Operator]:
    """Return the last operators with weights on every way to an output of the network."""
    makers = {}
    for operator in graph.operators:
        for tensor in operator.outputs:
            makers[id(tensor)] = operator
    found: dict[int, Operator] = {}
    seen: set[int] = set()
    open_tensors = list(graph.outputs)
    while open_tensors:
        tensor = open_tensors.pop()
        if id(tensor) in seen or id(tensor) not in makers:
            continue
        seen.add(id(tensor))
        maker = makers[id(tensor)]
        if operator_type(maker.name).has_weights:
            found[id(maker)] = maker
        else:
            open_tensors += maker.given_inputs
    return list(found.values())


def _matmul_axes(operator: Operator) -> dict[int, Axes]:
    """The axes of both factors; the first has its inputs last, unless an option turns it."""
    is_swapped = (not operator.options.get("adjX", False), operator.options.get("adjY", False))
    axes: dict[int, Axes] = {}
    for index, swap in enumerate(is_swapped):
        tensor = operator.inputs[index]
        order = tuple(range(len(tensor.shape))) if tensor is not None else ()
        axes[index] = (*order[:-2], *reversed(order[-2:])) if swap else order
    return axes
