"""``n:m``: of every m consecutive inputs of an output, n weights may stay (Mishra et al. 2021, arXiv 2104.08378).

The runs lie along the input axis, at one spatial position and one output, and begin at input 0.
This is what Vela 5.2 wants for Ethos-U85: its encoder walks the input depth of one output and one
kernel position in runs of four that are aligned to four, takes what is missing of the last run for
zeros, and uses the 2:4 format for a convolution or fully connected operator only if every run has
at least two zeros (and no weight is -128). 2:4 along any other axis, and every other n:m that does
not happen to be 2:4 too (1:4 is), costs the NPU as many cycles as a dense kernel.
Depthwise kernels have one input per output: all of their weights stay.
"""

import numpy as np

from tinyprune.array_types import FloatArray, IntArray
from tinyprune.sparsity import weight


def groups(shape: tuple[int, ...], n: int, m: int) -> IntArray:
    """Every weight alone, n of every m consecutive inputs stay, e.g. ``2:4``, which Ethos-U85 computes faster.

    Which weights of a run stay is up to :func:`protect`.

    Args:
        shape: of the kernel, (spatial..., inputs, outputs).
        n, m: weights that stay of a run, weights of a run; they do not matter here.

    Returns:
        ids 0, 1, 2, ... in C order, of the kernel's shape.
    """
    return weight.groups(shape)


def protect(importance: FloatArray, shape: tuple[int, ...], n: int, m: int) -> FloatArray:
    """The importance with the n largest of each run of m consecutive inputs set to +inf: never masked.

    The last run is padded with zeros where m does not divide the inputs, and the padding goes
        first: of r weights,
    ``max(0, r - n)`` may go. Among equals the earlier one stays.

    Args:
        importance: of each weight, shape (weights,), in C order of ``shape``.
        shape: of the kernel, (spatial..., inputs, outputs).
        n, m: weights that stay of a run, weights of a run; 1 <= n < m.
    """
    inputs, outputs = shape[-2:]
    m = min(m, inputs)  # a single run: padding it changes nothing
    padding = -inputs % m
    values = importance.reshape(-1, inputs, outputs)
    if padding:
        values = np.pad(values, ((0, 0), (0, padding), (0, 0)), constant_values=-np.inf)
    runs = values.reshape(-1, m, outputs)
    larger = np.zeros(
        runs.shape, np.min_scalar_type(m)
    )  # how many of the run are worth more than this one
    for first in range(m - 1):
        wins = runs[:, first, None] >= runs[:, first + 1 :]
        larger[:, first + 1 :] += wins
        larger[:, first] += (~wins).sum(axis=1, dtype=larger.dtype)
    protected = np.where(larger < n, np.array(np.inf, runs.dtype), runs).reshape(values.shape)
    return protected[:, :inputs].reshape(-1)
