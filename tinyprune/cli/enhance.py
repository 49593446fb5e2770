"""``tinyprune enhance``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import default_network, options
from tinyprune.cli.values import ATTENUATION, FILE, RATE


@click.command()
@click.argument("source", required=False, metavar="[IN]")
@click.argument("target", required=False, metavar="[OUT]")
@options.run_folder
@click.option(
    "--model",
    metavar="MODEL",
    help="Network: a variant of the run, FILE.tflite, or pretrained.  [default: see above]",
)
@options.front_end
@click.option(
    "--max-attenuation",
    type=ATTENUATION,
    metavar="DB",
    help="The most that any band is attenuated, e.g. 15dB.  [default: as the network was made for]",
)
@click.option(
    "--engine",
    type=click.Choice(["litert", "tflm", "stream"]),
    default="litert",
    show_default=True,
    help="What computes the network: LiteRT, the interpreter of microcontrollers, or the stream "
    "that Vela makes of it for --npu, executed bit for bit.",
)
@options.target_of_stream
@click.option(
    "--raw",
    type=RATE,
    metavar="RATE",
    help="Sampling rate of mono 16-bit PCM that goes through - instead of WAV.",
)
@click.option(
    "--plot",
    type=FILE,
    metavar="FILE.png",
    help="Picture that the spectrograms before and after are written to.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Take the sound from the microphone and play it on the loudspeaker, until Ctrl-C.",
)
@click.option(
    "--device",
    multiple=True,
    metavar="NAME",
    help="With --live: audio device, the microphone first, then the loudspeaker.",
)
def enhance(
    source: str | None,
    target: str | None,
    run: Path,
    model: str | None,
    frontend: Path | None,
    max_attenuation: float | None,
    engine: str,
    raw: int | None,
    plot: Path | None,
    live: bool,
    device: tuple[str, ...],
    **flags: Any,
) -> None:
    """Remove noise from speech, frame by frame with the int8 network, as the device does it.

    IN is a WAV, FLAC or OGG file, or a folder of such. OUT is the place of the result, which has
    the same length, sampling rate, channels and bits. - is standard input or output, as WAV or,
    with --raw RATE, as little-endian PCM.

    The network is the newest variant of the run. Where there is no run, it is the one that comes
    with tinyprune.
    """
    _check_places(source, target, live, is_file_option=bool(raw or plot))
    if device and not live:
        raise click.UsageError("--device goes with --live")
    accelerator = options.chosen_target(flags)
    if accelerator and engine != "stream":
        raise click.UsageError("--npu goes with --engine stream: the others know no accelerator")
    from tinyprune import pretrained
    from tinyprune.config import TargetConfig
    from tinyprune.config.tables import read_table
    from tinyprune.enhance import jobs

    if model is None and default_network.is_pretrained(run):
        model = pretrained.NAME
    network = jobs.NetworkChoice(
        run, model, frontend, max_attenuation, engine, read_table(TargetConfig, accelerator)
    )
    if live:
        jobs.live(device, network)
    else:
        jobs.enhance(str(source), str(target), network, raw, plot)


def _check_places(source: str | None, target: str | None, live: bool, is_file_option: bool) -> None:
    """Raise UsageError unless there are IN and OUT, or --live without them."""
    is_right = all([source, target])
    if live:
        is_right = not any([source, target, is_file_option])
    if not is_right:
        raise click.UsageError("expected IN and OUT, or --live without them, --raw and --plot")
