"""Quality metrics as values: name, label, unit, digits, direction and task of each, once.

To add one, write it here, and name its function in ``registry.METRICS``. This module loads nothing,
so that a comparison or a list is there at once; the function is loaded when it is used.
"""

import math
from dataclasses import dataclass, replace

from tinyprune import extras
from tinyprune.artifacts.quantity import HIGHER, LOWER, Allowance

_TENTH_OF_A_DB = Allowance(0.1)
_TWENTIETH = Allowance(0.05, relative=True)
_ALLOWANCES_PER_AXIS = 5


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure of how well a network does its task.

    Attributes:
        name: registered name, e.g. "si_sdr_db"; ``_db`` at its end says that it is in dB.
        label: in tables and sentences, without its unit, e.g. "SI-SDR".
        tasks: the tasks that it is for (registry.TASKS); empty where nobody knows.
        unit: of its numbers, e.g. "dB"; empty for a fraction or a grade.
        digits: decimals that it is printed with.
        direction: the better one: "higher" or "lower".
        allowed: how much worse ``tinyprune compare`` lets it become unless a policy says otherwise.
        is_slow: True where one file takes milliseconds.
        package: the package of an extra that computes it; empty: nothing more is needed.
        aliases: what else people call it on the command line.
    """

    name: str
    label: str
    tasks: tuple[str, ...] = ()
    unit: str = ""
    digits: int = 3
    direction: str = HIGHER
    allowed: Allowance = Allowance(0.01)
    is_slow: bool = False
    package: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The label with the unit, for a column of a table: ``SI-SDR dB``."""
        return f"{self.label} {self.unit}".strip()

    @property
    def option(self) -> str:
        """The name on the command line: ``si-sdr``; of an output, ``box.si-sdr``."""
        output, dot, name = self.name.rpartition(".")
        return f"{output}{dot}{name.removesuffix('_db').replace('_', '-')}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """Spellings that people use, in lower case and with underscores."""
        return (self.name, self.name.removesuffix("_db"), *self.aliases)

    @property
    def is_installed(self) -> bool:
        """True unless the package that computes it is missing."""
        return not self.package or extras.is_installed(self.package)

    @property
    def loss_sign(self) -> int:
        """The sign of a change for the worse."""
        if self.direction == LOWER:
            return 1
        return -1

    @property
    def better_word(self) -> str:
        """The word of a chart for the better side: "up" or "down"."""
        if self.direction == LOWER:
            return "down"
        return "up"

    def least_range(self, value: float) -> float:
        """Return the least range of an axis on which a value lies.

        It is five times what a comparison allows, so that less than that looks like little.
        """
        return _ALLOWANCES_PER_AXIS * self.allowed.of(value)

    def is_better(self, value: float, than: float | None) -> bool:
        """Return True where a value is better than another, or there is no other.

        A value that is not a number never is.
        """
        if math.isnan(value):
            return False
        if than is None:
            return True
        return self.loss_sign * (value - than) < 0

    def format(self, value: float, sign: str = "") -> str:
        """Return a number of it without its unit; with the sign "+", a change."""
        return f"{value:{sign}.{self.digits}f}"

    def with_unit(self, value: float) -> str:
        """Return a number of it with its unit: ``8.35 dB``."""
        return f"{self.format(value)} {self.unit}".strip()

    def in_words(self, value: float) -> str:
        """Return a number of it for a sentence: ``SI-SDR 8.35 dB``, ``accuracy 0.934``."""
        return f"{self.label} {self.with_unit(value)}"


@dataclass(frozen=True, kw_only=True)
class _Decibels(Metric):
    """A ratio of signals."""

    unit: str = "dB"
    digits: int = 2
    allowed: Allowance = _TENTH_OF_A_DB


@dataclass(frozen=True, kw_only=True)
class _Pesq(Metric):
    """A mean opinion score, of a scale from 1 to 4.6."""

    tasks: tuple[str, ...] = ("speech",)
    digits: int = 2
    allowed: Allowance = Allowance(0.05)
    is_slow: bool = True
    package: str = "pesq"


@dataclass(frozen=True, kw_only=True)
class _Error(Metric):
    """A distance between numbers: the smaller the better, in whatever unit they have."""

    direction: str = LOWER
    allowed: Allowance = _TWENTIETH

    def format(self, value: float, sign: str = "") -> str:
        """Return a number of it with four digits that count, however large or small it is."""
        return f"{value:{sign}.4g}"


_SPEECH = ("speech",)
_CLASSES = ("classification",)
_DECISIONS = ("classification", "multilabel")
_NUMBERS = ("regression", "reconstruction")
_RANKED = ("classification", "multilabel", "anomaly")
_ERRORS = ("regression", "reconstruction", "anomaly")

#: Facts about every registered metric, by its name.
KNOWN: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _Decibels(name="si_sdr_db", label="SI-SDR", tasks=_SPEECH),
        _Decibels(name="sdr_db", label="SDR", tasks=_SPEECH, is_slow=True, package="fast_bss_eval"),
        _Decibels(name="seg_snr_db", label="segSNR", tasks=_SPEECH),
        Metric(name="stoi", label="STOI", tasks=_SPEECH, is_slow=True, package="pystoi"),
        Metric(name="estoi", label="ESTOI", tasks=_SPEECH, is_slow=True, package="pystoi"),
        _Pesq(name="pesq_wb", label="PESQ-WB", aliases=("pesq",)),
        _Pesq(name="pesq_nb", label="PESQ-NB"),
        Metric(name="accuracy", label="accuracy", tasks=_DECISIONS),
        Metric(name="auc", label="AUC", tasks=_RANKED),
        Metric(name="balanced_accuracy", label="balanced accuracy", tasks=_CLASSES),
        Metric(name="f1", label="F1", tasks=_DECISIONS),
        Metric(name="partial_auc", label="partial AUC", tasks=("anomaly",)),
        _Error(name="mse", label="MSE", tasks=_ERRORS),
        _Error(name="mae", label="MAE", tasks=_NUMBERS),
        Metric(name="r2", label="R2", tasks=_NUMBERS),
        Metric(name="mean_score", label="mean score", tasks=("several",)),
    )
}


def of_output(output: str, metric: str) -> str:
    """Return the name of a metric of one of several outputs: ``box.r2``."""
    return f"{output}.{metric}"


def metric_of(name: str) -> Metric:
    """Return the metric of a name; of one that is not registered, what follows from its name.

    ``OUTPUT.METRIC`` is that of one of several outputs.

    Records of other versions, and tasks of users, may have such metrics. Of those that end in
    ``_error`` or ``_loss`` a lower value is better, of all others a higher one.
    """
    if name in KNOWN:
        return KNOWN[name]
    output, _, of_one = name.rpartition(".")
    if output:
        metric = metric_of(of_one)
        return replace(metric, name=name, label=f"{metric.label} of {output}", tasks=())
    stem = name.removesuffix("_db")
    if stem != name:
        return _Decibels(name=name, label=stem.replace("_", "-").upper())
    if name.endswith(("_error", "_loss")):
        return _Error(name=name, label=stem.replace("_", " "))
    is_abbreviation = len(stem) <= 4
    label = stem.replace("_", "-").upper() if is_abbreviation else stem
    return Metric(name=name, label=label, digits=2 if name.startswith("pesq") else 3)
