"""The one masking engine: ranked groups and the mask that follows from them; all on group ids."""

from collections.abc import Mapping

import numpy as np

from tinyprune.array_types import BoolArray, Float32Array, FloatArray, IntArray
from tinyprune.errors import UsageError
from tinyprune.sparsity.importance import l1 as magnitude

__all__ = ["SCOPES", "groups_to_mask", "magnitude", "masks"]

SCOPES = ("global", "layer")


def masks(
    importances: Mapping[str, FloatArray], ids: Mapping[str, IntArray], sparsity: float, scope: str
) -> dict[str, Float32Array]:
    """Return masks of several kernels, 1 = kept, each of its kernel's shape.

    Masks depend on the order of the importances only, never on the machine; of equal groups the
    last goes first, so that more sparsity never brings a group back.

    Args:
        importances: kernel -> importance of its groups, shape (groups,); a group worth +inf (or
            NaN) always stays.
        ids: kernel -> group ids of the kernel's shape.
        sparsity: fraction of groups to mask; ``floor(sparsity * groups)`` go, the least important
            first, but never more than there are groups of finite importance.
        scope: "global" counts and ranks the groups of all kernels together, "layer" those of each
            kernel alone.

    Raises:
        UsageError: the scope is none of the two.
    """
    if scope not in SCOPES:
        raise UsageError(f"unknown scope '{scope}': expected one of: {', '.join(SCOPES)}")
    if scope == "layer":
        kept = {key: _keep(values, sparsity) for key, values in importances.items()}
    else:
        together = _keep(np.concatenate(list(importances.values())), sparsity)
        ends = np.cumsum([len(values) for values in importances.values()])[:-1]
        kept = dict(zip(importances, np.split(together, ends), strict=True))
    return {key: keep.astype(np.float32)[ids[key]] for key, keep in kept.items()}


def groups_to_mask(sparsity: float, groups: int) -> int:
    """Return ``floor(sparsity * groups)``: 0.3 * 10 is 3 in binary floats too."""
    return int(np.floor(sparsity * groups + 1e-9))


def _keep(importance: FloatArray, sparsity: float) -> BoolArray:
    """Mark the groups that stay, (groups,): all but those of least importance."""
    groups = len(importance)
    count = groups_to_mask(sparsity, groups)
    if count == 0:
        return np.ones(groups, bool)
    last = np.partition(importance, count - 1)[count - 1]
    if not np.isfinite(last):
        return ~np.isfinite(importance)
    keep = ~(importance <= last)
    # That masks all groups that are equal to the last one: bring those back that are too many.
    surplus = groups - np.count_nonzero(keep) - count
    equal = np.flatnonzero(importance == last)
    keep[equal[:surplus]] = True
    return keep
