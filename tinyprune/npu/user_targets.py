"""A user's own targets: TOML files in ``./targets`` and ``~/.config/tinyprune/targets``.

The stem of a file is the name of its target.

::

    npu = "ethos-u55-128"                  # needed
    system_config = "Ethos_U55_My_Board"   # the rest may be left out
    memory_mode = "Shared_Sram"
    vela_config = "my-board.ini"           # relative to this file
    description = "our board, 250 MHz, octal flash"
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyprune.config.tables import read_table
from tinyprune.config.toml import read_toml
from tinyprune.errors import UsageError, check_name


@dataclass(frozen=True)
class UserTarget:
    """The content of one file; None is the default of the accelerator or of the Vela configuration.

    Attributes:
        path: the file.
        npu: name of the accelerator.
        system_config, memory_mode, vela_config, description: as in the file; vela_config made
            absolute.
    """

    path: Path
    npu: str
    system_config: str | None
    memory_mode: str | None
    vela_config: Path | None
    description: str

    @property
    def name(self) -> str:
        """Name of the target, the stem of its file."""
        return self.path.stem


@dataclass(frozen=True)
class _Table:
    npu: str
    system_config: str | None = None
    memory_mode: str | None = None
    vela_config: str | None = None
    description: str = ""


def folders() -> list[Path]:
    """Return the folders of users' targets; the first that has a target counts.

    XDG_CONFIG_HOME stands in for ``~/.config``.
    """
    config = Path("~/.config").expanduser()
    config_home = os.environ.get("XDG_CONFIG_HOME", "")
    if config_home.startswith("/"):  # the XDG specification asks to ignore a relative path
        config = Path(config_home)
    return [Path("targets"), config / "tinyprune" / "targets"]


def paths() -> dict[str, Path]:
    """Return name -> file of every user's target; the files are not read.

    Of two with one name the first counts.
    """
    by_name: dict[str, Path] = {}
    for folder in reversed(folders()):
        for file in sorted(folder.glob("*.toml"), reverse=True):
            by_name[file.stem] = file
    return by_name


def find(name: str, accelerators: Iterable[str]) -> UserTarget | None:
    """Return the user's target of a name, or None. Raises UsageError that names its file."""
    path = paths().get(name)
    if path is None:
        return None
    return read(path, accelerators)


def read(path: Path, accelerators: Iterable[str]) -> UserTarget:
    """Return the target in a file.

    Raises UsageError, with the name of the file, for broken TOML, unknown keys and accelerators.
    """
    known = list(accelerators)

    def read_target(mapping: dict[str, Any]) -> UserTarget:
        return _checked(path, read_table(_Table, mapping), known)

    return read_toml(path, "target", read_target)


def _checked(path: Path, table: _Table, accelerators: list[str]) -> UserTarget:
    if path.stem in accelerators:
        raise UsageError(f"its name hides the accelerator {path.stem}: give the file another name")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", path.stem):
        raise UsageError("its name cannot name a target: letters, digits, '.', '_' and '-'")
    check_name("npu", table.npu, accelerators)
    ini = None
    if table.vela_config is not None:
        ini = path.absolute().parent / Path(table.vela_config).expanduser()
    return UserTarget(
        path, table.npu, table.system_config, table.memory_mode, ini, table.description
    )
