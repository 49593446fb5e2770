"""Quality metrics as values: name, label, unit, digits, direction and task of each, once.

To add one, write it here, and name its function in ``registry.METRICS``. This module loads nothing,
so that a comparison or a list is there at once; the function is loaded when it is used.
"""

import importlib.util
from dataclasses import dataclass

from tinyprune.artifacts.quantity import HIGHER, Allowance

_TENTH_OF_A_DB = Allowance(0.1)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure of how well a network does its task.

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

    @property
    def heading(self) -> str:
        """The label with the unit, for a column of a table: ``SI-SDR dB``."""
        return f"{self.label} {self.unit}".strip()

    @property
    def option(self) -> str:
        """The name on the command line: ``si-sdr``."""
        return self.name.removesuffix("_db").replace("_", "-")

    @property
    def spellings(self) -> tuple[str, ...]:
        """Spellings that people use, in lower case and with underscores."""
        return (self.name, self.name.removesuffix("_db"), *self.aliases)

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


@dataclass(frozen=True, kw_only=True)
class _Decibels(Metric):
    """A ratio of signals."""

    unit: str = "dB"
    digits: int = 2
    allowed: Allowance = _TENTH_OF_A_DB


@dataclass(frozen=True, kw_only=True)
class _Pesq(Metric):
    """A mean opinion score, of a scale from 1 to 4.6."""

    task: str = "speech"
    digits: int = 2
    allowed: Allowance = Allowance(0.05)
    is_slow: bool = True
    package: str = "pesq"


#: Facts about every registered metric, by its name.
KNOWN: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _Decibels(name="si_sdr_db", label="SI-SDR", task="speech"),
        _Decibels(name="sdr_db", label="SDR", task="speech", is_slow=True),
        _Decibels(name="seg_snr_db", label="segSNR", task="speech"),
        Metric(name="stoi", label="STOI", task="speech", is_slow=True),
        Metric(name="estoi", label="ESTOI", task="speech", is_slow=True),
        _Pesq(name="pesq_wb", label="PESQ-WB", aliases=("pesq",)),
        _Pesq(name="pesq_nb", label="PESQ-NB"),
        Metric(name="accuracy", label="accuracy", task="classification"),
        Metric(name="auc", label="AUC", task="classification"),
    )
}


def metric_of(name: str) -> Metric:
    """Return the metric of a name; of one that is not registered, what follows from its name.

    Records of other versions may have such metrics.
    """
    if name in KNOWN:
        return KNOWN[name]
    stem = name.removesuffix("_db")
    if stem != name:
        return _Decibels(name=name, label=stem.replace("_", "-").upper())
    is_abbreviation = len(stem) <= 4
    label = stem.replace("_", "-").upper() if is_abbreviation else stem
    return Metric(name=name, label=label, digits=2 if name.startswith("pesq") else 3)
