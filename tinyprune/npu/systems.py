"""Accelerators with a system config, Arm's or a user's: targets without a memory mode yet."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import UsageError, check_name, unknown_name
from tinyprune.npu import user_targets, vela_config
from tinyprune.npu.accelerators import Accelerator, accelerator, names
from tinyprune.npu.user_targets import UserTarget
from tinyprune.npu.vela_config import ARM, VelaConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class System:
    """A target whose memory mode is still open.

    Attributes:
        npu, system_config, vela_config, is_default_system: as in NpuTarget.
        modes: memory modes that it allows.
        default_mode: what is used if nothing is asked for; None: that has to be said.
        refused: other modes of a user's file -> why not.
        label: the name of the target; empty: after what it is made of.
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
        """Return the target with a memory mode, or the default one.

        Raises UsageError for a memory mode that is not allowed, or where there is no default.
        """
        mode = self.default_mode if memory_mode is None else memory_mode
        if mode is None:
            modes = ", ".join(self.modes)
            raise UsageError(
                f"{self.vela_config} has several memory modes: choose one with --memory-mode: "
                f"{modes}"
            )
        if mode in self.refused:
            complaint = self.refused[mode]
            raise UsageError(
                f"memory mode {mode} does not go with {self.system_config}: {complaint}"
            )
        kind = f"memory mode of {self.npu} with {self.system_config}"
        check_name(kind, mode, self.modes)
        label = self.label
        if label and mode != self.silent_mode:
            label = f"{label}-{_slug(mode)}"
        return NpuTarget(
            npu=self.npu,
            system_config=self.system_config,
            memory_mode=mode,
            vela_config=self.vela_config,
            label=label,
            is_default_system=self.is_default_system,
        )

    def targets(self, memory_modes: Sequence[str]) -> list[NpuTarget]:
        """Return the target with each of these memory modes that is allowed."""
        return [self.target(mode) for mode in memory_modes if mode in self.modes]


def resolve_system(npu: str, system_config: str | None, ini: Path | None) -> System:
    """Return the system of an accelerator, or of a user's target with some values replaced.

    Args:
        npu: name of an accelerator or of a user's target.
        system_config: name of a system config; None: the default.
        ini: a user's Vela configuration file.

    Raises:
        UsageError: a name is unknown, or a file cannot be read.
    """
    user_target = user_targets.find(npu, names())
    if user_target is not None:
        return _of_user_target(user_target, system_config, ini)
    if npu not in names():
        raise unknown_name("npu", npu, [*names(), *user_targets.paths()])
    return _of_accelerator(npu, system_config, ini)


def _of_user_target(user_target: UserTarget, system_config: str | None, ini: Path | None) -> System:
    try:
        own = _of_accelerator(user_target.npu, user_target.system_config, user_target.vela_config)
        if user_target.memory_mode is not None:
            mode = own.target(user_target.memory_mode).memory_mode
            own = replace(own, default_mode=mode)
    except UsageError as error:
        raise UsageError(f"{user_target.path}: {error}") from error
    named = replace(own, label=user_target.name, silent_mode=own.default_mode)
    if system_config is None and ini is None:
        return named

    config = user_target.system_config if system_config is None else system_config
    changed = _of_accelerator(user_target.npu, config, ini or user_target.vela_config)
    is_same_system = changed.system_config == own.system_config
    if is_same_system and changed.vela_config == own.vela_config:
        return named
    return replace(
        changed,
        default_mode=user_target.memory_mode or changed.default_mode,
        label=_label(user_target.name, ini, changed.system_config),
        silent_mode=None,
    )


def _label(name: str, ini: Path | None, system_config: str) -> str:
    if ini is None:
        return f"{_slug(name)}-{_slug(system_config)}"
    return f"{_slug(name)}-{_slug(ini.stem)}-{_slug(system_config)}"


def _of_accelerator(npu: str, system_config: str | None, ini: Path | None) -> System:
    chosen = accelerator(npu)
    if ini is not None and (str(ini) != ARM or ini.exists()):
        return _with_ini(chosen, system_config, vela_config.load(ini))
    config = chosen.default_system_config if system_config is None else system_config
    check_name(f"system config of {npu}", config, chosen.memory_modes)
    modes = chosen.memory_modes[config]
    is_default = config == chosen.default_system_config
    return System(npu, config, modes, chosen.default_mode(modes), is_default_system=is_default)


def _with_ini(chosen: Accelerator, system_config: str | None, ini: VelaConfig) -> System:
    """Return the system of an accelerator with a user's configuration file."""
    config = _only_system(chosen, ini) if system_config is None else system_config
    known = dict.fromkeys(ini.own_systems) | dict.fromkeys(chosen.memory_modes)
    check_name(f"system config of {chosen.name} with {ini.path}", config, known)
    ini.check_system(config)
    _warn_of_bus(chosen.name, config, ini)

    allowed = []
    refused = {}
    for mode in dict.fromkeys(ini.own_modes) | dict.fromkeys(ini.modes):
        complaint = ini.complaint(config, mode)
        if complaint:
            refused[mode] = complaint
        else:
            allowed.append(mode)
    modes = tuple(allowed)
    default_mode = _only_mode(ini, modes) if ini.own_modes else chosen.default_mode(modes)
    label = ""
    if config in ini.arm_systems:
        label = _label(chosen.name, ini.path, config)
    return System(
        npu=chosen.name,
        system_config=config,
        modes=modes,
        default_mode=default_mode,
        vela_config=str(ini.path),
        refused=refused,
        label=label,
    )


def _only_system(chosen: Accelerator, ini: VelaConfig) -> str:
    if not ini.own_systems:
        return chosen.default_system_config
    if len(ini.own_systems) > 1:
        systems = ", ".join(ini.own_systems)
        raise UsageError(
            f"{ini.path} has several system configs: choose one with --system-config: {systems}"
        )
    return ini.own_systems[0]


def _only_mode(ini: VelaConfig, allowed: tuple[str, ...]) -> str | None:
    """Return the memory mode of a user's file, if there is a single one.

    A single one is taken even if it is refused then.
    """
    candidates = [mode for mode in ini.own_modes if mode in allowed] or list(ini.own_modes)
    if len(candidates) == 1:
        return candidates[0]
    return None


def _warn_of_bus(npu: str, config: str, ini: VelaConfig) -> None:
    # Vela 5.2 makes the bus 8 instead of 16 bytes wide if the section is called Ethos_U55...,
    # whatever the accelerator.
    is_u55 = npu.startswith("ethos-u55")
    if is_u55 == config.startswith("Ethos_U55"):
        return
    counted_bytes = 8
    real_bytes = 16
    effect = "doubled"
    if is_u55:
        counted_bytes = 16
        real_bytes = 8
        effect = "half of what they are"
    family = npu.split("-")[1].upper()
    log.warning(
        "Vela counts the bus of %s as %d bytes wide instead of %d, because of the name %s: its "
        "memory cycles are %s. Call the section System_Config.Ethos_%s_... in %s",
        npu,
        counted_bytes,
        real_bytes,
        config,
        effect,
        family,
        ini.path,
    )


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).lower().replace("_", "-")
