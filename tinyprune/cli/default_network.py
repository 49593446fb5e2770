"""The network of a command line that names none: the pretrained one where there is no run."""

import logging
from pathlib import Path

import click
from click.core import ParameterSource

log = logging.getLogger(__name__)


def is_pretrained(run: Path) -> bool:
    """Return whether the pretrained network takes the place of a run, and log it if so.

    It does where no variant was begun, and never for a run that is named on the command line.
    """
    from tinyprune.pretrained import NAME
    from tinyprune.storage.run_folder import Workspace

    source = click.get_current_context().get_parameter_source("run")
    if source is not ParameterSource.DEFAULT or Workspace(run).begun():
        return False
    log.info(
        "model: %s, the denoiser that comes with tinyprune, as there is no run in %s; "
        "`tinyprune train`, then `tinyprune prune` make your own",
        NAME,
        run,
    )
    return True
