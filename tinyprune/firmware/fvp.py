"""Arm's models of Corstone-300 and 310 (FVP): the image for one, a run of it, what it printed.

The command line is that of Arm's documentation ("Using Arm FVPs", Arm Virtual Hardware). It was
tested with a stand-in for the model, never with the model itself.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tinyprune.artifacts.firmware import FirmwareRecord, FvpCounts
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import TinypruneError, UsageError, reason

UNTRIED = (
    "--fvp was built on Arm's documentation and tested with a stand-in: if its output looks wrong, "
    "the command line is in docs/how-to/firmware.md"
)
#: Seconds that the model simulates at most, and that it may take for it.
_SIMULATED_SECONDS, _TIMEOUT_SECONDS = 60, 900
_ARCHITECTURES = {"ethos-u55": "u55", "ethos-u65": "u65"}
_COUNTS = re.compile(
    r"tinyprune fvp: network=(\w+) calls=(\d+) cycles=(\d+) most=(\d+) numbers=(\d+) off=(\d+) "
    r"right=([01])"
)
_PROBLEM = re.compile(r"tinyprune fvp: (.*)|(call \d+ returned -?\d+)")
_SHOWN_DIGITS = 12  # of the digest in the line


@dataclass(frozen=True)
class FvpImage:
    """The image for an FVP. Attributes: architecture: as Arm's driver names it.

    constants, arena: sections of the linker script that these arrays lie in.
    """

    architecture: str
    constants: str
    arena: str


_IN_DDR, _IN_SRAM = ".npu_constants", ".npu_constants_in_sram"
_ARENA, _ARENA_IN_DDR = ".npu_arena", ".npu_arena_in_ddr"
#: Begin of the name of a memory mode -> sections of constants and arena.
_SECTIONS = {"Sram_Only": (_IN_SRAM, _ARENA), "Dedicated_Sram": (_IN_DDR, _ARENA_IN_DDR)}


def fvp_image(target: NpuTarget) -> FvpImage | None:
    """Return the image for a target; None where neither Corstone has its NPU."""
    architecture = _ARCHITECTURES.get(target.family)
    if architecture is None:
        return None
    for begin, sections in _SECTIONS.items():
        if target.memory_mode.startswith(begin):
            return FvpImage(architecture, *sections)
    return FvpImage(architecture, _IN_DDR, _ARENA)


def check_fvp(fvp: Path, target: NpuTarget) -> None:
    """Raise UsageError for what is no program, or a target that no Corstone of it has."""
    if fvp_image(target) is None:
        raise UsageError(
            f"--fvp: Corstone-300 and 310 have Ethos-U55 and U65, not {target.npu}: "
            "leave it out, or choose another --npu"
        )
    if not fvp.is_file() and _program(fvp) is None:
        raise UsageError(
            f"--fvp: there is no file {fvp}: expected the program, "
            "e.g. models/Linux64_GCC-9.3/FVP_Corstone_SSE-300_Ethos-U55 of its installation"
        )
    if _program(fvp) is None:
        raise UsageError(f"--fvp: {fvp} is not executable: expected the program of an FVP")


def command_line(fvp: Path, image: Path, target: NpuTarget) -> list[str]:
    """Return the command that runs an image: no windows, and its output on stdout."""
    macs = target.npu.rpartition("-")[2]
    settings = [
        f"ethosu.num_macs={macs}",
        "mps3_board.visualisation.disable-visualisation=1",
        "mps3_board.telnetterminal0.start_telnet=0",
        "mps3_board.uart0.out_file=-",
        "mps3_board.uart0.unbuffered_output=1",
        "mps3_board.uart0.shutdown_on_eot=1",
        "cpu0.semihosting-enable=1",
    ]
    command = [_program(fvp) or str(fvp), "-a", str(image)]
    for setting in settings:
        command += ["-C", setting]
    return [*command, "--stat", "--simlimit", str(_SIMULATED_SECONDS)]


def _program(fvp: Path) -> str | None:
    """Return the program of a path, or of a name on the PATH; None for what cannot be run."""
    return shutil.which(str(fvp.absolute() if fvp.is_file() else fvp))


def run_fvp(
    fvp: Path, image: Path, record: FirmwareRecord, timeout_seconds: float = _TIMEOUT_SECONDS
) -> FvpCounts:
    """Run an image and return what it printed.

    Raises TinypruneError where there is no image, where it is of another network, where it printed
    no counters, and where it took too long.
    """
    if not image.is_file():
        raise TinypruneError(
            f"there is no image {image}: `make fvp ETHOSU_DRIVER=DIR CMSIS=DIR` in the folder of "
            "the sources builds it; then give the same command again"
        )
    said = _output(command_line(fvp, image, record.target), fvp, timeout_seconds)
    found = _COUNTS.search(said)
    if found is None:
        raise TinypruneError(f"{fvp.name} printed no counters: {_problem(said)}")
    if found[1] != record.compiled_sha256[:_SHOWN_DIGITS]:
        raise TinypruneError(f"{image} holds another network: build it again with `make fvp`")
    calls, cycles, most, numbers, off, is_right = map(int, found.groups()[1:])
    return FvpCounts(calls, cycles, most, numbers, off, bool(is_right))


def _output(command: list[str], fvp: Path, timeout_seconds: float) -> str:
    """Return what a command printed."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TinypruneError(
            f"{fvp.name} was not done after {timeout_seconds:g} s and was ended"
        ) from error
    except OSError as error:
        raise TinypruneError(f"{fvp} cannot be run: {reason(error)}") from error
    return done.stdout.decode(errors="replace")


def _problem(said: str) -> str:
    """Return what the image says of itself, or else the last line."""
    found = _PROBLEM.search(said)
    if found is not None:
        return found[1] or found[2]
    lines = said.strip().splitlines()
    return f"its last line is '{lines[-1].strip()}'" if lines else "it says nothing"
