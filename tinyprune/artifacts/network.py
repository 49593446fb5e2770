"""Exported networks: one int8 ``.tflite`` file, its zeros and its states."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NEARLY_EMPTY = 0.1  # of the share that is left of all kernels


@dataclass(frozen=True)
class TensorSparsity:
    """Zeros of one kernel, counted in the exported flatbuffer.

    Attributes:
        name: ``layer/kernel``, as in the plan.
        size: number of weights.
        masked: number of weights that the mask removed.
        zeros: number of int8 weights that are 0 in the flatbuffer (masked, or rounded to 0).
    """

    name: str
    size: int
    masked: int
    zeros: int

    @property
    def share(self) -> float:
        """Fraction of the weights that is left."""
        return 1 - self.zeros / self.size

    @property
    def in_words(self) -> str:
        """The share that is left: ``nothing is left of conv``, ``0.3% of conv is left``."""
        if self.zeros == self.size:
            return f"nothing is left of {self.name}"
        return f"{self.share:.2%} of {self.name} is left"


def least_left(tensors: Sequence[TensorSparsity]) -> str:
    """Return in words of which kernel the smallest share is left, the first of equals."""
    return min(tensors, key=lambda tensor: tensor.share).in_words


def total(tensors: Sequence[TensorSparsity]) -> TensorSparsity:
    """Return the zeros of all kernels together."""
    size = sum(tensor.size for tensor in tensors)
    masked = sum(tensor.masked for tensor in tensors)
    zeros = sum(tensor.zeros for tensor in tensors)
    return TensorSparsity("all kernels", size, masked, zeros)


def nearly_empty(tensors: Sequence[TensorSparsity]) -> str:
    """Return in words which kernels keep less than a tenth of what all keep; empty if none does."""
    least = NEARLY_EMPTY * total(tensors).share
    return ", ".join(tensor.in_words for tensor in tensors if tensor.share < least)


@dataclass(frozen=True)
class ContextState:
    """The memory of one layer of a one-frame graph.

    After each call, the bytes of the output are copied to the input. An utterance starts with
    ``zero_point`` in every number. The input and the output that no state names are the network's
    own. Vela keeps names and positions.

    Attributes:
        layer: the layer that looks back; of the state of a recurrent one, ``LAYER/STATE``.
        input_name, output_name: of the tensors in the flatbuffer.
        input_position, output_position: in the flatbuffer's lists of inputs and outputs, from 0.
        shape: (1, frames, ...) of both.
        scale, zero_point: of both; float = scale * (integer - zero_point).
        dtype: of both: int8, or uint8 or int16 for the state of a recurrent layer.
    """

    layer: str
    input_name: str
    output_name: str
    input_position: int
    output_position: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    dtype: str = "int8"


@dataclass(frozen=True)
class NamedEnd:
    """An input or an output of a network that has several.

    Attributes:
        name: in the signature of the file, which is that of the data. tensor: in the flatbuffer.
        position: in the flatbuffer's list of inputs or outputs, from 0, in the converter's order.
        shape: with the batch axis, which is 1.
        scale, zero_point: float = scale * (int8 - zero_point).
    """

    name: str
    tensor: str
    position: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class TFLiteArtifact:
    """One int8 ``.tflite`` file.

    Attributes:
        path: the file.
        sha256: of its content.
        file_bytes: its size.
        frames: time steps of one call (1: streaming, and networks without a time axis).
        input_scale, input_zero_point: float = scale * (int8 - zero_point).
        output_scale, output_zero_point: the same for the output; both are of the first one.
        tensors: zeros per kernel.
        contexts: states that go in and come out of every call; empty where the file keeps all
            states itself.
        layers: the Keras layer of every operator in the file, in order of execution.
        dense: weights in the file that are no kernel of a layer that can be pruned.
        inputs, outputs: where there are several, each; empty where there is one.
    """

    path: Path
    sha256: str
    file_bytes: int
    frames: int
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    tensors: tuple[TensorSparsity, ...] = ()
    contexts: tuple[ContextState, ...] = ()
    layers: tuple[str, ...] = ()
    dense: tuple[TensorSparsity, ...] = ()
    inputs: tuple[NamedEnd, ...] = ()
    outputs: tuple[NamedEnd, ...] = ()

    @property
    def sparsity(self) -> float:
        """Fraction of zeros over all weights in the file."""
        weights = total(self.tensors + self.dense)
        return weights.zeros / max(1, weights.size)

    @property
    def dense_share(self) -> float:
        """Share of the bytes of weights in the file that cannot be pruned."""
        return total(self.dense).size / max(1, total(self.tensors + self.dense).size)
