"""The floor of a pruning: groups that stay in every kernel, however little they are worth.

Kernels lie in series, so one that is empty makes a network of constant outputs, whatever the others
keep. A floor is a part of the share that stays of all kernels: with a sparsity of 90 % and a floor
of a quarter, 2.5 % of every kernel stay. So at most a quarter of what is kept is kept by the floor,
and the ranking decides on the rest.

Channels lie in series too. Where every output of every kernel keeps a group, each reads a channel
that reads one itself, down to the input: nothing is cut off. So every output keeps its largest
group, in the kernels with the fewest groups per output first (a depthwise kernel has nine weights
for each, and with 10 % of them most channels would be gone), as long as that is at most half of
what is kept. The outputs of the network keep a group of their own in any case.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import BoolArray, FloatArray, IntArray

#: The most of what is kept of all kernels that is kept for the sake of an output.
SHARE_OF_OUTPUTS = 0.5


@dataclass(frozen=True)
class Floor:
    """The floor of kernels that are ranked together.

    Attributes:
        fewest: kernel -> groups that stay at least.
        outputs: kernel of which every output keeps its largest group -> group of each weight,
            (spatial..., inputs, outputs).
    """

    fewest: Mapping[str, int]
    outputs: Mapping[str, IntArray]

    def protect(self, key: str, importance: FloatArray) -> FloatArray:
        """Return the importance (groups,) of a kernel with what the floor protects at +inf."""
        if key in self.outputs:
            importance = protected_outputs(importance, self.outputs[key])
        return protected(importance, self.fewest[key])


def floor_of(
    ids: Mapping[str, IntArray], sparsity: float, share: float, scope: str, last: Collection[str]
) -> Floor:
    """Return the floor of kernels.

    Args:
        ids: kernel -> group of each weight, (spatial..., inputs, outputs).
        sparsity: final fraction of zeros.
        share: of the density ``1 - sparsity`` that every kernel keeps, in [0, 1]; 0: no floor.
        scope: "global" where the kernels share what is kept, "layer" where each has its own.
        last: kernels that make the outputs of the network.
    """
    groups = {key: int(of_kernel.max()) + 1 for key, of_kernel in ids.items()}
    fewest = {key: fewest_groups(count, sparsity, share) for key, count in groups.items()}
    if not share:
        return Floor(fewest, {})
    needed = {key: _groups_of_outputs(of_kernel) for key, of_kernel in ids.items()}
    if scope == "layer":
        covered = set()
        for key, count in groups.items():
            covered |= _covered({key: count}, needed, sparsity)
    else:
        covered = _covered(groups, needed, sparsity)
    return Floor(fewest, {key: ids[key] for key in ids if key in covered or key in last})


def _groups_of_outputs(ids: IntArray) -> int:
    """Return the number of groups that hold a weight of every output."""
    first_row = ids.reshape(-1, ids.shape[-1])[0]
    return len(np.unique(first_row))


def _covered(groups: Mapping[str, int], needed: Mapping[str, int], sparsity: float) -> set[str]:
    """Return the kernels that can keep every output, those with few groups per output first."""
    left = SHARE_OF_OUTPUTS * (1 - sparsity) * sum(groups.values()) + 1e-9
    covered = set()
    for key in sorted(groups, key=lambda key: groups[key] / needed[key]):
        left -= needed[key]
        if left < 0:
            break
        covered.add(key)
    return covered


def fewest_groups(groups: int, sparsity: float, floor: float) -> int:
    """Return how many groups of a kernel stay at least.

    Args:
        groups: of the kernel.
        sparsity: final fraction of zeros of all kernels.
        floor: share of the density ``1 - sparsity`` that every kernel keeps, in [0, 1]; 0: none.
    """
    share = floor * (1 - sparsity)
    return min(groups, math.ceil(share * groups - 1e-9))


def protected(importance: FloatArray, fewest: int) -> FloatArray:
    """Return the importance with the ``fewest`` largest set to +inf: they are never masked.

    Of equal groups the earlier ones are protected. ``importance``: (groups,).
    """
    if fewest == 0:
        return importance
    least = np.partition(importance, -fewest)[-fewest]
    stays: BoolArray = importance > least
    equal = np.flatnonzero(importance == least)
    stays[equal[: fewest - np.count_nonzero(stays)]] = True
    return np.where(stays, np.array(np.inf, importance.dtype), importance)


def protected_outputs(importance: FloatArray, ids: IntArray) -> FloatArray:
    """Return the importance with the largest group of every output set to +inf.

    Args:
        importance: of each group, (groups,).
        ids: group of each weight, (spatial..., inputs, outputs).
    """
    by_output = ids.reshape(-1, ids.shape[-1])
    largest = np.argmax(importance[by_output], axis=0)
    is_largest: BoolArray = np.zeros(len(importance), bool)
    is_largest[by_output[largest, np.arange(len(largest))]] = True
    return np.where(is_largest, np.array(np.inf, importance.dtype), importance)
