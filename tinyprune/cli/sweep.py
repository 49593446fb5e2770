"""``tinyprune sweep``."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune import extras
from tinyprune.cli import options, output
from tinyprune.cli.data_kind import recipe_at
from tinyprune.cli.settings import own_fields, settings
from tinyprune.cli.values import COUNT, FILE
from tinyprune.config import RunConfig, SweepConfig, SweepStep, from_mapping, to_mapping
from tinyprune.config.budget import BudgetConfig
from tinyprune.config.family import fields_of
from tinyprune.config.recipe import with_overrides
from tinyprune.errors import UsageError, check_name

if TYPE_CHECKING:
    from tinyprune.artifacts.sweep import SweepAnswer

#: What ``--axis`` may name.
AXES = ["width", *(name for name in fields_of(SweepStep) if name != "optional")]


@click.command()
@click.argument("recipe", type=FILE, metavar="RECIPE.toml")
@options.run_folder_of_recipe
@click.option(
    "--axis",
    "axes",
    multiple=True,
    metavar="NAME=A,B,...",
    help="Values of a setting that are tried, in place of the recipe's [[sweep.step]] tables, e.g. "
    "sparsity=0.5,0.7. May be repeated.",
)
@settings(own_fields(SweepConfig))
@click.option(
    "--jobs",
    type=COUNT,
    metavar="N",
    help="Number of trials that run at a time.  [default: one per core, as memory allows; with "
    "--ray as many as the cluster has room for]",
)
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="local",
    help="Run the trials on a Ray cluster: HOST:PORT of its head, or auto for the one that this "
    "machine is in. Without an address, Ray is started here. All nodes have to see the run folder "
    "and the data.",
)
@click.option(
    "--cpus-per-trial",
    type=COUNT,
    metavar="N",
    help="With --ray: number of cores of each trial.  [default: 1]",
)
@click.option("--final", is_flag=True, help="Score what is shipped on test, once.")
@options.budget
@options.deterministic
@options.set_values
@options.format_option(("table", "json"), "the answer")
def sweep(
    recipe: Path,
    run: Path | None,
    axes: tuple[str, ...],
    jobs: int | None,
    ray: str | None,
    cpus_per_trial: int | None,
    final: bool,
    set_values: tuple[str, ...],
    output_format: str,
    **flags: Any,
) -> None:
    """Try chains of prunings, and name the variant to ship.

    The [sweep] table of RECIPE.toml says which values are tried. Without one, limits such as
    --max-flash 100kB are enough. The baseline is trained once, as are equal beginnings of chains.
    Each trial is a variant of the run, for `report`, `compare` and `enhance`. The same command goes
    on where it was interrupted. Exit code 3 if nothing keeps the limits.
    """
    config = with_overrides(recipe_at(recipe), set_values)
    limits = options.chosen_budget(flags, config.budget)
    config = replace(config, sweep=_chosen(config, axes, flags))
    _check_engine(ray, cpus_per_trial)
    extras.require("optuna", "tinyprune sweep")
    extras.require_training("tinyprune sweep")
    from tinyprune.stages.ray_workers import RayRequest
    from tinyprune.stages.variant_search import SweepRequest, raise_without_ship, run_sweep

    cluster = RayRequest(ray, cpus_per_trial or 1) if ray is not None else None
    request = SweepRequest(limits, jobs, final, cluster)
    found = run_sweep(config, run or Path("runs") / recipe.stem, request)
    _print(found, output_format)
    raise_without_ship(found)


def _check_engine(ray: str | None, cpus_per_trial: int | None) -> None:
    """Raise UsageError for an address of Ray that is none, and options that go with Ray alone."""
    if ray is None:
        if cpus_per_trial is not None:
            raise UsageError(
                "--cpus-per-trial goes with --ray; on this machine trials share the cores: see "
                "--jobs"
            )
        return
    from tinyprune.stages.ray_cluster import check_address

    check_address(ray)
    extras.require("ray", "--ray", "or leave it out: --jobs N runs N trials at a time here")


def _chosen(config: RunConfig, axes: tuple[str, ...], flags: Mapping[str, Any]) -> SweepConfig:
    """Return the sweep of a recipe with the options of a command line, and a space."""
    from tinyprune.search.defaults import with_default_space

    table = to_mapping(config.sweep)
    for name in own_fields(SweepConfig):
        if flags.get(name) not in (None, ()):
            table[name] = flags[name]
    if axes:
        step = _axes(axes)
        table["width"] = step.pop("width", [])
        table["step"] = [step] if step else []
        _check_axes(table)
    recipe = to_mapping(config.budget)
    limits = from_mapping({**recipe, **options.chosen_limits(flags)}, BudgetConfig)
    return with_default_space(_read(table), limits)


def _read(table: dict[str, Any]) -> SweepConfig:
    """Return the sweep of a table; its keys are those of a recipe in errors."""
    return from_mapping({"sweep": table}).sweep


def _axes(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of ``NAME=A,B`` texts. Raises UsageError for what is no such text."""
    from tinyprune.config.recipe import assignments

    step: dict[str, Any] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name.strip() and equals and values.strip()):
            raise UsageError(f"--axis {text}: expected NAME=A,B,..., e.g. sparsity=0.5,0.7")
        check_name("--axis", name.strip(), AXES)
        if name.strip() in step:
            raise UsageError(f"--axis {name.strip()} is given twice: put its values behind one =")
        step.update(assignments([text]))
    return step


def _check_axes(table: dict[str, Any]) -> None:
    """Raise UsageError that names ``--axis`` and not the key of a recipe."""
    try:
        _read(table)
    except UsageError as error:
        raise UsageError(re.sub(r"sweep\.(step\.0\.|(?=width))", "--axis ", str(error))) from None


def _print(found: "SweepAnswer", output_format: str) -> None:
    """Print the answer."""
    from tinyprune.report.render.sweep_answer import as_text

    if output_format == "json":
        output.as_json(found)
    else:
        click.echo(as_text(found))
