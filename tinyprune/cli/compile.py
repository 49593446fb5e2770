"""``tinyprune compile``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import options, output
from tinyprune.config import TargetConfig, build


@click.command("compile")
@click.argument("model", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="[MODEL.tflite]")
@options.run_folder
@options.target
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), metavar="PATH", help="Where to write it.")
@click.option("--allow-cpu", is_flag=True, help="Accept operators that the NPU cannot run.")
@options.output_format
def compile_command(
    model: Path | None, run: Path, path: Path | None, allow_cpu: bool, output_format: str, **target: Any
) -> None:
    """Compile for an Ethos-U with Vela and show what it costs.

    Without MODEL.tflite: every variant of the run beside its baseline. With it: that int8 file alone.
    """
    config = build(TargetConfig, {flag: value for flag, value in target.items() if value is not None})
    if model is None and path is not None:
        raise click.UsageError("--output goes with MODEL.tflite; variants of a run are compiled into its folder")
    from tinyprune import pipeline

    if model is None:
        output.summary(pipeline.compile(run, config, allow_cpu), output_format)
    else:
        output.compiled(pipeline.compile_file(model, config, path, allow_cpu), output_format)
