"""Few values for many weights: what an NPU's weight encoder turns into a palette."""

import numpy as np

from tinyprune.array_types import Float64Array, IntArray


def clustered(values: IntArray, counts: IntArray, number: int) -> IntArray:
    """What each value becomes so that at most ``number`` are left and the squared error is the least there is.

    Exact k-means in one dimension: clusters of sorted values are intervals, so dynamic programming
    over their ends finds the best ones, ``cost[k, j] = min_i cost[k - 1, i - 1] + error(i..j)``
    (Wang and Song 2011, Ckmeans.1d.dp). Means are rounded to integers.

    Args:
        values: (n,) integers, each once, ascending. counts: (n,) how many weights have each.
        number: of clusters, at least 1.

    Returns (n,) integers.
    """
    if number >= values.size:
        return values
    weight, first, second = (_sums(counts * values**power) for power in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        error = second - first**2 / weight  # of the values i to j as one cluster, (i, j)
    error[np.tril_indices(values.size, -1)] = np.inf
    best, begins = error[0], []
    for _ in range(number - 1):
        total = np.append(np.inf, best[:-1])[:, None] + error
        begins.append(total.argmin(axis=0))
        best = total.min(axis=0)
    found, end = np.empty_like(values), values.size - 1
    for begin in (*reversed(begins), np.zeros(values.size, int)):
        found[begin[end] : end + 1] = np.rint(first[begin[end], end] / weight[begin[end], end])
        end = begin[end] - 1
    return found


def _sums(numbers: IntArray) -> Float64Array:
    """Sums of the entries i to j, (i, j)."""
    up_to = np.append(0, numbers.cumsum())
    return (up_to[None, 1:] - up_to[:-1, None]).astype(np.float64)
