"""``tinyprune data mix``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options, output

if TYPE_CHECKING:
    from tinyprune.data.speech.test_set import MixSummary

FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("mix")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--speech", type=FOLDER, metavar="DIR", help="Clean speech.")
@click.option("--noise", type=FOLDER, metavar="DIR", help="Noise to mix it with.")
@click.option(
    "--rirs", type=FOLDER, metavar="DIR", help="Room impulse responses, for half of the speech."
)
@click.option(
    "--path",
    type=click.Path(exists=True, path_type=Path),
    metavar="CORPUS",
    help="A corpus of both instead.",
)
@click.option(
    "--split",
    metavar="NAME",
    help="Which of its splits: train, dev or test.  [default: the last it has]",
)
@click.option(
    "--snr",
    type=options.LEVELS,
    default="-6:9",
    show_default=True,
    metavar="LO:HI|A,B,...",
    help="SNRs in dB, in turn: a range in six steps, or levels.",
)
@click.option(
    "--count",
    type=options.COUNT,
    metavar="N",
    help="Mixtures.  [default: one for each file of speech]",
)
@click.option(
    "--seconds",
    type=options.SECONDS,
    default=5.0,
    show_default=True,
    metavar="S",
    help="Longest mixture.",
)
@click.option(
    "--babble",
    type=options.SHARE,
    default=0.0,
    metavar="X",
    help="Fraction whose noise is other speakers.  [default: 0]",
)
@click.option(
    "--seed",
    type=options.SEED,
    default=0,
    show_default=True,
    metavar="N",
    help="Another seed, another set.",
)
@options.output_format
def mix(out: Path, snr: tuple[float, ...], output_format: str, **given: Any) -> None:
    """Write a fixed set of noisy and clean files.

    OUT gets noisy/*.wav, clean/*.wav (16 kHz, 16 bit) and manifest.csv. The same input and options
    give the same bytes on every machine; interrupted, the same command finishes the work.
    """
    from tinyprune.data.speech.test_set import MixRequest, MixSource, write_set

    request = MixRequest(snr, *(given.pop(name) for name in ("count", "seconds", "babble", "seed")))
    _print(write_set(out, MixSource(**given), request), output_format)


def _print(summary: "MixSummary", output_format: str) -> None:
    """One row; as JSON with numbers."""
    if output_format == "json":
        output.as_json(summary)
        return
    values = vars(summary) | {"snrs_db": " ".join(f"{snr:g}" for snr in summary.snrs_db)}
    if output_format == "csv":
        output.rows([*values], [[str(value) for value in values.values()]], "csv")
    else:
        output.rows(
            ["what", "value"], [[name, str(value)] for name, value in values.items()], "table"
        )
