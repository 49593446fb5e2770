"""The one masking engine: what a group is worth, which groups go, and the mask that follows; all on group ids."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]


def magnitude(kernel: Floats, ids: Ids) -> npt.NDArray[np.float64]:
    """Importance of each group, shape (groups,): mean absolute weight (Han et al. 2015 for single weights)."""
    flat, weights = ids.ravel(), np.abs(kernel, dtype=np.float64).ravel()
    return np.bincount(flat, weights) / np.bincount(flat)


def masks(
    importances: Mapping[str, npt.NDArray[np.float64]], ids: Mapping[str, Ids], sparsity: float, scope: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Masks of several kernels, 1 = kept, each of its kernel's shape.

    Args:
        importances: kernel -> importance of its groups, shape (groups,).
        ids: kernel -> group ids of the kernel's shape.
        sparsity: fraction of groups to mask; ``floor(sparsity * groups)`` go, the least important first.
        scope: "global" counts and ranks the groups of all kernels together, "layer" those of each kernel alone.
    """
    if scope == "layer":
        kept = {key: _keep(values, sparsity) for key, values in importances.items()}
    else:
        together = _keep(np.concatenate(list(importances.values())), sparsity)
        ends = np.cumsum([len(values) for values in importances.values()])[:-1]
        kept = dict(zip(importances, np.split(together, ends), strict=True))
    return {key: keep[ids[key]].astype(np.float32) for key, keep in kept.items()}


def _keep(importance: npt.NDArray[np.float64], sparsity: float) -> npt.NDArray[np.bool_]:
    """Which groups stay: all but the ``floor(sparsity * groups)`` of least importance."""
    keep = np.ones(len(importance), bool)
    count = int(np.floor(sparsity * len(importance) + 1e-9))  # 0.3 * 10 must be 3 in binary floats too
    if count:
        keep[np.argpartition(importance, count - 1)[:count]] = False
    return keep
