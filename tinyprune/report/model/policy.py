"""What ``tinyprune compare`` calls better and worse, and how much worse is allowed.

::

    [metrics.flash_bytes] allowed = "2%"            # of A; or a number in the unit of the metric;
    or a text such as "1KiB", "0.1ms", "2k"

    [metrics."*_db"]          # a pattern; of several entries that fit, the first counts
    allowed = 0.05
    direction = "higher"      # what is better: "higher" or "lower"

    [metrics."cycles_*"]
    ignore = true

What an entry leaves out, and metrics that no entry fits, are as in the default policy below.
"""

import math
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tinyprune.artifacts.quantity import HIGHER, LOWER, NEITHER, QUANTITIES, Allowance
from tinyprune.errors import UsageError, unknown_name
from tinyprune.metrics.metric import metric_of
from tinyprune.registry import METRICS


@dataclass(frozen=True)
class Rule:
    """What holds for one metric.

    Attributes:
        direction: what is better: "higher", "lower", or "-" for what is only information.
        allowed: how much worse it may become; None: as much as it likes, it is only shown.
        ignored: whether it does not matter if it is there at all.
    """

    direction: str
    allowed: Allowance | None = None
    ignored: bool = False


@dataclass(frozen=True)
class Entry:
    """One table of a policy file; what is None is as in the default policy.

    Attributes:
        pattern: names of the metrics that it is about.
        allowed, direction, ignored: as in Rule.
    """

    pattern: str
    allowed: Allowance | None = None
    direction: str | None = None
    ignored: bool = False


@dataclass(frozen=True)
class Policy:
    """Which changes are allowed.

    Attributes:
        name: "default", or the file that it comes from.
        entries: what differs from the default policy, in the order of the file.
    """

    name: str = "default"
    entries: tuple[Entry, ...] = ()

    def rule(self, metric: str) -> Rule:
        """What holds for a metric."""
        rule = default_rule(metric)
        entry = next((entry for entry in self.entries if fnmatchcase(metric, entry.pattern)), None)
        if entry is None:
            return rule
        return Rule(entry.direction or rule.direction, entry.allowed or rule.allowed, entry.ignored)


def default_rule(metric: str) -> Rule:
    """Return what holds for a metric without a policy file; what is no quantity is a quality."""
    number = QUANTITIES.get(metric) or metric_of(metric)
    return Rule(number.direction, number.allowed)


def load_policy(path: Path, metrics: Iterable[str] = ()) -> Policy:
    """The policy in a TOML file. ``metrics``: names that exist beside the registered ones.

    Raises UsageError that names the file and the key: TOML that is broken, a pattern that fits no
        metric or that an
    earlier one leaves nothing to, an unknown key, an allowance that is negative or of the wrong
    unit.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read policy {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    known = list(dict.fromkeys([*QUANTITIES, *METRICS, *metrics]))
    try:
        return Policy(str(path), _entries(tables, known))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _entries(tables: dict[str, Any], known: list[str]) -> tuple[Entry, ...]:
    _check_keys(tables, ["metrics"])
    metrics = _table(tables.get("metrics", {}), "metrics")
    entries: list[Entry] = []
    for pattern, table in metrics.items():
        fitting = [name for name in known if fnmatchcase(name, pattern)]
        if not fitting:
            raise unknown_name("metric", pattern, known)
        earlier = [
            entry.pattern
            for entry in entries
            if any(fnmatchcase(name, entry.pattern) for name in fitting)
        ]
        if all(any(fnmatchcase(name, one) for one in earlier) for name in fitting):
            raise UsageError(
                f"metrics.{pattern}: it never counts, because {earlier[0]} comes first: move it up"
            )
        entries.append(_entry(pattern, _table(table, f"metrics.{pattern}"), fitting))
    return tuple(entries)


def _entry(pattern: str, table: dict[str, Any], fitting: list[str]) -> Entry:
    where = f"metrics.{pattern}"
    _check_keys(
        table, [f"{where}.{key}" for key in ("allowed", "direction", "ignore")], f"{where}."
    )
    direction, ignored = table.get("direction"), table.get("ignore", False)
    if direction not in (None, HIGHER, LOWER):
        raise UsageError(f"{where}.direction: expected '{HIGHER}' or '{LOWER}', got {direction!r}")
    if not isinstance(ignored, bool):
        raise UsageError(f"{where}.ignore: expected true or false, got {ignored!r}")
    if ignored and len(table) > 1:
        raise UsageError(
            f"{where}: what is ignored has no other key: leave out ignore, or the others"
        )
    allowed = (
        _allowance(table["allowed"], fitting, f"{where}.allowed") if "allowed" in table else None
    )
    if (
        allowed
        and direction is None
        and all(default_rule(name).direction == NEITHER for name in fitting)
    ):
        raise UsageError(
            f"{where}: it is only information: say which is better, direction = '{HIGHER}' or '{LOWER}'"
        )
    return Entry(pattern, allowed, direction, ignored)


def _allowance(value: Any, fitting: list[str], where: str) -> Allowance:
    """An allowance for the metrics of one entry."""
    if isinstance(value, str) and value.strip().endswith("%"):
        if all(name.endswith("_db") for name in fitting):
            raise UsageError(f"{where}: a percentage of dB says nothing: expected dB, e.g. 0.1")
        return Allowance(_number(value.strip()[:-1], value, where) / 100, relative=True)
    parse = _parser(fitting)
    if isinstance(value, str) and parse:
        return Allowance(_with_unit(value, parse, where))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f'{where}: expected a number or a percentage such as "2%", got {value!r}')
    return Allowance(_number(value, value, where))


def _parser(names: Iterable[str]) -> Callable[[str], float] | None:
    """Return what reads a text with a unit, where all of these are quantities of the same unit."""
    units = {QUANTITIES[name].unit if name in QUANTITIES else None for name in names}
    unit = units.pop()
    return unit.parse if unit and not units else None


def _with_unit(text: str, parse: Callable[[str], float], where: str) -> float:
    try:
        return parse(text)
    except UsageError as error:
        raise UsageError(f'{where}: {error}; or a percentage such as "2%"') from error


def _number(number: str | float, value: Any, where: str) -> float:
    """A finite number that is not negative."""
    try:
        amount = float(number)
    except (ValueError, OverflowError):
        amount = math.nan
    if not (math.isfinite(amount) and amount >= 0):
        raise UsageError(f"{where}: expected a number of at least 0, got {value!r}")
    return amount


def _check_keys(table: dict[str, Any], known: list[str], prefix: str = "") -> None:
    for key in table:
        if prefix + key not in known:
            raise unknown_name("key", prefix + key, known)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: expected a table, written [{where}], got {value!r}")
    return value
