"""Options that mean the same in every command that has them. What is not given is None, and the recipe decides."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import messages
from tinyprune.errors import UsageError

if TYPE_CHECKING:
    from tinyprune.budgets import Budget, BudgetConfig
    from tinyprune.resources import NpuTarget


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


def _number(accept: Callable[[float], bool], kind: Callable[[str], Any] = float) -> Callable[[str], Any]:
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
        from tinyprune.data.fixed import snr_steps

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


FRACTIONS = _Parsed("fraction", _fractions, "a fraction in [0, 1), e.g. 0.8, or several that grow, e.g. 0.5,0.7,0.8")
MOMENT = _Parsed(
    "moment", _number(lambda number: 0 <= number < float("inf")), "a fraction of the training up to 1, or a step"
)
COUNT = _Parsed("count", _number(lambda number: number >= 1, int), "a whole number of at least 1")
NUMBER = _Parsed("number", _number(lambda number: number >= 0, int), "a whole number of at least 0")
SEED = _Parsed("seed", _number(lambda number: number >= 0, int), "a whole number of at least 0")
POSITIVE = _Parsed("number", _number(lambda number: 0 < number < float("inf")), "a number above 0")
DECIBELS = _Parsed("lo:hi", _range, "a range LO:HI in dB with LO <= HI, e.g. -6:9")
FACTORS = _Parsed("lo:hi", _range, "a range LO:HI of factors with LO <= HI, e.g. 0.9:1.1")
LEVELS = _Parsed("levels", _levels, "a range such as -6:9 or levels such as -5,0,5, each once, from -100 to 100 dB")
SHARE = _Parsed("share", _number(lambda number: 0 <= number <= 1), "a fraction in [0, 1], e.g. 0.2")
SECONDS = _Parsed("seconds", _number(lambda number: 0.1 <= number <= 3600), "a number of seconds from 0.1 to 3600")
PATH = click.Path(exists=True, resolve_path=True)
FOLDER = click.Path(file_okay=False, exists=True, resolve_path=True)


def _level(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    """Callback of ``-q`` and ``-v``: how much goes to stderr."""
    if given:
        messages.set_level(quiet=param.name == "quiet", verbose=param.name == "verbose")


def verbosity(command: Any) -> Any:
    """``-q`` and ``-v``, before the command or after it."""
    flag = partial(click.option, is_flag=True, expose_value=False, callback=_level)
    command = flag("-v", "--verbose", help="More on stderr, and the traceback of an error.")(command)
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
learning_rate = click.option("--learning-rate", type=POSITIVE, metavar="X", help="Learning rate at its peak.")
seed = click.option("--seed", type=SEED, metavar="N", help="Seed of initial weights and of the order of the data.")
name = click.option("--name", metavar="NAME", help="Name of the variant.  [default: STRUCTURE-SPARSITY]")
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
    type=click.Choice(["table", "json", "csv", "markdown", "html"]),
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
    command = click.option("--all-targets", is_flag=True, help="Every accelerator with each of its memory modes.")(
        command
    )
    command = click.option(
        "--vela-config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.ini",
        help="Your own system configs and memory modes, in Vela's format.",
    )(command)
    command = click.option(
        "--memory-mode",
        "memory_modes",
        multiple=True,
        metavar="NAME",
        help="Where weights and feature maps live; may be repeated.",
    )(command)
    command = click.option("--system-config", metavar="NAME", help="Clock and memories of the system.")(command)
    return click.option(
        "--npu",
        "npus",
        multiple=True,
        metavar="NAME",
        help="Accelerator or own target, see `tinyprune list npus`; may be repeated.  [default: ethos-u55-128]",
    )(command)


def chosen_targets(flags: Mapping[str, Any]) -> "list[NpuTarget]":
    """The targets of a command line. Raises UsageError for what does not exist."""
    from tinyprune.npu import targets

    names = ("npus", "system_config", "memory_modes", "vela_config", "all_targets")
    return targets.several(*(flags[name] for name in names))


BUDGET_FLAGS = ("max_flash", "max_sram", "max_cycles", "max_latency", "max_cpu_ops", "allow_cpu")


def budget(command: Any) -> Any:
    """What a network may cost: the options behind :func:`chosen_budget`."""
    allow_cpu = click.option("--allow-cpu", is_flag=True, help="Accept operators that the NPU cannot run.")
    cpu_ops = click.option(
        "--max-cpu-ops", type=NUMBER, multiple=True, metavar="N", help="Operators left to the CPU.  [default: 0]"
    )
    command = cpu_ops(allow_cpu(command))
    for flag, example, what in (
        ("--max-latency", "16ms", "Time of one inference, of one frame where the network streams"),
        ("--max-cycles", "200k", "Cycles of one inference"),
        ("--max-sram", "64KiB", "Peak SRAM"),
        ("--max-flash", "100KiB", "Weights, biases and scales"),
    ):
        command = click.option(flag, multiple=True, metavar="X", help=f"{what}, e.g. {example}; above it: exit 3.")(
            command
        )
    return command


def chosen_budget(flags: Mapping[str, Any], recipe: "BudgetConfig | None" = None) -> "Budget":
    """The limits of a command line on top of a recipe's; none for the CPU means none of its operators.

    Raises UsageError for limits that contradict each other.
    """
    from tinyprune.budgets import BudgetConfig
    from tinyprune.config import build, to_mapping

    given = to_mapping(recipe or BudgetConfig())
    for name in BUDGET_FLAGS[:-1]:
        values = dict.fromkeys(flags[name])
        if len(values) > 1:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {' and '.join(map(str, values))} contradict each other: give one")
        given[name] = next(iter(values), given[name])
    if flags["allow_cpu"] and flags["max_cpu_ops"]:
        raise UsageError(f"--allow-cpu and --max-cpu-ops {flags['max_cpu_ops'][0]} contradict each other: give one")
    given["max_cpu_ops"] = None if flags["allow_cpu"] else given["max_cpu_ops"] or 0
    return build(BudgetConfig, given).resolved()
