"""``tinyprune doctor``."""

from pathlib import Path

import click

from tinyprune.cli import options, output


@click.command()
@options.run_folder
@options.output_format
def doctor(run: Path, output_format: str) -> None:
    """Show what is installed on this machine, and what is missing.

    Versions, the int8 interpreter, Vela, cores, memory and disk are examined. Exit code 1 if
    something that is needed is missing.
    """
    from tinyprune.errors import TinypruneError
    from tinyprune.stages.doctor import examine

    checks = examine(run)
    lines = [[check.name, check.found, check.problem] for check in checks]
    output.rows(["what", "found", "problem"], lines, output_format)
    missing = [f"{check.name}: {check.problem}" for check in checks if check.problem]
    if missing:
        raise TinypruneError("; ".join(missing))
