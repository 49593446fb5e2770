"""Targets to compile for: accelerators, a user's files, and the matrix of all of them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.config import TargetConfig
from tinyprune.errors import UsageError
from tinyprune.npu import user_targets
from tinyprune.npu.accelerators import DEFAULT, Accelerator, accelerator, names
from tinyprune.npu.systems import System, resolve_system

__all__ = [
    "DEFAULT",
    "Accelerator",
    "accelerator",
    "all_targets",
    "names",
    "resolve",
    "resolve_config",
    "resolve_each",
    "user_target_descriptions",
]

log = logging.getLogger(__name__)


def resolve(
    npu: str,
    system_config: str | None = None,
    memory_mode: str | None = None,
    vela_config: Path | None = None,
) -> NpuTarget:
    """Return the target for an accelerator or a user's target; what is None is its default.

    A system config that does not allow the default memory mode comes with the first one that it
    allows. With ``vela_config``, a ``.ini`` of the user: its only system config and its only memory
    mode are the default; what it does not have comes from Arm's.

    Raises UsageError, listing what exists, for an unknown accelerator, system config or memory
    mode, and for a file that cannot be read.
    """
    return resolve_system(npu, system_config, vela_config).target(memory_mode)


def resolve_config(config: TargetConfig) -> NpuTarget:
    """Return the target of a configuration. Raises UsageError as :func:`resolve`."""
    ini = Path(config.vela_config) if config.vela_config else None
    target = resolve(config.npu, config.system_config, config.memory_mode, ini)
    return replace(
        target,
        lower=config.lower,
        optimise=config.optimise,
        arena_bytes=config.arena_bytes,
    )


def resolve_each(
    npus: Sequence[str],
    system_config: str | None = None,
    memory_modes: Sequence[str] = (),
    vela_config: Path | None = None,
    everything: bool = False,
) -> list[NpuTarget]:
    """Return every accelerator with every memory mode, each target once.

    A memory mode that only some of the accelerators allow is left out for the others, with a note
    in the log.

    Args:
        npus: accelerators and users' targets; none: the default one.
        system_config: of all of them.
        memory_modes: of each of them; none: each accelerator's own default.
        vela_config: a ``.ini`` of the user.
        everything: take :func:`all_targets` of ``npus``.

    Raises:
        UsageError: as :func:`resolve`; a memory mode that none of them allows; two different
            targets of one name.
    """
    if everything:
        _refuse_beside_matrix("--system-config", system_config)
        _refuse_beside_matrix("--memory-mode", memory_modes)
        _refuse_beside_matrix("--vela-config", vela_config)
        return all_targets(npus)

    systems = []
    for npu in npus or [DEFAULT]:
        systems.append(resolve_system(npu, system_config, vela_config))
    if not memory_modes:
        return _each_once([system.target(None) for system in systems])
    for mode in memory_modes:
        _check_memory_mode(mode, systems)
    targets: list[NpuTarget] = []
    for system in systems:
        targets += system.targets(memory_modes)
    return _each_once(targets)


def _refuse_beside_matrix(option: str, value: object) -> None:
    if value:
        raise UsageError(
            f"--all-targets takes every memory mode of the default system: leave out {option}"
        )


def _check_memory_mode(mode: str, systems: Sequence[System]) -> None:
    """Raise UsageError if no system allows a memory mode; name those that do not in the log."""
    without = [system for system in systems if mode not in system.modes]
    if len(without) == len(systems):
        systems[0].target(mode)  # says what is wrong with it
    for system in without:
        log.info(
            "%s is left out with %s: %s does not allow it", system.npu, mode, system.system_config
        )


def all_targets(npus: Sequence[str] = ()) -> list[NpuTarget]:
    """Return the matrix: accelerators with their default system and each memory mode it allows.

    Args:
        npus: accelerators and users' targets; none: every accelerator.

    Returns:
        Targets in the order of :func:`names`, users' targets last.
    """
    order = names()

    def position(npu: str) -> int:
        if npu in order:
            return order.index(npu)
        return len(order)

    targets: list[NpuTarget] = []
    for npu in sorted(npus or order, key=position):
        system = resolve_system(npu, None, None)
        targets += system.targets(system.modes)
    return _each_once(targets)


def user_target_descriptions() -> list[tuple[str, str]]:
    """Return name and description of every user's target, by name.

    The description of a broken one says what is wrong with it.
    """
    descriptions = []
    for name, path in sorted(user_targets.paths().items()):
        descriptions.append((name, _description(path)))
    return descriptions


def _each_once(targets: Sequence[NpuTarget]) -> list[NpuTarget]:
    """Return targets without repetitions. Raises UsageError for two that share a name."""
    by_name: dict[str, NpuTarget] = {}
    for target in targets:
        other = by_name.setdefault(target.name, target)
        if other != target:
            raise UsageError(
                f"two targets are called {target.name}, {_text(other)} and {_text(target)}: "
                "rename the own target or the section of one"
            )
    return list(by_name.values())


def _text(target: NpuTarget) -> str:
    return f"{target.system_config} with {target.memory_mode} of {target.vela_config}"


def _description(path: Path) -> str:
    try:
        target = user_targets.read(path, names())
    except UsageError as error:
        return f"broken: {error}"
    parts = (target.npu, target.description, str(path))
    return ", ".join(filter(None, parts))
