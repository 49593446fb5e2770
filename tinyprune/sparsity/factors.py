"""A kernel as the product of two, and how many ranks each of several kernels keeps.

The kernel K is seen as a matrix (rows, outputs) that makes ``K^T x + b`` of inputs x. Of all A
(rows, rank), B (rank, outputs) and b', those are taken that make the smallest error
``E ||K^T x + b - (A B)^T x - b'||^2`` on the inputs of the layer. With their covariance
``C = L L^T`` that is ``||L^T (K - A B)||_F^2``, so the truncated SVD of ``L^T K`` has the answer;
what the means of the inputs contribute is the bias's. Without the covariance it would be the plain
SVD, which spends ranks on directions that no input has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinyprune.array_types import Float64Array

#: Share of the mean variance that every direction has at least: there are fewer inputs to look at
#: than a large kernel has rows, and others come.
LEAST_VARIANCE = 0.01
#: Singular values below this share of the largest are rounding errors of float32.
_NOTHING = 1e-5
_LEAST_KEPT = 1e-12


@dataclass(frozen=True, eq=False)
class InputStatistics:
    """Mean and covariance of the inputs of a kernel.

    Attributes:
        mean: (rows,).
        covariance: (rows, rows).
    """

    mean: Float64Array
    covariance: Float64Array

    @classmethod
    def white(cls, rows: int) -> "InputStatistics":
        """Return inputs of which nothing is known: mean 0, variance 1, nothing in common."""
        return cls(np.zeros(rows), np.eye(rows))

    def root(self) -> Float64Array:
        """Return L, lower triangular, (rows, rows), with ``L L^T`` = covariance.

        Every direction has its least variance in it, so that L is not singular.
        """
        rows = len(self.mean)
        variance = float(np.trace(self.covariance)) / rows
        least = LEAST_VARIANCE * variance if variance > 0 else 1.0
        return np.asarray(np.linalg.cholesky(self.covariance + least * np.eye(rows)), np.float64)


@dataclass(frozen=True, eq=False)
class Factors:
    """Two kernels in place of one.

    Attributes:
        first: (rows, rank).
        second: (rank, outputs).
        shift: (outputs,), what is added to the bias.
    """

    first: Float64Array
    second: Float64Array
    shift: Float64Array


class Factorisation:
    """The ranks of a kernel, those that matter most to its outputs first.

    Args:
        kernel: (rows, outputs).
        inputs: statistics of its inputs.

    Attributes:
        rank: of the kernel.
    """

    def __init__(self, kernel: Float64Array, inputs: InputStatistics) -> None:
        self._kernel = np.asarray(kernel, np.float64)
        self._mean = inputs.mean
        self._root = inputs.root()
        self._left, self._values, self._right = np.linalg.svd(
            self._root.T @ self._kernel, full_matrices=False
        )
        self.rank = max(1, int((self._values > _NOTHING * self._values[0]).sum()))

    def weights(self, rank: int) -> int:
        """Return the weights of both factors."""
        return rank * sum(self._kernel.shape)

    @property
    def weights_whole(self) -> int:
        """The weights of the kernel."""
        return self._kernel.size

    @cached_property
    def kept(self) -> Float64Array:
        """The share of the variance of its outputs that the first 1, 2, ... ranks make."""
        variances = self._values**2
        total = variances.sum()
        if total == 0:
            return np.ones(len(variances))
        return np.minimum(np.cumsum(variances) / total, 1.0)

    def factors(self, rank: int) -> Factors:
        """Return the kernels of the first ranks; both have an even share of the scale."""
        scale = np.sqrt(self._values[:rank])
        first = np.linalg.solve(self._root.T, self._left[:, :rank]) * scale
        second = scale[:, None] * self._right[:rank]
        return Factors(first, second, self._mean @ (self._kernel - first @ second))


@dataclass(frozen=True)
class RankOption:
    """A rank that a kernel may have.

    Attributes:
        rank: channels between its two factors.
        weights: of both.
        kept: share of the variance of its outputs.
    """

    rank: int
    weights: int
    kept: float

    @property
    def loss(self) -> float:
        """``-log(kept)``, which adds up over layers in series as the shares multiply."""
        return -float(np.log(max(self.kept, _LEAST_KEPT)))


@dataclass(frozen=True)
class RankOptions:
    """The ranks that a kernel may have.

    Attributes:
        whole: the kernel as it is, with its rank and weights.
        options: by rank, the largest first; all have fewer weights than the kernel.
    """

    whole: RankOption
    options: tuple[RankOption, ...]

    @property
    def weights(self) -> int:
        """The weights of the kernel as it is."""
        return self.whole.weights

    def saved(self, rank: int) -> int:
        """Return the weights that a rank saves."""
        [weights] = [option.weights for option in self.options if option.rank == rank]
        return self.weights - weights

    def path(self) -> Iterator[tuple[float, RankOption]]:
        """Yield the steps from the whole kernel to the lowest rank, each as (price, option).

        The price is the loss per weight that goes. It rises from step to step, because options
        that are dearer than those around them are left out: the path is the lower convex hull.
        """
        at = self.whole
        left = list(self.options)
        while left:
            prices = [(item.loss - at.loss) / (at.weights - item.weights) for item in left]
            best = int(np.argmin(prices))
            at = left[best]
            yield prices[best], at
            left = left[best + 1 :]


def rank_options(found: Factorisation, multiple: int) -> RankOptions:
    """Return the ranks that a kernel may have with fewer weights than it has now.

    They are multiples of a number, and the rank that the kernel has.
    """
    ranks = [*range(multiple, found.rank, multiple), found.rank]
    options = []
    for rank in reversed(ranks):
        weights = found.weights(rank)
        if weights < found.weights_whole:
            options.append(RankOption(rank, weights, float(found.kept[rank - 1])))
    return RankOptions(RankOption(found.rank, found.weights_whole, 1.0), tuple(options))


def choose_ranks(layers: Mapping[str, RankOptions], sparsity: float) -> dict[str, int]:
    """Return the rank of each kernel that is to be two; the others stay whole.

    Steps are taken by their price, of all kernels together, until that share of the weights is
    gone. As ranks are few, more may be gone by then: it is given back where most variance comes
    with it. Where even the lowest ranks leave more weights, it is they.
    """
    steps = []
    for name, options in layers.items():
        for number, (price, option) in enumerate(options.path()):
            steps.append((price, name, number, option))
    spare = -sparsity * sum(options.weights for options in layers.values())
    chosen = {name: options.whole for name, options in layers.items()}
    for _, name, _, option in sorted(steps, key=lambda step: step[:3]):
        if spare >= 0:
            break
        spare += chosen[name].weights - option.weights
        chosen[name] = option
    while raised := _raised(layers, chosen, spare):
        name, option = raised
        spare -= option.weights - chosen[name].weights
        chosen[name] = option
    return {name: option.rank for name, option in chosen.items() if option != layers[name].whole}


def _raised(
    layers: Mapping[str, RankOptions], chosen: Mapping[str, RankOption], spare: float
) -> tuple[str, RankOption] | None:
    """Return the kernel and the higher rank that spare weights do most good to, if there is one."""
    best, most = None, 0.0
    for name, options in layers.items():
        for option in (options.whole, *options.options):
            more = option.weights - chosen[name].weights
            gain = chosen[name].loss - option.loss
            if 0 < more <= spare and gain > most:
                best, most = (name, option), gain
    return best
