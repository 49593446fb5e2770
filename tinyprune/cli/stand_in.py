"""What takes the place of a run where nobody has trained anything yet: the pretrained network."""

import logging
from pathlib import Path

import click
from click.core import ParameterSource

log = logging.getLogger(__name__)


def stands_in(run: Path) -> bool:
    """Whether the pretrained network takes the place of the run of this command line; says so if it does.

    It never does for a run that was asked for, nor where a variant was begun.
    """
    from tinyprune.pretrained import NAME
    from tinyprune.storage.run_folder import Workspace

    is_asked_for = (
        click.get_current_context().get_parameter_source("run") is not ParameterSource.DEFAULT
    )
    if is_asked_for or Workspace(run).begun():
        return False
    log.info(
        "model: %s, the denoiser that comes with tinyprune, as there is no run in %s; "
        "`tinyprune train`, then `tinyprune prune` make your own",
        *(NAME, run),
    )
    return True
