"""Examination of an installation and its machine, without importing what is examined."""

import os
import platform
import shutil
from collections.abc import Sequence
from ctypes import util as ctypes_util
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

from tinyprune import extras

#: Modules that can run int8 TFLite, best first, with the package that brings each.
INTERPRETERS = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}


@dataclass(frozen=True)
class Check:
    """One thing that was examined.

    Attributes:
        name: of the thing.
        found: its version, size or state.
        problem: advice; empty if all is well.
    """

    name: str
    found: str
    problem: str = ""


def examine(run: Path) -> list[Check]:
    """Examine this installation and machine, for a run in the given folder."""
    return [
        _python(),
        *_packages(),
        _interpreter(),
        _vela(),
        _sound(),
        *_machine(run),
    ]


def _python() -> Check:
    """Return the interpreter that runs this program."""
    return Check("python", f"{platform.python_version()} ({platform.machine()})")


def _packages() -> list[Check]:
    """Return every declared dependency, then what comes with extras."""
    try:
        lines = metadata.requires("tinyprune") or []
    except metadata.PackageNotFoundError:
        advice = "pip install -c constraints.txt -e '.[train]'"
        return [Check("tinyprune", "not installed", advice)]
    declared = [Requirement(line) for line in lines]
    checks = [_package(requirement) for requirement in declared if _applies(requirement, "")]
    for extra in extras.EXTRAS:
        checks += _extra(extra, declared)
    return checks


def _extra(extra: str, declared: Sequence[Requirement]) -> list[Check]:
    """Examine the packages of an extra; those that train belong together."""
    of_extra = [requirement for requirement in declared if _brings(extra, requirement)]
    if extra != extras.TRAIN:
        # An installed package lists what `tinyprune[train]` has among what its other extras have.
        shown = {item.name for item in declared if _brings(extras.TRAIN, item)}
        return [_optional(item) for item in of_extra if item.name not in shown]
    if extras.can_train():
        return [_package(requirement) for requirement in of_extra]
    return [Check(extra, f"optional, not installed: {extras.install_line(extra)}")]


def _brings(extra: str, requirement: Requirement) -> bool:
    """Return whether a package is installed for an extra on this machine; no extra of our own."""
    is_own = requirement.name == "tinyprune"
    return not is_own and _applies(requirement, extra) and not _applies(requirement, "")


def _applies(requirement: Requirement, extra: str) -> bool:
    """Return whether a package is installed with an extra on this machine, "" being none."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _package(requirement: Requirement) -> Check:
    """Examine a package that has to be there in an accepted version."""
    name = requirement.name
    version = _version(name)
    if version is None and name == "ai-edge-litert" and util.find_spec("tflite_runtime"):
        return Check(name, "missing, tflite-runtime is used")
    if version is not None and requirement.specifier.contains(version, prereleases=True):
        return Check(name, version)
    return Check(name, version or "missing", f'pip install "{_bare(requirement)}"')


def _optional(requirement: Requirement) -> Check:
    """Examine a package that adds something and may be absent."""
    absent = f'optional, not installed: pip install "{_bare(requirement)}"'
    return Check(requirement.name, _version(requirement.name) or absent)


def _bare(requirement: Requirement) -> str:
    """Return name and accepted versions, without the marker."""
    return f"{requirement.name}{requirement.specifier}"


def _version(package: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _interpreter() -> Check:
    """Return the package that runs int8 TFLite."""
    for module, package in INTERPRETERS.items():
        if util.find_spec(module):
            return Check("int8 interpreter", package)
    return Check("int8 interpreter", "missing", "pip install ai-edge-litert")


def _vela() -> Check:
    """Return the NPU compiler, which this Python starts as a program of its own."""
    if util.find_spec("ethosu") is None:
        return Check("vela", "missing", "pip install ethos-u-vela")
    return Check("vela", "python -m ethosu.vela")


def _sound() -> Check:
    """Return the library through which ``enhance --live`` records and plays."""
    return Check(
        "portaudio",
        ctypes_util.find_library("portaudio")
        or "optional, not installed: apt install libportaudio2 (for enhance --live)",
    )


def _machine(run: Path) -> list[Check]:
    """Return cores, memory, disk and the run folder, which may not be there yet."""
    folder = run.absolute()
    while not folder.is_dir():
        folder = folder.parent
    place = Check("run folder", "writable")
    if not os.access(folder, os.W_OK):
        place = Check("run folder", "read-only", "choose another --run")
    return [
        Check("cores", str(_cores())),
        Check("memory", _memory()),
        Check("disk free", f"{shutil.disk_usage(folder).free / 1e9:.1f} GB in {run}"),
        place,
    ]


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _memory() -> str:
    """Return the main memory of the machine."""
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f} GB"
