"""What must hold for a network of TFLite before it is run, compiled or edited.

Interpreters and compilers take it for granted; a file that breaks it can crash them.
"""

from collections.abc import Iterator, Sequence
from math import prod

from tinyprune.storage.reading import MIB
from tinyprune.tflite.graph import NPU_OPERATOR, Operator, Tensor

#: The most bytes of everything that is computed for one input.
LARGEST_COMPUTED = 1024 * MIB
#: The most values at the inputs and outputs of a network. Examples of them are made up, read and
#: compared as float64: an eighth of a gigabyte for each 16 Mi.
MOST_AT_ENDS = 1 << 25
_BYTES = {"int16": 2, "float16": 2, "int32": 4, "float32": 4, "int64": 8, "float64": 8}
#: Settings of operators that are at least 1.
_POSITIVE = (
    "strideW",
    "strideH",
    "dilationWFactor",
    "dilationHFactor",
    "filterWidth",
    "filterHeight",
)
#: Settings that are the numbers of other subgraphs.
_SUBGRAPHS = (
    "condSubgraphIndex",
    "bodySubgraphIndex",
    "thenSubgraphIndex",
    "elseSubgraphIndex",
    "initSubgraphIndex",
)


class InvalidNetwork(ValueError):
    """A network that breaks a rule; the message names the tensor or the operator."""


def check_tensor(tensor: Tensor) -> None:
    """Raise InvalidNetwork for a tensor whose shape, quantization or values make no sense."""
    name = f"tensor '{tensor.name}'"
    if any(size < 0 for size in tensor.shape):
        raise InvalidNetwork(f"{name} has the shape {_listed(tensor.shape)}, expected sizes from 0")
    if len(tensor.scale):
        _check_grid(tensor, name)
    if tensor.is_constant and tensor.is_float and tensor.values.dtype.kind == "f":
        _check_finite(tensor, name)


def check_sizes(tensors: Sequence[Tensor]) -> None:
    """Raise InvalidNetwork where tensors that are computed take more memory than is there."""
    size = 0
    for tensor in tensors:
        if tensor.is_constant:
            continue
        size += prod(tensor.shape) * _BYTES.get(tensor.dtype, 1)
        if size > LARGEST_COMPUTED:
            raise InvalidNetwork(
                f"tensor '{tensor.name}' has the shape {_listed(tensor.shape)}: what is computed "
                f"takes more than {LARGEST_COMPUTED // MIB:,} MiB"
            )


def check_ends(ends: Sequence[Tensor]) -> None:
    """Raise InvalidNetwork where examples of inputs and outputs take more memory than is there."""
    count = 0
    for tensor in ends:
        count += prod(tensor.shape)
        if count > MOST_AT_ENDS:
            raise InvalidNetwork(
                f"tensor '{tensor.name}' has the shape {_listed(tensor.shape)}: expected at most "
                f"{MOST_AT_ENDS:,} values at its inputs and outputs together"
            )


def check_operator(operator: Operator) -> None:
    """Raise InvalidNetwork for an operator without outputs, or with a setting below 1."""
    for setting in _POSITIVE:
        value = operator.options.get(setting, 1)
        if value < 1:
            raise InvalidNetwork(f"{_named(operator)} has {setting} = {value}, expected 1 or more")


def check_order(
    operators: Sequence[Operator], given: Sequence[Tensor], states: Sequence[Tensor]
) -> None:
    """Raise InvalidNetwork where a tensor is read before it is made, or made twice.

    Args:
        operators: of one subgraph.
        given: its inputs.
        states: its tensors that keep their values from call to call.
    """
    ready = set(map(id, (*given, *states)))
    made = set(map(id, given))
    for operator in operators:
        has_scratch = operator.name == NPU_OPERATOR  # memory that it is given as an input
        for tensor in operator.given_inputs:
            if not (tensor.is_constant or has_scratch or id(tensor) in ready):
                raise InvalidNetwork(
                    f"{_named(operator)} reads tensor '{tensor.name}', which nothing has made"
                )
        for tensor in operator.outputs:
            if tensor.is_constant or id(tensor) in made:
                raise InvalidNetwork(
                    f"{_named(operator)} makes tensor '{tensor.name}', which is there already"
                )
            made.add(id(tensor))
            ready.add(id(tensor))


def check_calls(subgraphs: Sequence[Sequence[Operator]]) -> None:
    """Raise InvalidNetwork for subgraphs that are not there, or that call themselves."""
    calls = [set(_called(operators, len(subgraphs))) for operators in subgraphs]
    done = set[int]()
    while len(done) < len(calls):
        free = [number for number, needs in enumerate(calls) if needs <= done]
        if set(free) <= done:
            number = next(number for number in range(len(calls)) if number not in done)
            raise InvalidNetwork(f"subgraph {number} calls itself")
        done.update(free)


def _called(operators: Sequence[Operator], count: int) -> Iterator[int]:
    """Yield the numbers of the subgraphs that operators call."""
    for operator in operators:
        for setting in _SUBGRAPHS:
            number = operator.options.get(setting)
            if number is None:
                continue
            if not 0 <= number < count:
                raise InvalidNetwork(f"{_named(operator)} calls subgraph {number} of {count}")
            yield number


def _check_grid(tensor: Tensor, name: str) -> None:
    """Raise InvalidNetwork for scales and zero points that are no grid of the tensor's integers."""
    import numpy as np

    if not np.all(np.isfinite(tensor.scale)) or not np.all(tensor.scale > 0):
        worst = tensor.scale[~(np.isfinite(tensor.scale) & (tensor.scale > 0))][0]
        raise InvalidNetwork(f"{name} has the scale {worst:g}, expected a positive number")
    count = len(tensor.scale)
    if len(tensor.zero_point) not in (0, count):
        raise InvalidNetwork(
            f"{name} has {count} scales and {len(tensor.zero_point)} zero points, expected as many"
        )
    if count > 1:
        is_axis = 0 <= tensor.axis < len(tensor.shape)
        if not is_axis or tensor.shape[tensor.axis] != count:
            raise InvalidNetwork(
                f"{name} has {count} scales along axis {tensor.axis} of the shape "
                f"{_listed(tensor.shape)}, expected one per channel"
            )
    if tensor.dtype in ("int8", "uint8", "int16", "int32"):
        _check_zero_points(tensor, name)


def _check_zero_points(tensor: Tensor, name: str) -> None:
    import numpy as np

    limits = np.iinfo(tensor.dtype)
    outside = (tensor.zero_point < limits.min) | (tensor.zero_point > limits.max)
    if outside.any():
        raise InvalidNetwork(
            f"{name} has the zero point {tensor.zero_point[outside][0]}, "
            f"expected one of {tensor.dtype}"
        )


def _check_finite(tensor: Tensor, name: str) -> None:
    """Raise InvalidNetwork for weights that are NaN or infinite; one infinite bound is none."""
    import numpy as np

    broken = ~np.isfinite(tensor.values)
    if tensor.values.size > 1 and broken.any():
        raise InvalidNetwork(
            f"{name} has {np.count_nonzero(broken)} of {broken.size} values that are NaN or "
            "infinite, expected finite ones"
        )


def _named(operator: Operator) -> str:
    if not operator.outputs:
        return f"operator {operator.name}"
    return f"operator {operator.name} of tensor '{operator.outputs[0].name}'"


def _listed(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "()"
