"""The accelerators that Vela knows, each described by a TOML in ``targets/``: a target is data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from tinyprune.errors import check_name

DEFAULT = "ethos-u55-128"


@dataclass(frozen=True)
class Accelerator:
    """An accelerator, and what Vela offers for it.

    Attributes:
        name: as Vela calls it, e.g. "ethos-u55-128"; the last number is multiply-accumulates per
            cycle.
        default_system_config, default_memory_mode: what is used if nothing is asked for.
        memory_modes: system config -> memory modes that it allows.
    """

    name: str
    default_system_config: str
    default_memory_mode: str
    memory_modes: Mapping[str, tuple[str, ...]]

    def default_mode(self, modes: tuple[str, ...]) -> str | None:
        """Return the default among these memory modes; None without any."""
        if self.default_memory_mode in modes:
            return self.default_memory_mode
        if modes:
            return modes[0]
        return None


def names() -> list[str]:
    """Return the names, smallest first within a family: "ethos-u55-32", "ethos-u55-64", ..."""
    return sorted(_files(), key=_family_and_size)


@cache
def accelerator(npu: str) -> Accelerator:
    """Return an accelerator. Raises UsageError for an unknown name."""
    known = _files()
    check_name("npu", npu, known)
    table = tomllib.loads(known[npu].read_text(encoding="utf-8"))
    return Accelerator(
        name=npu,
        default_system_config=table["default_system_config"],
        default_memory_mode=table["default_memory_mode"],
        memory_modes={config: tuple(modes) for config, modes in table["memory_modes"].items()},
    )


def _files() -> dict[str, Traversable]:
    by_name = {}
    for file in files("tinyprune.npu").joinpath("targets").iterdir():
        if file.name.endswith(".toml"):
            by_name[file.name.removesuffix(".toml")] = file
    return by_name


def _family_and_size(name: str) -> tuple[str, int]:
    family, _, macs = name.rpartition("-")
    return family, int(macs)
