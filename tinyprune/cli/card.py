"""``tinyprune card``."""

from pathlib import Path

import click

from tinyprune.cli import options
from tinyprune.errors import UsageError


@click.command()
@click.argument("variant", required=False, metavar="[VARIANT]")
@options.run_folder
@click.option(
    "--license",
    "licence",
    metavar="ID",
    help="Licence of the network, as Hugging Face calls it, e.g. apache-2.0.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to publish: the network, the record of its front end, the card and their digests.",
)
@options.output_file("File that the card is written to, e.g. README.md.")
def card(
    variant: str | None, run: Path, licence: str | None, folder: Path | None, path: Path | None
) -> None:
    """Write the model card of a variant: quality, costs, settings and limits, from its records.

    The card has the YAML front matter that Hugging Face reads. VARIANT is by default the newest
    that is exported; "pretrained" is the network that comes with tinyprune. Folders of this machine
    are not in it.
    """
    from tinyprune import pretrained
    from tinyprune.report.render.card import card as render
    from tinyprune.stages import publishing
    from tinyprune.stages.card import pretrained_facts, variant_facts
    from tinyprune.storage.records import write_text

    if folder is not None and path is not None:
        raise UsageError("--output and --folder both say where the card goes: give one of them")
    if variant == pretrained.NAME:
        facts = pretrained_facts()
        files = publishing.of_pretrained()
        licence = licence or pretrained.LICENCE
    else:
        facts = variant_facts(run, variant)
        files = publishing.of_variant(run, facts.name, facts.tflite.path.name)
    text = render(facts, licence)
    if folder is not None:
        for written in publishing.publish(files, text, folder):
            click.echo(written)
        return
    if path is None:
        click.echo(text, nl=False)
        return
    write_text(path, text)
    click.echo(path)
