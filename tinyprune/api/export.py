"""Export of a Keras network as int8 TFLite."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from tinyprune.api.calibration import Calibration, calibration_inputs
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.compress.fold import fold
from tinyprune.errors import UsageError
from tinyprune.export.tflite import export
from tinyprune.models.ends import input_names
from tinyprune.named_arrays import has_names, split


def export_int8(
    model: keras.Model,
    calibration: Calibration,
    path: str | Path,
    *,
    frames: int | None = None,
    masks: Mapping[str, np.ndarray] | None = None,
) -> TFLiteArtifact:
    """Write a Keras network as an int8 ``.tflite`` with int8 inputs and outputs, batch 1.

    The file appears whole or not at all. The result holds its scales, its zeros per kernel and its
    SHA-256.

    Args:
        model: plain network, pruned (:meth:`tinyprune.Pruner.finalize`) or not.
        calibration: inputs (n, ...) of real data; of sequences, consecutive frames (n, features);
            of a network with several inputs, a dict of them by name.
        path: of the ``.tflite``.
        frames: time steps of one call, for a network of sequences; None: 1 for such a network.
        masks: of the pruner (:attr:`tinyprune.Pruner.masks`): the zeros in the file have to be
            theirs.

    Raises:
        UsageError: the calibration does not fit the network, or the network looks ahead in time.
        CheckFailed: an operator cannot be int8, or a pruned weight is not zero in the file.
    """
    canonical = fold(model)
    data = calibration_inputs(calibration)
    if has_names(data):
        _check_named(data, canonical)
        return export(canonical, frames, data, dict(masks or {}), Path(path))
    shape = tuple(canonical.inputs[0].shape)
    if None in shape[1:-1]:
        frames = frames or 1
        wanted = shape[-1:]
        rows = "consecutive frames (n, features)"
    else:
        wanted = shape[1:]
        rows = "examples (n, ...)"

    if data.shape[1:] != wanted or not len(data):
        sizes = ", ".join(map(str, wanted))
        raise UsageError(
            f"calibration of shape {data.shape} does not fit: expected {rows} of shape (n, {sizes})"
        )
    return export(canonical, frames, data, dict(masks or {}), Path(path))


def _check_named(data: np.ndarray, model: keras.Model) -> None:
    """Raise UsageError where the inputs of a calibration are not those of the network."""
    names = input_names(model)
    shapes = {name: tensor.shape[1:] for name, tensor in zip(names, model.inputs, strict=True)}
    found = {name: array.shape[1:] for name, array in split(data).items()}
    if shapes != found:
        raise UsageError(f"calibration has inputs {found}: expected {shapes}")
