"""The command line: one file per command, loaded on use, and one place that reports errors."""

import importlib
import sys
from typing import Any

import click

import tinyprune
from tinyprune.cli import groups, messages, native_output, signals
from tinyprune.cli.verbosity import verbosity

#: Command -> "module:attribute", in the order of ``tinyprune --help``.
COMMANDS = {
    "train": "tinyprune.cli.train:train",
    "prune": "tinyprune.cli.prune:prune",
    "sensitivity": "tinyprune.cli.sensitivity:sensitivity",
    "export": "tinyprune.cli.export:export",
    "compile": "tinyprune.cli.compile:compile_command",
    "firmware": "tinyprune.cli.firmware:firmware",
    "evaluate": "tinyprune.cli.evaluate:evaluate",
    "enhance": "tinyprune.cli.enhance:enhance",
    "data": "tinyprune.cli.data:data",
    "sweep": "tinyprune.cli.sweep:sweep",
    "report": "tinyprune.cli.report:report",
    "card": "tinyprune.cli.card:card",
    "compare": "tinyprune.cli.compare:compare",
    "verify": "tinyprune.cli.verify:verify",
    "run": "tinyprune.cli.run:run",
    "list": "tinyprune.cli.list:list_command",
    "doctor": "tinyprune.cli.doctor:doctor",
}


class LazyGroup(groups.Group):
    """A group whose commands are imported on use, and whose errors are one line on stderr."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the table."""
        return [*COMMANDS]  # list() would be tinyprune.cli.list here, once that is imported

    def find(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of a name, imported now; None if there is none."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def main(self, args: Any = None, *more: Any, **extra: Any) -> Any:
        """Run a command line and exit: the only place where an error becomes a message."""
        native_output.occupy()
        native_output.keep_names()
        messages.set_level(quiet=False, verbose=False)
        arguments = sys.argv if args is None else args
        if "-v" not in arguments and "--verbose" not in arguments:
            native_output.mute()
        settings = {"prog_name": self.name, **extra, "standalone_mode": False}
        try:
            with signals.ending_like_ctrl_c(messages.report):
                code = super().main(args, *more, **settings)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough, as `head` does
            code = 1
        except (Exception, KeyboardInterrupt) as error:  # whatever it is: one line, an exit code
            code = messages.report(error)
        native_output.drop_stdout()
        sys.exit(code or 0)


@click.group(
    "tinyprune",
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(tinyprune.__version__, message="%(prog)s %(version)s")
@verbosity
@click.pass_context
def main(ctx: click.Context) -> None:
    """Compress Keras networks for Arm Ethos-U microNPUs.

    A first session: `tinyprune train`, then `tinyprune prune`, then `tinyprune compile`. Each finds
    the stage before it in the run folder.
    """
    messages.start_logging()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
