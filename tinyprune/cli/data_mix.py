"""``tinyprune data mix``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options, output
from tinyprune.cli.values import COUNT, LEVELS, PLACE, SECONDS, SEED, SHARE

if TYPE_CHECKING:
    from tinyprune.data.speech.test_set import MixSummary

FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("mix")
@click.argument("out", type=PLACE)
@click.option(
    "--speech",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of clean speech. May be repeated.",
)
@click.option(
    "--noise",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of noise that is mixed with the speech. May be repeated.",
)
@click.option(
    "--rirs",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of room impulse responses, applied to half of the speech. May be repeated.",
)
@click.option(
    "--path",
    type=click.Path(exists=True, path_type=Path),
    metavar="CORPUS",
    help="Corpus with speech and noise, instead of folders.",
)
@click.option(
    "--split",
    metavar="NAME",
    help="Split of the corpus: train, dev or test.  [default: the last that it has]",
)
@click.option(
    "--snr",
    type=LEVELS,
    default="-6:9",
    show_default=True,
    metavar="LO:HI|A,B,...",
    help="SNRs in dB, taken in turn: a range in six steps, or levels.",
)
@click.option(
    "--count",
    type=COUNT,
    metavar="N",
    help="Number of mixtures.  [default: one for each file of speech]",
)
@click.option(
    "--seconds",
    type=SECONDS,
    default=5.0,
    show_default=True,
    metavar="S",
    help="Length of the longest mixture, in seconds.",
)
@click.option(
    "--babble",
    type=SHARE,
    default=0.0,
    metavar="X",
    help="Fraction of the mixtures whose noise is other speakers.  [default: 0]",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the set: another seed makes another set.",
)
@options.output_format
def mix(
    out: Path,
    snr: tuple[float, ...],
    count: int | None,
    seconds: float,
    babble: float,
    seed: int,
    output_format: str,
    **source: Any,
) -> None:
    """Write a fixed set of noisy and clean files.

    OUT gets noisy/*.wav, clean/*.wav (16 kHz, 16 bit) and manifest.csv. The same input and options
    give the same bytes on every machine. Interrupted, the same command finishes the work.
    """
    from tinyprune.data.speech.test_set import MixRequest, MixSource, write_set

    request = MixRequest(snr, count, seconds, babble, seed)
    _print(write_set(out, MixSource(**source), request), output_format)


def _print(summary: "MixSummary", output_format: str) -> None:
    """Print one row; as JSON with numbers."""
    if output_format == "json":
        output.as_json(summary)
        return
    cells = {name: str(value) for name, value in vars(summary).items()}
    cells["snrs_db"] = " ".join(f"{snr:g}" for snr in summary.snrs_db)
    if output_format == "csv":
        output.rows(list(cells), [list(cells.values())], "csv")
    else:
        lines = [[name, text] for name, text in cells.items()]
        output.rows(["what", "value"], lines, "table")
