"""The policy of ``tinyprune compare``: what is better and worse, and how much worse is allowed.

::

    [metrics.flash_bytes]
    allowed = "2%"            # of A; or a number in its unit; or "1KiB", "0.1ms", "2k"

    [metrics."*_db"]          # a pattern; of several entries that fit, the first counts
    allowed = 0.05
    direction = "higher"      # what is better: "higher" or "lower"

    [metrics."cycles_*"]
    ignore = true

What an entry leaves out, and metrics that no entry fits, are as in the default policy: each
quantity (artifacts/quantity.py) and each quality metric (metrics/metric.py) says its own.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tinyprune.artifacts.quantity import (
    HIGHER,
    LOWER,
    NEITHER,
    QUANTITIES,
    UNLIMITED,
    Allowance,
)
from tinyprune.config.tables import check_keys
from tinyprune.config.toml import read_toml
from tinyprune.errors import UsageError, unknown_name
from tinyprune.metrics.metric import metric_of
from tinyprune.registry import METRICS
from tinyprune.units import FRACTION, Unit

_KEYS = ("allowed", "direction", "ignore")


@dataclass(frozen=True)
class Rule:
    """The rule for one metric.

    Attributes:
        direction: what is better: "higher", "lower", or "-" for what is only information.
        allowed: how much worse it may become; None: as much as it likes, it is only shown.
        ignored: whether it does not matter if it is there at all.
    """

    direction: str
    allowed: Allowance | None = None
    ignored: bool = False

    @property
    def limit(self) -> Allowance:
        """The loss that is allowed."""
        is_only_shown = self.ignored or self.direction == NEITHER
        if is_only_shown:
            return UNLIMITED
        return self.allowed or UNLIMITED


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

    def matches(self, metric: str) -> bool:
        """Return True for a metric that the entry is about."""
        return fnmatchcase(metric, self.pattern)

    def over(self, default: Rule) -> Rule:
        """Return the rule of a metric that has this default."""
        direction = self.direction or default.direction
        return Rule(direction, self.allowed or default.allowed, self.ignored)


#: The entry of metrics that a policy does not name.
_NO_CHANGE = Entry("")


@dataclass(frozen=True)
class Policy:
    """The changes that are allowed.

    Attributes:
        name: "default", or the file that it comes from.
        entries: what differs from the default policy, in the order of the file.
    """

    name: str = "default"
    entries: tuple[Entry, ...] = ()

    def rule(self, metric: str) -> Rule:
        """Return what holds for a metric."""
        entry = _deciding_entry(self.entries, metric)
        return entry.over(default_rule(metric))


def default_rule(metric: str) -> Rule:
    """Return what holds for a metric without a policy file; what is no quantity is a quality."""
    number = QUANTITIES.get(metric) or metric_of(metric)
    return Rule(number.direction, number.allowed)


def load_policy(path: Path, metrics: Iterable[str] = ()) -> Policy:
    """Return the policy in a TOML file. ``metrics``: names that exist beside the registered ones.

    Raises UsageError that names the file and the key: TOML that is broken, a pattern that fits no
    metric or that an earlier one leaves nothing to, an unknown key, an allowance that is negative
    or of the wrong unit.
    """
    known = list(dict.fromkeys([*QUANTITIES, *METRICS, *metrics]))

    def entries(tables: dict[str, Any]) -> tuple[Entry, ...]:
        return _entries(tables, known)

    return Policy(str(path), read_toml(path, "policy", entries))


def _entries(tables: dict[str, Any], known: list[str]) -> tuple[Entry, ...]:
    check_keys(tables, ["metrics"])
    metrics = _table(tables.get("metrics", {}), "metrics")
    entries: list[Entry] = []
    for pattern, table in metrics.items():
        names = [name for name in known if fnmatchcase(name, pattern)]
        if not names:
            raise unknown_name("metric", pattern, known)
        _check_order(pattern, names, entries)
        entries.append(_entry(pattern, _table(table, f"metrics.{pattern}"), names))
    return tuple(entries)


def _check_order(pattern: str, names: list[str], earlier: list[Entry]) -> None:
    """Raise UsageError for a pattern that earlier entries leave nothing to."""
    deciding = [_deciding_entry(earlier, name) for name in names]
    if _NO_CHANGE in deciding:
        return
    first = min(deciding, key=earlier.index)
    raise UsageError(
        f"metrics.{pattern}: it never counts, because {first.pattern} comes first: move it up"
    )


def _deciding_entry(entries: Sequence[Entry], metric: str) -> Entry:
    """The first entry that is about a metric."""
    deciding = (entry for entry in entries if entry.matches(metric))
    return next(deciding, _NO_CHANGE)


def _entry(pattern: str, table: dict[str, Any], names: list[str]) -> Entry:
    """The entry of one table, which is about these metrics."""
    where = f"metrics.{pattern}"
    check_keys(table, _KEYS, f"{where}.")
    direction = table.get("direction")
    if direction not in (None, HIGHER, LOWER):
        raise UsageError(f"{where}.direction: expected '{HIGHER}' or '{LOWER}', got {direction!r}")

    ignored = table.get("ignore", False)
    if not isinstance(ignored, bool):
        raise UsageError(f"{where}.ignore: expected true or false, got {ignored!r}")
    if ignored and len(table) > 1:
        raise UsageError(
            f"{where}: what is ignored has no other key: leave out ignore, or the others"
        )
    if "allowed" not in table:
        return Entry(pattern, None, direction, ignored)

    allowed = _allowance(table["allowed"], names, f"{where}.allowed")
    if direction is None and _is_only_information(names):
        raise UsageError(
            f"{where}: it is only information: say which is better, "
            f"direction = '{HIGHER}' or '{LOWER}'"
        )
    return Entry(pattern, allowed, direction, ignored)


def _is_only_information(names: list[str]) -> bool:
    return all(default_rule(name).direction == NEITHER for name in names)


def _allowance(value: Any, names: list[str], where: str) -> Allowance:
    """An allowance for the metrics of one entry."""
    if isinstance(value, str):
        return _allowance_of_text(value, names, where)
    if type(value) not in (int, float):
        raise _no_allowance(value, where)
    return Allowance(_number(value, value, where))


def _allowance_of_text(text: str, names: list[str], where: str) -> Allowance:
    """A percentage, or an amount with its unit."""
    if text.rstrip().endswith("%"):
        return _percentage(text, names, where)
    units = set(map(_unit, names))
    parse = units.pop().parse
    if units or parse is None:
        raise _no_allowance(text, where)
    return Allowance(_with_unit(text, parse, where))


def _percentage(text: str, names: list[str], where: str) -> Allowance:
    """A part of the value in A, which says nothing of dB."""
    are_decibels = all(name.endswith("_db") for name in names)
    if are_decibels:
        raise UsageError(f"{where}: a percentage of dB says nothing: expected dB, e.g. 0.1")
    number = text.strip().removesuffix("%")
    percent = _number(number, text, where)
    return Allowance(percent / 100, relative=True)


def _no_allowance(value: Any, where: str) -> UsageError:
    return UsageError(f'{where}: expected a number or a percentage such as "2%", got {value!r}')


def _unit(metric: str) -> Unit:
    """The unit of a quantity; a quality is a plain number."""
    quantity = QUANTITIES.get(metric)
    if quantity:
        return quantity.unit
    return FRACTION


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
    if not 0 <= amount < math.inf:
        raise UsageError(f"{where}: expected a number of at least 0, got {value!r}")
    return amount


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: expected a table, written [{where}], got {value!r}")
    return value
