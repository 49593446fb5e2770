"""``tinyprune compile``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import costs, options, stand_in


@click.command("compile")
@click.argument("model", required=False, type=click.Path(path_type=Path), metavar="[MODEL.tflite]")
@options.run_folder
@options.target
@options.budget
@click.option(
    "--gate",
    multiple=True,
    metavar="VARIANT",
    help="Who has to fit.  [default: all but the baseline]",
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where to write it.",
)
@options.output_format
def compile_command(
    model: Path | None,
    run: Path,
    gate: tuple[str, ...],
    path: Path | None,
    output_format: str,
    **flags: Any,
) -> None:
    """Compile for an Ethos-U with Vela and show what it costs.

    Without MODEL.tflite: every variant of the run beside its baseline. With it: that int8 file
        alone; "pretrained" is
    the network that comes with tinyprune, compiled into runs/pretrained, also where there is no
    run. Several targets are compiled side by side; what is compiled already is not compiled again.
    Exits with 3 if a limit is exceeded.
    """
    limits = options.chosen_budget(flags)
    if model is None and path is not None:
        raise click.UsageError(
            "--output goes with MODEL.tflite; variants of a run are compiled into its folder"
        )
    if model is not None and gate:
        raise click.UsageError("--gate goes with a run: MODEL.tflite is the one that has to fit")
    from tinyprune import pretrained
    from tinyprune.report.model.summary import summary_of_file
    from tinyprune.stages.compile import compile_file, compile_variants

    chosen = options.chosen_targets(flags)
    if model is None and not gate and stand_in.stands_in(run):
        model = Path(pretrained.NAME)
    if model is None:
        summaries = compile_variants(run, chosen)
        costs.summaries(summaries, output_format)
    else:
        artifacts = compile_file(model, chosen, path)
        summaries = [summary_of_file(artifact) for artifact in artifacts]
        costs.compiled(artifacts, output_format)
    costs.gate(summaries, limits, gate, output_format)
