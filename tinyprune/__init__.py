"""Compress Keras networks for Arm Ethos-U microNPUs.

Train, prune jointly with int8 learning, export, compile and report: on the command line
(``tinyprune``), and from Python with the names below. Each is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tinyprune import extras
from tinyprune.version import __version__

if TYPE_CHECKING:
    from tinyprune.api.budget_pruner import BudgetPruner
    from tinyprune.api.compiled import CompiledNetwork, compile
    from tinyprune.api.export import export_int8
    from tinyprune.api.pruner import Pruner
    from tinyprune.api.runs import FinishedRun, FinishedVariant, open_run


__all__ = [
    "BudgetPruner",
    "CompiledNetwork",
    "FinishedRun",
    "FinishedVariant",
    "Pruner",
    "__version__",
    "compile",
    "export_int8",
    "open_run",
]

_MODULES = {
    "BudgetPruner": "tinyprune.api.budget_pruner",
    "CompiledNetwork": "tinyprune.api.compiled",
    "FinishedRun": "tinyprune.api.runs",
    "FinishedVariant": "tinyprune.api.runs",
    "Pruner": "tinyprune.api.pruner",
    "compile": "tinyprune.api.compiled",
    "export_int8": "tinyprune.api.export",
    "open_run": "tinyprune.api.runs",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tinyprune' has no attribute '{name}'")
    try:
        module = importlib.import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        if error.name is None or extras.extra_of(error.name) is None:
            raise
        raise extras.missing(error.name, f"tinyprune.{name}") from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
