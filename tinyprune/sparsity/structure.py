"""The interface of a structure, and the way from its text to the object: ``2:4``, ``block``."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from tinyprune.array_types import FloatArray, IntArray
from tinyprune.errors import unknown_name
from tinyprune.registry import STRUCTURES

DEFAULT_BLOCK_SIZE = "16x16"


@dataclass(frozen=True)
class Structure(ABC):
    """The rule by which weights of a kernel share one fate, with its numbers filled in.

    All shapes are canonical: (spatial..., inputs, outputs), see ``layout.py``. A record keeps a
    structure as its label.

    Attributes:
        name: its name in registry.STRUCTURES.
        example: a text that :func:`parse` takes, as messages suggest it.
        shares_gates: whether the gates of a recurrent unit have one fate: then :meth:`groups` is
            asked for the shape of one gate.
        replaces_layers: whether a layer becomes others, and no weight of it is masked.
    """

    name: ClassVar[str]
    example: ClassVar[str]
    shares_gates: ClassVar[bool] = False
    replaces_layers: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def parse(cls, text: str, block_size: str) -> "Structure | None":
        """Return the structure of a text, None if the text means another one.

        Raises UsageError for numbers that make no sense.
        """

    @abstractmethod
    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """Return the group of each weight of a kernel, in its shape.

        Raises UsageError if the structure does not fit the kernel.
        """

    @property
    def label(self) -> str:
        """The text in tables and records: "weight", "block 16x16", "2:4", "unit"."""
        return self.name

    @property
    def fixed_sparsity(self) -> float | None:
        """The sparsity that the structure itself sets; None where it can be chosen."""
        return None

    def ranked(self, importance: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """Return the importance of the groups, (groups,), with +inf for those that always stay."""
        del shape
        return importance

    def note(self, shape: tuple[int, ...]) -> str:
        """Return a remark about how the structure fits a kernel, or an empty text.

        Raises UsageError if the structure removes nothing of the kernel.
        """
        del shape
        return ""

    def to_text(self) -> str:
        """Return the label, which :meth:`from_text` reads."""
        return self.label

    @staticmethod
    def from_text(text: str) -> "Structure":
        """Return the structure of a label, e.g. "block 16x16"."""
        name, _, block_size = text.partition(" ")
        return parse(name, block_size or DEFAULT_BLOCK_SIZE)


def parse(text: str, block_size: str = DEFAULT_BLOCK_SIZE) -> Structure:
    """Return the structure of a text such as "weight" or "2:4".

    Args:
        text: as the command line and recipes write it.
        block_size: RxC, rows and columns of a tile; it matters to "block" only.

    Raises:
        UsageError: the name or a number makes no sense.
    """
    kinds: list[type[Structure]] = list(STRUCTURES.values())
    for kind in kinds:
        structure = kind.parse(text, block_size)
        if structure is not None:
            return structure
    raise unknown_name("structure", text, [kind.example for kind in kinds])
