"""``n:m``: of every m consecutive inputs of an output, n weights may stay (Mishra et al. 2021).

The runs lie along the input axis, at one spatial position and one output, and begin at input 0.
This is what Vela 5.2 wants for Ethos-U85: its encoder walks the input depth of one output and one
kernel position in runs of four that are aligned to four, takes what is missing of the last run for
zeros, and uses the 2:4 format for a convolution or fully connected operator only if every run has
at least two zeros (and no weight is -128). 2:4 along any other axis, and every other n:m that does
not happen to be 2:4 too (1:4 is), costs the NPU as many cycles as a dense kernel.
Depthwise kernels have one input per output: all of their weights stay.

The paper is arXiv 2104.08378.
"""

import re
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import FloatArray, IntArray
from tinyprune.errors import UsageError
from tinyprune.sparsity import weight
from tinyprune.sparsity.structure import Structure


def groups(shape: tuple[int, ...], n: int, m: int) -> IntArray:
    """Return ids 0, 1, 2, ... in C order, of the kernel's shape: every weight is alone.

    The weights of a run that stay are up to :func:`protect`.

    Args:
        shape: of the kernel, (spatial..., inputs, outputs).
        n, m: weights that stay of a run, weights of a run; they do not matter here.
    """
    del n, m
    return weight.groups(shape)


def protect(importance: FloatArray, shape: tuple[int, ...], n: int, m: int) -> FloatArray:
    """Return the importance with the n largest of each run of m inputs set to +inf: never masked.

    The last run is padded with zeros where m does not divide the inputs, and the padding goes
    first: of r weights, ``max(0, r - n)`` may go. Among equals the earlier one stays.

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

    # For each weight, the number of weights in its run that are worth more.
    larger = np.zeros(runs.shape, np.min_scalar_type(m))
    for first in range(m - 1):
        wins = runs[:, first, None] >= runs[:, first + 1 :]
        larger[:, first + 1 :] += wins
        larger[:, first] += (~wins).sum(axis=1, dtype=larger.dtype)

    infinity = np.array(np.inf, runs.dtype)
    protected = np.where(larger < n, infinity, runs).reshape(values.shape)
    return protected[:, :inputs].reshape(-1)


@dataclass(frozen=True)
class NOfM(Structure):
    """Every weight alone, n of every m consecutive inputs stay, e.g. ``2:4``, which Ethos-U85
    computes faster.

    Attributes:
        n, m: weights that stay of every m consecutive inputs.
    """

    n: int
    m: int

    name = "n:m"
    example = "2:4"

    @classmethod
    def parse(cls, text: str, block_size: str) -> "NOfM | None":
        """Return the structure of a text with a colon. Raises UsageError unless 1 <= n < m."""
        del block_size
        if ":" not in text:
            return None
        numbers = re.fullmatch("([0-9]{1,4}):([0-9]{1,4})", text)
        if not numbers:
            raise UsageError(
                f"structure '{text}' is not n:m with two numbers: try {cls.example}, "
                "which keeps 2 of 4 weights"
            )
        n = int(numbers[1])
        m = int(numbers[2])
        if not 1 <= n < m:
            raise UsageError(
                f"structure '{text}' keeps {n} of {m} weights: expected n:m with 1 <= n < m, "
                f"try {cls.example}"
            )
        return cls(n, m)

    @property
    def label(self) -> str:
        """The two numbers, e.g. "2:4"."""
        return f"{self.n}:{self.m}"

    @property
    def fixed_sparsity(self) -> float | None:
        """The sparsity ``1 - n / m``."""
        return 1 - self.n / self.m

    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """Return one group per weight."""
        return groups(shape, self.n, self.m)

    def ranked(self, importance: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """Return the importance with +inf for the n largest of each run."""
        return protect(importance, shape, self.n, self.m)

    def note(self, shape: tuple[int, ...]) -> str:
        """Return a remark about a padded run. Raises UsageError if no run loses a weight."""
        inputs = shape[-2]
        if inputs <= self.n:
            plural = "s" if inputs > 1 else ""
            raise UsageError(f"{inputs} input{plural}: no run of {self.m} to choose {self.n} of")
        rest = inputs % self.m
        return f"last run of {rest} inputs padded to {self.m}" if rest else ""
