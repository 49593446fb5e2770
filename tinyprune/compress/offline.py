"""The offline control: the int8 weights of a finished ``.tflite``, pruned by magnitude in place.

There is no training. Biases, scales and everything else of the file stay as they are, byte for
byte. The rest of the task's quality after this is that of a network that does not learn along, so
it is the opponent of training.

With it or alone goes weight clustering, which needs no training: few values for the weights that
are left, from which the NPU's encoder makes a palette.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyprune.array_types import Float32Array, FloatArray, IntArray
from tinyprune.artifacts.network import TensorSparsity, least_left, nearly_empty, total
from tinyprune.artifacts.output_error import OutputError
from tinyprune.compress.offline_weights import Weights, find_weights
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.clusters import clustered
from tinyprune.sparsity.floor import floor_of
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.masks import masks
from tinyprune.storage.writing import writing
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Operator
from tinyprune.tflite.operators import makers_of_outputs
from tinyprune.tflite.response import has_lost_response

if TYPE_CHECKING:
    from tinyprune.sparsity.structure import Structure

log = logging.getLogger(__name__)
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
        return 1 - total(self.tensors).share


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
    floor: float = 0.0,
    inputs: Sequence[Float32Array] | None = None,
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
        floor: share of the density that every tensor keeps at least (sparsity/floor.py).
        inputs: different ones of the network, as Int8Model.run takes them, to which it has to
            respond as before; None: made in the range of its input.

    Raises:
        UsageError: the file is not int8, or has nothing to prune that the structure fits.
        CheckFailed: the output depends on the input no longer, and nothing is written.
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
    ranking = _Ranking(structure, _sparsity(structure, sparsity), scope, importance, floor)
    tensor_masks = ranking.masks(fitting, makers_of_outputs(graph))
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
        _check_response(path, part, tensors, inputs)
    _warn_of_nearly_empty(output, tensors)
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
            f"importance '{importance}' needs training data, --offline has none: "
            f"expected one of: {', '.join(sorted(set(IMPORTANCES) - FROM_GRADIENTS))}"
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


@dataclass(frozen=True)
class _Ranking:
    """A ranking of the weights of a file; attributes are arguments of :func:`prune_file`."""

    structure: "Structure"
    sparsity: float
    scope: str
    importance: str
    floor: float

    def masks(
        self, weights: Mapping[str, Weights], makers: Sequence[Operator]
    ) -> dict[str, Float32Array]:
        """Return one mask per tensor in its canonical axes, 1 = kept.

        ``makers``: the operators that make the outputs of the network.
        """
        if not weights:
            return {}
        of_outputs: set[int] = set()
        for operator in makers:
            of_outputs.update(map(id, operator.constants))
        ids = {}
        last = []
        for name, tensor in weights.items():
            ids[name] = self.structure.groups(tensor.integers.shape)
            if id(tensor.tensor) in of_outputs:
                last.append(name)
        floor = floor_of(ids, self.sparsity, self.floor, self.scope, last)
        importances = {}
        for name, tensor in weights.items():
            importance = self._importance(tensor, ids[name])
            importances[name] = floor.protect(name, importance)
        return masks(importances, ids, self.sparsity, self.scope)

    def _importance(self, weights: Weights, ids: IntArray) -> FloatArray:
        """The importance of the groups of a tensor; +inf where they always stay."""
        importance = IMPORTANCES[self.importance](weights.values, ids)
        return self.structure.ranked(importance, weights.integers.shape)


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


def _check_response(
    path: Path,
    pruned: Path,
    tensors: Sequence[TensorSparsity],
    inputs: Sequence[Float32Array] | None,
) -> None:
    """Raise CheckFailed where a file gives one constant output, and did not before."""
    try:
        is_destroyed = has_lost_response(path, pruned, inputs)
    except TinypruneError as error:
        log.warning("not checked whether the output still depends on the input: %s", error)
        return
    if is_destroyed:
        raise CheckFailed(
            f"{path}: pruned like this, its output no longer depends on its input: "
            f"{least_left(tensors)}; nothing is written: "
            "try a smaller --sparsity, --importance lamp, or prune with training"
        )


def _warn_of_nearly_empty(output: Path, tensors: Sequence[TensorSparsity]) -> None:
    lost = nearly_empty(tensors)
    if lost:
        log.warning("%s: %s; try --scope layer, or a --floor", output, lost)


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
