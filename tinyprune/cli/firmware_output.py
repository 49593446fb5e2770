"""Generated sources on stdout."""

from typing import TYPE_CHECKING

import click

from tinyprune.cli.output import as_json
from tinyprune.units import format_bytes

if TYPE_CHECKING:
    from tinyprune.artifacts.firmware import FirmwareRecord, FirmwareSizes, FvpCounts
    from tinyprune.stages.firmware import Firmware

_LABEL, _NUMBER = 28, 9
Row = tuple[str, int | None, int | None]


def show(made: "Firmware", output_format: str) -> None:
    """Print where the sources are and what they take."""
    if output_format == "json":
        as_json(made.record)
    else:
        record = made.record
        click.echo(f"{record.name} for {record.target.description}: {made.folder}")
        click.echo(f"{'':<{_LABEL}}{'flash':>{_NUMBER}}{'RAM':>{_NUMBER}}")
        for label, flash, ram in _rows(record):
            click.echo(f"{label:<{_LABEL}}{_text(flash):>{_NUMBER}}{_text(ram):>{_NUMBER}}")
        if record.fvp is not None:
            _show_fvp(record.fvp, made.report.cycles)
        click.echo(f"next: make -C {made.folder} test")
    for note in made.notes:
        click.echo(note, err=True)


def _show_fvp(counts: "FvpCounts", estimate: float) -> None:
    """Print the cycles of Arm's model beside Vela's estimate, and what it computed."""
    click.echo(
        f"NPU on the FVP: {counts.cycles:,} cycles a call, the mean of {counts.calls}, at most "
        f"{counts.most_cycles:,}; Vela's estimate is {estimate:,.0f} "
        f"({counts.cycles / max(estimate, 1.0):.2f} times)"
    )
    click.echo(
        f"{counts.off:,} of {counts.numbers:,} numbers out of it are not those of the simulated "
        "stream"
    )


def _rows(record: "FirmwareRecord") -> list[Row]:
    """Return what the parts take, in flash and in RAM."""
    if record.sizes is not None:
        return _measured_rows(record.sizes)
    if record.tensor_arena_bytes:
        ram = record.arena_bytes + record.tensor_arena_bytes
        return [
            ("network for TFLM", record.constant_bytes, ram),
            ("tables of the front end", record.table_bytes, None),
        ]
    network = record.command_bytes + record.constant_bytes
    return [
        ("network", network, record.arena_bytes + record.fast_bytes),
        ("tables of the front end", record.table_bytes, None),
    ]


def _measured_rows(sizes: "FirmwareSizes") -> list[Row]:
    return [
        ("network", sizes.network_flash, sizes.network_ram),
        ("front end", sizes.front_end_flash, sizes.front_end_ram),
        ("glue", sizes.glue_flash, sizes.glue_ram),
        ("libm and libc", sizes.library_flash, None),
        ("stack of a call", None, sizes.stack),
        ("all, without Arm's driver", sizes.flash, sizes.ram),
    ]


def _text(count: int | None) -> str:
    return "-" if count is None else format_bytes(count)
