"""A command stream as a list of operations, ready to run on a memory."""

from collections.abc import Iterator

from tinyprune.npu.stream.ethos_u55 import EthosU55, OperationSettings
from tinyprune.npu.stream.ethos_u85 import EthosU85
from tinyprune.npu.stream.memory import Memory
from tinyprune.npu.stream.payload import CommandStream
from tinyprune.npu.stream.registers import Registers

# Whatever orders operations in time: here they run one after the other.
_TIMING = frozenset(["DMA_WAIT", "KERNEL_WAIT", "PMU_MASK", "IRQ"])
_READERS: dict[str, type[EthosU55] | type[EthosU85]] = {
    "ethos-u55": EthosU55,
    "ethos-u65": EthosU55,
    "ethos-u85": EthosU85,
}


def operations(stream: CommandStream) -> Iterator[tuple[int, OperationSettings]]:
    """Yield the operations of a stream, up to its STOP, with their places in it, in bytes.

    Raises Unsupported for what is not understood.
    """
    reader = _READERS[stream.family](stream)
    registers = Registers()
    for command in stream.commands:
        if not command.is_operation:
            registers.set(command.name, command.value)
        elif command.name == "STOP":
            return
        elif command.name not in _TIMING:
            yield command.place, reader.settings(command.name, command.value, registers)


class Program:
    """A stream on a memory. What does not depend on data is done once.

    Attributes:
        npu: name of the accelerator. macs: that it makes per cycle.
        settings: of its operations, in order. places: of these in the stream, in bytes.
    """

    def __init__(self, stream: CommandStream, memory: Memory) -> None:
        self.npu = stream.npu
        self.macs = stream.macs
        placed = list(operations(stream))
        self.places = tuple(place for place, _ in placed)
        self.settings = tuple(settings for _, settings in placed)
        self._operations = [settings.bind(memory) for settings in self.settings]

    @property
    def has_wide_numbers(self) -> bool:
        """True where an operation makes numbers of 16 bit."""
        outputs = [settings.output for settings in self.settings if hasattr(settings, "output")]
        return any(output.feature_map.dtype.itemsize == 2 for output in outputs)

    def run(self) -> None:
        """Execute all operations."""
        for operation in self._operations:
            operation.run()
