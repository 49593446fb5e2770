"""Quality metrics as values: name, label, unit, digits, direction, task, and the function that computes it.

To add one, decorate its function with :func:`metric` and name it in ``registry.METRICS``.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyprune.artifacts.quantity import HIGHER, Allowance
from tinyprune.errors import TinypruneError
from tinyprune.registry import METRICS

#: What a metric in dB may lose unless a policy says otherwise.
A_TENTH_OF_A_DB = Allowance(0.1)


def _not_computable(*_: Any) -> float:
    raise TinypruneError("this metric is not registered, so nothing computes it")


@dataclass(frozen=True)
class Metric:
    """One measure of how well a network does its task. Called, it is its function.

    Attributes:
        name: registered name, e.g. "si_sdr_db"; ``_db`` at its end says that it is in dB.
        label: in tables and sentences, without its unit, e.g. "SI-SDR".
        task: the task that it is for, "speech" or "classification"; empty where nobody knows.
        unit: of its numbers, e.g. "dB"; empty for a fraction or a grade.
        digits: decimals that it is printed with.
        direction: the better one: "higher" or "lower".
        allowed: how much worse ``tinyprune compare`` lets it become unless a policy says otherwise.
        is_slow: True where one file takes milliseconds.
        package: the optional package that computes it; empty: nothing more is needed.
        aliases: what else people call it on the command line.
        compute: for speech (clean (n,), estimate (n,)) -> float; for classes (labels (n,),
            scores (n, classes)) -> float.
    """

    name: str
    label: str
    task: str = ""
    unit: str = ""
    digits: int = 3
    direction: str = HIGHER
    allowed: Allowance = Allowance(0.01)
    is_slow: bool = False
    package: str = ""
    aliases: tuple[str, ...] = ()
    compute: Callable[..., float] = _not_computable

    def __call__(self, reference: Any, estimate: Any) -> float:
        """Return the metric of an estimate against what is right."""
        return self.compute(reference, estimate)

    @property
    def heading(self) -> str:
        """The label with the unit, for a column of a table: ``SI-SDR dB``."""
        return f"{self.label} {self.unit}".strip()

    @property
    def option(self) -> str:
        """The name on the command line: ``si-sdr``."""
        return self.name.removesuffix("_db").replace("_", "-")

    @property
    def install_command(self) -> str:
        """The command that installs the package."""
        return f'pip install "tinyprune[{self.package}]"'

    @property
    def is_installed(self) -> bool:
        """True unless the package that computes it is missing."""
        return not self.package or importlib.util.find_spec(self.package) is not None

    def format(self, value: float, sign: str = "") -> str:
        """Return a number of it without its unit; with the sign "+", a change."""
        return f"{value:{sign}.{self.digits}f}"

    def with_unit(self, value: float) -> str:
        """Return a number of it with its unit: ``8.35 dB``."""
        return f"{self.format(value)} {self.unit}".strip()

    def in_words(self, value: float) -> str:
        """Return a number of it for a sentence: ``SI-SDR 8.35 dB``, ``accuracy 0.934``."""
        return f"{self.label} {self.with_unit(value)}"


def metric(**facts: Any) -> Callable[[Callable[..., float]], Metric]:
    """Make the function below a :class:`Metric` of the same name, with these attributes."""

    def decorate(function: Callable[..., float]) -> Metric:
        return Metric(name=function.__name__, compute=function, **facts)

    return decorate


def metric_of(name: str) -> Metric:
    """Return the metric of a name; of one that is not registered, what follows from its name.

    Records of other versions may have such metrics: they are shown, and cannot be computed.
    """
    if name in METRICS:
        return METRICS[name]
    stem = name.removesuffix("_db")
    is_in_db = stem != name
    is_abbreviation = is_in_db or len(stem) <= 4
    label = stem.replace("_", "-").upper() if is_abbreviation else stem
    if is_in_db:
        return Metric(name, label, unit="dB", digits=2, allowed=A_TENTH_OF_A_DB)
    return Metric(name, label)
