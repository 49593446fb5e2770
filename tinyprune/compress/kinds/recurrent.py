"""What recurrent layers have in common: two kernels, a loop over frames, and a state from zero."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.fake_quant import (
    FakeQuantize,
    fake_cluster_kernel,
    fake_quantize_kernel,
    in_steps,
)
from tinyprune.compress.kinds.base import KernelChannels, KernelKind, LayerKind
from tinyprune.compress.kinds.frames import Shape
from tinyprune.compress.kinds.simple_rnn import SimpleRNN
from tinyprune.compress.layers import Compressed
from tinyprune.errors import UsageError
from tinyprune.tflite.cells.functions import HARD_SIGMOID, HARD_TANH

#: h of a cell of explicit operators: int8 in steps of 1/128 (tflite/cells/network_writer.py).
H_OF_CELLS = (-1.0, 127 / 128)

#: Argument of a recurrent layer -> what it may be.
_SETTINGS = {
    "stateful": ("False",),
    "go_backwards": ("False",),
    "return_state": ("False",),
    "activation": ("tanh", HARD_TANH),
    "recurrent_activation": ("sigmoid", HARD_SIGMOID),
}


class CompressedRecurrent(Compressed):
    """A recurrent layer with h on the int8 grid inside the loop.

    Everything else that it keeps is left alone: TFLite has it in 16 bits, which is as good as
    float32 here.
    """

    #: Range of h where its int8 grid is prescribed.
    fixed_h: tuple[float, float] | None = None

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.output_quantizer = None
        if self.quantized:
            self.output_quantizer = FakeQuantize(fixed=self.fixed_h, name="h")

    def read(self, sequences: tf.Tensor, training: bool) -> tf.Tensor:
        """Return (batch, frames, features) as the product of the inputs reads them."""
        del training
        return sequences

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Return outputs (batch, frames, units), or the last one (batch, units).

        ``sequences`` are (batch, frames, features). It starts from zero and takes no mask;
        :func:`tinyprune.compress.prepare.prepare` refuses both.
        """
        layer: Any = self
        inputs = tf.transpose(self.read(sequences, training), (1, 0, 2))
        if training and layer.dropout:
            inputs *= self._kept(inputs[0], layer.dropout)
        projected = tf.tensordot(inputs, self.effective("kernel"), 1)
        if layer.use_bias:
            projected += self.input_bias()
        outputs = self._recur(projected, training)
        # The loop does not know how many frames it has run.
        outputs.set_shape((sequences.shape[1], sequences.shape[0], layer.units))
        return tf.transpose(outputs, (1, 0, 2)) if layer.return_sequences else outputs[-1]

    def input_bias(self) -> tf.Tensor:
        """Return what is added to the product of inputs and kernel, (gates * units,)."""
        bias: tf.Tensor = self.cell.bias.value  # type: ignore[attr-defined]
        return bias

    def steps(
        self,
        projected: tf.Tensor,
        recurrent: tf.Tensor,
        h_range: tuple[tf.Tensor, tf.Tensor] | None,
        training: bool,
        dropout: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return h of all steps, (frames, batch, units).

        Args:
            projected: inputs times kernel, and the bias, (frames, batch, gates * units).
            recurrent: the recurrent kernel that acts.
            h_range: ends of the int8 grid of h; None leaves it in float32.
            training: as in a call.
            dropout: (batch, units) factors of h; None leaves it whole.
        """
        raise NotImplementedError

    def _recur(self, projected: tf.Tensor, training: bool) -> tf.Tensor:
        quantizer = self.output_quantizer
        recurrent = self.effective("recurrent_kernel")
        h_range = None
        if quantizer is not None and not quantizer.passing:
            h_range = (quantizer.low.value, quantizer.high.value)
        layer: Any = self
        dropout = None
        if training and layer.recurrent_dropout:
            dropout = self._kept(projected[0, :, : layer.units], layer.recurrent_dropout)
        outputs = self.steps(projected, recurrent, h_range, training, dropout)
        if quantizer is not None and (training or quantizer.passing):
            quantizer.record(outputs)
        return outputs

    def _kept(self, values: tf.Tensor, rate: float) -> tf.Tensor:
        """Factors of a dropout, 0 or 1 / (1 - rate), one for each value of a step."""
        seed = self.cell.seed_generator  # type: ignore[attr-defined]
        return keras.random.dropout(tf.ones_like(values), rate, seed=seed)


class CompressedCell(CompressedRecurrent):
    """A recurrent layer as a cell of operators: one scale per kernel, and h in steps of 1/128."""

    fixed_h = H_OF_CELLS

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel with one scale: FULLY_CONNECTED has no more for 16-bit outputs."""
        return fake_quantize_kernel(kernel, [0, 1])

    def on_palette(self, kernel: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        """Return the kernel with few values, the same in all gates."""
        return fake_cluster_kernel(kernel, [0, 1], palettes[0])

    def kernel_steps(self, name: str) -> list[tf.Tensor]:
        """Return the one matrix that the kernel is."""
        return [in_steps(self._masked_kernel(name), [0, 1])]


class Recurrent(KernelKind):
    """A recurrent layer: kernels (features, gates * units) and (units, gates * units)."""

    takes_in_followers = False
    needs_one_frame = True

    def kernel_channels(self, read: IntArray, made: IntArray) -> dict[str, KernelChannels]:
        """Return the channels of both kernels: the recurrent one reads the units themselves."""
        outputs = np.tile(made, self.gates)
        return {
            "kernel": KernelChannels(read, outputs),
            "recurrent_kernel": KernelChannels(made, outputs),
        }

    def whole_because(self, layer: Any, kernel: str) -> str:
        """Return that the state is read inside of the operator."""
        del layer
        if kernel == "kernel":
            return ""
        return "the kernel of the state is inside of one operator: left whole"

    def factors(self, layer: Any, rank: int, name: str) -> tuple[Any, Any]:
        """Return a Dense layer that makes few features of all, and the layer that reads them."""
        first = keras.layers.Dense(rank, use_bias=False, name=name)
        return first, graph.copy(layer, use_bias=True)

    def function_after(self, layer: Any) -> str:
        """Return "linear": its functions are inside its operator."""
        del layer
        return "linear"

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return what goes against time, or leaves frames out."""
        del shape, output_shape
        if layer.go_backwards or layer.return_state:
            return "runs backwards or returns its state"
        return "" if layer.return_sequences else "keeps the last frame only"

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return a copy that keeps its state from call to call."""
        del output_shape
        return graph.copy(layer, stateful=True)

    def check(self, layer: keras.Layer) -> None:
        """Raise UsageError for settings other than those of the compressed layer."""
        check_settings(layer)

    def check_call(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise UsageError for a state or a mask."""
        name = f"{type(layer).__name__} layer '{layer.name}'"
        if kwargs.get("mask") is not None:
            raise UsageError(
                f"{name} is given a mask, which the int8 operator does not have: expected "
                "sequences of one length, without a Masking layer or mask_zero=True"
            )
        states = [*args[1:], kwargs.get("initial_state")]
        if any(value is not None for value in states):
            raise UsageError(
                f"{name} is given a state: expected one that begins with zeros, without "
                "initial_state"
            )


class Cell(Recurrent):
    """A recurrent layer that is exported as a cell of operators."""

    is_cell = True

    def scales(self, outputs: int) -> int:
        """Return one scale."""
        del outputs
        return 1


class Bidirectional(LayerKind):
    """Bidirectional of recurrent layers, before it is split (compress/bidirectional.py)."""

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return that it looks at frames to come."""
        del layer, shape, output_shape
        return "runs backwards too"

    def check(self, layer: keras.Layer) -> None:
        """Raise UsageError unless it merges the outputs of two layers that can be compressed."""
        forward = layer.forward_layer
        inner = {type(direction) for direction in (forward, layer.backward_layer)}
        if inner not in ({keras.layers.LSTM}, {keras.layers.GRU}, {keras.layers.SimpleRNN}):
            names = " and ".join(sorted(kind.__name__ for kind in inner))
            raise UsageError(
                f"Bidirectional layer '{layer.name}' wraps {names}: expected LSTM, GRU or "
                "SimpleRNN; put one of these in its place"
            )
        if layer.merge_mode is None:
            raise UsageError(
                f"Bidirectional layer '{layer.name}' has no merge_mode: "
                "expected concat, sum, mul or ave"
            )
        if isinstance(forward, keras.layers.SimpleRNN):
            SimpleRNN().check(forward)
        else:
            check_settings(forward)

    def check_call(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise UsageError for a SimpleRNN on frames whose number is not known."""
        if isinstance(layer.forward_layer, keras.layers.SimpleRNN):
            SimpleRNN().check_call(layer.forward_layer, args, kwargs)


def check_settings(layer: Any) -> None:
    """Raise UsageError for settings of a recurrent layer that its compressed form lacks."""
    wanted = {}
    for name, known in _SETTINGS.items():
        value = getattr(layer, name)
        text = activation_name(value) if callable(value) else str(value)
        if text not in known:
            wanted[name] = f"{name}={' or '.join(known)}"
    if wanted:
        raise UsageError(
            f"{type(layer).__name__} layer '{layer.name}' sets {', '.join(wanted)}: "
            f"expected {', '.join(wanted.values())}"
        )
