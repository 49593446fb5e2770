"""``tinyprune evaluate``."""

from pathlib import Path

import click

from tinyprune.cli import options, output


@click.command()
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@options.run_folder
@click.option("--split", type=click.Choice(["dev", "test"]), default="dev", show_default=True, help="Which utterances.")
@click.option("--test-speech", type=options.FOLDER, metavar="DIR", help="Clean speech of the test split.")
@click.option("--test-noise", type=options.FOLDER, metavar="DIR", help="Noise of the test split.")
@options.output_format
def evaluate(
    variants: tuple[str, ...],
    run: Path,
    split: str,
    test_speech: str | None,
    test_noise: str | None,
    output_format: str,
) -> None:
    """Score VARIANTs of a run on its task.

    All of them if none is named: the unprocessed input, then each in float32 and in int8. Then SI-SDR per
    input SNR; JSON and CSV have every metric per SNR.
    """
    if (test_speech or test_noise) and split != "test":
        raise click.UsageError("--test-speech and --test-noise go with --split test")
    from tinyprune import pipeline

    output.qualities(pipeline.evaluate(run, variants, split, test_speech, test_noise), output_format)
