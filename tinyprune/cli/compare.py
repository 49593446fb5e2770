"""``tinyprune compare``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprune.cli import options
from tinyprune.cli.values import FILE

if TYPE_CHECKING:
    from tinyprune.report.model.comparison import Comparison


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.run_folder
@click.option(
    "--policy",
    type=FILE,
    metavar="FILE",
    help="TOML file that says how much worse each metric may be.",
)
@options.format_option((*options.DATA_FORMATS, "markdown"), "the comparison")
@options.output_file("File that the comparison is written to, instead of stdout.")
def compare(
    before: str, after: str, run: Path, policy: Path | None, output_format: str, path: Path | None
) -> None:
    """Compare B with A, metric by metric. Exit code 3 if something is worse than allowed.

    A and B are variants of the run, run folders, JSON files that `compile` or `report` made, or
    FOLDER:VARIANT and FILE:VARIANT. The targets that both were compiled for are compared. Of whole
    runs, variants of the same name are compared.
    """
    from tinyprune.report.model import comparison as comparing
    from tinyprune.report.model import references
    from tinyprune.report.model.policy import Policy, load_policy
    from tinyprune.report.render import terminal, verdict
    from tinyprune.storage.records import write_text

    left = references.reference_of(before, run)
    right = references.reference_of(after, run)
    rules = load_policy(policy, comparing.metric_names_of(left, right)) if policy else Policy()
    comparison = comparing.compare(left, right, rules)
    if path is not None:
        write_text(path, _text(comparison, output_format))
    elif output_format == "table":
        terminal.show(verdict.format_table(comparison))
    else:
        click.echo(_text(comparison, output_format), nl=False)
    verdict.check(comparison)


def _text(comparison: "Comparison", output_format: str) -> str:
    """Return the comparison as text."""
    from tinyprune.report.render import markdown, terminal, verdict

    if output_format == "table":
        return terminal.to_text(verdict.format_table(comparison))
    formats = {"json": verdict.to_json, "csv": verdict.to_csv, "markdown": markdown.comparison}
    return formats[output_format](comparison)
