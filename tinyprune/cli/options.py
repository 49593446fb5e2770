"""Options that mean the same in every command that has them. What is not given is None, and the recipe decides."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import messages
from tinyprune.config.budget import LIMITS
from tinyprune.errors import UsageError
from tinyprune.report.render.formats import FORMATS

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import NpuTarget
    from tinyprune.config.budget import Budget, BudgetConfig


class _Parsed(click.ParamType):
    """An option whose text one function understands; what it cannot understand is ``--option TEXT: expectation``."""

    def __init__(self, name: str, parse: Callable[[str], Any], expectation: str) -> None:
        self.name = name
        self.parse = parse
        self.expectation = expectation

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value that the text stands for. Raises UsageError."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError:
            option = param.opts[-1] if param else self.name
            raise UsageError(f"{option} {value}: expected {self.expectation}") from None


def _number(
    accept: Callable[[float], bool], kind: Callable[[str], Any] = float
) -> Callable[[str], Any]:
    """A parser of the numbers that ``accept`` accepts; it raises ValueError on any other."""

    def parse(text: str) -> Any:
        number = kind(text)
        if not accept(number):
            raise ValueError
        return number

    return parse


def _range(text: str) -> tuple[float, float]:
    """``LO:HI`` as two finite numbers in order."""
    finite = _number(lambda number: abs(number) < float("inf"))
    low, high = (finite(end) for end in text.split(":"))
    if low > high:
        raise ValueError
    return low, high


def _levels(text: str) -> tuple[float, ...]:
    """``-5,0,5`` as it is, ``-6:9`` in equal steps, within 100 dB, beyond which 16 bits hold only one of the two."""
    if ":" in text:
        from tinyprune.data.speech.fixed_mixtures import snr_steps

        levels = tuple(snr_steps(_range(text)))
    else:
        levels = tuple(float(part) for part in text.split(","))
    if len(set(levels)) < len(levels) or not all(abs(level) <= 100 for level in levels):
        raise ValueError
    return levels


def _fractions(text: str) -> tuple[float, ...]:
    """``0.5,0.8``: fractions in [0, 1), each above the one before."""
    levels = tuple(_number(lambda number: 0 <= number < 1)(part) for part in text.split(","))
    if list(levels) != sorted(set(levels)):
        raise ValueError
    return levels


FRACTIONS = _Parsed(
    "fraction", _fractions, "a fraction in [0, 1), e.g. 0.8, or several that grow, e.g. 0.5,0.7,0.8"
)
MOMENT = _Parsed(
    "moment",
    _number(lambda number: 0 <= number < float("inf")),
    "a fraction of the training up to 1, or a step",
)
COUNT = _Parsed("count", _number(lambda number: number >= 1, int), "a whole number of at least 1")
NUMBER = _Parsed("number", _number(lambda number: number >= 0, int), "a whole number of at least 0")
SEED = _Parsed("seed", _number(lambda number: number >= 0, int), "a whole number of at least 0")
POSITIVE = _Parsed("number", _number(lambda number: 0 < number < float("inf")), "a number above 0")
DECIBELS = _Parsed("lo:hi", _range, "a range LO:HI in dB with LO <= HI, e.g. -6:9")
FACTORS = _Parsed("lo:hi", _range, "a range LO:HI of factors with LO <= HI, e.g. 0.9:1.1")
LEVELS = _Parsed(
    "levels",
    _levels,
    "a range such as -6:9 or levels such as -5,0,5, each once, from -100 to 100 dB",
)
SHARE = _Parsed("share", _number(lambda number: 0 <= number <= 1), "a fraction in [0, 1], e.g. 0.2")
SECONDS = _Parsed(
    "seconds", _number(lambda number: 0.1 <= number <= 3600), "a number of seconds from 0.1 to 3600"
)
PATH = click.Path(exists=True, resolve_path=True)
FOLDER = click.Path(file_okay=False, exists=True, resolve_path=True)


def _level(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    """Callback of ``-q`` and ``-v``: how much goes to stderr."""
    if given:
        messages.set_level(quiet=param.name == "quiet", verbose=param.name == "verbose")


def verbosity(command: Any) -> Any:
    """``-q`` and ``-v``, before the command or after it."""
    flag = partial(click.option, is_flag=True, expose_value=False, callback=_level)
    command = flag("-v", "--verbose", help="More on stderr, and the traceback of an error.")(
        command
    )
    return flag("-q", "--quiet", help="Only warnings and errors on stderr.")(command)


run_folder = click.option(
    "--run",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/default"),
    show_default=True,
    metavar="DIR",
    help="Run folder: where each stage leaves its results and finds those of the stage before.",
)
epochs = click.option("--epochs", type=COUNT, metavar="N", help="Passes over the training data.")
learning_rate = click.option(
    "--learning-rate", type=POSITIVE, metavar="X", help="Learning rate at its peak."
)
seed = click.option(
    "--seed", type=SEED, metavar="N", help="Seed of initial weights and of the order of the data."
)
name = click.option(
    "--name",
    metavar="NAME",
    help="Name of the variant.  [default: STRUCTURE-SPARSITY, or METHOD-BUDGET]",
)
output_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How results are printed on stdout.",
)
report_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", *FORMATS]),
    default="table",
    show_default=True,
    help="How the report is written.",
)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any value of a recipe by its key, e.g. train.epochs=3; may be given several times.",
)


def target(command: Any) -> Any:
    """What to compile for: the options behind :func:`chosen_targets`."""
    everything = click.option(
        "--all-targets", is_flag=True, help="Every accelerator with each of its memory modes."
    )
    return _accelerator(
        everything(command),
        "Accelerator or own target, see `tinyprune list npus`; may be repeated.  [default: ethos-u55-128]",
        "Where weights and feature maps live; may be repeated.",
    )


def one_target(command: Any) -> Any:
    """Whose figures a budget means: the options behind :func:`chosen_target`."""
    return _accelerator(
        command,
        "The budget is one of this accelerator or own target (`tinyprune list npus`), as Vela counts.",
        "Where its weights and feature maps live.",
    )


def _accelerator(command: Any, npu: str, memory_mode: str) -> Any:
    """The options that name accelerators and their systems, with the help of two of them."""
    for flag, name, metavar, help_text in (
        (
            "--vela-config",
            "vela_config",
            "FILE.ini",
            "Your own system configs and memory modes, in Vela's format.",
        ),
        ("--memory-mode", "memory_modes", "NAME", memory_mode),
        ("--system-config", "system_config", "NAME", "Clock and memories of the system."),
        ("--npu", "npus", "NAME", npu),
    ):
        kind = click.Path(dir_okay=False, path_type=Path) if name == "vela_config" else None
        several = name in ("memory_modes", "npus")
        command = click.option(
            flag, name, type=kind, multiple=several, metavar=metavar, help=help_text
        )(command)
    return command


def chosen_targets(flags: Mapping[str, Any]) -> "list[NpuTarget]":
    """The targets of a command line. Raises UsageError for what does not exist."""
    from tinyprune.npu import targets

    names = ("npus", "system_config", "memory_modes", "vela_config", "all_targets")
    return targets.several(*(flags[name] for name in names))


def chosen_target(flags: Mapping[str, Any]) -> dict[str, str] | None:
    """The one target of a command line as a table of TargetConfig, or None without an accelerator.

    Raises UsageError for several, and for a system without its accelerator.
    """
    names = {"npu": "npus", "system_config": "system_config", "memory_mode": "memory_modes"}
    found = {key: _one(flags[name], f"--{key.replace('_', '-')}") for key, name in names.items()}
    found["vela_config"] = flags["vela_config"] and str(flags["vela_config"])
    given = {key: value for key, value in found.items() if value is not None}
    if given and "npu" not in given:
        raise UsageError(
            f"--{next(iter(given)).replace('_', '-')} goes with --npu NAME: it is a setting of that"
        )
    return given or None


def _one(value: Any, option: str) -> Any:
    """The value of an option that may be given once, or more often with the same value. Raises UsageError."""
    values = list(dict.fromkeys(value)) if isinstance(value, tuple) else [value]
    if len(values) > 1:
        raise UsageError(
            f"{option} {' and '.join(map(str, values))} contradict each other: give one"
        )
    return values[0] if values else None


def limits(command: Any) -> Any:
    """What a network may cost: the options behind :func:`chosen_limits`."""
    for name, limit in reversed(LIMITS.items()):
        text = f"{limit.option.meaning}, e.g. {limit.option.example}; above it: exit 3."
        command = click.option(
            f"--{name.replace('_', '-')}", multiple=True, metavar="X", help=text
        )(command)
    return command


def budget(command: Any) -> Any:
    """The same with operators on the CPU: the options behind :func:`chosen_budget`."""
    allow_cpu = click.option(
        "--allow-cpu", is_flag=True, help="Accept operators that the NPU cannot run."
    )
    cpu_ops = click.option(
        "--max-cpu-ops",
        type=NUMBER,
        multiple=True,
        metavar="N",
        help="Operators left to the CPU.  [default: 0]",
    )
    return limits(cpu_ops(allow_cpu(command)))


def chosen_limits(flags: Mapping[str, Any]) -> dict[str, str]:
    """The limits of a command line as a table of BudgetConfig. Raises UsageError for two that contradict each other."""
    found = {name: _one(flags[name], f"--{name.replace('_', '-')}") for name in LIMITS}
    return {name: text for name, text in found.items() if text is not None}


def chosen_budget(flags: Mapping[str, Any], recipe: "BudgetConfig | None" = None) -> "Budget":
    """The limits of a command line on top of a recipe's; none for the CPU means none of its operators.

    Raises UsageError for limits that contradict each other.
    """
    from tinyprune.config import build, to_mapping
    from tinyprune.config.budget import BudgetConfig

    given = to_mapping(recipe or BudgetConfig()) | chosen_limits(flags)
    cpu_ops = _one(flags["max_cpu_ops"], "--max-cpu-ops")
    if flags["allow_cpu"] and cpu_ops is not None:
        raise UsageError(f"--allow-cpu and --max-cpu-ops {cpu_ops} contradict each other: give one")
    if cpu_ops is None:
        cpu_ops = given["max_cpu_ops"] or 0
    return build(
        BudgetConfig, {**given, "max_cpu_ops": None if flags["allow_cpu"] else cpu_ops}
    ).resolved()
