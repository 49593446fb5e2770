"""The payload that Arm's driver takes: which Ethos-U it is for, and the commands of the stream.

A payload is words of 32 bit behind the letters "COP1". Each driver action begins with a word that
has its kind in the low byte. A command is one word, with the code in the low 10 bits and a
parameter in the high 16, or two, where the second is the value.
"""

from dataclasses import dataclass, field

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.npu.stream.registers import (
    OPERATIONS,
    U85,
    Unsupported,
    long_names,
    short_names,
)

MAGIC = b"COP1"
_CORE_MACS = 256
_CONFIG, _COMMANDS, _NOTHING = 0x01, 0x02, 0x05
_CONFIG_WORDS = 3
_WORD_BYTES = 4
_SETS_REGISTER = 0x100  # in the code of a command of one word
_FAMILIES = {0: "ethos-u55", 1: "ethos-u65", 2: U85}


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: of the register, or of the operation.
        value: bits for the register; parameter of the operation.
        is_operation: whether it starts an operation.
        place: bytes from the first command to it.
    """

    name: str
    value: int
    is_operation: bool
    place: int = field(default=0, compare=False)


@dataclass(frozen=True)
class CommandStream:
    """The commands for one Ethos-U.

    Attributes:
        family: e.g. "ethos-u55".
        macs: multiply-accumulates per cycle.
        cores: number of streams of weights that are decoded at once.
        buffer_bytes: of U55 and U65, size of the buffer that the units of a core share; its last
            2 KB hold lookup tables.
        commands: in order, the last is STOP.
    """

    family: str
    macs: int
    cores: int
    buffer_bytes: int
    commands: tuple[Command, ...]

    @property
    def npu(self) -> str:
        """The name of the accelerator, e.g. "ethos-u55-128"."""
        return f"{self.family}-{self.macs}"


def parse(payload: bytes) -> CommandStream:
    """Return the command stream in a payload. Raises UsageError for other or broken content."""
    if payload[:4] != MAGIC or len(payload) % 4:
        raise UsageError(
            f"the command stream does not begin with {MAGIC.decode()}: "
            "expected the driver payload of Vela 3 or later"
        )
    words = np.frombuffer(payload, "<u4").tolist()
    config = 0
    place = 1
    while place < len(words):
        kind = words[place] & 0xFF
        if kind == _CONFIG:
            config = words[place + 1]
            place += _CONFIG_WORDS
        elif kind == _NOTHING:
            place += 1
        elif kind == _COMMANDS:
            count = (words[place] >> 8 & 0xFF) << 16 | words[place] >> 16
            return _stream(config, words[place + 1 : place + 1 + count], count)
        else:
            raise Unsupported(f"the driver action {kind:#04x}")
    raise UsageError("the driver payload has no commands: the file is damaged")


def _stream(config: int, words: list[int], count: int) -> CommandStream:
    """Return the stream of a configuration word and the words of commands."""
    if len(words) < count:
        raise UsageError(
            f"the command stream ends after {len(words)} of {count} words: the file is damaged"
        )
    product = config >> 28
    if product not in _FAMILIES:
        raise Unsupported(f"an accelerator of product number {product}")
    family = _FAMILIES[product]
    macs = 1 << (config & 0xF)
    cores = max(macs // _CORE_MACS, 1)
    if family == U85:
        cores = 1 << (config >> 12 & 3)
    return CommandStream(
        family=family,
        macs=macs,
        cores=cores,
        buffer_bytes=(config >> 8 & 0xFF) * 1024 // cores,
        commands=tuple(_commands(words, family)),
    )


def _commands(words: list[int], family: str) -> list[Command]:
    short, long = short_names(family), long_names(family)
    commands = []
    place = 0
    while place < len(words):
        word = words[place]
        code, parameter = word & 0x3FF, word >> 16
        is_long = bool(word >> 14 & 1)
        if is_long:
            if place + 1 == len(words):
                raise UsageError("the command stream ends inside a command: the file is damaged")
            value = parameter << 32 | words[place + 1]
            name = long.get(code, f"LONG_{code:03X}")
            commands.append(Command(name, value, False, _WORD_BYTES * place))
            place += 2
            continue
        if not code & _SETS_REGISTER:
            name = OPERATIONS.get(code, f"{code:#05x}")
            commands.append(Command(name, parameter, True, _WORD_BYTES * place))
        else:
            name = short.get(code, f"SHORT_{code:03X}")
            commands.append(Command(name, parameter, False, _WORD_BYTES * place))
        place += 1
    return commands
