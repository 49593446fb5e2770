"""A plain Keras model as int8 TFLite; sequences with one frame per call (streaming) or many."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from tinyprune.array_types import Float32Array, Int8Array
from tinyprune.artifacts.network import NamedEnd, TensorSparsity, TFLiteArtifact
from tinyprune.compress.input_scaling import without_factor
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.lookup import require_kernel_kind
from tinyprune.compress.levels import with_levels
from tinyprune.compress.streaming import Context, streaming
from tinyprune.errors import CheckFailed
from tinyprune.export.cells import Source, cell_names, convert_with_cells
from tinyprune.export.contexts import check_contexts
from tinyprune.export.converter import conversion, one_frame_conversion
from tinyprune.export.matching import Match, layer_names, match
from tinyprune.export.zero_gates import with_biases
from tinyprune.npu.layers import weights_beside
from tinyprune.sparsity.layout import canonical
from tinyprune.storage.writing import writing
from tinyprune.tflite.flatbuffer import ParsedFile, require_int8
from tinyprune.tflite.graph import Graph, Tensor
from tinyprune.tflite.interpreter import End, Int8Model
from tinyprune.tflite.kernels import follows_bias

#: Smaller channels have the scale of this one in the converter.
LEAST_RANGE = 5e-7


def convert(model: keras.Model, frames: int | None, calibration: Float32Array) -> bytes:
    """Return the int8 flatbuffer of a plain model.

    Its input and its output are int8, the batch is 1.

    Args:
        model: plain Keras model in canonical form.
        frames: time steps of one call; None for a model without a time axis. With 1, a model that
            looks back by causal padding gets the past as inputs and outputs beside its own
            (:func:`tinyprune.compress.streaming.streaming`).
        calibration: inputs (n, ...) of real data; of several inputs, with their names. With
            ``frames``: consecutive features (n, bands), whose order matters because the calibrator
            keeps an LSTM's state.

    Raises:
        UsageError: with ``frames`` of 1, the model looks ahead.
        CheckFailed: the converter cannot make it fully int8.
    """
    file, _ = _convert(model, frames, calibration)
    return file.content


def export(
    model: keras.Model,
    frames: int | None,
    calibration: Float32Array,
    masks: Mapping[str, Float32Array],
    path: Path,
    few_values: Mapping[str, int] | None = None,
) -> TFLiteArtifact:
    """Convert, check zeros and values and write the file, whole or not at all.

    Args:
        model, frames, calibration: as in :func:`convert`.
        masks: ``layer/kernel`` -> mask; kernels that are missing were not pruned.
        path: of the ``.tflite``.
        few_values: ``layer/kernel`` -> the most values that each matrix of it may have.

    Raises:
        UsageError: as :func:`convert`.
        CheckFailed: a masked weight is not zero in the flatbuffer, the zeros are not those of the
            int8 kernels, a kernel has too many values, or a context cannot be copied as bytes.
        TinypruneError: the file cannot be written.
    """
    file, contexts = _convert(model, frames, calibration)
    with writing(path) as part:
        part.write_bytes(file.content)
        require_int8(part, file.graph)
        matches = match(file.graph, model)
        tensors = check_zeros(matches, masks)
        check_values(matches, few_values or {})
        states = check_contexts(part, file.graph, contexts)
        runner = Int8Model(part)
    names = layer_names(file.graph, model, matches)
    return TFLiteArtifact(
        path=path,
        sha256=file.sha256,
        file_bytes=len(file.content),
        frames=frames or 1,
        input_scale=float(runner.input_scale),
        input_zero_point=int(runner.input_zero_point),
        output_scale=float(runner.output_scale),
        output_zero_point=int(runner.output_zero_point),
        tensors=tensors,
        contexts=states,
        layers=names,
        dense=_left_dense(file.graph, matches, names),
        inputs=_named_ends(runner.inputs, file.graph.inputs),
        outputs=_named_ends(runner.outputs, file.graph.outputs),
    )


def _named_ends(ends: Sequence[End], tensors: Sequence[Tensor]) -> tuple[NamedEnd, ...]:
    """Return the records of inputs or outputs by name; none of a single one."""
    if len(ends) == 1:
        return ()
    positions = {tensor.name: number for number, tensor in enumerate(tensors)}
    records = []
    for end in ends:
        scale, zero_point = end.quantization
        records.append(
            NamedEnd(
                end.name,
                end.tensor,
                positions[end.tensor],
                end.shape,
                float(scale),
                int(zero_point),
            )
        )
    return tuple(records)


def _left_dense(
    graph: Graph, matches: Sequence[Match], names: Sequence[str]
) -> tuple[TensorSparsity, ...]:
    """Weights of the operators that are no layer with kernels, called after the layers."""
    pruned: set[int] = set()
    for matched in matches:
        for operator in matched.operators:
            pruned |= {tensor.buffer for tensor in operator.constants}
    return weights_beside(graph, pruned, names)


def _convert(
    model: keras.Model, frames: int | None, calibration: Float32Array
) -> tuple[ParsedFile, tuple[Context, ...]]:
    """Return the int8 flatbuffer, and the contexts of its one-frame form."""
    unscaled = without_factor(with_levels(model, calibration))
    stream, contexts = streaming(unscaled) if frames == 1 else (unscaled, ())
    cells = cell_names(unscaled)
    if cells:
        source = Source(unscaled, stream, contexts, frames, calibration)
        file, contexts = convert_with_cells(source, cells)
        return with_biases(file, model), contexts
    if contexts:
        ready = one_frame_conversion(unscaled, stream, calibration)
    else:
        ready = conversion(unscaled, frames, calibration)
    return with_biases(ready.to_int8(), model), contexts


def check_zeros(
    matches: Sequence[Match], masks: Mapping[str, Float32Array]
) -> tuple[TensorSparsity, ...]:
    """Return the zeros of every kernel in a flatbuffer.

    The plain model's kernels are on their int8 grid already, so its zeros are all the zeros there
    may be.

    Raises CheckFailed where they are not those of the plan.
    """
    tensors = []
    for matched in matches:
        for name, weights in matched.kernels.items():
            key = f"{matched.layer.name}/{name}"
            plain = kernels(matched.layer)[name].numpy()
            mask = masks.get(key, np.ones(weights.shape, np.float32))
            pruned = int((mask == 0).sum())
            lost = int(np.count_nonzero(weights[mask == 0]))
            if lost:
                raise CheckFailed(
                    f"{key}: {lost} of {pruned} pruned weights are not zero in the export"
                )

            if masks:
                _check_counts(matched, key, weights, plain)
            zeros = int((weights == 0).sum())
            tensors.append(TensorSparsity(key, weights.size, pruned, zeros))
    return tuple(tensors)


def check_values(matches: Sequence[Match], few_values: Mapping[str, int]) -> None:
    """Raise CheckFailed where a matrix of a kernel has more values than it may have."""
    for matched in matches:
        gates = require_kernel_kind(matched.layer).gates
        for name, weights in matched.kernels.items():
            key = f"{matched.layer.name}/{name}"
            most = few_values.get(key, weights.size)
            for matrix in np.split(weights, gates, axis=-1):
                found = np.unique(matrix).size
                if found > most:
                    raise CheckFailed(
                        f"{key}: {found} values in the export, {most} were learned: "
                        "prune without --clusters, then cluster the file with --offline"
                    )


def _check_counts(matched: Match, key: str, weights: Int8Array, plain: Float32Array) -> None:
    """Raise CheckFailed where zeros of a kernel are not those of the trained int8 kernel.

    Of channels whose scale follows their bias nothing is known: the converter makes it larger than
    that of the weights, and those that are small beside such a bias become zeros. The same is true
    of channels below the least range that it has.
    """
    layout = require_kernel_kind(matched.layer).layout
    exported = canonical(weights, layout)
    trained = canonical(plain, layout)
    outputs = exported.shape[-1]
    largest = np.abs(trained).reshape(-1, outputs).max(axis=0)
    is_known = (largest >= LEAST_RANGE) & ~follows_bias(matched.operators[0], outputs)
    zeros = int((exported[..., is_known] == 0).sum())
    expected = int((trained[..., is_known] == 0).sum())
    if zeros != expected:
        raise CheckFailed(
            f"{key}: {zeros} zeros in the export, {expected} expected from the trained int8 kernel"
        )
