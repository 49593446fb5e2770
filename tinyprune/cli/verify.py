"""``tinyprune verify``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprune.cli import options, output
from tinyprune.cli.values import RUN_FOLDER

if TYPE_CHECKING:
    from tinyprune.stages.verify import CheckedFile

_HEADER = ["file", "state"]


@click.command()
@click.argument("folder", required=False, metavar="[RUN]", type=RUN_FOLDER)
@options.run_folder
@options.output_format
def verify(folder: Path | None, run: Path, output_format: str) -> None:
    """Check every file of a run against the SHA-256 that it was recorded with.

    RUN is a run folder, by default that of --run. Shown are the files that have changed, are
    missing, or were made by a version that kept no digest of them (unverified). Exit code 1 if a
    file has changed or is missing.
    """
    from tinyprune.errors import TinypruneError
    from tinyprune.stages.verify import verify_run

    files = verify_run(folder or run)
    _print(files, output_format)
    counts = Counter(file.state for file in files)
    bad = counts["changed"] + counts["missing"]
    if bad:
        raise TinypruneError(
            f"{bad} of {len(files)} files have changed or are missing: put them back, "
            "or delete them and run the commands that made them again"
        )


def _print(files: "Sequence[CheckedFile]", output_format: str) -> None:
    """Print all files; as a table those that are not unchanged, and how many there are of each."""
    printers = {"json": output.as_json, "csv": _csv, "table": _table}
    printers[output_format](files)


def _csv(files: "Sequence[CheckedFile]") -> None:
    """Print a row per file."""
    output.rows(_HEADER, [[file.path, file.state] for file in files], "csv")


def _table(files: "Sequence[CheckedFile]") -> None:
    """Print the files that are not unchanged, then how many there are of each state."""
    shown = [[file.path, file.state] for file in files if file.state != "unchanged"]
    output.rows(_HEADER, shown, "table")
    for state, count in Counter(file.state for file in files).items():
        click.echo(f"{count} {state}")
