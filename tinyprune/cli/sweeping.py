"""``tinyprune evaluate --sweep``: the options of it, and what it prints."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli.values import OUT_FOLDER
from tinyprune.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from tinyprune.metrics.sweep import SweepReport
    from tinyprune.stages.model_reference import EvaluationRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepFlags:
    """The options of a sweep.

    Attributes:
        names: of sweeps. inputs: folder that changed recordings are written to.
        is_strict: whether harm is a failed check.
    """

    names: tuple[str, ...]
    inputs: Path | None
    is_strict: bool


def options(command: Any) -> Any:
    """Add the options of a sweep to a command."""
    for option in (_STRICT, _INPUTS, _SWEEP):
        command = option(command)
    return command


_SWEEP = click.option(
    "--sweep",
    multiple=True,
    metavar="NAME[,...]",
    help="Change the recordings and measure what becomes of them: level, snr, clean, band, room "
    "or all. May be repeated.",
)
_INPUTS = click.option(
    "--sweep-inputs",
    type=OUT_FOLDER,
    metavar="DIR",
    help="With --sweep: folder that the changed recordings are written to, for another program to "
    "enhance.",
)
_STRICT = click.option(
    "--strict",
    is_flag=True,
    help="With --sweep: exit code 3 where a model harms recordings.",
)


def flags(sweep: tuple[str, ...], sweep_inputs: Path | None, strict: bool) -> SweepFlags | None:
    """Return the options of a sweep; None where none is asked for.

    Raises UsageError for those that go with one.
    """
    from tinyprune.data.speech.sweeps import chosen

    if sweep:
        names = chosen(sweep)
        if not names:
            raise UsageError("--sweep is empty: expected level, snr, clean, band, room or all")
        return SweepFlags(names, sweep_inputs, strict)
    for option, value in (("--sweep-inputs", sweep_inputs), ("--strict", strict)):
        if value:
            raise UsageError(f"{option} goes with --sweep NAME")
    return None


def check(models: tuple[str, ...], enhanced: tuple[str, ...], others: dict[str, Any]) -> None:
    """Raise UsageError for what does not go together with a sweep.

    ``others``: value by option, of those that it does not take.
    """
    for option, value in others.items():
        if value:
            raise UsageError(f"--sweep measures SI-SDR under its own limits: leave out {option}")
    if enhanced and not models:
        raise UsageError("--sweep sets --enhanced beside models: name one, e.g. pretrained")


def run_sweep(
    run: Path,
    models: tuple[str, ...],
    request: "EvaluationRequest",
    sweep: SweepFlags,
    enhanced: tuple[str, ...],
    files: Path | None,
    output_format: str,
) -> None:
    """Measure, print, and say in one line what is harmed. Raises CheckFailed for that if strict."""
    from tinyprune.metrics.sweep import report
    from tinyprune.report.render import sweeps
    from tinyprune.stages.sweep import SweepRequest, sweep_models
    from tinyprune.storage.records import write_text

    asked = SweepRequest(sweep.names, tuple(map(Path, enhanced)), sweep.inputs)
    swept = sweep_models(run, models, request, asked)
    if files is not None:
        write_text(files, sweeps.swept_files_csv(swept))
    found = report(swept, request.split)
    _show(found, output_format)
    harm = sweeps.in_one_line(found)
    if harm and sweep.is_strict:
        raise CheckFailed(harm)
    if harm:
        log.warning("%s", harm)


def _show(found: "SweepReport", output_format: str) -> None:
    """Print a report in a format."""
    from tinyprune.report.render import plain_data, sweeps, terminal

    if output_format == "table":
        terminal.show(sweeps.format_sweep(found))
        return
    texts = {
        "json": plain_data.json_text,
        "csv": sweeps.sweep_csv,
        "markdown": sweeps.sweep_markdown,
    }
    click.echo(texts[output_format](found), nl=False)
