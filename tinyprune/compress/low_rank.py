"""Layers of a canonical network as two of few channels in between.

It is done before anything learns, so everything behind it sees a network of more layers.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import Float64Array
from tinyprune.compress import graph
from tinyprune.compress.compiled import compiled
from tinyprune.compress.ends import given
from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.kinds.lookup import kernel_kind, require_kernel_kind
from tinyprune.compress.prepare import batches, is_one_sequence
from tinyprune.sparsity.factors import Factorisation, InputStatistics
from tinyprune.sparsity.plan import FactorPlan

KERNEL = "kernel"
_EXAMPLES = 4  # of a batch: windows of a convolution are many times its input
_MOST_ROWS = 1024  # of a batch


def input_statistics(
    model: keras.Model, names: Iterable[str], calibration: np.ndarray
) -> dict[str, InputStatistics]:
    """Return layer -> mean and covariance of what its input kernel is multiplied with.

    Args:
        model: plain, in canonical form.
        names: of layers whose kernels can be the product of two.
        calibration: inputs (n, ...) of real data; of sequences, consecutive frames.
    """
    wanted = set(names)

    @compiled
    def sums(inputs: Any) -> dict[str, list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
        found: dict[str, list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]] = {}

        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            layer = node.operation
            if layer.name in wanted:
                rows = require_kernel_kind(layer).kernel_inputs(layer, args[0])
                found.setdefault(layer.name, []).append(_sums(rows))
            return layer(*args, **kwargs)

        graph.run(model, keras.tree.flatten(inputs), call)
        return found

    totals: dict[str, _Total] = {}
    for batch in _batches(calibration, model):
        for name, calls in sums(given(model, batch)).items():
            for count, total, products in calls:
                of_layer = totals.setdefault(name, _Total())
                of_layer.add(int(count), total.numpy(), products.numpy())
    return {name: total.statistics() for name, total in totals.items()}


def _batches(calibration: np.ndarray, model: keras.Model) -> list[np.ndarray]:
    """Return calibration inputs as batches of few examples, or of one sequence."""
    if is_one_sequence(calibration, model):
        return batches(calibration, model)
    return [calibration[n : n + _EXAMPLES] for n in range(0, len(calibration), _EXAMPLES)]


def _sums(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the number of rows (n, columns), their sum and that of their products.

    Of many rows every so many-th is taken.
    """
    every = tf.maximum(1, tf.shape(rows)[0] // _MOST_ROWS)
    taken = tf.cast(rows[::every], tf.float64)
    return tf.shape(taken)[0], tf.reduce_sum(taken, 0), tf.matmul(taken, taken, transpose_a=True)


class _Total:
    """Sums over batches."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: Any = 0.0
        self._products: Any = 0.0

    def add(self, count: int, total: Float64Array, products: Float64Array) -> None:
        """Add those of a batch."""
        self._count += count
        self._sum = self._sum + total
        self._products = self._products + products

    def statistics(self) -> InputStatistics:
        """Return mean and covariance."""
        mean = self._sum / self._count
        return InputStatistics(mean, self._products / self._count - np.outer(mean, mean))


def matrix(layer: keras.Layer) -> Float64Array:
    """Return the input kernel of a layer as a matrix (rows, outputs)."""
    kernel = kernels(layer)[KERNEL].numpy().astype(np.float64)
    return kernel.reshape(-1, kernel.shape[-1])


def factor_names(model: keras.Model) -> set[str]:
    """Return the layers of a network that are factors already.

    A factor has no bias and no activation, and what reads it is a single layer that treats every
    position alone; that one is a factor too.
    """
    uses = graph.Uses(model)
    names: set[str] = set()
    for node in graph.nodes(model):
        reader = uses.only_reader(node)
        if reader is None or not _makes_ranks(node.operation):
            continue
        if _treats_positions_alone(reader.operation):
            names |= {node.operation.name, reader.operation.name}
    return names


def _makes_ranks(layer: Any) -> bool:
    is_linear = getattr(layer, "activation", None) is keras.activations.linear
    return is_linear and _can_be_two(layer) and not layer.use_bias


def _treats_positions_alone(layer: Any) -> bool:
    """Return whether a layer multiplies each position of its input by one matrix."""
    if not _can_be_two(layer):
        return False
    size, stride = require_kernel_kind(layer).window(layer, (1, 1))
    return size == stride == (1, 1)


def _can_be_two(layer: Any) -> bool:
    kind = kernel_kind(layer)
    return kind is not None and not kind.is_fixed and not kind.whole_because(layer, KERNEL)


def first_name(model: keras.Model, layer: str) -> str:
    """Return a name for what is put before a layer, which no other layer has."""
    taken = {operation.name for operation in graph.functional(model).operations}
    name = f"{layer}_in"
    while name in taken:
        name += "_"
    return name


def split_in_two(model: keras.Model, factors: Iterable[FactorPlan]) -> keras.Model:
    """Return a canonical model in which layers are two; theirs have no weights yet."""
    planned = {item.layer: item for item in factors}
    copies: dict[str, tuple[Any, ...]] = {}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        layer = node.operation
        if layer.name not in copies:
            copies[layer.name] = _copies(layer, planned.get(layer.name))
        *before, last = copies[layer.name]
        inputs, *others = args
        for first in before:
            inputs = first(inputs)
        return last(inputs, *others, **kwargs)

    split = graph.rebuild(model, call)
    for layer in model.layers:
        if layer.name not in planned and layer.weights:
            graph.set_weights(split.get_layer(layer.name), layer.weights)
    return split


def _copies(layer: Any, plan: FactorPlan | None) -> tuple[Any, ...]:
    """Return what a layer or operation becomes, in the order of the calls."""
    if plan is None:
        return (graph.copy(layer),)
    return require_kernel_kind(layer).factors(layer, plan.rank, plan.first)


def with_factors(
    model: keras.Model, factors: Iterable[FactorPlan], inputs: Mapping[str, InputStatistics]
) -> keras.Model:
    """Return a canonical model in which layers are two, with the weights nearest to theirs.

    Args:
        model: plain, in canonical form; it is returned as it is where nothing becomes two.
        factors: the plan of each layer that does.
        inputs: layer -> statistics of its inputs, of each of them.
    """
    planned = list(factors)
    if not planned:
        return model
    split = split_in_two(model, planned)
    for item in planned:
        layer = model.get_layer(item.layer)
        found = Factorisation(matrix(layer), inputs[item.layer]).factors(item.rank)
        first, second = split.get_layer(item.first), split.get_layer(item.layer)
        _assign(kernels(first)[KERNEL], found.first)
        _assign(kernels(second)[KERNEL], found.second)
        for name, kernel in kernels(layer).items():
            if name != KERNEL:
                kernels(second)[name].assign(kernel)
        _set_bias(second, layer, found.shift)
    return split


def _assign(kernel: Any, values: Float64Array) -> None:
    kernel.assign(values.reshape(kernel.shape).astype(np.float32))


def _set_bias(second: keras.Layer, layer: keras.Layer, shift: Float64Array) -> None:
    """Give the second layer the bias of the layer, and the shift of the inputs' bias."""
    variable, own = bias(second), bias(layer)
    assert variable is not None, "the second layer has a bias"
    rows = np.zeros((variable.numpy().size // len(shift), len(shift)))
    if own is not None:
        rows += own.numpy().reshape(rows.shape)
    rows[0] += shift
    variable.assign(rows.reshape(variable.shape).astype(np.float32))
