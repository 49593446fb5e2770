"""Importances of groups: functions of an array and its group ids, of one shape, to (groups,).

They are the mean over the group, not the sum: a small tile at the edge of a kernel is not worth
less for being small.
"""

import numpy as np

from tinyprune.array_types import FloatArray, IntArray

#: Names of the importances whose values are not the weights but accumulated squares of gradient
#: times weight.
FROM_GRADIENTS = frozenset({"taylor"})


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
