"""``tinyprune run``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import costs, options
from tinyprune.config.recipe import load_recipe, with_overrides


@click.command()
@click.argument("recipe", type=click.Path(dir_okay=False, path_type=Path), metavar="RECIPE.toml")
@click.option(
    "--run",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Run folder.  [default: runs/ and the name of the recipe]",
)
@options.settings
@options.budget
@options.output_format
def run(
    recipe: Path, run: Path | None, settings: tuple[str, ...], output_format: str, **flags: Any
) -> None:
    """Train, prune, export, compile and report, as RECIPE.toml says.

    What is finished with the same configuration and data is not done again. Exits with 3 if a
    variant is above a limit of the recipe's [budget] or of the command line.
    """
    config = with_overrides(load_recipe(recipe), settings)
    limits = options.chosen_budget(flags, config.budget)
    from tinyprune.stages.recipe import run_recipe

    summaries = run_recipe(config, run or Path("runs") / recipe.stem)
    costs.summaries(summaries, output_format)
    costs.gate(summaries, limits, (), output_format)
