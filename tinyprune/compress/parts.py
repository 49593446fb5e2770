"""Layers that a network has in canonical form in place of one that its user wrote.

A layer that no operator of TFLite computes is split into parts that have one each.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.compress.kinds.lookup import kernel_kind


class Parts(ABC):
    """The parts of one layer, called as the layer is.

    Attributes:
        moves: those that only move elements behind a kernel, so that a function of each channel may
            as well act before them.
    """

    def __init__(self) -> None:
        self.moves: list[keras.Layer] = []

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs of a call of the layer, made by its parts."""

    @property
    @abstractmethod
    def weights(self) -> Sequence[Any]:
        """Weights of the parts, once these are built: as many as the layer has, in its order."""

    @abstractmethod
    def set_weights(self, values: Sequence[Any]) -> None:
        """Set the weights to those of the layer."""


class Single(Parts):
    """A layer or operation as its only part."""

    def __init__(self, operation: Any) -> None:
        super().__init__()
        self.operation = operation

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs of the layer or operation."""
        return self.operation(*args, **kwargs)

    @property
    def weights(self) -> Sequence[Any]:
        """Weights of a layer; an operation has none."""
        return getattr(self.operation, "weights", [])

    def set_weights(self, values: Sequence[Any]) -> None:
        """Set the weights of a layer."""
        if isinstance(self.operation, keras.Layer):
            graph.set_weights(self.operation, values)


class Chain(Parts):
    """Parts that are called one after the other and have the weights of the layer in its order."""

    def __init__(self, parts: Iterable[Parts]) -> None:
        super().__init__()
        self._parts = list(parts)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the outputs of the last part; the first one has the arguments of the call."""
        first, *rest = self._parts
        outputs = first(*args, **kwargs)
        for part in rest:
            outputs = part(outputs)
        self.moves = self._parts[-1].moves
        return outputs

    @property
    def weights(self) -> Sequence[Any]:
        """Weights of all parts."""
        weights: list[Any] = []
        for part in self._parts:
            weights += part.weights
        return weights

    def set_weights(self, values: Sequence[Any]) -> None:
        """Divide the weights among the parts, in order."""
        start = 0
        for part in self._parts:
            end = start + len(part.weights)
            part.set_weights(values[start:end])
            start = end


def trainable(operation: Any) -> dict[str, Any]:
    """Return the entries of a configuration that let a layer learn masks and int8.

    There is no mixed precision, and no frozen kernel.
    """
    config: dict[str, Any] = {}
    if not isinstance(operation, keras.Layer):
        return config
    dtype = operation.compute_dtype
    if keras.backend.is_float_dtype(dtype) and dtype != "float32":
        config["dtype"] = "float32"
    kind = kernel_kind(operation)
    if kind is not None and not kind.is_fixed:
        config["trainable"] = True
    return config


def copied(operation: Any, name: str, **config: Any) -> Parts:
    """Return a copy of a layer or operation, without weights, with entries of it replaced."""
    return Single(graph.copy(operation, name=name, **trainable(operation), **config))
