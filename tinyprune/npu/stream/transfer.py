"""DMA: bytes from one place to another."""

from dataclasses import dataclass

from tinyprune.npu.stream.memory import LUT_BYTES, Bytes, Memory
from tinyprune.npu.stream.registers import Unsupported


@dataclass(frozen=True)
class Transfer:
    """A transfer of the DMA.

    Attributes:
        source_region, source: where the bytes are.
        target_region, target: where they go; ``target`` is a place among the tables for these.
        length: how many.
        is_to_tables: whether they go to the lookup tables.
    """

    source_region: int
    source: int
    target_region: int
    target: int
    length: int
    is_to_tables: bool

    def bind(self, memory: Memory) -> "BoundTransfer":
        """Return this operation on a memory. Raises TinypruneError for a place outside."""
        return BoundTransfer(self, memory)


class BoundTransfer:
    """A transfer in a memory."""

    def __init__(self, settings: Transfer, memory: Memory) -> None:
        self.settings = settings
        self._source = memory.span(settings.source_region, settings.source, settings.length)
        self._target = _target(settings, memory)

    def run(self) -> None:
        """Copy the bytes."""
        self._target[...] = self._source


def _target(settings: Transfer, memory: Memory) -> Bytes:
    if not settings.is_to_tables:
        return memory.span(settings.target_region, settings.target, settings.length)
    end = settings.target + settings.length
    if settings.target < 0 or end > LUT_BYTES:
        raise Unsupported("a transfer to memory of the NPU that holds no lookup tables")
    return memory.tables[settings.target : end]
