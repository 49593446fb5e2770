"""``tinyprune data``: commands on corpora, before anything is trained."""

import click

from tinyprune.cli.data_describe import describe
from tinyprune.cli.data_mix import mix
from tinyprune.cli.groups import Group


@click.group("data", cls=Group, invoke_without_command=True)
@click.pass_context
def data(ctx: click.Context) -> None:
    """Look at corpora of speech, and make test sets of them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


data.add_command(describe)
data.add_command(mix)
