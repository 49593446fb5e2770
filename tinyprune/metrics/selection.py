"""Metrics by the names that people give them, and the choice of metrics to score."""

import math
from collections.abc import Iterable, Sequence

from tinyprune import extras
from tinyprune.errors import UsageError, unknown_name
from tinyprune.metrics.metric import KNOWN, Metric, metric_of

ALL = "all"

#: What people may write -> the name of the metric.
_NAMES = {ALL: ALL}
for _metric in KNOWN.values():
    _NAMES |= dict.fromkeys(_metric.spellings, _metric.name)


def registered_name(text: str) -> str:
    """Return the name of a metric that somebody calls e.g. ``sdr``, ``SI-SDR`` or ``pesq``.

    "all" stays, and so does any other name: a task of a user has metrics of its own. Of
    ``OUTPUT.METRIC`` the metric is such a name.
    """
    output, dot, name = text.strip().rpartition(".")
    plain = name.lower().replace("-", "_").replace(" ", "_")
    return f"{output}{dot}{_NAMES.get(plain, name)}"


def largest_drop(text: str) -> tuple[str, float]:
    """Return the metric and the number of ``METRIC=X``. Raises UsageError for anything else."""
    name, equals, number = text.partition("=")
    metric = registered_name(name) if equals else ALL
    try:
        largest = float(number)
    except ValueError:
        largest = math.nan
    if metric == ALL or not 0 <= largest < math.inf:
        raise UsageError(f"--max-drop {text}: expected METRIC=X with X of at least 0, e.g. sdr=0.1")
    return metric, largest


def metrics_to_score(
    names: Iterable[str],
    task: str,
    default: Sequence[str],
    limited: Iterable[str] = (),
    known: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the names of the metrics of a task to score, each once.

    Args:
        names: registered names, or "all", which is without those whose packages are not installed;
            empty: the default metrics of the task.
        task: its name.
        default: its default metrics.
        limited: further metrics that have to be there.
        known: metrics that this task has besides those that are registered for it.

    Raises UsageError for a metric that is unknown or of another task, or whose package is not
    installed.
    """
    of_task = {name: metric for name, metric in KNOWN.items() if task in metric.tasks}
    of_task |= {name: metric_of(name) for name in (*default, *known)}
    chosen = tuple(names)
    otherwise = "or leave it out"
    if not chosen:
        chosen = tuple(default)
        otherwise = "or say which others are scored with --metric"
    to_score: dict[str, None] = {}
    for name in chosen + tuple(limited):
        if name == ALL:
            installed = [name for name, metric in of_task.items() if metric.is_installed]
            to_score |= dict.fromkeys(installed)
        else:
            _check(name, task, of_task, otherwise)
            to_score[name] = None
    return tuple(to_score)


def _check(name: str, task: str, of_task: dict[str, Metric], otherwise: str) -> None:
    """Raise UsageError unless a metric is one of this task and can be computed.

    ``otherwise``: what else can be done where its package is not installed.
    """
    metric = metric_of(name)
    expected = [known.option for known in of_task.values()]
    if name not in of_task and name not in KNOWN:
        raise unknown_name("metric", name, [*expected, ALL])
    if name not in of_task:
        options = ", ".join(expected)
        raise UsageError(f"{metric.option} is no metric of {task}: expected {options} or all")
    if not metric.is_installed:
        raise extras.missing(metric.package, metric.option, otherwise)
