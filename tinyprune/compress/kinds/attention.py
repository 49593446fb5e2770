"""Attention of several heads, between the products that make queries, keys and values.

Vaswani et al. 2017, arXiv 1706.03762. A head is a unit: it is in the columns of all three products,
and in the rows of the one that reads the result.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import BoolArray, IntArray
from tinyprune.compress.activations import PRESCRIBED
from tinyprune.compress.fake_quant import FakeQuantize, relu_on_grid
from tinyprune.compress.kinds.base import Grid, LayerKind
from tinyprune.compress.kinds.channels import LayerCall, UnitNumbers
from tinyprune.compress.kinds.frames import Shape, mixes_frames

#: Distance of a score that is not seen from the largest of its row: e^-8 is less than half a step
#: of the grid of probabilities.
UNSEEN = 8.0
_NEVER = -1e9


@keras.saving.register_keras_serializable("tinyprune")
class HeadAttention(keras.layers.Layer):
    """``softmax(q k^T) v`` for each head; its size is fixed, the number of heads follows.

    Attributes:
        key_size, value_size: channels of a head in queries and keys, and in values.
        dropout: fraction of the probabilities that are dropped while learning.
        causal: whether each frame sees itself and those before it only. On int8 grids the scores
            are then raised, so that those that are not seen, and those that do not count, are the
            0 of a ReLU: a large negative number would take the grid from the others.
        levels: the least of the largest scores that a frame sees, and the largest of all scores:
            with them, causal scores are raised in float too.
        quantized: whether scores, probabilities and outputs are on their int8 grids.
    """

    def __init__(
        self,
        key_size: int,
        value_size: int,
        dropout: float = 0.0,
        causal: bool = False,
        levels: tuple[float, float] | None = None,
        quantized: bool = False,
        **config: Any,
    ) -> None:
        super().__init__(**config)
        self.key_size = key_size
        self.value_size = value_size
        self.dropout = dropout
        self.causal = causal
        self.levels = levels
        self.quantized = quantized
        self._dropped = keras.layers.Dropout(dropout)
        self._grids: list[FakeQuantize] = []
        if quantized:
            self._grids = [
                FakeQuantize(name="scores"),
                FakeQuantize(fixed=PRESCRIBED["softmax"], positive=True, name="probabilities"),
                FakeQuantize(name="output"),
            ]
        self._largest = FakeQuantize(name="largest_of_rows") if quantized and causal else None

    def build(
        self, queries_shape: Shape, keys_shape: Shape, values_shape: Shape
    ) -> None:  # the shapes of the arguments of call
        """Do nothing: there are no weights."""

    def call(
        self, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Return (batch, frames, heads * value_size).

        Args:
            queries: (batch, frames, heads * key_size), scaled already.
            keys: (batch, read frames, heads * key_size).
            values: (batch, read frames, heads * value_size).
            training: whether the dropout acts.
        """
        scores = tf.matmul(
            _by_head(queries, self.key_size), _by_head(keys, self.key_size), transpose_b=True
        )
        scores = self._on_grid(0, scores, training)
        if self.causal:
            scores = self._of_the_past(scores, training)
        probabilities = tf.nn.softmax(scores)
        probabilities = self._on_grid(1, probabilities, training)
        probabilities = self._dropped(probabilities, training=training)
        outputs = tf.matmul(probabilities, _by_head(values, self.value_size))
        outputs = self._on_grid(2, outputs, training)
        together = tf.transpose(outputs, (0, 2, 1, 3))
        return tf.reshape(together, (-1, queries.shape[1], values.shape[-1]))

    def measured_levels(self) -> tuple[float, float]:
        """Return the levels of a layer on int8 grids, as measured."""
        assert self._largest is not None, "scores of attention to all frames have no levels"
        return float(self._largest.low.value), float(self._grids[0].high.value)

    def _of_the_past(self, scores: tf.Tensor, training: bool) -> tf.Tensor:
        """Scores (batch, heads, frames, read frames) of which only those of the past count."""
        is_past = np.tri(*scores.shape[-2:], dtype=np.bool_)
        if self.levels is not None:
            return tf.nn.relu(_raised(scores, is_past, *self.levels))
        seen = tf.where(is_past, scores, _NEVER)
        if self._largest is None:
            return seen
        self._largest(tf.reduce_max(seen, axis=-1), training=training)
        if self._largest.passing:
            return seen
        low, high = self._largest.low.value, self._largest.high.value
        raised = _raised(scores, is_past, low, self._grids[0].high.value)
        return relu_on_grid(raised, high - low + UNSEEN)

    def _on_grid(self, number: int, values: tf.Tensor, training: bool) -> tf.Tensor:
        return self._grids[number](values, training=training) if self._grids else values

    def compute_output_shape(
        self, queries_shape: Shape, keys_shape: Shape, values_shape: Shape
    ) -> Shape:
        """Return the shape of the queries with the channels of the values."""
        del keys_shape
        return (*queries_shape[:-1], values_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        own = {
            "key_size": self.key_size,
            "value_size": self.value_size,
            "dropout": self.dropout,
            "causal": self.causal,
            "levels": self.levels,
            "quantized": self.quantized,
        }
        return {**super().get_config(), **own}


def _raised(scores: tf.Tensor, is_past: BoolArray, lowest: Any, highest: Any) -> tf.Tensor:
    """Scores plus a constant, so that those that do not count are below 0.

    The softmax of scores plus a number is that of the scores.
    """
    return scores + tf.where(is_past, UNSEEN - lowest, -highest)


def _by_head(values: tf.Tensor, size: int) -> tf.Tensor:
    """Values (batch, frames, heads * size) as (batch, heads, frames, size)."""
    frames, channels = values.shape[1:]
    split = tf.reshape(values, (-1, frames, channels // size, size))
    return tf.transpose(split, (0, 2, 1, 3))


class Attention(LayerKind):
    """HeadAttention."""

    grid = Grid.OWN
    has_grid_inside = True

    def channels(self, call: LayerCall) -> IntArray | None:
        """Return the channels of the values: all of a head are one unit, in all three inputs.

        One head alone stays.
        """
        queries, keys, values = call.inputs
        key_size = call.operation.key_size
        if len(queries) == key_size:
            return None
        value_size = call.operation.value_size
        heads = _joined(queries, key_size, call.numbers)
        call.numbers.join(heads, _joined(keys, key_size, call.numbers))
        call.numbers.join(heads, _joined(values, value_size, call.numbers))
        return values

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return that it looks at all frames."""
        return mixes_frames(layer, shape, output_shape)

    def prepared(self, layer: Any, quantized: bool) -> Any:
        """Return a copy with int8 grids inside."""
        return HeadAttention.from_config({**layer.get_config(), "quantized": quantized})

    def plain_weights(self, layer: Any) -> list[Any]:
        """Return no weights: grids are not those of the plain layer."""
        del layer
        return []


def _joined(ids: IntArray, size: int, numbers: UnitNumbers) -> IntArray:
    """The first channel of each head, after its others were joined with it."""
    by_head = ids.reshape(-1, size)
    first = by_head[:, 0]
    numbers.join(np.repeat(first, size), by_head.ravel())
    numbers.widths |= dict.fromkeys(first.tolist(), size)
    return first
