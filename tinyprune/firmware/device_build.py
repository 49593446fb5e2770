"""The sources of a folder, built for a Cortex-M55: what they take, and their test in QEMU."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tinyprune.artifacts.firmware import FirmwareRecord, FirmwareSizes
from tinyprune.errors import CheckFailed

_TIMEOUT_SECONDS = 300
_IN_SRAM = "Sram_Only"
_NO_MAKE = "make is not installed: apt-get install make"
_OBJECT = re.compile(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+[0-9a-f]+\s+\S*/(\w+)\.o$", re.MULTILINE)
_SECTION = re.compile(r"^\.(text|data|bss)\s+(\d+)\s", re.MULTILINE)
_STACK = re.compile(r"stack of a call, [^:]*: (\d+) bytes")


@dataclass(frozen=True)
class Measurement:
    """The result of a measurement.

    Attributes: sizes: None where they were not; reason: what is missing, or empty.
    """

    sizes: FirmwareSizes | None
    reason: str = ""


@dataclass(frozen=True)
class _Object:
    """An object file. Attributes: flash, ram: bytes."""

    flash: int
    ram: int


def measure(folder: Path, record: FirmwareRecord) -> Measurement:
    """Build the sources of a folder for a Cortex-M55 and run their test in QEMU.

    Nothing is left in the folder. Raises CheckFailed where the test fails.
    """
    if shutil.which("make") is None:
        return Measurement(None, _NO_MAKE)
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as build:
        sizes = _make(folder, "size", build)
        if sizes.returncode:
            return Measurement(None, _first_line(sizes.stderr))
        tested = _make(folder, "test-qemu", build)
        found = _STACK.search(tested.stdout + tested.stderr)  # QEMU prints on the latter
        if found and tested.returncode:
            raise CheckFailed(
                f"the sources in {folder} fail their test on a Cortex-M55 in QEMU: "
                f"make -C {folder} test-qemu says more"
            )
        if not found:
            return Measurement(
                _sizes(sizes.stdout, record, None),
                f"stack not measured: {_first_line(tested.stderr)}",
            )
        return Measurement(_sizes(sizes.stdout, record, int(found[1])))


def _make(folder: Path, goal: str, build: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "-s", "-C", str(folder), f"BUILD={build}", goal]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{goal} took too long")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines() or ["it says nothing"]
    return lines[0]


def _sizes(text: str, record: FirmwareRecord, stack: int | None) -> FirmwareSizes:
    """Return the sizes in the output of ``make size``."""
    objects = {}
    for code, data, zeros, name in _OBJECT.findall(text):
        objects[name] = _Object(int(code) + int(data), int(data) + int(zeros))
    sections = {name: int(count) for name, count in _SECTION.findall(text)}
    network = objects.pop(f"{record.name}_model")
    glue = objects.pop(f"{record.name}_npu")
    front_end = _Object(
        sum(one.flash for one in objects.values()), sum(one.ram for one in objects.values())
    )
    flash = sections["text"] + sections["data"]
    ram = sections["data"] + sections["bss"]
    network_ram = record.arena_bytes + record.fast_bytes
    glue_ram = ram - network_ram - front_end.ram
    if record.target.memory_mode.startswith(_IN_SRAM):
        network_ram += record.command_bytes + record.constant_bytes
    return FirmwareSizes(
        network_flash=network.flash,
        front_end_flash=front_end.flash,
        glue_flash=glue.flash,
        library_flash=max(flash - network.flash - front_end.flash - glue.flash, 0),
        network_ram=network_ram,
        front_end_ram=front_end.ram,
        glue_ram=max(glue_ram, 0),
        stack=stack,
    )
