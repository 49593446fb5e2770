"""A user's own Vela configuration file (``.ini``): its system configs and memory modes.

Vela 5.2 reads the file twice, with Python's configparser and again in its compiler core, and the
core is stricter and silent: it stops at a line it does not know, ignores ``[DEFAULT]`` and keys in
another case, and inherits only from sections above. What would end in "Feature Map memory not
configured", or in cycles of another memory, is an error here.
"""

import configparser
import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.reading import LARGEST_TEXT, check_file

#: The configuration file that comes with Vela, as ``--config`` takes it.
ARM = "Arm/vela.ini"

Keys = Mapping[str, str]

_SYSTEM, _MODE = "System_Config.", "Memory_Mode."
_LINE = re.compile(r"|;.*|\[[^\]]+\]|[^#:=]+=.*")  # all lines that Vela's core reads
_MEMORIES = ("Sram", "Dram", "OnChipFlash", "OffChipFlash")
_PORTS = {"Axi0": "axi0_port", "Axi1": "axi1_port"}
_AREAS = ("const_mem_area", "arena_mem_area", "cache_mem_area")
_NUMBERS = (
    "clock_scale",
    "ports_used",
    "burst_length",
    "read_latency",
    "write_latency",
    "max_reads",
    "max_writes",
)
_MEMORY_KEYS = tuple(f"{memory}_{number}" for memory in _MEMORIES for number in _NUMBERS)
#: Start of a section's name -> the keys that it may have.
_KEYS = {
    _SYSTEM: ("inherit", "core_clock", *_PORTS.values(), *_MEMORY_KEYS),
    _MODE: ("inherit", *_AREAS, "arena_cache_size"),
}
#: Start of a section's name -> a key in lower case -> the key as Vela spells it.
_SPELLINGS = {start: {key.lower(): key for key in known} for start, known in _KEYS.items()}


@dataclass(frozen=True)
class VelaConfig:
    """A user's file on top of Arm's, which Vela reads before it.

    Attributes:
        path: the user's file, absolute.
        systems, modes: name -> keys, with what is inherited; the user's and Arm's.
        own_systems, own_modes: names of those in the user's file, in its order.
        arm_systems: names of the system configs in Arm's file.
    """

    path: Path
    systems: Mapping[str, Keys]
    modes: Mapping[str, Keys]
    own_systems: tuple[str, ...]
    own_modes: tuple[str, ...]
    arm_systems: frozenset[str]

    def check_system(self, name: str) -> None:
        """Raise UsageError for a system config with a missing key or a senseless value."""
        keys = self.systems[name]
        where = f"{self.path}: [{_SYSTEM}{name}]"
        if not re.fullmatch(r"[\w.-]+", name):
            raise UsageError(f"{where}: expected letters, digits, '_', '-' and '.' in its name")
        for port in _PORTS.values():
            if keys.get(port) not in _MEMORIES:
                memories = ", ".join(_MEMORIES)
                memory = _got(keys, port)
                raise UsageError(f"{where} {port}: expected one of {memories}, got {memory}")
        if "core_clock" not in keys:
            raise UsageError(f"{where} core_clock: it is needed: expected Hz, e.g. 500e6")
        numbers = ["core_clock"]
        numbers += [key for key in keys if key.endswith(_NUMBERS)]
        for key in numbers:
            if not _is_number(keys[key]):
                raise UsageError(f"{where} {key}: expected a number, got {_got(keys, key)}")
        if float(keys["core_clock"]) <= 0:
            clock = _got(keys, "core_clock")
            raise UsageError(f"{where} core_clock: expected Hz, e.g. 500e6, got {clock}")

    def complaint(self, system: str, mode: str) -> str:
        """Return why Vela refuses a memory mode with a system config; empty if it does not.

        The system config is one that :meth:`check_system` accepts. Feature maps need memory that
        can be written, the cache is SRAM, and weights are in SRAM only where all is.
        """
        keys = self.modes[mode]
        for area in _AREAS:
            if keys.get(area) not in _PORTS:
                expected = ", ".join(_PORTS)
                return f"its {area} is {_got(keys, area)}, expected one of {expected}"
        if not re.fullmatch(r"\d+", keys.get("arena_cache_size", "0")):
            size = _got(keys, "arena_cache_size")
            return f"its arena_cache_size is {size}, expected a number of bytes"

        memories = self.systems[system]
        ports = [keys[area] for area in _AREAS]
        weights, arena, cache_ = (memories[_PORTS[port]] for port in ports)
        if arena not in ("Sram", "Dram"):
            return f"its arena would be in {arena}, expected Sram or Dram"
        if cache_ != "Sram":
            return f"its cache would be in {cache_}, expected Sram"
        is_one_area = len(set(ports)) == 1
        if weights == "Sram" and not is_one_area:
            return (
                "its weights would be in Sram and its arena elsewhere, "
                "expected them in Dram or flash"
            )
        return ""


def arguments(target: NpuTarget) -> list[str]:
    """Return the ``--config`` options of Vela for a target.

    Arm's file comes first, so that sections of the user's can inherit from it, and win where both
    have one.
    """
    options = ["--config", ARM]
    if target.vela_config != ARM:
        options += ["--config", target.vela_config]
    return options


def load(path: Path) -> VelaConfig:
    """Read a user's configuration file.

    Raises UsageError, with its name and the line, for what Vela does not read.
    """
    if path.suffix != ".ini":
        raise UsageError(f"{path}: Vela takes a configuration file only if its name ends in .ini")
    own = _sections(_text(path), path)
    arm = _inherited(_arm_sections(), {}, Path(ARM))
    every = _inherited(own, arm, path)
    own_systems = _named(own, _SYSTEM)
    own_modes = _named(own, _MODE)
    own_names = [*own_systems, *own_modes]
    if not own_names:
        sections = ", ".join(own) or "none"
        raise UsageError(
            f"{path}: expected sections [{_SYSTEM}NAME] or [{_MODE}NAME] as in Vela's {ARM}, "
            f"found {sections}"
        )
    return VelaConfig(
        path=path.absolute(),
        systems=_named(every, _SYSTEM),
        modes=_named(every, _MODE),
        own_systems=tuple(own_systems),
        own_modes=tuple(own_modes),
        arm_systems=frozenset(_named(arm, _SYSTEM)),
    )


def _text(path: Path) -> str:
    try:
        check_file(path, LARGEST_TEXT, "expected Vela's .ini")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read Vela's configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        problem = f"{error.reason} at byte {error.start}"
        raise UsageError(f"{path} is not a text in UTF-8: {problem}") from error


def _sections(text: str, path: Path) -> dict[str, Keys]:
    for number, complaint in _line_complaints(text):
        raise UsageError(f"{path}, line {number}: {complaint}")
    sections = _parse(text, path)
    for name, keys in sections.items():
        for complaint in _key_complaints(name, keys):
            raise UsageError(f"{path}: [{name}] {complaint}")
    return sections


def _line_complaints(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number, complaint) of lines that Vela's core stops at or skips.

    Python's configparser reads them.
    """
    if text.startswith("\ufeff"):
        yield 1, "Vela cannot read a byte order mark: save the file as UTF-8 without one"
    lines = map(str.strip, text.splitlines())
    for number, line in enumerate(lines, 1):
        if line == "[DEFAULT]":
            yield (
                number,
                "Vela's compiler does not read [DEFAULT]: give every section its keys, or "
                "'inherit'",
            )
        if not _LINE.fullmatch(line):
            yield (
                number,
                "expected [SECTION], KEY=VALUE or a comment after ';', which is all Vela "
                f"reads, got '{line}'",
            )


def _parse(text: str, path: Path) -> dict[str, Keys]:
    parser = configparser.ConfigParser(interpolation=None)
    # Vela's core tells upper from lower case.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text, source=str(path))
    except configparser.Error as error:
        problem = " ".join(str(error).split())
        raise UsageError(f"{path} is no configuration file: {problem}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def _key_complaints(section: str, keys: Keys) -> Iterator[str]:
    """Yield complaints of keys in another case than Vela's.

    Other unknown keys are left alone: a newer Vela may know them.
    """
    for start, spellings in _SPELLINGS.items():
        for key in keys:
            spelling = spellings.get(key.lower(), key)
            if section.startswith(start) and key != spelling:
                yield f"{key}: Vela ignores it: expected {spelling}"


def _inherited(
    sections: Mapping[str, Keys], above: Mapping[str, Keys], path: Path
) -> dict[str, Keys]:
    """Return all sections with what they inherit, as Vela's core does it.

    A section inherits from those above it; of one name, a later section wins.
    """
    done = dict(above)
    for name, keys in sections.items():
        parent = keys.get("inherit")
        if parent is None:
            done[name] = keys
            continue
        if parent not in done or parent == name:
            raise UsageError(
                f"{path}: [{name}] inherits from [{parent}]: expected a section above it or one of "
                f"{ARM}"
            )
        done[name] = {**done[parent], **keys}
    return done


def _named(sections: Mapping[str, Keys], start: str) -> dict[str, Keys]:
    return {
        name.removeprefix(start): keys for name, keys in sections.items() if name.startswith(start)
    }


@cache
def _arm_sections() -> dict[str, Keys]:
    try:
        package = importlib.metadata.distribution("ethos-u-vela")
        path = Path(str(package.locate_file(f"ethosu/config_files/{ARM}")))
        return _parse(path.read_text(encoding="utf-8"), path)
    except (importlib.metadata.PackageNotFoundError, OSError):
        raise TinypruneError(
            "Vela is not installed for this Python: pip install ethos-u-vela"
        ) from None


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _got(keys: Keys, key: str) -> str:
    if key in keys:
        return f"'{keys[key]}'"
    return "nothing"
