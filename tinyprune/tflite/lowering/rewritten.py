"""A network whose operators are divided, as a record: what reads it needs no NumPy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rewritten:
    """A network whose operators are divided.

    Attributes:
        content: the flatbuffer.
        source_of: the number that each of its operators had before.
        numbers: those of the operators that were divided.
    """

    content: bytes
    source_of: tuple[int, ...]
    numbers: tuple[int, ...]
