"""The resources of a network as functions of its kept units: size, MACs, peak memory.

The same code counts and is differentiated: it uses plain operators and the few functions of
:class:`Arrays`. With :data:`NUMPY` it is exact; the training gives it a library of tensors, a
``ceil`` whose gradient is 1 and a smooth ``largest``. Peak memory is counted over the operator
order as in Liberis and Lane 2021, "Differentiable Neural Network Pruning to Enable Smart
Applications on Microcontrollers", arXiv 2110.08350.
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

BIAS_BYTES = 4  # int32


@dataclass(frozen=True)
class Arrays:
    """The functions of an array library that a resource model needs besides ``+ - * /``.

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
        """Return the next multiple."""
        return self.ceil(value / multiple) * multiple


NUMPY = Arrays(np.matmul, np.maximum, np.minimum, lambda x: np.ceil(x - 1e-9), np.sum, np.max)


def smooth_largest(logsumexp: Callable[[Any], Any], tau: float) -> Callable[[Any], Any]:
    """Return the function ``tau * logsumexp(x / tau)`` of x (n,).

    It is at least the maximum of x, at most ``tau * log(n)`` above it.

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
        """Return the numbers, (items,), for ``kept`` (sets,)."""
        return arrays.matvec(self._per_set, kept) + self._fixed


class ResourceModel:
    """Size, MACs and peak memory of a network.

    Every function takes ``kept`` (sets,) and gives one number, unless it says otherwise.

    Args:
        shape: of the network.
        arrays: the array library that ``kept`` is of.
    """

    def __init__(self, shape: NetworkShape, arrays: Arrays = NUMPY) -> None:
        self.shape = shape
        self.arrays = arrays
        self._kernels = [operator for operator in shape.operators if operator.kind in WITH_KERNELS]
        sets = len(shape.sets)
        self._reads = ChannelCounts([operator.channels_in for operator in self._kernels], sets)
        self._makes = ChannelCounts([operator.channels_out for operator in self._kernels], sets)
        self._factors = {name: self._column(function) for name, function in _FACTORS.items()}
        self._products = _ProductsOfMaps(shape)
        self._held = ChannelCounts([tensor.channels for tensor in shape.tensors], sets)
        self._element_bytes = np.array(
            [t.area * t.bytes_per_element for t in shape.tensors], np.float64
        )
        self._live = shape.live().astype(np.float64)

    def size_bytes(self, kept: Any) -> Any:
        """Return the bytes of all kernels (int8, 1 each) and biases (int32, 4 each)."""
        products, squares, made = self._sizes(kept)
        biases = self._factors["biases"] * made
        return self.arrays.total(self._weights(products, squares, made) + BIAS_BYTES * biases)

    def macs(self, kept: Any) -> Any:
        """Return the MACs of one call: weights times the positions that each is used at.

        Products of two feature maps count too.
        """
        products, squares, made = self._sizes(kept)
        of_weights = self._factors["uses"] * self._weights(products, squares, made)
        of_maps = self._products.macs(kept, self.arrays)
        return self.arrays.total(of_weights) + self.arrays.total(of_maps)

    def peak_bytes(self, kept: Any) -> Any:
        """Return the most bytes of feature maps alive at once, int8 (an LSTM's cell int16)."""
        return self.arrays.largest(self.step_bytes(kept))

    def step_bytes(self, kept: Any) -> Any:
        """Return the bytes of feature maps alive while each operator runs, (operators,)."""
        return self.arrays.matvec(self._live, self.tensor_bytes(kept))

    def tensor_bytes(self, kept: Any) -> Any:
        """Return the bytes of each tensor, (tensors,)."""
        return self._held(kept, self.arrays) * self._element_bytes

    def _sizes(self, kept: Any) -> tuple[Any, Any, Any]:
        """Of each operator with kernels: inputs times outputs, outputs squared, outputs."""
        read = self._reads(kept, self.arrays)
        made = self._makes(kept, self.arrays)
        return read * made, made * made, made

    def _weights(self, products: Any, squares: Any, made: Any) -> Any:
        """The weights of each operator with kernels."""
        factors = self._factors
        pairs = factors["products"] * products + factors["squares"] * squares
        return pairs + factors["made"] * made

    def _column(self, function: Callable[[OperatorShape], float]) -> Float64Array:
        return np.array([function(operator) for operator in self._kernels], np.float64)


class _ProductsOfMaps:
    """The operators of a network that multiply two feature maps."""

    def __init__(self, shape: NetworkShape) -> None:
        operators = [operator for operator in shape.operators if operator.kind == "matmul"]
        self._makes = ChannelCounts([each.channels_out for each in operators], len(shape.sets))
        self._per_channel = np.array(list(map(_per_channel, operators)), np.float64)

    def macs(self, kept: Any, arrays: Arrays) -> Any:
        """Return the MACs of each, (operators,)."""
        return self._per_channel * self._makes(kept, arrays)


def _per_channel(operator: OperatorShape) -> float:
    """MACs of a product of feature maps for each channel that it makes."""
    assert operator.head_channels is not None, "products of feature maps are by head"
    return float(operator.area * operator.head_channels[0])


def _products(operator: OperatorShape) -> float:
    """Weights for each pair of a channel that it reads and one that it makes."""
    return 0 if operator.kind == "depthwise" else operator.taps * operator.gates


def _squares(operator: OperatorShape) -> float:
    """Weights for each pair of channels that it makes: a recurrent operator reads them too."""
    return operator.gates if operator.is_recurrent else 0


def _made(operator: OperatorShape) -> float:
    """Weights for each channel that it makes."""
    return operator.taps if operator.kind == "depthwise" else 0


def _uses(operator: OperatorShape) -> float:
    """Positions that each weight is used at."""
    if operator.kind == "transposed":
        rows, columns = operator.positions_in
        return rows * columns
    return operator.area


def _biases(operator: OperatorShape) -> float:
    """Biases for each channel that it makes."""
    return operator.gates if operator.has_bias else 0


_FACTORS: dict[str, Callable[[OperatorShape], float]] = {
    "products": _products,
    "squares": _squares,
    "made": _made,
    "uses": _uses,
    "biases": _biases,
}
