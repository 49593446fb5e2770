"""``tinyprune compile``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import default_network, options, resource_output
from tinyprune.cli.values import Parsed, number
from tinyprune.config.settings import MOST

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget

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
@click.argument("model", required=False, type=click.Path(path_type=Path), metavar="[MODEL.tflite]")
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
    type=click.Path(path_type=Path),
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
    if model is None and path is not None:
        raise click.UsageError(
            "--output goes with MODEL.tflite; variants of a run are compiled into its folder"
        )
    if model is not None and gate:
        raise click.UsageError("--gate goes with a run: MODEL.tflite is the one that has to fit")
    _check_limit(verify, max_byte_error)
    from tinyprune import pretrained
    from tinyprune.report.model.summary import summary_of_file
    from tinyprune.stages.compile import compile_file, compile_variants

    targets = options.chosen_targets(flags)
    if model is None and not gate and default_network.is_pretrained(run):
        model = Path(pretrained.NAME)
    if model is None:
        summaries = compile_variants(run, targets)
        resource_output.summaries(summaries, output_format)
        _verify_variants(run, targets, verify, max_byte_error, output_format)
    else:
        artifacts = compile_file(model, targets, path)
        summaries = [summary_of_file(artifact) for artifact in artifacts]
        resource_output.compiled(artifacts, output_format)
        _verify_files(artifacts, verify, max_byte_error, output_format)
    resource_output.gate(summaries, limits, gate, output_format)


def _check_limit(verify: int | None, max_byte_error: float | None) -> None:
    """Raise UsageError for a limit of what is not asked for."""
    if max_byte_error is not None and verify is None:
        raise click.UsageError("--max-byte-error goes with --verify, which compares bytes")


def _verify_variants(
    run: Path,
    targets: "Sequence[NpuTarget]",
    inferences: int | None,
    limit_percent: float | None,
    output_format: str,
) -> None:
    """Execute the streams of all variants, print what differs, and hold it to its limit.

    ``inferences``: None: none of this.
    """
    if inferences is None:
        return
    from tinyprune.cli import stream_output
    from tinyprune.stages import stream_check

    checks = stream_check.check_variants(run, targets, inferences, limit_percent)
    stream_output.checks(checks, output_format)
    stream_check.check_kept(checks)


def _verify_files(
    artifacts: "Sequence[CompiledArtifact]",
    inferences: int | None,
    limit_percent: float | None,
    output_format: str,
) -> None:
    """Execute the streams of a file, print what differs, and hold it to its limit.

    ``inferences``: None: none of this.
    """
    if inferences is None:
        return
    from tinyprune.cli import stream_output
    from tinyprune.stages import stream_check

    checks = stream_check.check_files(artifacts, inferences, limit_percent)
    stream_output.checks(checks, output_format)
    stream_check.check_kept(checks)
