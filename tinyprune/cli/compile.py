"""``tinyprune compile``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import default_network, options, resource_output


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
    path: Path | None,
    output_format: str,
    **flags: Any,
) -> None:
    """Compile for an Ethos-U with Vela and show what it costs.

    Without MODEL.tflite, every variant of the run is compiled and shown beside its baseline. With
    it, that int8 file alone is compiled. "pretrained" is the network that comes with tinyprune; it
    is compiled into runs/pretrained, also where there is no run.

    Several targets are compiled side by side. Networks that are compiled already are not compiled
    again. Exit code 3 if a limit is exceeded.
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

    targets = options.chosen_targets(flags)
    if model is None and not gate and default_network.is_pretrained(run):
        model = Path(pretrained.NAME)
    if model is None:
        summaries = compile_variants(run, targets)
        resource_output.summaries(summaries, output_format)
    else:
        artifacts = compile_file(model, targets, path)
        summaries = [summary_of_file(artifact) for artifact in artifacts]
        resource_output.compiled(artifacts, output_format)
    resource_output.gate(summaries, limits, gate, output_format)
