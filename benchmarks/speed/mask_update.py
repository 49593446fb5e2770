"""Ranking and masking a network of 1 M parameters, beside TFMOT's mask update of Dense layers of the same size."""

import argparse
import time
from collections.abc import Callable

import keras

from benchmarks.shared.keras2.client import Keras2
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.speech_workload import plain
from benchmarks.shared.step_time import Spent, apart
from benchmarks.shared.timing import ratio, repeats, take_turns
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.lookup import kernel_kind
from tinyprune.compress.mask_updater import MaskUpdater, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import prepare
from tinyprune.config import MagnitudePruning
from tinyprune.config.pruning import DEFAULT_IMPORTANCE

LIMIT_MILLISECONDS = 50.0
STEPS = 1000
STRUCTURES, OPPONENTS = ("weight", "block", "2:4", "unit"), ("weight", "block", "2:4")


def measure(options: argparse.Namespace) -> Report:
    """Milliseconds of an update in the middle of a schedule: reading kernels, ranking, assigning all masks."""
    base = fold(plain())
    shapes = [
        tuple(kernel.shape)
        for layer in base.layers
        if kernel_kind(layer)
        for kernel in kernels(layer).values()
    ]
    with Keras2() as worker:
        cases = {_ours(structure): _update(base, structure) for structure in STRUCTURES}
        cases |= {
            _theirs(structure): worker.case(
                "mask_update", Spent, shapes=shapes, structure=structure
            )
            for structure in OPPONENTS
        }
        walls, cpu = apart(take_turns(cases, repeats(options, 31, 7)))
    times = [
        Case(what, unit, [1000 * seconds for seconds in samples])
        for unit, part in (("ms", walls), ("CPU ms", cpu))
        for what, samples in part.items()
    ]
    limits = [
        Check(case.what, case.median, "ms", LIMIT_MILLISECONDS) for case in times[: len(STRUCTURES)]
    ]
    ratios = [
        Check(f"{s}: tinyprune / TFMOT", ratio(walls[_ours(s)], walls[_theirs(s)]))
        for s in OPPONENTS
    ]
    weights = sum(inputs * outputs for inputs, outputs in shapes)
    notes = [
        f"TinyLSTM, {weights:,} weights in {len(shapes)} kernels; ours ranks all kernels together, TFMOT each alone",
        "an update is followed by many steps: `tinyprune prune` makes about 50 in a run, TFMOT one every 100 steps",
    ]
    return Report(times, [*limits, *ratios], notes)


def _ours(structure: str) -> str:
    return f"tinyprune, {structure}"


def _theirs(structure: str) -> str:
    return f"TFMOT, {structure}"


def _update(base: keras.Model, structure: str) -> Callable[[], Spent]:
    """A case: an update half-way, which every step is due for."""
    prepared = prepare(base)
    config = MagnitudePruning(
        structure=structure, importance=DEFAULT_IMPORTANCE, update_every=1, end=1.0
    )
    updater = MaskUpdater(
        prepared, plan(base, config), STEPS, coupling(base) if structure == "unit" else None
    )

    def case() -> Spent:
        wall, cpu = time.perf_counter(), time.process_time()
        updater.update(updater.end_step // 2)
        return Spent(time.perf_counter() - wall, time.process_time() - cpu)

    case()
    masks = read_masks(prepared).values()
    assert any((mask == 0).any() for mask in masks), f"{structure}: nothing was masked"
    return case
