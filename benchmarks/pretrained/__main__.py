"""Make the network that comes with tinyprune: ``python -m benchmarks.pretrained train|measure|ship``.

``train`` runs the recipe and goes on where it was left. ``measure`` scores a network, the trained
one or FILE, at several limits of attenuation, into results/NAME.json or results/NAME-LIMIT.json.
``ship`` copies the trained network into the package with the limit of one of these measurements,
and writes docs/pretrained.md.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.paper.experiment import DATA
from benchmarks.pretrained import measure, shipping, training
from benchmarks.pretrained.training import Places
from tinyprune.errors import TinypruneError
from tinyprune.storage.records import write_json


def main() -> int:
    """Run one command; return its exit code."""
    options = _parser().parse_args()
    places = Places(options.data.resolve(), options.more.resolve(), options.work.resolve())
    try:
        return int(options.command(options, places) or 0)
    except TinypruneError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretrained", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--more", type=Path, default=DATA / "more", metavar="DIR")
    parser.add_argument("--work", type=Path, default=Path("runs/pretrained"), metavar="DIR")
    commands = parser.add_subparsers(required=True)

    commands.add_parser("train").set_defaults(
        command=lambda options, places: training.train(places)
    )
    scored = commands.add_parser("measure")
    scored.set_defaults(command=_measure)
    scored.add_argument("file", type=Path, nargs="?", metavar="FILE.tflite")
    scored.add_argument("--name", default="denoiser")
    scored.add_argument("--limits", default="none,20", help="in dB, or none")
    shipped = commands.add_parser("ship")
    shipped.set_defaults(command=_ship)
    shipped.add_argument("--measured", default="denoiser-20", metavar="NAME")
    return parser


def _measure(options: argparse.Namespace, places: Places) -> None:
    network = options.file or shipping.trained(places).network
    limits = [None if text == "none" else float(text) for text in options.limits.split(",")]
    data = places.data
    for record in measure.measure(network, limits, data / "speech", data / "noise"):
        limit = "" if record.limit_db is None else f"-{record.limit_db:g}"
        write_json(shipping.result(f"{options.name}{limit}"), record)


def _ship(options: argparse.Namespace, places: Places) -> None:
    print(shipping.ship(places, options.measured))


if __name__ == "__main__":
    sys.exit(main())
