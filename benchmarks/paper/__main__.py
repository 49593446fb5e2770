"""Reproduce "Weight, Block or Unit?": ``python -m benchmarks.paper``.

Trains the baselines and every row, going on where it stopped, and writes docs/results.md. Then,
once: ``--test``.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.paper import experiment, rows, runner
from benchmarks.paper.experiment import Experiment, Folders
from benchmarks.paper.runner import Plan
from benchmarks.shared.environment import ROOT, log_to_stderr
from tinyprune.cli import native_output
from tinyprune.errors import TinypruneError, UsageError

log = logging.getLogger("tinyprune.paper")
RESULTS, PAGE = ROOT / "benchmarks" / "paper" / "results", ROOT / "docs" / "results.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    options = _parser().parse_args(arguments)
    native_output.mute()
    log_to_stderr()
    try:
        return _done(options)
    except TinypruneError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.paper", description=(__doc__ or "").split("\n")[0]
    )
    speech = "DIR/train, DIR/dev, DIR/test; default: $TINYPRUNE_DATA/{0} or ../shared/data/{0}"
    for kind in ("speech", "noise"):
        parser.add_argument(f"--{kind}", type=Path, metavar="DIR", help=speech.format(kind))
    parser.add_argument(
        "--keywords",
        type=Path,
        metavar="DIR",
        help="the same, of WORD/*.wav, for the smaller tables",
    )
    parser.add_argument(
        "--images", type=Path, metavar="FILE", help="CIFAR-10 as .npz, for the smaller tables"
    )
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="where trainings are kept; default: runs/paper"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of all trainings; another one: other rows"
    )
    parser.add_argument(
        "--only",
        metavar="PATTERN",
        help="some rows, e.g. 'speech/weight-*', and what they start from",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="toy size on synthetic speech, apart from the real rows",
    )
    step = parser.add_mutually_exclusive_group()
    step.add_argument("--list", action="store_true", help="the rows and how far they are")
    step.add_argument(
        "--test",
        action="store_true",
        help="score the finished rows on the test split, once, at the end",
    )
    step.add_argument(
        "--pretrained",
        metavar="ROW",
        help="put a finished row into the package, and write its card",
    )
    step.add_argument(
        "--write", action="store_true", help="only write the page, of the rows that are there"
    )
    return parser


def _done(options: argparse.Namespace) -> int:
    work = options.work or ROOT / "runs" / ("paper-quick" if options.quick else "paper")
    results, page = (work / "results", work / "results.md") if options.quick else (RESULTS, PAGE)
    if options.write:
        return _written(results, page, options)
    if options.pretrained:
        return _shipped(options.pretrained, work, results, options.quick)
    if options.list:
        return _listed(_plan(options, work, results))
    with runner.alone(work):
        plan = _plan(options, work, results)
        (runner.test if options.test else runner.run)(plan)
    return _written(results, page, options, plan.experiments)


def _plan(options: argparse.Namespace, work: Path, results: Path) -> Plan:
    chosen = rows.choose(rows.all_rows(options.quick), options.only)
    folders = Folders(options.speech, options.noise, options.keywords, options.images)
    found: dict[str, Experiment] = {}
    for task in dict.fromkeys(row.task for row in chosen):
        config = (
            experiment.quick(options.seed)
            if options.quick
            else experiment.configured(task, folders, options.seed)
        )
        if config is None:
            log.info(
                "%s: no data in %s; give --%s: its rows are left out",
                task,
                experiment.default(task),
                task,
            )
        else:
            found[task] = experiment.experiment(task, config, work)
    return Plan(chosen, found, results, options.quick)


def _listed(plan: Plan) -> int:
    for task, found in plan.experiments.items():
        print(f"{task}: key {found.key}, in {found.folder}")
    for row, state in runner.states(plan):
        epochs = f"{row.config.epochs} epochs " if row.config and row.config.epochs else ""
        base = f"{epochs}from {row.config.base}" if row.config else ""
        print(f"{row.id:<36} {row.way:<9} {base:<32} {state}")
    return 0


def _shipped(row: str, work: Path, results: Path, quick: bool) -> int:
    from benchmarks.paper import pretrained

    if quick:
        raise UsageError("--pretrained takes a real row: leave out --quick")
    print(pretrained.ship(row, work, results, rows.all_rows()))
    return 0


def _written(
    results: Path,
    page: Path,
    options: argparse.Namespace,
    experiments: dict[str, Experiment] | None = None,
) -> int:
    from benchmarks.paper import page as pages

    keys = {task: found.key for task, found in (experiments or {}).items()}
    pages.write(results, page, rows.all_rows(options.quick), keys)
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
