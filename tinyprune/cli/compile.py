"""``tinyprune compile``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import default_network, options, resource_output
from tinyprune.cli.values import PLACE, Parsed, number
from tinyprune.config.settings import MOST

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import NpuTarget
    from tinyprune.artifacts.stream_check import StreamCheck
    from tinyprune.artifacts.summary import RunSummary

DEFAULT_INFERENCES = 500


def _inferences(text: str) -> int:
    """Return a number of inferences. Raises ValueError for other text."""
    count = int(text)
    if not 1 <= count <= MOST:
        raise ValueError
    return count


INFERENCES = Parsed(
    "inferences",
    _inferences,
    f"a number of inferences, at least 1, or nothing behind it: --verify={DEFAULT_INFERENCES}, or "
    "--verify at the end of the line",
)
PERCENT = Parsed("percent", number(lambda value: 0 <= value <= 100), "percent, from 0 to 100")


@click.command("compile")
@click.argument("model", required=False, type=PLACE, metavar="[MODEL.tflite]")
@options.run_folder
@options.targets
@options.budget
@click.option(
    "--gate",
    multiple=True,
    metavar="VARIANT",
    help="Variant that the limits hold for. May be repeated.  [default: all but the baseline]",
)
@click.option(
    "--verify",
    is_flag=False,
    flag_value=str(DEFAULT_INFERENCES),
    type=INFERENCES,
    metavar="[N]",
    help="Execute the compiled stream and compare its output bytes with those of TFLM, on N frames "
    f"or examples of dev, of MODEL.tflite on noise.  [without N: {DEFAULT_INFERENCES}]",
)
@click.option(
    "--max-byte-error",
    type=PERCENT,
    metavar="PERCENT",
    help="With --verify: output bytes that may differ.  [default: 0; with numbers of 16 bit, as in "
    "an LSTM, 10; where LiteRT stands in for TFLM 25]",
)
@click.option(
    "-o",
    "--output",
    "path",
    type=PLACE,
    metavar="PATH",
    help="With MODEL.tflite: folder that the compiled network is written to.",
)
@options.output_format
def compile_command(
    model: Path | None,
    run: Path,
    gate: tuple[str, ...],
    verify: int | None,
    max_byte_error: float | None,
    path: Path | None,
    output_format: str,
    **flags: Any,
) -> None:
    """Compile for an Ethos-U with Vela and show what it costs.

    Without MODEL.tflite, every variant of the run is compiled and shown beside its baseline. With
    it, that int8 file alone is compiled. "pretrained" is the network that comes with tinyprune; it
    is compiled into runs/pretrained, also where there is no run.

    Several targets are compiled side by side. Networks that are compiled already are not compiled
    again. Exit code 3 if a limit is exceeded, or more bytes differ than may.
    """
    limits = options.chosen_budget(flags)
    if model is None:
        _check_options_of_run(path)
    elif gate:
        raise click.UsageError("--gate goes with a run: MODEL.tflite is the one that has to fit")
    _check_limit(verify, max_byte_error)
    from tinyprune import pretrained

    targets = options.chosen_targets(flags)
    if model is None and not gate and default_network.is_pretrained(run):
        model = Path(pretrained.NAME)
    if model is None:
        summaries = _compile_run(run, targets, verify, max_byte_error, output_format)
    else:
        from tinyprune.report.model.summary import summary_of_file
        from tinyprune.stages.compile import compile_file

        artifacts = compile_file(model, targets, path)
        summaries = [summary_of_file(artifact) for artifact in artifacts]
        resource_output.compiled(artifacts, output_format)
        if verify is not None:
            from tinyprune.stages.stream_check import check_files

            _show_checks(check_files(artifacts, verify, max_byte_error), output_format)
    resource_output.gate(summaries, limits, gate, output_format)


def _check_options_of_run(path: Path | None) -> None:
    """Raise UsageError for an option that goes with a file only."""
    if path is not None:
        raise click.UsageError(
            "--output goes with MODEL.tflite; variants of a run are compiled into its folder"
        )


def _check_limit(verify: int | None, max_byte_error: float | None) -> None:
    """Raise UsageError for a limit of what is not asked for."""
    if max_byte_error is not None and verify is None:
        raise click.UsageError("--max-byte-error goes with --verify, which compares bytes")


def _compile_run(
    run: Path,
    targets: "Sequence[NpuTarget]",
    inferences: int | None,
    limit_percent: float | None,
    output_format: str,
) -> "list[RunSummary]":
    """Compile the variants of a run and print what they cost.

    Their streams are executed where there is a number of ``inferences``.
    """
    from tinyprune.stages.compile import compile_variants

    summaries = compile_variants(run, targets)
    resource_output.summaries(summaries, output_format)
    if inferences is not None:
        from tinyprune.stages.stream_check import check_variants

        checks = check_variants(run, targets, inferences, limit_percent)
        _show_checks(checks, output_format)
    return summaries


def _show_checks(checks: "Sequence[StreamCheck]", output_format: str) -> None:
    """Print what differs between streams and their references, and hold it to its limits."""
    from tinyprune.cli import stream_output
    from tinyprune.stages.stream_check import check_kept

    stream_output.checks(checks, output_format)
    check_kept(checks)
