"""``tinyprune enhance``."""

from pathlib import Path

import click

from tinyprune.cli import options, stand_in

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("source", required=False, metavar="[IN]")
@click.argument("target", required=False, metavar="[OUT]")
@options.run_folder
@click.option(
    "--model",
    metavar="MODEL",
    help="Variant of the run, FILE.tflite, or pretrained.  [default: see above]",
)
@click.option(
    "--frontend",
    type=FILE,
    metavar="FILE.json",
    help="Front end.  [default: the one beside the model]",
)
@click.option(
    "--raw",
    type=options.COUNT,
    metavar="RATE",
    help="What goes through - is mono 16-bit PCM, no WAV.",
)
@click.option("--plot", type=FILE, metavar="FILE.png", help="Spectrograms before and after.")
@click.option("--live", is_flag=True, help="From the microphone to the loudspeaker, until Ctrl-C.")
@click.option(
    "--device",
    multiple=True,
    metavar="NAME",
    help="Of --live: the microphone, then the loudspeaker.",
)
def enhance(
    source: str | None,
    target: str | None,
    run: Path,
    model: str | None,
    frontend: Path | None,
    raw: int | None,
    plot: Path | None,
    live: bool,
    device: tuple[str, ...],
) -> None:
    """Remove noise from speech, frame by frame with the int8 streaming network, as the device does it.

    IN is a WAV, FLAC or OGG file or a folder of such, OUT where the result goes: same length,
        sampling rate, channels
    and bits. - is standard input or output, as WAV or, with --raw RATE, as little-endian PCM.

    The network is the newest variant of the run, or where there is no run the one that comes with
    tinyprune.
    """
    if live == bool(source) or bool(source) != bool(target) or (live and (raw or plot)):
        raise click.UsageError("expected IN and OUT, or --live without them, --raw and --plot")
    if device and not live:
        raise click.UsageError("--device goes with --live")
    from tinyprune import pretrained
    from tinyprune.enhance import jobs

    if model is None and stand_in.stands_in(run):
        model = pretrained.NAME
    if live:
        jobs.live(device, run, model, frontend)
    else:
        jobs.enhance(str(source), str(target), run, model, frontend, raw, plot)
