"""The offline control: the int8 weights of a finished ``.tflite``, pruned by magnitude in place.

There is no training. Biases, scales and everything else of the file stay as they are, byte for
byte. The rest of the task's quality after this is that of a network that does not learn along, so
it is the opponent of training.

With it or alone goes weight clustering, which needs no training: few values for the weights that
are left, from which the NPU's encoder makes a palette.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import TensorSparsity
from tinyprune.artifacts.output_error import OutputError
from tinyprune.compress.offline_weights import Weights, find_weights
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.clusters import clustered
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.masks import masks
from tinyprune.storage.writing import writing
from tinyprune.tflite import flatbuffer

if TYPE_CHECKING:
    from tinyprune.sparsity.structure import Structure

_EXPECTED = (
    "expected Conv, DepthwiseConv, TransposeConv, FullyConnected, LSTM or BatchMatMul "
    "with int8 constants"
)


@dataclass(frozen=True)
class OfflineResult:
    """A ``.tflite`` whose weights were pruned without training.

    Attributes:
        path: the new file.
        sha256: of its content.
        file_bytes: its size, that of the file it was made from.
        tensors: zeros per pruned tensor, named as in the flatbuffer, in the order of execution.
        skipped: tensor name -> why this int8 constant, or these weights, were left as they are.
        error: of its outputs against those of the original; None where it was not measured.
    """

    path: Path
    sha256: str
    file_bytes: int
    tensors: tuple[TensorSparsity, ...]
    skipped: dict[str, str]
    error: OutputError | None = None

    @property
    def sparsity(self) -> float:
        """Fraction of zeros over all pruned tensors, counted in the file."""
        zeros = sum(tensor.zeros for tensor in self.tensors)
        return zeros / sum(tensor.size for tensor in self.tensors)


def default_output(
    path: Path, structure: "Structure", sparsity: float, clusters: int | None = None
) -> Path:
    """Return the place of the pruned file if none is named: beside ``path``.

    It is called e.g. ``MODEL-offline-weight-0.80.tflite``.
    """
    parts = [path.stem, "offline"]
    level = _sparsity(structure, sparsity)
    if level or not clusters:
        parts.append(structure.label.replace(" ", "-").replace(":", "-"))
        parts.append(f"{level:.2f}")
    if clusters:
        parts.append(f"{clusters}-clusters")
    return path.with_name("-".join(parts) + ".tflite")


def _sparsity(structure: "Structure", sparsity: float) -> float:
    """The sparsity of the structure, where it has one of its own."""
    return sparsity if structure.fixed_sparsity is None else structure.fixed_sparsity


def prune_file(
    path: Path,
    structure: "Structure",
    sparsity: float,
    scope: str,
    importance: str,
    output: Path,
    clusters: int | None = None,
) -> OfflineResult:
    """Prune the int8 weights of a ``.tflite`` by magnitude; write the result whole or not at all.

    A weight is worth ``|scale * (int8 - zero_point)|``, so channels with different scales are
    compared as the numbers that they stand for; a pruned weight becomes the zero point. Weights
    that several operators share are pruned once.

    Args:
        path: any int8 ``.tflite``, not yet compiled by Vela.
        structure: weight, block or n:m; an LSTM gate is a matrix of its own (units, inputs).
        sparsity: fraction of the groups to prune, in [0, 1); n:m has its own.
        scope: "global" ranks the groups of all tensors together, "layer" those of each tensor
            alone.
        importance: name of a registered importance of groups that needs weights only
            (registry.IMPORTANCES).
        output: the new file; another one than ``path``.
        clusters: if set, at most so many values are left in a kernel, zero among them: those that
            are nearest to the weights that were there (sparsity/clusters.py).

    Raises:
        UsageError: the file is not int8, or has nothing to prune that the structure fits.
        TinypruneError: the file cannot be written.
    """
    _check_request(structure, sparsity, importance)
    _check_output(path, output)
    content = bytearray(flatbuffer.load(path))
    graph = flatbuffer.parse(path, content)
    flatbuffer.require_int8(path, graph)

    weights, skipped = find_weights(path, graph)
    misfits = _misfits(weights, structure)
    skipped |= misfits
    fitting = {name: tensor for name, tensor in weights.items() if name not in misfits}
    tensor_masks = _masks(fitting, structure, sparsity, scope, importance)
    pruned_masks = _without_whole(tensor_masks, structure, skipped)
    if not pruned_masks:
        raise UsageError(_nothing_to_prune(path, misfits, skipped))

    for name, mask in pruned_masks.items():
        np.copyto(weights[name].integers, weights[name].zeros, where=mask == 0)
    if clusters:
        for tensor in weights.values():
            _cluster(tensor, clusters)
    with writing(output) as part:
        part.write_bytes(content)
        tensors = _measure(part, output, pruned_masks)
    digest = hashlib.sha256(content).hexdigest()
    return OfflineResult(output, digest, len(content), tensors, skipped)


def _check_request(structure: "Structure", sparsity: float, importance: str) -> None:
    if structure.name == "unit":
        raise UsageError(
            "structure 'unit' removes channels, which a finished .tflite cannot lose: "
            "expected weight, block or n:m; "
            "prune the Keras model (tinyprune prune without --offline)"
        )
    if importance in FROM_GRADIENTS:
        raise UsageError(
            f"importance '{importance}' needs training data, --offline has none: expected l1 or l2"
        )
    if not 0 <= sparsity < 1:
        raise UsageError(
            f"sparsity {sparsity} is out of range: expected a fraction in [0, 1), e.g. 0.8"
        )


def _check_output(path: Path, output: Path) -> None:
    if output.exists() and path.exists() and output.samefile(path):
        raise UsageError(
            f"{output} is the file to prune, which is never overwritten: choose another output"
        )


def _misfits(weights: Mapping[str, Weights], structure: "Structure") -> dict[str, str]:
    """Tensors that the structure does not fit, and why."""
    reasons = {}
    for name, tensor in weights.items():
        try:
            structure.groups(tensor.integers.shape)
        except UsageError as error:
            reasons[name] = str(error)
    return reasons


def _masks(
    weights: Mapping[str, Weights],
    structure: "Structure",
    sparsity: float,
    scope: str,
    importance: str,
) -> dict[str, Float32Array]:
    """One mask per tensor in its canonical axes, 1 = kept."""
    if not weights:
        return {}
    group_importance = IMPORTANCES[importance]
    ids = {}
    importances = {}
    for name, tensor in weights.items():
        shape = tensor.integers.shape
        ids[name] = structure.groups(shape)
        values = group_importance(tensor.values, ids[name])
        importances[name] = structure.ranked(values, shape)
    return masks(importances, ids, _sparsity(structure, sparsity), scope)


def _without_whole(
    tensor_masks: Mapping[str, Float32Array], structure: "Structure", skipped: dict[str, str]
) -> dict[str, Float32Array]:
    """The masks without those that a structure of its own sparsity leaves whole.

    The reason is added to ``skipped``.
    """
    pruned = {}
    for name, mask in tensor_masks.items():
        if structure.fixed_sparsity is not None and mask.all():
            skipped[name] = f"keeps all of its weights as {structure.label}: too few inputs"
        else:
            pruned[name] = mask
    return pruned


def _nothing_to_prune(path: Path, misfits: Mapping[str, str], skipped: Mapping[str, str]) -> str:
    known = [f"'{name}' {reason}" for name, reason in {**misfits, **skipped}.items()]
    reasons = known[:1] if misfits else [_EXPECTED, *known[:1]]
    return f"{path} has no weights to prune: {'; '.join(reasons)}"


def _cluster(weights: Weights, number: int) -> None:
    """Leave at most ``number`` values of a kernel; zeros stay."""
    is_left = weights.integers != weights.zeros
    has_zeros = not is_left.all()
    values, which, counts = np.unique(
        weights.integers[is_left], return_inverse=True, return_counts=True
    )
    fewer = clustered(values.astype(np.int64), counts, number - has_zeros)
    weights.integers[is_left] = fewer[which]


def _measure(
    path: Path, output: Path, tensor_masks: Mapping[str, Float32Array]
) -> tuple[TensorSparsity, ...]:
    """Zeros per tensor, counted in the file. Raises CheckFailed if a pruned weight is not zero."""
    tensors = []
    weights, _ = find_weights(path, flatbuffer.read(path))
    for name, mask in tensor_masks.items():
        is_zero = weights[name].integers == weights[name].zeros
        is_pruned = mask == 0
        pruned = int(is_pruned.sum())
        lost = int(np.count_nonzero(is_pruned & ~is_zero))
        if lost:
            raise CheckFailed(
                f"'{name}': {lost} of {pruned} pruned weights are not zero in {output}"
            )
        tensors.append(TensorSparsity(name, is_zero.size, pruned, int(is_zero.sum())))
    return tuple(tensors)
