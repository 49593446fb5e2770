"""``tinyprune compare``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprune.cli import options

if TYPE_CHECKING:
    from tinyprune.report.model.comparison import Comparison


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.run_folder
@click.option(
    "--policy",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="How much worse is allowed (TOML).",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv", "markdown"]),
    default="table",
    show_default=True,
    help="How the comparison is printed.",
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to a file.",
)
def compare(
    before: str, after: str, run: Path, policy: Path | None, output_format: str, path: Path | None
) -> None:
    """Compare B with A, metric by metric; exit with 3 if something is worse than allowed.

    A and B are variants of the run, run folders, JSON files that `compile` or `report` made, or
    FOLDER:VARIANT and FILE:VARIANT. What both were compiled for is compared; of whole runs, the
    variants of the same name.
    """
    from tinyprune.report.model import comparison as comparing
    from tinyprune.report.model import references
    from tinyprune.report.model.policy import Policy, load_policy
    from tinyprune.report.render import terminal, verdict
    from tinyprune.storage.records import write_text

    left, right = references.resolve(before, run), references.resolve(after, run)
    rules = load_policy(policy, comparing.metric_names_of(left, right)) if policy else Policy()
    found = comparing.compare(left, right, rules)
    if path is not None:
        write_text(path, _text(found, output_format))
    elif output_format == "table":
        terminal.show(verdict.format_table(found))
    else:
        click.echo(_text(found, output_format), nl=False)
    verdict.check(found)


def _text(found: "Comparison", output_format: str) -> str:
    """The comparison as text."""
    from tinyprune.report.render import markdown, terminal, verdict

    if output_format == "table":
        return terminal.to_text(verdict.format_table(found))
    forms = {"json": verdict.to_json, "csv": verdict.to_csv, "markdown": markdown.comparison}
    return forms[output_format](found)
