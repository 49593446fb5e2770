"""Groups of commands: an unknown name gets the closest one, every command has ``-q`` and ``-v``."""

import click

from tinyprune.cli.verbosity import verbosity
from tinyprune.errors import check_name


class Group(click.Group):
    """A group of commands."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name, with ``-q`` and ``-v``; None if there is none."""
        command = self.find(ctx, cmd_name)
        if command is not None and not _has_verbosity(command):
            verbosity(command)
        return command

    def find(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of a name as it was written; None if there is none."""
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names.

        Raises UsageError with the closest name.
        """
        known = self.list_commands(ctx)
        is_name = bool(args) and not args[0].startswith("-")
        if is_name:
            check_name("command", args[0], known)
        return super().resolve_command(ctx, args)


def _has_verbosity(command: click.Command) -> bool:
    """Return whether a command has ``-q`` and ``-v`` already."""
    return any(parameter.name == "verbose" for parameter in command.params)
