"""prepare -> train -> strip: compressed layers are swapped in, calibrated, and swapped out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tinyprune import named_arrays
from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.compiled import compiled
from tinyprune.compress.ends import given
from tinyprune.compress.fake_quant import FakeQuantize, Observe
from tinyprune.compress.grids import Grids
from tinyprune.compress.kinds.base import kernels, plain_weights
from tinyprune.compress.kinds.lookup import kernel_kind, layer_kind
from tinyprune.compress.layers import Compressed, CompressedLinear
from tinyprune.compress.normaliser import Normaliser
from tinyprune.errors import UsageError


def prepare(
    model: keras.Model,
    *,
    masked: bool = True,
    quantized: bool = True,
    salient: bool = False,
    normalised: bool = False,
    few_values: Mapping[str, int] | None = None,
) -> keras.Model:
    """Return a copy of a model with compressed layers and the same weights.

    Masks are all ones, ranges are not set yet. With neither masks nor int8 the copy computes what
    the model does, with this project's faster LSTM. For int8 the model should be in canonical form
    (:func:`tinyprune.compress.fold.fold`).

    Args:
        model: plain.
        masked, quantized: as in :class:`tinyprune.compress.layers.Compressed`.
        salient: keep, beside each kernel, the numbers that importances from gradients need.
        normalised: normalise convolutions while they are trained
            (:class:`tinyprune.compress.normaliser.Normaliser`); they compute the same until then.
        few_values: ``layer/kernel`` -> the most values that this kernel has in int8; they are to be
            set by a :class:`tinyprune.compress.palette_updater.PaletteUpdater`.

    Raises:
        UsageError: a layer cannot be compressed and would not survive the conversion either.
    """
    copies: dict[int, Any] = {}
    grids = Grids(graph.Uses(model))
    options: dict[str, Any] = {"masked": masked, "quantized": quantized, "salient": salient}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        layer = node.operation
        if id(layer) not in copies:
            own = {**options, "few_values": _of_layer(few_values or {}, layer)}
            copies[id(layer)] = _swapped(layer, own, normalised)
        copy = copies[id(layer)]
        layer_kind(layer).check_call(layer, args, kwargs)
        if not quantized:
            return copy(*args, **kwargs)
        args = keras.tree.map_structure(grids.of_input, args)
        outputs = copy(*args, **kwargs)
        has_grid_inside = layer_kind(layer).has_grid_inside
        return outputs if has_grid_inside else grids.of_output(node, outputs)

    prepared = graph.rebuild(model, call)
    copy_weights(model, prepared)
    _free_sigmoid(prepared)
    return prepared


def _free_sigmoid(prepared: keras.Model) -> None:
    """Let a sigmoid that gives the chances of classes learn without its grid, as a softmax does."""
    for output in prepared.outputs:
        last = output._keras_history.operation
        has_no_time_axis = len(output.shape) == 2
        if has_no_time_axis and isinstance(last, CompressedLinear):
            function = activation_name(getattr(last, "activation", None))
            last.gives_chances |= function == "sigmoid"


def _of_layer(by_key: Mapping[str, int], layer: Any) -> dict[str, int]:
    """Kernel name -> number, of the kernels of one layer."""
    own = {}
    for key, number in by_key.items():
        name, _, kernel = key.rpartition("/")
        if name == layer.name:
            own[kernel] = number
    return own


def _swapped(layer: Any, options: dict[str, Any], normalised: bool) -> Any:
    """The compressed form of a layer, or a copy where it has none."""
    if isinstance(layer, keras.Layer):
        check(layer)
    kind = kernel_kind(layer)
    if kind is None:
        return layer_kind(layer).prepared(layer, options["quantized"])
    if kind.is_normalised:
        options = {**options, "normalised": normalised}
    return kind.compressed(**options, **layer.get_config())


def check(layer: keras.Layer) -> None:
    """Raise UsageError for settings that neither the compressed layer nor int8 TFLite has."""
    if getattr(layer, "data_format", None) == "channels_first":
        raise UsageError(
            f"layer '{layer.name}' is channels_first: expected channels_last, as TFLite has it"
        )
    layer_kind(layer).check(layer)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy kernels, biases and other plain weights between a model and its prepared copy.

    It goes either way, by layer name.
    """
    for layer, twin in _twins(source, target):
        kind = layer_kind(layer)
        pairs = zip(kind.plain_weights(layer), kind.plain_weights(twin), strict=True)
        for weight, twin_weight in pairs:
            twin_weight.assign(weight)
        graph.derive(twin)


def copy_state(source: keras.Model, target: keras.Model) -> None:
    """Let one prepared model go on where another of the same layers is.

    Weights, normalisers and Dropout's random numbers are copied. Gates of the source are multiplied
    into the kernels of the target. What only the target has, such as ranges, stays.
    """
    for layer, twin in _twins(source, target):
        values = {variable.name: variable for variable in layer.variables}
        for variable in twin.variables:
            if variable.name in values:
                variable.assign(values[variable.name])
        for name, gate in getattr(layer, "gates", {}).items():
            kernels(twin)[name].assign(kernels(layer)[name].value * gate())


def _twins(source: keras.Model, target: keras.Model) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Layers of the same name."""
    by_name = {layer.name: layer for layer in target.layers}
    for layer in source.layers:
        if layer.name in by_name:
            yield layer, by_name[layer.name]


def strip(prepared: keras.Model, template: keras.Model) -> keras.Model:
    """Return the plain model of a prepared one, kernels with masks and int8 grid baked in.

    It has the template's layers.
    """
    plain = keras.models.clone_model(template)
    copy_weights(prepared, plain)
    for layer in compressed_layers(prepared):
        weights = layer.deployed()
        for name, variable in plain_weights(plain.get_layer(layer.name)).items():
            variable.assign(weights[name])
    return plain


def compressed_layers(prepared: keras.Model) -> list[Any]:
    """Return the compressed layers of a prepared model, in order."""
    return _instances(prepared.layers, Compressed)


def quantizers(prepared: keras.Model) -> list[FakeQuantize]:
    """Return all activation quantizers of a prepared model."""
    return _instances(prepared._flatten_layers(), FakeQuantize)


def _instances(layers: Iterable[Any], layer_class: type) -> list[Any]:
    return [layer for layer in layers if isinstance(layer, layer_class)]


def calibrate(prepared: keras.Model, batches: Iterable[np.ndarray], begins: bool = True) -> None:
    """Set every activation range to the extremes of these inputs, as the TFLite calibrator does.

    Args:
        prepared: a model from :func:`prepare`.
        batches: inputs, each (batch, ...); of several inputs, with their names.
        begins: whether normalisers begin here, with the statistics of the last batch; else they
            stay as they are.
    """
    beginning = _instances(prepared._flatten_layers(), Normaliser) if begins else []
    for quantizer in quantizers(prepared):
        quantizer.reset()
        quantizer.observe = Observe.EXTREMES
    for normaliser in beginning:
        normaliser.measuring = True

    observe = compiled(lambda values: prepared(values, training=False))
    try:
        for batch in batches:
            observe(given(prepared, batch))
    finally:
        for quantizer in quantizers(prepared):
            quantizer.observe = Observe.AVERAGE
        for normaliser in beginning:
            normaliser.measuring = False
            normaliser.begin()


def batches(inputs: np.ndarray, model: keras.Model) -> list[np.ndarray]:
    """Return calibration inputs as batches of a model.

    Consecutive frames become one sequence, examples are a batch already.
    """
    return [inputs[None]] if is_one_sequence(inputs, model) else [inputs]


def is_one_sequence(inputs: np.ndarray, model: keras.Model) -> bool:
    """Return whether calibration inputs are consecutive frames (n, ...) of one input of a model."""
    has_names = named_arrays.has_names(inputs)
    return not has_names and inputs.ndim + 1 == len(model.inputs[0].shape)
