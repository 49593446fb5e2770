"""Few values for many weights, which an NPU's weight encoder turns into a palette."""

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array, FloatArray, IntArray


def clustered(values: IntArray, counts: IntArray, number: int) -> IntArray:
    """Return a new value for each value: at most ``number``, with the least squared error.

    Exact k-means in one dimension: clusters of sorted values are intervals, so dynamic programming
    over their ends finds the best ones, ``cost[k, j] = min_i cost[k - 1, i - 1] + error(i..j)``
    (Wang and Song 2011, Ckmeans.1d.dp). Means are rounded to integers.

    Args:
        values: (n,) integers, each once, ascending.
        counts: (n,) how many weights have each.
        number: of clusters, at least 1.

    Returns (n,) integers.
    """
    if number >= values.size:
        return values
    weight = _sums(counts)
    first = _sums(counts * values)
    second = _sums(counts * values**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = second - first**2 / weight  # of the values i to j as one cluster, (i, j)
    error[np.tril_indices(values.size, -1)] = np.inf

    # For each number of clusters and each last value, the begin of the best last cluster.
    begins = [np.zeros(values.size, int)]
    best = error[0]
    for _ in range(number - 1):
        total = np.append(np.inf, best[:-1])[:, None] + error
        begins.append(total.argmin(axis=0))
        best = total.min(axis=0)

    # From the last cluster to the first one.
    means = np.empty_like(values)
    last = values.size - 1
    for begin_of in reversed(begins):
        begin = begin_of[last]
        means[begin : last + 1] = np.rint(first[begin, last] / weight[begin, last])
        last = begin - 1
    return means


def palette(steps: FloatArray, number: int, has_zero: bool) -> Float32Array:
    """Return the few values that weights are to have, ascending, (number,).

    They are those of :func:`clustered`. Where weights have both signs, the least and the largest
    value are each other's opposite: an int8 scale makes the larger of them 127, in one channel the
    positive one, in another the negative one, and only so both give the same integers. Where there
    are fewer values, the last is repeated.

    Args:
        steps: weights of any shape in steps of their int8 grid, in [-127, 127].
        number: of values.
        has_zero: whether 0 has to be one of them, because weights are masked.
    """
    integers = np.rint(steps).astype(np.int64)
    if has_zero:
        integers = integers[integers != 0]
    values, counts = np.unique(integers, return_counts=True)
    if values.size == 0:
        return np.zeros(number, np.float32)
    centres = np.unique(clustered(values, counts, number - has_zero)).astype(np.float32)
    if centres.size > 1 and values[0] < 0 < values[-1]:
        largest = (centres[-1] - centres[0]) / 2
        centres[0] = -largest
        centres[-1] = largest
    if has_zero:
        centres = np.append(centres, np.float32(0))
    centres = np.unique(centres)
    return np.pad(centres, (0, number - centres.size), mode="edge")


def _sums(numbers: IntArray) -> Float64Array:
    """Sums of the entries i to j, (i, j)."""
    up_to = np.append(0, numbers.cumsum())
    return (up_to[None, 1:] - up_to[:-1, None]).astype(np.float64)
