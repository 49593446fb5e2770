"""Whether anything of the input of a network still comes to its output.

Masks can close every way: kernels lie in series, and one that is empty makes all outputs constants.
Which ways are open is a question of where weights are, not of their values. So it is asked of a
skeleton: the same graph with a positive weight wherever a mask leaves one, and no biases. Nothing
cancels there, no activation is silent for good, and the gradient of the outputs by the inputs is
zero only where every way is closed. Hard gates, which are silent where they are cut off, are soft.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from tinyprune import named_arrays
from tinyprune.array_types import Float32Array, FloatArray
from tinyprune.artifacts.network import TensorSparsity, least_left
from tinyprune.compress import graph
from tinyprune.compress.ends import given, made
from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.kinds.lookup import kernel_kind, layout
from tinyprune.compress.mask_updater import sparsity_of_masks
from tinyprune.compress.prepare import copy_weights, is_one_sequence
from tinyprune.errors import CheckFailed
from tinyprune.sparsity.layout import canonical, restored

PROBES = 16
FRAMES = 32  # of a probe that is a sequence, at most
GRID = 255  # steps of an int8 output over its range


def probes(calibration: Float32Array, model: keras.Model) -> Float32Array:
    """Return a few different inputs of a network, (probes, ...), made of calibration inputs.

    Args:
        calibration: examples (n, ...), or consecutive frames (n, features) of a network that takes
            sequences.
        model: the network.
    """
    return probes_of(calibration, is_one_sequence(calibration, model))


def probes_of(calibration: Float32Array, has_sequences: bool) -> Float32Array:
    """Return a few different inputs, (probes, ...).

    Examples are taken from all over the set. Consecutive frames are cut into sequences.
    """
    if has_sequences:
        frames = max(1, min(FRAMES, len(calibration) // PROBES))
        sequences = len(calibration) // frames
        calibration = calibration[: sequences * frames].reshape(sequences, frames, -1)
    every = max(1, len(calibration) // PROBES)
    return named_arrays.to_float32(calibration[::every][:PROBES])


def responds(model: keras.Model, inputs: Float32Array) -> list[bool]:
    """Return which outputs differ between inputs, by more than a step of their int8 grid."""
    outputs = made(model, model(given(model, inputs), training=False))
    return [_differs(values.astype(np.float64)) for values in named_arrays.parts(outputs)]


def _differs(outputs: np.ndarray) -> bool:
    """Return whether outputs (n, ...) differ by more than a step of the grid over all of them."""
    step = np.ptp(outputs) / GRID
    return bool(np.ptp(outputs, axis=0).max() > step)


class Reach:
    """The ways from the input of a network to its output that masks leave open."""

    def __init__(self, template: keras.Model, inputs: Float32Array) -> None:
        """Make the skeleton.

        Args:
            template: plain network in canonical form.
            inputs: a few inputs (n, ...) of real data.
        """
        self._skeleton = keras.models.clone_model(template, clone_function=_with_soft_gates)
        copy_weights(template, self._skeleton)
        # As they are, for layers that normalise them, and small, for activations with an upper end.
        both = np.concatenate([inputs, named_arrays.each(_small, inputs)])
        self._inputs = given(self._skeleton, both)
        self._rng = np.random.default_rng(0)
        self._known = self._with_gradient({})

    def is_open(self, masks: Mapping[str, FloatArray]) -> bool:
        """Return whether every output depends on some input, as far as masks decide that.

        ``masks``: ``layer/kernel`` -> mask (1: kept); kernels that are missing are whole. Of an
        output to which the skeleton lets nothing through even without masks, nothing is known.
        """
        return self._known <= self._with_gradient(masks)

    def check(self, masks: Mapping[str, FloatArray]) -> None:
        """Raise CheckFailed, which names the emptiest kernel, where all ways are closed."""
        if self.is_open(masks):
            return
        raise CheckFailed(
            "the output of the network no longer depends on its input: "
            f"{least_left(sparsity_of_masks(masks))}; "
            "try a smaller --sparsity, or --importance lamp with a --floor"
        )

    def _with_gradient(self, masks: Mapping[str, FloatArray]) -> set[int]:
        """Return the outputs whose gradient by the inputs is not zero everywhere, by number."""
        self._set_weights(masks)
        totals = []
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(self._inputs)
            for outputs in keras.tree.flatten(self._skeleton(self._inputs, training=False)):
                weights = self._rng.uniform(0.5, 1, outputs.shape)  # or a softmax sums to one
                weighted = outputs * tf.convert_to_tensor(weights, outputs.dtype)
                totals.append(tf.reduce_sum(weighted))
        found = set()
        for number, total in enumerate(totals):
            gradients = keras.tree.flatten(tape.gradient(total, self._inputs))
            if any(map(_is_somewhere, gradients)):
                found.add(number)
        return found

    def _set_weights(self, masks: Mapping[str, FloatArray]) -> None:
        """Set positive means of what masks leave as kernels, and zeros as biases."""
        for layer in self._skeleton.layers:
            if kernel_kind(layer) is None:
                continue
            for name, kernel in kernels(layer).items():
                mask = masks.get(f"{layer.name}/{name}", np.ones(kernel.shape))
                positive = canonical(mask * self._rng.uniform(0.5, 1, mask.shape), layout(layer))
                inputs = tuple(range(positive.ndim - 1))
                sums = np.maximum(positive.sum(axis=inputs), 1e-30)
                kernel.assign(restored(positive / sums, layout(layer), tuple(kernel.shape)))
            own_bias = bias(layer)
            if own_bias is not None:
                own_bias.assign(np.zeros(own_bias.shape))


def _with_soft_gates(layer: keras.Layer) -> keras.Layer:
    """Return a copy of a layer, without weights; an LSTM or GRU has a sigmoid and a tanh."""
    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return graph.copy(layer)
    return graph.copy(layer, activation="tanh", recurrent_activation="sigmoid")


def _small(inputs: Float32Array) -> Float32Array:
    """Return inputs of 1 at most."""
    return (inputs / (float(np.abs(inputs).max()) or 1.0)).astype(np.float32)


def _is_somewhere(gradient: tf.Tensor | None) -> bool:
    """Return whether a gradient is there, and not zero everywhere."""
    return gradient is not None and bool(np.any(gradient.numpy() != 0))


def sparsity_of_kernels(model: keras.Model) -> list[TensorSparsity]:
    """Return the zeros of all kernels of a plain network."""
    arrays = {}
    for layer in model.layers:
        if kernel_kind(layer) is not None:
            for name, kernel in kernels(layer).items():
                arrays[f"{layer.name}/{name}"] = kernel.numpy()
    return sparsity_of_masks(arrays)
