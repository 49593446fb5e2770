"""Differentiable pruning to a budget beside uniform pruning and narrower networks, on five networks (long, by name).

Equal budget, epochs, int8 learning, seed and distillation. Every network has a file of its own in
``results/differentiable``, so that one can be measured again: ``--only ds_cnn``.
"""

import argparse
from collections.abc import Iterator, Sequence
from statistics import mean, median

from benchmarks.quality.budget_methods import (
    DENSE,
    DIFFERENTIABLE,
    EXTREME,
    NARROWER,
    UNIFORM,
    BudgetComparison,
    NetworkComparison,
    Row,
)
from benchmarks.shared.budgets import SETTINGS, selected_settings, trained_baseline
from benchmarks.shared.environment import environment, log_to_stderr
from benchmarks.shared.report import Case, Check, Report, Unavailable
from tinyprune.artifacts.quantity import LIMITED
from tinyprune.errors import TinypruneError
from tinyprune.metrics.metric import metric_of
from tinyprune.storage.records import read_json, write_json

WANTED, FACTOR, LONGEST = 3, 20, 1.0
OPPONENTS = (UNIFORM, NARROWER)


def measure(options: argparse.Namespace) -> Report:
    """Trains what is not trained yet; reports all networks that have been measured, in the same folder."""
    settings = selected_settings(options)
    if options.baseline and len(settings) != 1:
        raise Unavailable("--baseline is that of one network: name it, e.g. --only tinylstm")
    log_to_stderr()
    folder, measured_on = options.results / "differentiable", environment()
    failed = []
    for setting in settings:
        try:
            found = BudgetComparison(trained_baseline(setting, options)).compare(
                options.seeds, measured_on, options.quick
            )
        except TinypruneError as error:
            failed.append(f"{setting.model}: {error}")
        else:
            write_json(folder / f"{setting.model}.json", found)
    known = [
        read_json(path, NetworkComparison)
        for name in SETTINGS
        if (path := folder / f"{name}.json").exists()
    ]
    if not known:
        raise Unavailable("; ".join(failed))
    print("\n".join(table(known)), flush=True)
    return report(known, failed)


def report(known: Sequence[NetworkComparison], failed: Sequence[str] = ()) -> Report:
    """Cases, checks and notes of all networks that are known."""
    cases = [case for found in known for case in _cases(found)]
    return Report(
        cases,
        [*_wins(known), *(check for found in known for check in _checks(found))],
        [*_notes(known, failed)],
    )


def table(known: Sequence[NetworkComparison]) -> Iterator[str]:
    """A line per network and way, at most 100 columns: metric, what it takes, how many times below dense, seconds."""
    yield f"{'network':<13}{'way':<18}{'metric on dev':>20}  {'takes, times below dense':<38}{'seconds':>8}"
    for found in known:
        for row in found.rows:
            taken = ", ".join(
                f"{name} {LIMITED[name].unit.format(row.resources[name])} {found.dense[name] / row.resources[name]:.1f}x"
                for name in dict.fromkeys(
                    [*found.budget, *(found.extreme if row.method == EXTREME else ())]
                )
            )
            metric = metric_of(found.metric)
            score = f"{metric.heading} {metric.format(row.score)}"
            yield f"{found.model:<13}{_way(row):<18}{score:>20}  {taken:<38}{row.seconds:>8.0f}"


def _way(row: Row) -> str:
    return row.method + (f", seed {row.seed}" if row.seed else "")


def _cases(found: NetworkComparison) -> Iterator[Case]:
    ways = (DENSE, DIFFERENTIABLE, UNIFORM, NARROWER, EXTREME)
    for way in filter(found.rows_of, ways):
        yield Case(
            f"{found.model}, {way}: dev",
            metric_of(found.metric).heading,
            [row.score for row in found.rows_of(way)],
        )
    for way in filter(found.rows_of, ways):
        yield Case(
            f"{found.model}, {way}: training", "s", [row.seconds for row in found.rows_of(way)]
        )


def _wins(known: Sequence[NetworkComparison]) -> Iterator[Check]:
    """On how many networks differentiable beats each opponent, by the mean over the seeds."""
    whole = len(known) == len(SETTINGS) and not any(found.quick for found in known)
    for what in (OPPONENTS, *((opponent,) for opponent in OPPONENTS)):
        count = sum(_beats(found, what) for found in known)
        limit = WANTED if whole and what == OPPONENTS else None
        yield Check(
            f"networks where differentiable beats {' and '.join(what)}",
            count,
            f"of {len(known)}",
            limit,
            True,
        )


def _beats(found: NetworkComparison, opponents: Sequence[str]) -> bool:
    scores = {
        way: [row.score for row in found.rows_of(way)] for way in (DIFFERENTIABLE, *opponents)
    }
    return all(scores.values()) and mean(scores[DIFFERENTIABLE]) > max(
        mean(scores[way]) for way in opponents
    )


def _checks(found: NetworkComparison) -> Iterator[Check]:
    for way in (DIFFERENTIABLE, *OPPONENTS):
        for row in found.rows_of(way):
            for name, most in found.budget.items():
                yield Check(
                    f"{found.model}, {_way(row)}: {name}", row.resources[name] / most, "of 1", 1.0
                )
    for row in found.rows_of(EXTREME):
        for name, most in found.extreme.items():
            wanted = min(FACTOR, found.dense[name] / most)
            yield Check(
                f"{found.model}, {EXTREME}: {name} below dense",
                found.dense[name] / row.resources[name],
                "x",
                wanted,
                True,
            )
    for row in found.rows_of(DIFFERENTIABLE):
        yield from _times(found, row)


def _times(found: NetworkComparison, row: Row) -> Iterator[Check]:
    """A differentiable pruning beside plain training for as many epochs, and its epochs before anything was removed."""
    (dense,), what = found.rows_of(DENSE), f"{found.model}, {_way(row)}"
    plain = dense.seconds - sum(dense.epoch_seconds) + row.epochs * mean(dense.epoch_seconds)
    yield Check(
        f"{what}: seconds / plain float", row.seconds / plain, "x", None if found.quick else LONGEST
    )
    for uniform in (one for one in found.rows_of(UNIFORM) if one.seed == row.seed):
        yield Check(f"{what}: seconds / uniform", row.seconds / uniform.seconds)
    if before := row.epoch_seconds[
        1 : row.first_removal
    ]:  # without the first, which compiles the step
        whole = median(dense.epoch_seconds[1:] or dense.epoch_seconds)
        yield Check(f"{what}: epoch before removals / plain float", median(before) / whole)


def _notes(known: Sequence[NetworkComparison], failed: Sequence[str]) -> Iterator[str]:
    for found in known:
        limits = ", ".join(
            f"{name} {LIMITED[name].unit.format(most)}" for name, most in found.budget.items()
        )
        hard = ", ".join(
            f"{name} {LIMITED[name].unit.format(most)}" for name, most in found.extreme.items()
        )
        yield (
            f"{found.model}: {found.epochs} float epochs, then {found.pruning} of each way; budget {limits}, extreme "
            f"{hard}, by {found.target}; {found.data}; {found.measured_on.get('date', '')[:10]}"
        )
        yield from (f"{found.model}: FAILED, {line}" for line in found.failures)
    yield from (f"FAILED: {line}" for line in failed)
    yield (
        "metric of the int8 graph on dev; uniform: magnitude, the same part of every set of units; narrower: that "
        "architecture untrained, as many epochs in float as the baseline, then as many jointly with int8 as the others"
    )
    yield (
        "seconds: from the first line of a training to its last, with removals and Vela, without the export; one that "
        "was interrupted counts the pause too; plain float: the baseline's, as if it had as many epochs"
    )
