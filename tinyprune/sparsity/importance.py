"""Importances of groups: functions of an array and its group ids, of one shape, to (groups,).

They are the mean over the group, not the sum: a small tile at the edge of a kernel is not worth
less for being small.
"""

import numpy as np

from tinyprune.array_types import FloatArray, IntArray

#: Names of the importances whose values are not the weights but accumulated squares of gradient
#: times weight.
FROM_GRADIENTS = frozenset({"taylor"})

#: Names of the importances that mean the same in every kernel, whatever the scale of its weights.
SCALE_FREE = frozenset({"lamp", "relative"})


def l1(values: FloatArray, ids: IntArray) -> FloatArray:
    """Mean absolute weight, ``mean |w|`` (Han et al. 2015, arXiv 1506.02626; Li et al. 2017, arXiv
    1608.08710).
    """
    return _mean(np.abs(values), ids)


def l2(values: FloatArray, ids: IntArray) -> FloatArray:
    """Root mean square of the weights, ``sqrt(mean w^2)`` (He et al. 2018, arXiv 1808.06866)."""
    if _alone(ids):
        return l1(values, ids)
    return np.sqrt(_mean(np.square(values, dtype=np.float64), ids))


def taylor(values: FloatArray, ids: IntArray) -> FloatArray:
    """Mean of ``(gradient * weight)^2``, what the loss would change by (Molchanov et al. 2019,
    arXiv 1906.10771).

    First-order Taylor expansion: setting a weight to zero changes the loss by about ``gradient *
    weight``; squared and summed over batches by the caller, which passes these sums, one per
    weight, as ``values``.
    """
    return _mean(values, ids)


def relative(values: FloatArray, ids: IntArray) -> FloatArray:
    """Mean absolute weight in units of the kernel, ``mean |w| / rms(kernel)``: free of scale."""
    return l1(in_units_of_kernel(values), ids)


def lamp(values: FloatArray, ids: IntArray) -> FloatArray:
    """Square over the squares that are not smaller, ``w^2 / sum_{v >= w} v^2`` (Lee et al. 2021,
    "Layer-adaptive sparsity for the magnitude-based pruning", arXiv 2010.07611).

    It is the part of what is left of the kernel that goes with a group, if all smaller groups went
    before: free of scale, and 1 for the largest group of every kernel. A group has the mean of its
    squares; of equal groups the earlier is worth more.
    """
    squares = _mean(np.square(values, dtype=np.float64), ids)
    largest_first = np.argsort(-squares, kind="stable")
    not_smaller = np.cumsum(squares[largest_first])
    shares = np.zeros(len(squares))
    is_some = not_smaller > 0
    shares[largest_first[is_some]] = squares[largest_first[is_some]] / not_smaller[is_some]
    return shares


def in_units_of_kernel(values: FloatArray) -> FloatArray:
    """Return the weights of a kernel over their root mean square; zeros where all are zero."""
    rms = float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
    return values / np.float32(rms) if rms > 0 else np.zeros_like(values)


def _mean(values: FloatArray, ids: IntArray) -> FloatArray:
    """Mean of each group, (groups,), in float64; a weight alone keeps its value and precision."""
    flat = ids.ravel()
    if _alone(ids):
        single = np.empty(flat.size, values.dtype)
        single[flat] = values.ravel()
        return single
    return np.bincount(flat, values.ravel()) / np.bincount(flat)


def _alone(ids: IntArray) -> bool:
    """Return whether every weight is alone, as the last id shows: ids have no gaps."""
    return bool(ids.flat[-1] == ids.size - 1)
