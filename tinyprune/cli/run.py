"""``tinyprune run``."""

from pathlib import Path

import click

from tinyprune.cli import options, output
from tinyprune.recipe import load_recipe, with_overrides


@click.command()
@click.argument("recipe", type=click.Path(dir_okay=False, path_type=Path), metavar="RECIPE.toml")
@click.option(
    "--run",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Run folder.  [default: runs/ and the name of the recipe]",
)
@options.settings
@options.output_format
def run(recipe: Path, run: Path | None, settings: tuple[str, ...], output_format: str) -> None:
    """Train, prune, export, compile and report, as RECIPE.toml says.

    What is finished with the same configuration and data is not done again.
    """
    config = with_overrides(load_recipe(recipe), settings)
    from tinyprune import pipeline

    output.summaries(pipeline.run(config, run or Path("runs") / recipe.stem), output_format)
