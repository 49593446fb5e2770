"""``tinyprune run``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tinyprune import extras
from tinyprune.cli import options, resource_output
from tinyprune.cli.data_kind import recipe_at
from tinyprune.cli.values import FILE
from tinyprune.config.recipe import quickened, with_overrides


@click.command()
@click.argument("recipe", type=FILE, metavar="RECIPE.toml")
@options.run_folder_of_recipe
@options.deterministic
@options.set_values
@click.option(
    "--quick",
    is_flag=True,
    help="Train a fifth of the epochs, for a first look, into runs/RECIPE-quick.",
)
@options.force
@options.log_to
@options.budget
@options.output_format
def run(
    recipe: Path,
    run: Path | None,
    set_values: tuple[str, ...],
    quick: bool,
    force: bool,
    log: Callable[[Path], None],
    output_format: str,
    **flags: Any,
) -> None:
    """Train, prune, export, compile and report, as RECIPE.toml says.

    A stage that is finished with the same configuration and data is not done again. Exit code 3 if
    a variant is above a limit of the recipe's [budget] or of the command line.
    """
    config = with_overrides(recipe_at(recipe), set_values)
    limits = options.chosen_budget(flags, config.budget)
    name = recipe.stem
    if quick:
        config = quickened(config)
        name = f"{name}-quick"
    folder = run or Path("runs") / name
    if not folder.exists():  # one that is there may be finished, and needs nothing then
        extras.require_training("tinyprune run")
    from tinyprune.stages.recipe import run_recipe

    summaries = run_recipe(config, folder, force, limits)
    log(folder)
    resource_output.summaries(summaries, output_format)
    resource_output.gate(summaries, limits, (), output_format)
