"""What a network takes, as functions of how many units of each set stay: size, multiply-accumulates, peak memory.

The same code counts and is differentiated: it uses plain operators and the few functions of
    :class:`Arrays`. With
:data:`NUMPY` it is exact; the training gives it a library of tensors, a ``ceil`` whose gradient is
1 and a smooth ``largest`` (Liberis and Lane 2021, "Differentiable Neural Network Pruning to Enable
Smart Applications on Microcontrollers", arXiv 2110.08350, count peak memory over the operator order
in the same way).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.sparsity.network_shape import (
    WITH_KERNELS,
    Channels,
    NetworkShape,
    OperatorShape,
)
from tinyprune.tflite.operators import GATES

BIAS_BYTES = 4  # int32


@dataclass(frozen=True)
class Arrays:
    """What a resource model needs of an array library besides ``+ - * /``.

    Attributes:
        matvec: (matrix (n, m) of NumPy, vector (m,)) -> (n,).
        maximum: of two arrays, element by element.
        minimum: the same.
        ceil: element by element; in training with the gradient of the identity.
        total: sum of a vector.
        largest: maximum of a vector; in training the smooth one of :func:`smooth_largest`.
    """

    matvec: Callable[[Float64Array, Any], Any]
    maximum: Callable[[Any, Any], Any]
    minimum: Callable[[Any, Any], Any]
    ceil: Callable[[Any], Any]
    total: Callable[[Any], Any]
    largest: Callable[[Any], Any]

    def round_up(self, value: Any, multiple: Any) -> Any:
        """The next multiple."""
        return self.ceil(value / multiple) * multiple


NUMPY = Arrays(np.matmul, np.maximum, np.minimum, lambda x: np.ceil(x - 1e-9), np.sum, np.max)


def smooth_largest(logsumexp: Callable[[Any], Any], tau: float) -> Callable[[Any], Any]:
    """``tau * logsumexp(x / tau)``: at least the maximum of x (n,), at most ``tau * log(n)`` above it.

    Its gradient is ``softmax(x / tau)``: every step near the peak is pushed down, not only the one
    that is largest now.
    """
    return lambda x: tau * logsumexp(x / tau)


class ChannelCounts:
    """Many numbers of channels at once, ``fixed + per_set @ kept``."""

    def __init__(self, items: Sequence[Channels], sets: int) -> None:
        self._fixed = np.array([item.fixed for item in items], np.float64)
        self._per_set = np.array([item.per_set for item in items], np.float64).reshape(
            len(items), sets
        )

    def __call__(self, kept: Any, arrays: Arrays) -> Any:
        """(items,) for ``kept`` (sets,)."""
        return arrays.matvec(self._per_set, kept) + self._fixed


class ResourceModel:
    """Size, MACs and peak memory of a network; every function takes ``kept`` (sets,) and gives one number.

    Args:
        shape: of the network.
        arrays: the array library that ``kept`` is of.
    """

    def __init__(self, shape: NetworkShape, arrays: Arrays = NUMPY) -> None:
        self.shape, self.arrays = shape, arrays
        self._kernels = [operator for operator in shape.operators if operator.kind in WITH_KERNELS]
        sets = len(shape.sets)
        self._reads = ChannelCounts([operator.channels_in for operator in self._kernels], sets)
        self._makes = ChannelCounts([operator.channels_out for operator in self._kernels], sets)
        self._factors = {name: self._column(function) for name, function in _FACTORS.items()}
        self._held = ChannelCounts([tensor.channels for tensor in shape.tensors], sets)
        self._element_bytes = np.array(
            [t.area * t.bytes_per_element for t in shape.tensors], np.float64
        )
        self._live = shape.live().astype(np.float64)

    def size_bytes(self, kept: Any) -> Any:
        """Bytes of all kernels (int8, 1 each) and biases (int32, 4 each)."""
        products, squares, made = self._sizes(kept)
        biases = self._factors["biases"] * made
        return self.arrays.total(self._weights(products, squares, made) + BIAS_BYTES * biases)

    def macs(self, kept: Any) -> Any:
        """Multiply-accumulates of one call: weights times the positions that each is used at."""
        products, squares, made = self._sizes(kept)
        return self.arrays.total(self._factors["uses"] * self._weights(products, squares, made))

    def peak_bytes(self, kept: Any) -> Any:
        """The most bytes of feature maps that are alive at once, int8 (an LSTM's cell int16)."""
        return self.arrays.largest(self.step_bytes(kept))

    def step_bytes(self, kept: Any) -> Any:
        """Bytes of feature maps that are alive while each operator runs, (operators,)."""
        return self.arrays.matvec(self._live, self.tensor_bytes(kept))

    def tensor_bytes(self, kept: Any) -> Any:
        """Bytes of each tensor, (tensors,)."""
        return self._held(kept, self.arrays) * self._element_bytes

    def _sizes(self, kept: Any) -> tuple[Any, Any, Any]:
        """Of each operator with kernels: inputs times outputs, outputs squared, outputs."""
        read, made = self._reads(kept, self.arrays), self._makes(kept, self.arrays)
        return read * made, made * made, made

    def _weights(self, products: Any, squares: Any, made: Any) -> Any:
        factors = self._factors
        return (
            factors["products"] * products + factors["squares"] * squares + factors["made"] * made
        )

    def _column(self, function: Callable[[OperatorShape], float]) -> Float64Array:
        return np.array([function(operator) for operator in self._kernels], np.float64)


#: How the weights of an operator depend on the channels that it reads and makes, how often each
#: weight is used, and how many biases there are for each channel that it makes.
_FACTORS: dict[str, Callable[[OperatorShape], float]] = {
    "products": lambda op: {"depthwise": 0, "lstm": GATES}.get(op.kind, op.taps),
    "squares": lambda op: GATES if op.kind == "lstm" else 0,
    "made": lambda op: op.taps if op.kind == "depthwise" else 0,
    "uses": lambda op: (
        op.positions_in[0] * op.positions_in[1] if op.kind == "transposed" else op.area
    ),
    "biases": lambda op: op.has_bias * (GATES if op.kind == "lstm" else 1),
}
