"""A structure with its numbers filled in, as the command line and recipes write it: ``block`` of ``4x16``, ``2:4``."""

import re
from dataclasses import dataclass

from tinyprune.array_types import FloatArray, IntArray
from tinyprune.errors import UsageError, unknown_name
from tinyprune.registry import STRUCTURES
from tinyprune.sparsity import n_m

_N_M = "n:m"
_EXAMPLE = "2:4"


@dataclass(frozen=True)
class Structure:
    """Which weights of a kernel share one fate.

    All shapes are canonical: (spatial..., inputs, outputs), see ``layout.py``.

    Attributes:
        name: one of registry.STRUCTURES.
        rows, columns: of a tile; "block" only.
        n, m: weights that stay of every m consecutive inputs; "n:m" only.
    """

    name: str
    rows: int | None = None
    columns: int | None = None
    n: int | None = None
    m: int | None = None

    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """The group of each weight of a kernel, of its shape. Raises UsageError if the structure does not fit it."""
        numbers = (self.rows, self.columns, self.n, self.m)
        ids: IntArray = STRUCTURES[self.name](
            shape, *(value for value in numbers if value is not None)
        )
        return ids

    def ranked(self, importance: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """The importance of the groups, shape (groups,), with +inf for those that the structure never gives up."""
        if self.n is None or self.m is None:
            return importance
        return n_m.protect(importance, shape, self.n, self.m)

    @property
    def label(self) -> str:
        """How a table names it: "weight", "block 16x16", "2:4", "unit"."""
        if self.rows is not None:
            return f"{self.name} {self.rows}x{self.columns}"
        return self.name if self.n is None else f"{self.n}:{self.m}"

    @property
    def fixed_sparsity(self) -> float | None:
        """The sparsity that the structure itself sets, ``1 - n / m`` for n:m; None where it can be chosen."""
        return None if self.n is None or self.m is None else 1 - self.n / self.m


def parse(name: str, block_size: str = "16x16") -> Structure:
    """The structure of a name such as "weight" or "2:4"; ``block_size`` is RxC and matters to "block" only.

    Raises UsageError for a name or a block size that makes no sense.
    """
    if ":" in name:
        return _n_of_m(name)
    if name not in STRUCTURES.targets:
        raise unknown_name(
            "structure", name, [_EXAMPLE, *(known for known in STRUCTURES if known != _N_M)]
        )
    return _blocks(block_size) if name == "block" else Structure(name)


def _n_of_m(name: str) -> Structure:
    numbers = re.fullmatch("([0-9]{1,4}):([0-9]{1,4})", name)
    if not numbers:
        raise UsageError(
            f"structure '{name}' is not n:m with two numbers: try {_EXAMPLE}, which keeps 2 of 4 weights"
        )
    n, m = map(int, numbers.groups())
    if not 1 <= n < m:
        raise UsageError(
            f"structure '{name}' keeps {n} of {m} weights: expected n:m with 1 <= n < m, try {_EXAMPLE}"
        )
    return Structure(_N_M, n=n, m=m)


def _blocks(size: str) -> Structure:
    numbers = re.fullmatch("([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", size)
    if not numbers:
        raise UsageError(
            f"block size '{size}' is not RxC, inputs x outputs of a block: try 16x16, 1x16 or 16x1"
        )
    rows, columns = map(int, numbers.groups())
    return Structure("block", rows=rows, columns=columns)
