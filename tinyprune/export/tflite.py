"""A plain Keras model as int8 TFLite; one of sequences with one frame per call (streaming) or many."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import TensorSparsity, TFLiteArtifact
from tinyprune.compress.fused_lstm import with_fused_lstm
from tinyprune.compress.layer_kinds import kernels
from tinyprune.compress.streaming import (
    check_contexts,
    stream_converter,
    streaming,
    tflite_converter,
)
from tinyprune.errors import CheckFailed
from tinyprune.export.kernels import Match, layer_names, match
from tinyprune.export.zero_gates import with_biases
from tinyprune.storage.writing import writing
from tinyprune.tflite.flatbuffer import float_operators, parse, read, require_int8
from tinyprune.tflite.interpreter import Int8Model


def convert(model: keras.Model, frames: int | None, calibration: Float32Array) -> bytes:
    """The int8 flatbuffer of a plain model; its one input and its one output are int8, the batch is 1.

    Args:
        model: plain Keras model in canonical form.
        frames: time steps of one call; None for a model without a time axis. With 1, a model that
            looks back by causal padding gets the past as inputs and outputs beside its own
            (:func:`tinyprune.compress.streaming.streaming`).
        calibration: inputs (n, ...) of real data. With ``frames``: consecutive features (n, bands),
            whose order matters because the calibrator keeps an LSTM's state.

    Raises:
        UsageError: with ``frames`` of 1, the model looks ahead.
        CheckFailed: the converter cannot make it fully int8.
    """
    stream, contexts = streaming(model) if frames == 1 else (model, ())
    if contexts:
        content = to_int8(*stream_converter(model, stream, calibration), model.name)
    else:
        content = to_int8(*_converter(model, frames, calibration), model.name)
    return with_biases(content, model)


def _converter(
    model: keras.Model, frames: int | None, calibration: Float32Array
) -> tuple[Any, Callable[[], Iterable[list[Float32Array]]]]:
    """A converter of a model without a past, and its calibration inputs."""
    fused = with_fused_lstm(model)
    samples = calibration[:, None] if frames is None else _calls(calibration, frames)
    graph = tf.function(
        fused, input_signature=[tf.TensorSpec(samples.shape[1:])]
    ).get_concrete_function()
    return tflite_converter(graph, fused.variables), lambda: ([sample] for sample in samples)


def to_int8(converter: Any, samples: Callable[[], Iterable[Any]], name: str) -> bytes:
    """Run a converter for a fully int8 network. Raises CheckFailed that names the operators that cannot be int8."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    problem = f"model '{name}' cannot be fully int8 in TFLite"
    try:
        content: bytes = converter.convert()
    except (RuntimeError, ValueError, tf.errors.OpError, ConverterError) as error:
        found = re.findall(r"op: '([\w.]+)'|'(tf\.\w+)' op|Op (\w+) is not", str(error))
        names = (
            ", ".join(dict.fromkeys(name for groups in found for name in groups if name))
            or str(error).split("\n")[0]
        )
        raise CheckFailed(f"{problem}: {names}; replace the layers that need it") from error
    if floating := float_operators(
        parse(Path(name), content)
    ):  # the converter leaves them without a word
        raise CheckFailed(
            f"{problem}: {', '.join(floating)} stays in float; replace the layers that need it"
        )
    return content


def _calls(features: Float32Array, frames: int) -> Float32Array:
    """Features (n, bands) as the inputs of consecutive calls (n // frames, 1, frames, bands)."""
    return features[: len(features) // frames * frames].reshape(-1, 1, frames, *features.shape[1:])


def export(
    model: keras.Model,
    frames: int | None,
    calibration: Float32Array,
    masks: Mapping[str, Float32Array],
    path: Path,
) -> TFLiteArtifact:
    """Convert, check the zeros and write the file, whole or not at all.

    Args:
        model, frames, calibration: as in :func:`convert`.
        masks: ``layer/kernel`` -> mask; kernels that are missing were not pruned.
        path: of the ``.tflite``.

    Raises:
        UsageError: as :func:`convert`.
        CheckFailed: a masked weight is not zero in the flatbuffer, the zeros are not those of the
            int8 kernels, or a context cannot be copied as bytes.
        TinypruneError: the file cannot be written.
    """
    content = convert(model, frames, calibration)
    with writing(path) as part:
        part.write_bytes(content)
        graph = read(part)
        require_int8(part, graph)
        matches = match(graph, model)
        tensors = check_zeros(matches, masks)
        contexts = check_contexts(part, streaming(model)[1] if frames == 1 else ())
        runner = Int8Model(part)
    return TFLiteArtifact(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        file_bytes=len(content),
        frames=frames or 1,
        input_scale=float(runner.input_scale),
        input_zero_point=int(runner.input_zero_point),
        output_scale=float(runner.output_scale),
        output_zero_point=int(runner.output_zero_point),
        tensors=tensors,
        contexts=contexts,
        layers=layer_names(graph, model, matches),
    )


def check_zeros(
    matches: Sequence[Match], masks: Mapping[str, Float32Array]
) -> tuple[TensorSparsity, ...]:
    """Zeros of every kernel in a flatbuffer; raises CheckFailed where they are not those of the plan.

    The plain model's kernels are on their int8 grid already, so its zeros are all the zeros there
    may be.
    """
    tensors = []
    for found in matches:
        for name, weights in found.kernels.items():
            key, plain = f"{found.layer.name}/{name}", kernels(found.layer)[name].numpy()
            mask = masks.get(key, np.ones(weights.shape, np.float32))
            lost = int(np.count_nonzero(weights[mask == 0]))
            if lost:
                raise CheckFailed(
                    f"{key}: {lost} of {int((mask == 0).sum())} pruned weights are not zero in the export"
                )
            zeros, expected = int((weights == 0).sum()), int((plain == 0).sum())
            if masks and zeros != expected:
                raise CheckFailed(
                    f"{key}: {zeros} zeros in the export, {expected} expected from the trained int8 kernel"
                )
            tensors.append(TensorSparsity(key, weights.size, int((mask == 0).sum()), zeros))
    return tuple(tensors)
