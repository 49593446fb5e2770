"""Which metrics there are for which task, and the names that people give them."""

import importlib.util
import math
from collections.abc import Iterable

from tinyprune.errors import UsageError, unknown_name
from tinyprune.metrics.perceptual import INSTALL
from tinyprune.registry import METRICS

#: What is scored at every export, and what `tinyprune evaluate` scores if nothing is asked for.
CHECKED = {"speech": ("si_sdr_db", "sdr_db"), "classification": ("accuracy", "auc")}
DEFAULT = {"speech": ("si_sdr_db", "sdr_db", "stoi"), "classification": ("accuracy", "auc")}
ALL, SHORT = "all", {"pesq": "pesq_wb"}


def resolve(name: str) -> str:
    """The registered name of a metric that somebody calls e.g. ``sdr``, ``SI-SDR`` or ``pesq``; "all" stays.

    Raises UsageError that lists the names that exist.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    for candidate in (plain, f"{plain}_db", SHORT.get(plain, "")):
        if candidate in (*METRICS, ALL):
            return candidate
    raise unknown_name("metric", name, [*map(short, METRICS), *SHORT, ALL])


def short(metric: str) -> str:
    """What a metric is called on the command line: ``si_sdr_db`` -> ``si-sdr``."""
    return metric.removesuffix("_db").replace("_", "-")


def task_of(metric: str) -> str:
    """The task that a metric is for."""
    return "classification" if ".classification:" in METRICS.targets[metric] else "speech"


def limit(text: str) -> tuple[str, float]:
    """The metric and the number of ``METRIC=X``. Raises UsageError for anything else."""
    name, equals, number = text.partition("=")
    metric = resolve(name) if equals else ALL
    try:
        largest = float(number)
    except ValueError:
        largest = math.nan
    if metric == ALL or not 0 <= largest < math.inf:
        raise UsageError(f"--max-drop {text}: expected METRIC=X with X of at least 0, e.g. sdr=0.1")
    return metric, largest


def chosen(names: Iterable[str], task: str, held: Iterable[str] = ()) -> tuple[str, ...]:
    """The metrics of a task that are asked for (registered names, or "all"), each once; the default ones if none is.

    ``held``: further ones that have to be there.

    "all" is without PESQ where that is not installed. Raises UsageError for a metric of another
    task, and for PESQ where it is not installed.
    """
    fitting = [metric for metric in METRICS if task_of(metric) == task]
    found: list[str] = []
    for name in (*(tuple(names) or DEFAULT[task]), *held):
        found += [metric for metric in fitting if is_installed(metric)] if name == ALL else [name]
    for name in dict.fromkeys(found):
        if name not in fitting:
            raise UsageError(
                f"{short(name)} is no metric of {task}: expected {', '.join(map(short, fitting))} or all"
            )
        if not is_installed(name):
            raise UsageError(
                f"{short(name)} needs a package that is not installed: {INSTALL}; or leave it out"
            )
    return tuple(dict.fromkeys(found))


def is_installed(metric: str) -> bool:
    """Whether what computes a metric is there."""
    return not metric.startswith("pesq") or importlib.util.find_spec("pesq") is not None
