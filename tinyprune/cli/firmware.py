"""``tinyprune firmware``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import default_network, firmware_output, options
from tinyprune.cli.values import FILE, PLACE


@click.command()
@click.argument("network", required=False, metavar="[VARIANT|FILE]")
@options.run_folder
@options.one_target
@click.option(
    "-o",
    "--output",
    "folder",
    type=PLACE,
    metavar="DIR",
    required=True,
    help="Folder that the sources are written to: empty, not there, or made by this command.",
)
@click.option(
    "--runtime",
    type=click.Choice(["driver", "tflm"]),
    default="driver",
    show_default=True,
    help="What runs the network: Arm's driver alone, or TensorFlow Lite Micro, which also runs the "
    "operators that Vela leaves to the CPU.",
)
@click.option(
    "--arithmetic",
    type=click.Choice(["float", "fixed"]),
    default="float",
    show_default=True,
    help="What the front end of speech, keywords or anomalies computes in: float32, or integers of "
    "32 and 64 bits for a processor without floating point.",
)
@options.front_end
@click.option(
    "--raw-features",
    is_flag=True,
    help="Leave the front end out: the sources take features as the network does.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="What the names of functions and files begin with.  [default: after the network]",
)
@click.option(
    "--force", is_flag=True, help="Write into DIR whatever is there; files of other names stay."
)
@options.sizes
@click.option(
    "--whole",
    is_flag=True,
    help="Limits hold for everything: network, front end, glue, libraries, stack.  [default: for "
    "the network, as of `tinyprune compile`]",
)
@click.option(
    "--fvp",
    type=FILE,
    metavar="PATH",
    help="Program of Arm's FVP of Corstone-300 or 310: run the golden vectors on it and show its "
    "cycles beside Vela's estimate. Never tried on a real one by those who wrote it.",
)
@click.option(
    "--fvp-image",
    type=FILE,
    metavar="FILE.elf",
    help="Image that the FVP runs.  [default: DIR/build/fvp.elf, which `make fvp` builds]",
)
@options.format_option(("table", "json"), "the results")
def firmware(
    network: str | None,
    run: Path,
    folder: Path,
    runtime: str,
    arithmetic: str,
    frontend: Path | None,
    raw_features: bool,
    name: str | None,
    force: bool,
    whole: bool,
    fvp: Path | None,
    fvp_image: Path | None,
    output_format: str,
    **flags: Any,
) -> None:
    """Write C sources for a device: the compiled network, its front end, and their tests.

    The network is VARIANT of the run, or FILE.tflite, or the newest variant of the run. Where there
    is no run, or for "pretrained", it is the one that comes with tinyprune.

    `make test` in DIR compiles the sources and holds them to golden vectors of the simulated NPU.
    Where arm-none-eabi-gcc and QEMU are installed, flash, RAM and stack of everything are measured.
    Exit code 3 if a limit is exceeded, or the NPU of an FVP computes something else.
    """
    _check_options(raw_features, frontend, name)
    _check_fvp_options(fvp, fvp_image, runtime)
    from tinyprune import pretrained

    target = options.chosen_npu(flags)
    limits = options.chosen_sizes(flags)
    if whole and limits.is_empty:
        raise click.UsageError("--whole goes with --max-flash or --max-sram")
    if network is None and default_network.is_pretrained(run):
        network = pretrained.NAME
    from tinyprune.stages import firmware as stage

    chosen = stage.FirmwareOptions(
        target=target,
        folder=folder,
        frontend=frontend,
        name=name,
        runtime=runtime,
        is_fixed=arithmetic == "fixed",
        has_raw_features=raw_features,
        is_forced=force,
        fvp=fvp,
    )
    if network is not None and _is_file(network):
        made = stage.firmware_of_file(Path(network), chosen)
    else:
        made = stage.firmware_of_run(run, network, chosen)
    made = stage.measured(made)
    if fvp is not None:
        made = stage.on_fvp(made, fvp, fvp_image)
    firmware_output.show(made, output_format)
    stage.check_limits(made, limits, whole)
    stage.check_fvp_right(made)


def _check_options(raw_features: bool, frontend: Path | None, name: str | None) -> None:
    """Raise UsageError for options that do not go together, and an empty name."""
    if raw_features and frontend:
        raise click.UsageError("--raw-features leaves --frontend out: give one of them")
    if name is not None and not name.strip():
        raise click.UsageError("--name is empty: expected a name, or leave it out")


def _check_fvp_options(fvp: Path | None, image: Path | None, runtime: str) -> None:
    """Raise UsageError for options of the FVP that do not go together."""
    if image is not None and fvp is None:
        raise click.UsageError("--fvp-image goes with --fvp PATH, the program that runs it")
    if fvp is not None and runtime == "tflm":
        raise click.UsageError("--fvp goes with --runtime driver: its image has no TFLM")


def _is_file(network: str) -> bool:
    """Return whether a network is named by its file, and not as a variant."""
    from tinyprune import pretrained

    return network == pretrained.NAME or network.endswith(".tflite") or Path(network).is_file()
