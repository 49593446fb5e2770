"""prepare -> train -> strip: swap compressed layers in, set their ranges, and get a plain Keras model back."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.compress import graph
from tinyprune.compress.fake_quant import FakeQuantize, Observe
from tinyprune.compress.grids import Grids
from tinyprune.compress.layer_kinds import bias, kernels, kind
from tinyprune.compress.layers import COMPRESSED, CONVOLUTIONS, Compressed
from tinyprune.compress.normaliser import Normaliser
from tinyprune.errors import UsageError


def prepare(
    model: keras.Model,
    *,
    masked: bool = True,
    quantized: bool = True,
    salient: bool = False,
    normalised: bool = False,
) -> keras.Model:
    """A copy of a model with compressed layers and the same weights; masks are all ones, ranges not set yet.

    With neither masks nor int8 the copy computes what the model does, with this project's faster
    LSTM. For int8 the model should be in canonical form (:func:`tinyprune.compress.fold.fold`).
    ``salient`` keeps, beside each kernel, what importances that follow gradients need.
    ``normalised`` normalises convolutions while they are trained
    (:class:`tinyprune.compress.normaliser.Normaliser`); they compute the same until then.

    Raises:
        UsageError: a layer cannot be compressed and would not survive the conversion either.
    """
    copies: dict[int, Any] = {}
    grids = Grids(graph.Uses(model))

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        layer = node.operation
        if id(layer) not in copies:
            options = {"masked": masked, "quantized": quantized, "salient": salient}
            copies[id(layer)] = _swapped(layer, options, normalised)
        if isinstance(layer, keras.layers.LSTM):
            _check_call(layer, args, kwargs)
        if quantized:
            args = keras.tree.map_structure(grids.of_input, args)
        outputs = copies[id(layer)](*args, **kwargs)
        has_own = isinstance(copies[id(layer)], Compressed)  # a grid, inside
        return grids.of_output(node, outputs) if quantized and not has_own else outputs

    prepared = graph.rebuild(model, call)
    copy_weights(model, prepared)
    return prepared


def _swapped(layer: Any, options: dict[str, bool], normalised: bool) -> Any:
    if not isinstance(layer, keras.Layer):
        return graph.copy(layer)
    check(layer)
    plain = kind(layer)
    if plain is None:
        return graph.copy(layer)
    if plain in CONVOLUTIONS:
        options = {**options, "normalised": normalised}
    return COMPRESSED[plain](**options, **layer.get_config())


def check(layer: keras.Layer) -> None:
    """Raise UsageError for settings that the compressed layer, or the int8 operator behind it, does not have."""
    if getattr(layer, "data_format", None) == "channels_first":
        raise UsageError(
            f"layer '{layer.name}' is channels_first: expected channels_last, as TFLite has it"
        )
    if type(layer) is keras.layers.LSTM:
        _check_lstm(layer)
    elif any(
        isinstance(part, keras.layers.RNN) for part in layer._flatten_layers()
    ):  # would crash the converter
        raise UsageError(
            f"{type(layer).__name__} layer '{layer.name}' is recurrent: expected LSTM layers, not wrapped or nested"
        )


def _check_lstm(layer: keras.layers.LSTM) -> None:
    unusual = {
        "stateful": layer.stateful,
        "go_backwards": layer.go_backwards,
        "return_state": layer.return_state,
        "dropout": layer.dropout or layer.recurrent_dropout,
        "activation": keras.activations.serialize(layer.activation) != "tanh",
        "recurrent_activation": keras.activations.serialize(layer.recurrent_activation)
        != "sigmoid",
    }
    wrong = [name for name, is_so in unusual.items() if is_so]
    if wrong:
        raise UsageError(
            f"LSTM layer '{layer.name}' sets {', '.join(wrong)}: only the default of it can be compressed"
        )


def _check_call(layer: keras.layers.LSTM, args: tuple, kwargs: dict[str, Any]) -> None:
    given = [*args[1:], kwargs.get("initial_state"), kwargs.get("mask")]
    if any(value is not None for value in given):
        raise UsageError(
            f"LSTM layer '{layer.name}' is given a state or a mask: neither can be compressed"
        )


def _pairs(source: keras.Model, target: keras.Model) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Layers of the same name."""
    by_name = {layer.name: layer for layer in target.layers}
    return ((layer, by_name[layer.name]) for layer in source.layers if layer.name in by_name)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy kernels, biases and other plain weights between a model and its prepared copy, either way, by layer name."""
    for pair in _pairs(source, target):
        for value, variable in zip(*map(_plain_weights, pair), strict=True):
            variable.assign(value)
        graph.derive(pair[1])


def copy_state(source: keras.Model, target: keras.Model) -> None:
    """Let one prepared model go on where another of the same layers is: weights, normalisers, Dropout's random numbers.

    Gates of the source are multiplied into the kernels of the target. What only the target has,
    such as ranges, stays.
    """
    for layer, twin in _pairs(source, target):
        values = {variable.name: variable for variable in layer.variables}
        for variable in twin.variables:
            if variable.name in values:
                variable.assign(values[variable.name])
        for name, gate in getattr(layer, "gates", {}).items():
            kernels(twin)[name].assign(kernels(layer)[name].value * gate())


def _plain_weights(layer: keras.Layer) -> list[keras.Variable]:
    """The weights that a plain layer and its compressed twin both have, in one order."""
    if kind(layer) is None:
        return layer.weights
    added = bias(layer)
    return [*kernels(layer).values(), *([] if added is None else [added])]


def strip(prepared: keras.Model, template: keras.Model) -> keras.Model:
    """The plain model of a prepared one: the template's layers, kernels with masks and int8 grid baked in."""
    plain = keras.models.clone_model(template)
    copy_weights(prepared, plain)
    for layer in compressed_layers(prepared):
        target, weights = plain.get_layer(layer.name), layer.deployed()
        for name, variable in kernels(target).items():
            variable.assign(weights[name])
        if (added := bias(target)) is not None:
            added.assign(weights["bias"])
    return plain


def compressed_layers(prepared: keras.Model) -> list[Any]:
    """The compressed layers of a prepared model, in order."""
    return [layer for layer in prepared.layers if isinstance(layer, Compressed)]


def quantizers(prepared: keras.Model) -> list[FakeQuantize]:
    """All activation quantizers of a prepared model."""
    return [layer for layer in prepared._flatten_layers() if isinstance(layer, FakeQuantize)]


def calibrate(prepared: keras.Model, batches: Iterable[np.ndarray], begins: bool = True) -> None:
    """Set every activation range to the extremes that these inputs cause, as the TFLite calibrator does.

    Args:
        prepared: a model from :func:`prepare`.
        batches: inputs, each (batch, ...).
        begins: whether normalisers begin here, with the statistics of the last batch; else they
            stay as they are.
    """
    normalisers = [
        layer for layer in prepared._flatten_layers() if begins and isinstance(layer, Normaliser)
    ]
    for quantizer in quantizers(prepared):
        quantizer.reset()
        quantizer.observe = Observe.EXTREMES
    for normaliser in normalisers:
        normaliser.measuring = True
    try:
        observe = tf.function(
            lambda values: prepared(values, training=False), reduce_retracing=True
        )
        for batch in batches:
            observe(keras.tree.map_structure(tf.convert_to_tensor, batch))
    finally:
        for quantizer in quantizers(prepared):
            quantizer.observe = Observe.AVERAGE
        for normaliser in normalisers:
            normaliser.measuring = False
            normaliser.begin()


def batches(inputs: np.ndarray, model: keras.Model) -> list[np.ndarray]:
    """Calibration inputs as batches of a model: consecutive frames are one sequence, examples are taken as they are."""
    return [inputs[None]] if inputs.ndim + 1 == len(model.inputs[0].shape) else [inputs]
