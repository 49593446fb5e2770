"""What to compile for: accelerators (one TOML each in ``targets/``: a target is data), a user's files, the matrix."""

import logging
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.config import TargetConfig
from tinyprune.errors import UsageError, unknown_name
from tinyprune.npu import user_targets, vela_config
from tinyprune.npu.vela_config import ARM, VelaConfig

log = logging.getLogger(__name__)

DEFAULT = "ethos-u55-128"


@dataclass(frozen=True)
class Accelerator:
    """What Vela offers for one accelerator.

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


@dataclass(frozen=True)
class _System:
    """A target whose memory mode is still open.

    Attributes:
        npu, system_config, vela_config, is_default_system: as in NpuTarget.
        modes: memory modes that it allows. refused: other modes of a user's file -> why not.
        default_mode: what is used if nothing is asked for; None: that has to be said.
        label: what the target is called; empty: after what it is made of.
        silent_mode: the memory mode that the label does not mention.
    """

    npu: str
    system_config: str
    modes: tuple[str, ...]
    default_mode: str | None
    vela_config: str = ARM
    is_default_system: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    silent_mode: str | None = None

    def target(self, memory_mode: str | None) -> NpuTarget:
        """The target with a memory mode, or the default one. Raises UsageError for one that is not allowed."""
        mode = self.default_mode if memory_mode is None else memory_mode
        if mode is None:
            modes = ", ".join(self.modes)
            raise UsageError(
                f"{self.vela_config} has several memory modes: choose one with --memory-mode: {modes}"
            )
        if mode in self.refused:
            raise UsageError(
                f"memory mode {mode} does not go with {self.system_config}: {self.refused[mode]}"
            )
        if mode not in self.modes:
            raise unknown_name(
                f"memory mode of {self.npu} with {self.system_config}", mode, self.modes
            )
        mention = self.label and mode != self.silent_mode
        return NpuTarget(
            npu=self.npu,
            system_config=self.system_config,
            memory_mode=mode,
            vela_config=self.vela_config,
            label=f"{self.label}-{_slug(mode)}" if mention else self.label,
            is_default_system=self.is_default_system,
        )


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


def own() -> list[tuple[str, str]]:
    """Name and description of every own target (npu/user_targets.py), by name; of a broken one what is wrong with it."""
    return [(name, _description(path)) for name, path in sorted(user_targets.paths().items())]


def configured(config: TargetConfig) -> NpuTarget:
    """The target of a configuration. Raises UsageError as :func:`resolve`."""
    own = Path(config.vela_config) if config.vela_config else None
    return resolve(config.npu, config.system_config, config.memory_mode, own)


def resolve(
    npu: str,
    system_config: str | None = None,
    memory_mode: str | None = None,
    vela_config: Path | None = None,
) -> NpuTarget:
    """The target for an accelerator or an own target; what is None is its default.

    A system config that does not allow the default memory mode comes with the first one that it
    allows. With ``vela_config``, a ``.ini`` of the user: its only system config and its only memory
    mode are the default; what it does not have comes from Arm's.

    Raises UsageError, listing what exists, for an unknown accelerator, system config or memory
    mode, and for a file that cannot be read.
    """
    return _system(npu, system_config, vela_config).target(memory_mode)


def several(
    npus: Sequence[str],
    system_config: str | None = None,
    memory_modes: Sequence[str] = (),
    vela_config: Path | None = None,
    everything: bool = False,
) -> list[NpuTarget]:
    """Every accelerator with every memory mode, each target once; ``everything``: :func:`all_targets` of ``npus``.

    Without accelerators: the default one; without memory modes: each accelerator's own default. A
        memory mode that
    only some of the accelerators allow is left out for the others, with a note in the log. Raises
    UsageError as :func:`resolve` does, for a memory mode that none of them allows, and for two
    different targets of one name.
    """
    if everything:
        given = {
            "--system-config": system_config,
            "--memory-mode": memory_modes,
            "--vela-config": vela_config,
        }
        for option in (option for option, value in given.items() if value):
            raise UsageError(
                f"--all-targets takes every memory mode of the default system: leave out {option}"
            )
        return all_targets(npus)
    systems = [_system(npu, system_config, vela_config) for npu in npus or [DEFAULT]]
    if not memory_modes:
        return _each_once(system.target(None) for system in systems)
    for mode in memory_modes:
        if not any(mode in system.modes for system in systems):
            systems[0].target(mode)  # says what is wrong with it
        for system in (system for system in systems if mode not in system.modes):
            log.info(
                "%s is left out with %s: %s does not allow it",
                system.npu,
                mode,
                system.system_config,
            )
    return _each_once(
        system.target(mode) for system in systems for mode in memory_modes if mode in system.modes
    )


def all_targets(npus: Sequence[str] = ()) -> list[NpuTarget]:
    """The matrix: every accelerator, or those of ``npus``, with its default system and each memory mode it allows.

    In order of :func:`names`, own targets last.
    """
    order = names()
    chosen = sorted(npus or order, key=lambda npu: order.index(npu) if npu in order else len(order))
    systems = [_system(npu, None, None) for npu in chosen]
    return _each_once(system.target(mode) for system in systems for mode in system.modes)


def _system(npu: str, system_config: str | None, ini: Path | None) -> _System:
    """What is asked for, of an accelerator or of an own target with some of its values replaced."""
    found = user_targets.find(npu, names())
    if found is None:
        if npu not in names():
            raise unknown_name("npu", npu, [*names(), *user_targets.paths()])
        return _built(npu, system_config, ini)
    try:
        plain = _built(found.npu, found.system_config, found.vela_config)
        if found.memory_mode is not None:
            plain = replace(plain, default_mode=plain.target(found.memory_mode).memory_mode)
    except UsageError as error:
        raise UsageError(f"{found.path}: {error}") from error
    if system_config is None and ini is None:
        return replace(plain, label=found.name, silent_mode=plain.default_mode)
    config = found.system_config if system_config is None else system_config
    changed = _built(found.npu, config, ini or found.vela_config)
    if (changed.system_config, changed.vela_config) == (plain.system_config, plain.vela_config):
        return replace(plain, label=found.name, silent_mode=plain.default_mode)
    parts = [found.name, *([Path(ini).stem] if ini else []), changed.system_config]
    mode = found.memory_mode or changed.default_mode
    return replace(changed, default_mode=mode, label="-".join(map(_slug, parts)), silent_mode=None)


def _built(npu: str, system_config: str | None, ini: Path | None) -> _System:
    """What is asked for, of an accelerator."""
    chosen = accelerator(npu)
    if ini is not None and (str(ini) != ARM or ini.exists()):
        return _with_ini(chosen, system_config, vela_config.load(ini))
    config = chosen.default_system_config if system_config is None else system_config
    if config not in chosen.memory_modes:
        raise unknown_name(f"system config of {npu}", config, chosen.memory_modes)
    allowed = chosen.memory_modes[config]
    default = config == chosen.default_system_config
    return _System(npu, config, allowed, _default_mode(chosen, allowed), is_default_system=default)


def _with_ini(chosen: Accelerator, system_config: str | None, ini: VelaConfig) -> _System:
    """The same with a user's configuration file."""
    config = _only_system(chosen, ini) if system_config is None else system_config
    known = dict.fromkeys([*ini.own_systems, *chosen.memory_modes])
    if config not in known:
        raise unknown_name(f"system config of {chosen.name} with {ini.path}", config, known)
    ini.check_system(config)
    _warn_of_bus(chosen.name, config, ini)
    reasons = {mode: ini.complaint(config, mode) for mode in (*ini.own_modes, *ini.modes)}
    allowed = tuple(mode for mode, reason in reasons.items() if not reason)
    label = (
        f"{chosen.name}-{_slug(ini.path.stem)}-{_slug(config)}" if config in ini.arm_systems else ""
    )
    return _System(
        npu=chosen.name,
        system_config=config,
        modes=allowed,
        default_mode=_only_mode(ini, allowed) if ini.own_modes else _default_mode(chosen, allowed),
        vela_config=str(ini.path),
        refused={mode: reason for mode, reason in reasons.items() if reason},
        label=label,
    )


def _only_system(chosen: Accelerator, ini: VelaConfig) -> str:
    if len(ini.own_systems) > 1:
        found = ", ".join(ini.own_systems)
        raise UsageError(
            f"{ini.path} has several system configs: choose one with --system-config: {found}"
        )
    return ini.own_systems[0] if ini.own_systems else chosen.default_system_config


def _only_mode(ini: VelaConfig, allowed: Sequence[str]) -> str | None:
    """The memory mode of a user's file, if there is one to take; a single one is taken even if it is refused then."""
    candidates = [mode for mode in ini.own_modes if mode in allowed] or list(ini.own_modes)
    return candidates[0] if len(candidates) == 1 else None


def _warn_of_bus(npu: str, config: str, ini: VelaConfig) -> None:
    # Vela 5.2 makes the bus 8 instead of 16 bytes wide if the section is called Ethos_U55...,
    # whatever the accelerator.
    if npu.startswith("ethos-u55") == config.startswith("Ethos_U55"):
        return
    wide, right = (16, 8) if npu.startswith("ethos-u55") else (8, 16)
    family = npu.split("-")[1].upper()
    log.warning(
        "Vela counts the bus of %s as %d bytes wide instead of %d, because of the name %s: its memory cycles are %s. "
        "Call the section System_Config.Ethos_%s_... in %s",
        *(
            npu,
            wide,
            right,
            config,
            "half of what they are" if wide > right else "doubled",
            family,
            ini.path,
        ),
    )


def _default_mode(chosen: Accelerator, allowed: Sequence[str]) -> str | None:
    if chosen.default_memory_mode in allowed:
        return chosen.default_memory_mode
    return allowed[0] if allowed else None


def _each_once(found: Iterable[NpuTarget]) -> list[NpuTarget]:
    unique = list(dict.fromkeys(found))
    by_name: dict[str, NpuTarget] = {}
    for target in unique:
        other = by_name.setdefault(target.name, target)
        if other != target:
            raise UsageError(
                f"two targets are called {target.name}, {_text(other)} and {_text(target)}: rename the own target or "
                "the section of one"
            )
    return unique


def _text(target: NpuTarget) -> str:
    return f"{target.system_config} with {target.memory_mode} of {target.vela_config}"


def _description(path: Path) -> str:
    try:
        found = user_targets.read(path, names())
        return ", ".join(part for part in (found.npu, found.description, str(path)) if part)
    except UsageError as error:
        return f"broken: {error}"


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).lower().replace("_", "-")


def _files() -> dict[str, Traversable]:
    folder = files("tinyprune.npu").joinpath("targets")
    return {
        file.name.removesuffix(".toml"): file
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }


def _family_and_size(name: str) -> tuple[str, int]:
    family, _, macs = name.rpartition("-")
    return family, int(macs)
