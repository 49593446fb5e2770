"""The floor of a pruning: groups that stay in every kernel, however little they are worth.

Kernels lie in series, so one that is empty makes a network of constant outputs, whatever the others
keep. A floor is a part of the share that stays of all kernels: with a sparsity of 90 % and a floor
of a quarter, 2.5 % of every kernel stay. So at most a quarter of what is kept is kept by the floor,
and the ranking decides on the rest. Outputs of the network are in series with nothing else: each of
them keeps a group of its own.
"""

import math

import numpy as np

from tinyprune.array_types import BoolArray, FloatArray, IntArray


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
