"""Is everything here that tinyprune needs? Looks at what is installed without importing any of it."""

import os
import platform
import shutil
import sys
from ctypes import util as ctypes_util
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

#: Modules that can run int8 TFLite, best first, with the package that brings each.
INTERPRETERS = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}

#: Extras for users, by the name in brackets of ``pip install "tinyprune[NAME]"``.
EXTRAS = ("pesq", "live")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        found: what is there.
        problem: what to do about it; empty if all is well.
    """

    name: str
    found: str
    problem: str = ""


def examine(run: Path) -> list[Check]:
    """Everything worth knowing about this installation and machine, for a run in the given folder."""
    return [_python(), *_packages(), _interpreter(), _vela(), _sound(), *_machine(run)]


def _python() -> Check:
    """The interpreter that runs this program."""
    return Check("python", f"{platform.python_version()} ({platform.machine()})")


def _packages() -> list[Check]:
    """Every declared dependency, and the extras that are installed or could be."""
    try:
        declared = [Requirement(line) for line in metadata.requires("tinyprune") or ()]
    except metadata.PackageNotFoundError:
        return [Check("tinyprune", "not installed", "pip install -c constraints.txt -e .")]
    needed = [
        _package(item)
        for item in declared
        if item.marker is None or item.marker.evaluate({"extra": ""})
    ]
    extras = [
        item
        for item in declared
        if item.marker and any(item.marker.evaluate({"extra": e}) for e in EXTRAS)
    ]
    optional = [_optional(item) for item in extras]
    return needed + [
        check for check in optional if check.name not in {other.name for other in needed}
    ]


def _package(requirement: Requirement) -> Check:
    """A package that has to be there in an accepted version."""
    version = _version(requirement.name)
    if (
        requirement.name == "ai-edge-litert"
        and version is None
        and util.find_spec("tflite_runtime")
    ):
        return Check(requirement.name, "missing, tflite-runtime is used")
    fits = version is not None and requirement.specifier.contains(version, prereleases=True)
    return Check(
        requirement.name,
        version or "missing",
        "" if fits else f'pip install "{_bare(requirement)}"',
    )


def _optional(requirement: Requirement) -> Check:
    """A package that adds something and may be absent."""
    version = _version(requirement.name)
    return Check(
        requirement.name, version or f'optional, not installed: pip install "{_bare(requirement)}"'
    )


def _bare(requirement: Requirement) -> str:
    """Name and accepted versions, without the marker."""
    return f"{requirement.name}{requirement.specifier}"


def _version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _interpreter() -> Check:
    """Which package runs int8 TFLite."""
    for module, package in INTERPRETERS.items():
        if util.find_spec(module):
            return Check("int8 interpreter", package)
    return Check("int8 interpreter", "missing", "pip install ai-edge-litert")


def _vela() -> Check:
    """The NPU compiler, which this Python starts as a program of its own."""
    found = util.find_spec("ethosu") is not None
    return Check(
        "vela",
        "python -m ethosu.vela" if found else "missing",
        "" if found else "pip install ethos-u-vela",
    )


def _sound() -> Check:
    """The library through which ``enhance --live`` hears and plays; packages for macOS and Windows bring their own."""
    brought = sys.platform in ("darwin", "win32") and util.find_spec("sounddevice") is not None
    found = "with sounddevice" if brought else ctypes_util.find_library("portaudio")
    return Check(
        "portaudio",
        found or "optional, not installed: apt install libportaudio2 (for enhance --live)",
    )


def _machine(run: Path) -> list[Check]:
    """Cores, memory and disk."""
    folder = next(folder for folder in (run.absolute(), *run.absolute().parents) if folder.is_dir())
    writable = os.access(folder, os.W_OK)
    return [
        Check("cores", str(_cores())),
        Check("memory", _memory()),
        Check("disk free", f"{shutil.disk_usage(folder).free / 1e9:.1f} GB in {run}"),
        Check(
            "run folder",
            "writable" if writable else "read-only",
            "" if writable else "choose another --run",
        ),
    ]


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _memory() -> str:
    """Main memory of the machine."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return "unknown"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f} GB"
