"""MultiHeadAttention as products of its own with the attention of the heads between them.

An Attention layer is one head without products of its own.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.kinds.attention import HeadAttention
from tinyprune.compress.parts import Parts, copied
from tinyprune.errors import UsageError

_PRODUCTS = ("query", "key", "value", "output")


def multi_head_attention(layer: Any, name: str) -> Parts:
    """Return four Dense layers and the attention of the heads; of an unusual layer a copy."""
    newer = [getattr(layer, setting, None) for setting in ("_use_gate", "_sliding_window")]
    if any(newer) or layer._attention_axes not in (None, (1,)):
        return copied(layer, name)
    return _MultiHeadAttention(layer, name)


def attention(layer: Any, name: str) -> Parts:
    """Return the attention of one head; of a layer whose scores are no plain products a copy."""
    if layer.use_scale or layer.score_mode != "dot":
        return copied(layer, name)
    return _Attention(layer, name)


class _Attention(Parts):
    """The one part of an Attention."""

    def __init__(self, layer: Any, name: str) -> None:
        super().__init__()
        self._layer = layer
        self._name = name
        self._heads: dict[bool, HeadAttention] = {}

    def __call__(self, inputs: Any, use_causal_mask: bool = False, **kwargs: Any) -> Any:
        """Return (batch, frames, channels of the values); inputs are queries, values, maybe keys.

        Raises UsageError for a mask of another kind, or where the scores are asked for.
        """
        _refuse_others(self._layer, kwargs)
        query, value, *keys = inputs
        is_causal = bool(use_causal_mask)
        if is_causal not in self._heads:
            self._heads[is_causal] = HeadAttention(
                query.shape[-1],
                value.shape[-1],
                dropout=self._layer.dropout,
                causal=is_causal,
                name=f"{self._name}_causal" if is_causal else self._name,
            )
        return self._heads[is_causal](query, keys[0] if keys else value, value)

    @property
    def weights(self) -> Sequence[Any]:
        """There are none."""
        return []

    def set_weights(self, values: Sequence[Any]) -> None:
        """Do nothing: there are none."""


class _MultiHeadAttention(Parts):
    """The parts of a MultiHeadAttention over the frames of (batch, frames, channels).

    The scores are divided by ``sqrt(key_dim)``: half of it is in the products of queries and keys
    each, so that neither has small weights beside the other.
    """

    def __init__(self, layer: Any, name: str) -> None:
        super().__init__()
        self._layer = layer
        self._products: dict[str, layers.Dense] = {}
        for part in _PRODUCTS:
            kernel = getattr(layer, f"{part}_dense").kernel
            units = kernel.shape[-1] if part == "output" else math.prod(kernel.shape[1:])
            self._products[part] = layers.Dense(
                units,
                use_bias=layer._use_bias,
                name=f"{name}_{part}",
            )
        self._name = name
        self._heads: dict[bool, HeadAttention] = {}

    def __call__(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        use_causal_mask: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return (batch, frames, channels).

        Raises UsageError for a mask of another kind, or where the scores are asked for.
        """
        _refuse_others(self._layer, kwargs)
        queries = self._products["query"](query)
        keys = self._products["key"](value if key is None else key)
        values = self._products["value"](value)
        heads = self._heads_that(is_causal=bool(use_causal_mask))
        return self._products["output"](heads(queries, keys, values))

    def _heads_that(self, is_causal: bool) -> HeadAttention:
        """The attention to the past, or to all frames."""
        if is_causal not in self._heads:
            self._heads[is_causal] = HeadAttention(
                self._layer.key_dim,
                self._layer.value_dim,
                dropout=self._layer.dropout,
                causal=is_causal,
                name=f"{self._name}_causal_heads" if is_causal else f"{self._name}_heads",
            )
        return self._heads[is_causal]

    @property
    def weights(self) -> Sequence[Any]:
        """Kernel and bias of the products, in order."""
        weights: list[Any] = []
        for product in self._products.values():
            weights += product.weights
        return weights

    def set_weights(self, values: Sequence[Any]) -> None:
        """Set kernels and biases, heads side by side."""
        factor = self._layer.key_dim**-0.25
        factors = {"query": factor, "key": factor}
        given = iter(values)
        for part, product in self._products.items():
            own = []
            for weight in product.weights:
                own.append(factors.get(part, 1.0) * np.reshape(next(given), weight.shape))
            graph.set_weights(product, own)


def _refuse_others(layer: Any, arguments: dict[str, Any]) -> None:
    """Raise UsageError for arguments that ask for more than attention to all frames."""
    used = [setting for setting, given in arguments.items() if _is_used(setting, given)]
    if used:
        raise UsageError(
            f"{type(layer).__name__} layer '{layer.name}' is called with {', '.join(used)}: "
            "expected attention to all frames, or with use_causal_mask to those before; build it so"
        )


def _is_used(setting: str, given: Any) -> bool:
    """Return whether an argument of a call asks for more than attention to all frames."""
    return setting != "training" and given is not None and given is not False
