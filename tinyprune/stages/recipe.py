"""The whole line of a recipe."""

import logging
from pathlib import Path

from tinyprune.artifacts.summary import RunSummary
from tinyprune.config import RunConfig
from tinyprune.config.budget import Budget
from tinyprune.npu import targets
from tinyprune.report.model.budget_gate import LIMITS_OF_RUN
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.prune import check_bases, check_trained_prunings, prune_variants
from tinyprune.stages.run import Run, begin_run
from tinyprune.stages.train import check_model, train_baseline
from tinyprune.storage.recorded import BASELINE
from tinyprune.storage.records import write_json
from tinyprune.storage.run_folder import Workspace

log = logging.getLogger(__name__)


def run_recipe(
    config: RunConfig, folder: Path, force: bool = False, limits: Budget | None = None
) -> list[RunSummary]:
    """Train, prune, export and compile, as a recipe says. Returns one summary per target.

    What is finished with the same configuration and data is not done again. ``force``: prune a
    network that has learned nothing too. ``limits``: those that reports show, in place of the
    recipe's; whether they are kept is not checked here. Raises UsageError,
    before anything is loaded, for a configuration that makes no sense, CheckFailed where there is
    nothing to prune, or a stream is too far from the reference.
    """
    resolved = list(dict.fromkeys(targets.resolve_config(target) for target in config.target))
    check_model(config)
    check_trained_prunings(config.prune)
    finished = [variant.name for variant in Workspace(folder).variants()]
    check_bases(config.prune, [BASELINE, *finished])
    if limits is None:
        limits = config.budget.resolved()
    with begin_run(folder) as run:
        write_json(run.space.root / LIMITS_OF_RUN, limits)
        train_baseline(run, config)
        prune_variants(run, config.prune, config.target[0], force)
        summaries = compile_variants(run, resolved)
        _verify(run, config)
        return summaries


def _verify(run: Run, config: RunConfig) -> None:
    """Hold the streams of targets that ask for it to the reference, with a line for each."""
    for target in config.target:
        if target.verify is None:
            continue
        from tinyprune.stages import stream_check

        checks = stream_check.check_variants(run, [targets.resolve_config(target)], target.verify)
        for check in checks:
            log.info("%s", check.sentence)
        stream_check.check_kept(checks)
