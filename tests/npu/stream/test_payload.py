"""Driver payloads written by hand."""

import struct

import pytest

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.npu.stream.payload import Command, parse

CONFIG, NOTHING = 0x00000001, 0x00000005
U65_256 = 0x10006008  # product 1, 96 KB of buffer, 2^8 multiply-accumulates


def payload(*words: int) -> bytes:
    return b"COP1" + struct.pack(f"<{len(words)}I", *words)


def commands(*words: int, count: int | None = None) -> bytes:
    length = len(words) if count is None else count
    return payload(CONFIG, U65_256, 0, NOTHING, NOTHING, NOTHING, length << 16 | 0x02, *words)


def test_a_stream_says_what_it_is_for_and_what_it_does():
    # A register of one word (IFM_DEPTH_M1 = 7), one of two (OFM_SCALE: shift 33, scale 5), STOP.
    stream = parse(commands(7 << 16 | 0x104, 33 << 16 | 1 << 14 | 0x024, 5, 0xFFFF << 16))
    assert (stream.npu, stream.buffer_bytes) == ("ethos-u65-256", 96 * 1024)
    assert stream.commands == (
        Command("IFM_DEPTH_M1", 7, False),
        Command("OFM_SCALE", 33 << 32 | 5, False),
        Command("STOP", 0xFFFF, True),
    )


def test_an_operation_that_has_no_name_is_an_operation():
    [command, _] = parse(commands(3 << 16 | 0x0F7, 0)).commands
    assert command == Command("0x0f7", 3, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"nonsense", "does not begin with COP1"),
        (payload(CONFIG, U65_256, 0), "has no commands"),
        (payload(0x77), "driver action 0x77"),
        (commands(0, count=3), "ends after 1 of 3 words"),
        (commands(1 << 14 | 0x024), "ends inside a command"),
        (payload(CONFIG, 0xF0000008, 0, 1 << 16 | 0x02, 0), "product number 15"),
    ],
)
def test_a_broken_payload_is_one_line(content, words):
    with pytest.raises((UsageError, TinypruneError), match=words):
        parse(content)
