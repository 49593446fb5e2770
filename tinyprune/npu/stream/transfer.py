"""DMA: bytes from one place to another."""

from dataclasses import dataclass

from tinyprune.npu.stream.memory import LUT_BYTES, Bytes, Memory
from tinyprune.npu.stream.registers import Unsupported


@dataclass(frozen=True)
class Transfer:
    """A transfer of the DMA.

    Attributes:
        source_region, source: where the bytes are.
        target_region, target: where they go.
        length: how many.
        is_to_tables: whether they go to the buffer with the lookup tables.
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
    first = settings.target - (memory.buffer_bytes - LUT_BYTES)
    if first < 0 or first + settings.length > LUT_BYTES:
        raise Unsupported(f"a transfer to address {settings.target} of the shared buffer")
    return memory.tables[first : first + settings.length]
