"""prepare -> train -> strip: swap compressed layers in, set their ranges, and get a plain Keras model back."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.compress.fake_quant import FakeQuantize, Observe
from tinyprune.compress.layers import Compressed, CompressedDense, CompressedLSTM
from tinyprune.errors import UsageError

COMPRESSED: dict[type[keras.Layer], type[keras.Layer]] = {
    keras.layers.Dense: CompressedDense,
    keras.layers.LSTM: CompressedLSTM,
}
TRANSPARENT = (keras.layers.InputLayer,)


def compressible(model: keras.Model) -> list[keras.Layer]:
    """The layers of a model but its inputs, in order."""
    return [layer for layer in model.layers if not isinstance(layer, TRANSPARENT)]


def kernels(layer: keras.Layer) -> dict[str, keras.Variable]:
    """Kernel name -> variable of a plain or compressed Dense or LSTM layer."""
    return COMPRESSED[_plain_type(layer)].kernels(layer)


def _plain_type(layer: keras.Layer) -> type[keras.Layer]:
    return next((kind for kind in COMPRESSED if isinstance(layer, kind)), type(layer))


def prepare(model: keras.Model, *, masked: bool = True, quantized: bool = True) -> keras.Model:
    """A copy of a model with compressed layers and the same weights; masks are all ones, ranges not set yet.

    With neither masks nor int8 the copy computes what the model does, with this project's faster LSTM.
    """

    def swap(layer: keras.Layer) -> keras.Layer:
        _check(layer)
        if type(layer) not in COMPRESSED:
            return layer.__class__.from_config(layer.get_config())
        return COMPRESSED[type(layer)](masked=masked, quantized=quantized, **layer.get_config())

    grids: dict[str, Any] = {}  # one quantizer per input, whatever number of layers reads it

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        extra = [*args[1:], kwargs.get("initial_state"), kwargs.get("mask")]
        if isinstance(layer, CompressedLSTM) and any(value is not None for value in extra):
            raise UsageError(f"LSTM layer '{layer.name}' is given a state or a mask: neither can be compressed")
        if quantized:
            args = keras.tree.map_structure(lambda arg: _on_grid(arg, grids) if _is_input(arg) else arg, args)
        return layer(*args, **kwargs)

    if isinstance(model, keras.Sequential):  # it calls no function when it is cloned
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    prepared = keras.models.clone_model(model, clone_function=swap, call_function=call)
    copy_weights(model, prepared)
    return prepared


def _is_input(tensor: Any) -> bool:
    history = getattr(tensor, "_keras_history", None)
    return history is not None and isinstance(history.operation, keras.layers.InputLayer)


def _on_grid(tensor: Any, grids: dict[str, Any]) -> Any:
    if tensor.name not in grids:
        grids[tensor.name] = FakeQuantize(name=f"{tensor.name}_grid")(tensor)
    return grids[tensor.name]


def _check(layer: keras.Layer) -> None:
    """Raises UsageError for settings that the compressed layer, or the int8 operator behind it, does not have."""
    if type(layer) is not keras.layers.LSTM:
        parts = layer._flatten_layers() if isinstance(layer, keras.Layer) else ()  # `x + y` is an operation, no layer
        if any(isinstance(part, keras.layers.RNN) for part in parts):  # would crash the TFLite converter
            kind = type(layer).__name__
            raise UsageError(f"{kind} layer '{layer.name}' is recurrent: expected LSTM layers, not wrapped or nested")
    else:
        unusual = {
            "stateful": layer.stateful,
            "go_backwards": layer.go_backwards,
            "return_state": layer.return_state,
            "dropout": layer.dropout or layer.recurrent_dropout,
            "activation": keras.activations.serialize(layer.activation) != "tanh",
            "recurrent_activation": keras.activations.serialize(layer.recurrent_activation) != "sigmoid",
        }
        wrong = [name for name, is_so in unusual.items() if is_so]
        if wrong:
            raise UsageError(
                f"LSTM layer '{layer.name}' sets {', '.join(wrong)}: only the default of it can be compressed"
            )


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy kernels, biases and other plain weights between a model and its prepared copy, either way, by layer name."""
    names = {layer.name for layer in source.layers} & {layer.name for layer in target.layers}
    for name in names:
        pair = (_plain_weights(model.get_layer(name)) for model in (target, source))
        for variable, value in zip(*pair, strict=True):
            variable.assign(value)


def _plain_weights(layer: keras.Layer) -> list[keras.Variable]:
    """The weights that a plain layer and its compressed twin both have, in one order."""
    if _plain_type(layer) not in COMPRESSED:
        return layer.weights
    holder = layer.cell if isinstance(layer, keras.layers.LSTM) else layer
    return [*kernels(layer).values(), *([holder.bias] if layer.use_bias else [])]


def strip(prepared: keras.Model, template: keras.Model) -> keras.Model:
    """The plain model of a prepared one: the template's layers, kernels with masks and int8 grid baked in."""
    plain = keras.models.clone_model(template)
    copy_weights(prepared, plain)
    for layer in compressed_layers(prepared):
        for name, variable in kernels(plain.get_layer(layer.name)).items():
            variable.assign(layer.effective(name))
    return plain


def compressed_layers(prepared: keras.Model) -> list[Any]:
    """The compressed layers of a prepared model, in order."""
    return [layer for layer in prepared.layers if isinstance(layer, Compressed)]


def quantizers(prepared: keras.Model) -> list[FakeQuantize]:
    """All activation quantizers of a prepared model."""
    return [layer for layer in prepared._flatten_layers() if isinstance(layer, FakeQuantize)]


def calibrate(prepared: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Set every activation range to the extremes that these inputs cause, as the TFLite calibrator does.

    Args:
        prepared: a model from :func:`prepare`.
        batches: inputs, each (batch, ...).
    """
    for quantizer in quantizers(prepared):
        quantizer.reset()
        quantizer.observe = Observe.EXTREMES
    try:
        observe = tf.function(lambda values: prepared(values, training=False), reduce_retracing=True)
        for batch in batches:
            observe(keras.tree.map_structure(tf.convert_to_tensor, batch))
    finally:
        for quantizer in quantizers(prepared):
            quantizer.observe = Observe.AVERAGE
