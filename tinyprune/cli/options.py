"""Options that mean the same in every command that has them.

An option that is not given is None, and the recipe decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli.settings import flag_of, settings
from tinyprune.cli.values import FILE, RUN_FOLDER
from tinyprune.config.budget import LIMITS, BudgetConfig
from tinyprune.config.family import fields_of
from tinyprune.config.pruning import TargetConfig
from tinyprune.errors import UsageError

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import NpuTarget
    from tinyprune.config.budget import Budget

DATA_FORMATS = ("table", "json", "csv")


def format_option(formats: tuple[str, ...], what: str) -> Any:
    """Return the decorator of ``--format``. ``what``: the thing that is printed."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default="table",
        show_default=True,
        help=f"Format of {what} on stdout.",
    )


def output_file(help: str, metavar: str = "FILE") -> Any:
    """Return the decorator of ``-o`` for a file."""
    return click.option("-o", "--output", "path", type=FILE, metavar=metavar, help=help)


run_folder = click.option(
    "--run",
    type=RUN_FOLDER,
    default=Path("runs/default"),
    show_default=True,
    metavar="DIR",
    help="Run folder. Each stage leaves its results in it and finds those of the stage before.",
)
run_folder_of_recipe = click.option(
    "--run",
    type=RUN_FOLDER,
    metavar="DIR",
    help="Run folder.  [default: runs/ and the name of the recipe]",
)
front_end = click.option(
    "--frontend",
    type=FILE,
    metavar="FILE.json",
    help="Front end of the network.  [default: the one beside it]",
)
output_format = format_option(DATA_FORMATS, "the results")


def _on_one_thread(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
    """Callback of ``--deterministic``: nothing that computes is loaded yet."""
    from tinyprune.storage.environment import compute_on

    if is_given:
        compute_on(1)


deterministic = click.option(
    "--deterministic",
    is_flag=True,
    expose_value=False,
    callback=_on_one_thread,
    help="Compute on one thread: the same seed gives the same bytes on any number of cores.",
)
force = click.option(
    "--force", is_flag=True, help="Prune a network too that has learned nothing, by its dev score."
)


def _checked_tracker(
    ctx: click.Context, param: click.Parameter, name: str | None
) -> Callable[[Path], None]:
    """Callback of ``--log``: return what is to be done with the run folder at the end."""
    if name is None:
        return _not_logged
    from tinyprune.stages import trackers

    trackers.check_tracker(name)
    return partial(trackers.log_run, name=name)


def _not_logged(folder: Path) -> None:
    """Send nothing."""


log_to = click.option(
    "--log",
    metavar="NAME",
    callback=_checked_tracker,
    help="Tracker that curves, settings, files and results are sent to when all is done: "
    "tensorboard, mlflow or wandb.",
)
set_values = click.option(
    "--set",
    "set_values",
    multiple=True,
    metavar="KEY=VALUE",
    help="Value of a recipe by its key, e.g. train.epochs=3. May be repeated.",
)


# --- targets
# --------------------------------------------------------------------------------------------------


def targets(command: Any) -> Any:
    """Add the options behind :func:`chosen_targets`: the accelerators to compile for."""
    every = click.option(
        "--all-targets", is_flag=True, help="Compile for every accelerator in each memory mode."
    )
    fields = fields_of(TargetConfig)
    helps = {}
    for name in ("npu", "memory_mode", "optimise"):
        helps[name] = f"{fields[name].metadata['setting'].help} May be repeated."
    helps["npu"] += f"  [default: {TargetConfig.npu}]"
    return settings(fields, helps=helps)(every(command))


def target_of_pruning(command: Any) -> Any:
    """Add the options behind :func:`chosen_target`: the accelerator that a pruning is for."""
    npu = (
        "Accelerator or own target that forms of layers are chosen for, and whose costs a budget "
        "limits, as Vela counts them, see `tinyprune list npus`.  "
        f"[default: {TargetConfig.npu}; of a budget none, its limits are those of the network]"
    )
    return settings(fields_of(TargetConfig), helps={"npu": npu})(command)


def target_of_stream(command: Any) -> Any:
    """Add the options behind :func:`chosen_target`: the accelerator whose stream is executed."""
    npu = (
        "With --engine stream: accelerator or own target, see `tinyprune list npus`.  "
        f"[default: {TargetConfig.npu}]"
    )
    return settings(fields_of(TargetConfig), helps={"npu": npu})(command)


def one_target(command: Any) -> Any:
    """Add the options behind :func:`chosen_npu`: the one accelerator to compile for."""
    fields = fields_of(TargetConfig)
    help = f"{fields['npu'].metadata['setting'].help}  [default: {TargetConfig.npu}]"
    return settings(fields, helps={"npu": help})(command)


def chosen_npu(flags: Mapping[str, Any]) -> "NpuTarget":
    """Return the one target of a command line. Raises UsageError for several."""
    from tinyprune.config import from_mapping
    from tinyprune.npu import targets

    return targets.resolve_config(from_mapping(chosen_target(flags), TargetConfig))


def chosen_targets(flags: Mapping[str, Any]) -> "list[NpuTarget]":
    """Return the targets of a command line. Raises UsageError for what does not exist."""
    from tinyprune.npu import targets

    chosen = targets.resolve_each(
        flags["npu"],
        flags["system_config"],
        flags["memory_mode"],
        flags["vela_config"],
        flags["all_targets"],
    )
    wishes = flags["optimise"] or [TargetConfig.optimise]
    for wish in wishes:
        _check_setting("optimise", wish)
    shared = _choices_of_the_compiler(flags)
    each = []
    for target in chosen:
        each += [replace(target, optimise=wish, **shared) for wish in wishes]
    return each


def _choices_of_the_compiler(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that all targets of a command line have in common."""
    shared: dict[str, Any] = {}
    if flags["lower"] is not None:
        _check_setting("lower", flags["lower"])
        shared["lower"] = flags["lower"]
    if flags["arena_limit"] is not None:
        _check_setting("arena_limit", flags["arena_limit"])
        shared["arena_bytes"] = TargetConfig(arena_limit=flags["arena_limit"]).arena_bytes
    return shared


def _check_setting(name: str, value: str) -> None:
    """Raise UsageError, which names the option, for a wrong value of a setting of a target."""
    field = fields_of(TargetConfig)[name]
    field.metadata["setting"].rule.check(value, flag_of(field))


def chosen_target(flags: Mapping[str, Any]) -> dict[str, str]:
    """Return the one target of a command line as a table; empty without an accelerator.

    Raises UsageError for several, and for a system without its accelerator.
    """
    table = {}
    for name, field in fields_of(TargetConfig).items():
        value = single(flags.get(name), flag_of(field))
        if value is not None:
            table[name] = str(value)
    if table and "npu" not in table:
        [first, *_] = table
        flag = flag_of(fields_of(TargetConfig)[first])
        raise UsageError(f"{flag} goes with --npu NAME: it is a setting of that")
    return table


def single(value: Any, flag: str) -> Any:
    """Return the value of an option that may be given again with the same value, or None.

    Raises UsageError for different values.
    """
    if not isinstance(value, tuple):
        return value
    values = list(dict.fromkeys(value))
    if len(values) > 1:
        texts = " and ".join(map(str, values))
        raise UsageError(f"{flag} {texts} contradict each other: give one")
    return next(iter(values), None)


# --- budgets
# --------------------------------------------------------------------------------------------------


def limits(command: Any) -> Any:
    """Add the options behind :func:`chosen_limits`: what a network may cost."""
    fields = fields_of(BudgetConfig)
    return settings({name: fields[name] for name in LIMITS})(command)


def budget(command: Any) -> Any:
    """Add the options behind :func:`chosen_budget`: limits, and operators on the CPU."""
    allow_cpu = click.option(
        "--allow-cpu", is_flag=True, help="Accept operators that the NPU cannot run."
    )
    fields = fields_of(BudgetConfig)
    cpu_ops = f"{fields['max_cpu_ops'].metadata['setting'].help}  [default: 0]"
    return settings(fields, helps={"max_cpu_ops": cpu_ops})(allow_cpu(command))


def sizes(command: Any) -> Any:
    """Add the options behind :func:`chosen_sizes`: limits of flash and SRAM."""
    fields = fields_of(BudgetConfig)
    return settings({name: fields[name] for name in ("max_flash", "max_sram")})(command)


def chosen_sizes(flags: Mapping[str, Any]) -> "Budget":
    """Return the limits of flash and SRAM of a command line."""
    from tinyprune.config import from_mapping

    return from_mapping(chosen_limits(flags), BudgetConfig).resolved()


def chosen_limits(flags: Mapping[str, Any]) -> dict[str, str]:
    """Return the limits of a command line as a table.

    Raises UsageError for two that contradict each other.
    """
    table = {}
    for name in LIMITS:
        text = single(flags.get(name), flag_of(fields_of(BudgetConfig)[name]))
        if text is not None:
            table[name] = text
    return table


def chosen_budget(flags: Mapping[str, Any], recipe: BudgetConfig | None = None) -> "Budget":
    """Return the limits of a command line on top of a recipe's; by default none runs on the CPU.

    Raises UsageError for limits that contradict each other.
    """
    from tinyprune.config import from_mapping, to_mapping

    recipe = recipe or BudgetConfig()
    table = {**to_mapping(recipe), **chosen_limits(flags)}
    table["max_cpu_ops"] = _most_cpu_operators(flags, recipe)
    return from_mapping(table, BudgetConfig).resolved()


def _most_cpu_operators(flags: Mapping[str, Any], recipe: BudgetConfig) -> int | None:
    """Return how many operators may run on the CPU; None: any number."""
    given = single(flags["max_cpu_ops"], "--max-cpu-ops")
    if flags["allow_cpu"]:
        _refuse_beside_allow_cpu(given)
        return None
    if given is not None:
        return int(given)
    return recipe.max_cpu_ops or 0


def _refuse_beside_allow_cpu(given: int | None) -> None:
    if given is not None:
        raise UsageError(f"--allow-cpu and --max-cpu-ops {given} contradict each other: give one")
