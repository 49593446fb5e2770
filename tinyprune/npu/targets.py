"""The accelerators that Vela compiles for: one TOML per accelerator in ``targets/``, so that a target is data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from tinyprune.artifacts import NpuTarget
from tinyprune.errors import unknown_name


@dataclass(frozen=True)
class Accelerator:
    """What Vela offers for one accelerator.

    Attributes:
        name: as Vela calls it, e.g. "ethos-u55-128"; the last number is multiply-accumulates per cycle.
        default_system_config, default_memory_mode: what is used if nothing is asked for.
        memory_modes: system config -> memory modes that it allows.
    """

    name: str
    default_system_config: str
    default_memory_mode: str
    memory_modes: Mapping[str, tuple[str, ...]]


def names() -> list[str]:
    """Names of the accelerators, smallest first within a family: "ethos-u55-32", "ethos-u55-64", ..."""
    return sorted(_files(), key=_family_and_size)


@cache
def accelerator(npu: str) -> Accelerator:
    """Defaults, system configs and memory modes of one accelerator. Raises UsageError for an unknown name."""
    known = _files()
    if npu not in known:
        raise unknown_name("npu", npu, known)
    table = tomllib.loads(known[npu].read_text(encoding="utf-8"))
    return Accelerator(
        name=npu,
        default_system_config=table["default_system_config"],
        default_memory_mode=table["default_memory_mode"],
        memory_modes={config: tuple(modes) for config, modes in table["memory_modes"].items()},
    )


def resolve(npu: str, system_config: str | None = None, memory_mode: str | None = None) -> NpuTarget:
    """The target for an accelerator; what is None is the accelerator's default.

    A system config that does not allow the default memory mode comes with the first one that it allows.
    Raises UsageError, listing what exists, for an unknown accelerator, system config or memory mode.
    """
    chosen = accelerator(npu)
    config = chosen.default_system_config if system_config is None else system_config
    if config not in chosen.memory_modes:
        raise unknown_name(f"system config of {npu}", config, chosen.memory_modes)
    mode = _default_mode(chosen, config) if memory_mode is None else memory_mode
    if mode not in chosen.memory_modes[config]:
        raise unknown_name(f"memory mode of {npu} with {config}", mode, chosen.memory_modes[config])
    return NpuTarget(npu=npu, system_config=config, memory_mode=mode)


def _default_mode(chosen: Accelerator, system_config: str) -> str:
    allowed = chosen.memory_modes[system_config]
    return chosen.default_memory_mode if chosen.default_memory_mode in allowed else allowed[0]


def _files() -> dict[str, Traversable]:
    folder = files("tinyprune.npu").joinpath("targets")
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}


def _family_and_size(name: str) -> tuple[str, int]:
    family, _, macs = name.rpartition("-")
    return family, int(macs)
