"""``tinyprune doctor``."""

from pathlib import Path

import click

from tinyprune.cli import options, output


@click.command()
@options.run_folder
@options.output_format
def doctor(run: Path, output_format: str) -> None:
    """Show what is installed here, and what is missing.

    Versions, the int8 interpreter, Vela, cores, memory, disk. Exits with 1 if something that is
    needed is missing.
    """
    from tinyprune.errors import TinypruneError
    from tinyprune.stages.doctor import examine

    checks = examine(run)
    output.rows(
        ["what", "found", "problem"], [[c.name, c.found, c.problem] for c in checks], output_format
    )
    missing = [check for check in checks if check.problem]
    if missing:
        raise TinypruneError("; ".join(f"{check.name}: {check.problem}" for check in missing))
