"""A plain Keras model as int8 TFLite: one frame per call (streaming) or many, from the same weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tinyprune.artifacts import TensorSparsity, TFLiteArtifact
from tinyprune.compress.prepare import COMPRESSED, kernels
from tinyprune.errors import CheckFailed
from tinyprune.export.fused_lstm import with_fused_lstm
from tinyprune.export.interpreter import Int8Model
from tinyprune.export.kernels import read_kernels
from tinyprune.flatbuffer import read, require_int8
from tinyprune.writing import writing

Floats = npt.NDArray[np.float32]


def convert(model: keras.Model, frames: int, calibration: Floats) -> bytes:
    """The int8 flatbuffer of a plain model; input (1, frames, bands) and output are int8.

    Args:
        model: plain Keras model, (batch, frames, bands) -> (batch, frames, outputs).
        frames: time steps of one call.
        calibration: consecutive features (n, bands) of real mixtures: the calibrator keeps the LSTM's state, so their
            order matters.
    """
    fused, bands = with_fused_lstm(model), calibration.shape[1]
    module = tf.Module()
    # Only if it can track all variables does the converter save the model first and so find the composite functions.
    module.weights = [variable.value for variable in fused.variables]
    graph = tf.function(fused, input_signature=[tf.TensorSpec((1, frames, bands))]).get_concrete_function()
    steps = calibration[: len(calibration) // frames * frames].reshape(-1, 1, frames, bands)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([step] for step in steps)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def export(
    model: keras.Model, frames: int, calibration: Floats, masks: Mapping[str, Floats], path: Path
) -> TFLiteArtifact:
    """Convert, check the zeros and write the file, whole or not at all.

    Args:
        model, frames, calibration: as in :func:`convert`.
        masks: ``layer/kernel`` -> mask; kernels that are missing were not pruned.
        path: of the ``.tflite``.

    Raises:
        CheckFailed: a masked weight is not zero in the flatbuffer, or the zeros are not those of the int8 kernels.
        TinypruneError: the file cannot be written.
    """
    content = convert(model, frames, calibration)
    with writing(path) as part:
        part.write_bytes(content)
        tensors = check_zeros(part, model, masks)
        runner = Int8Model(part)
    return TFLiteArtifact(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        file_bytes=len(content),
        frames=frames,
        input_scale=float(runner.input_scale),
        input_zero_point=int(runner.input_zero_point),
        output_scale=float(runner.output_scale),
        output_zero_point=int(runner.output_zero_point),
        tensors=tensors,
    )


def check_zeros(path: Path, model: keras.Model, masks: Mapping[str, Floats]) -> tuple[TensorSparsity, ...]:
    """Zeros of every kernel in a flatbuffer; raises CheckFailed where they are not those of the plan.

    The plain model's kernels are on their int8 grid already, so its zeros are all the zeros there may be.
    """
    graph = read(path)
    require_int8(path, graph)
    layers = [layer for layer in model.layers if type(layer) in COMPRESSED]
    plain = {f"{layer.name}/{name}": kernel.numpy() for layer in layers for name, kernel in kernels(layer).items()}
    tensors = []
    for key, weights in read_kernels(graph, model).items():
        mask = masks.get(key, np.ones(weights.shape, np.float32))
        lost = int(np.count_nonzero(weights[mask == 0]))
        if lost:
            raise CheckFailed(f"{key}: {lost} of {int((mask == 0).sum())} pruned weights are not zero in the export")
        zeros, expected = int((weights == 0).sum()), int((plain[key] == 0).sum())
        if masks and zeros != expected:
            raise CheckFailed(f"{key}: {zeros} zeros in the export, {expected} expected from the trained int8 kernel")
        tensors.append(TensorSparsity(key, weights.size, int((mask == 0).sum()), zeros))
    return tuple(tensors)
