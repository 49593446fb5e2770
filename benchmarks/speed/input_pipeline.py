"""A training step fed by the mixing pipeline, beside the same step fed from fixed arrays."""

import argparse
import functools
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.report import Check, Report
from benchmarks.shared.speech_workload import BATCH, FRAMES, Short, corpus, plain, varied
from benchmarks.shared.step_time import Spent, apart, milliseconds, our_loop
from benchmarks.shared.timing import ratio, repeats, take_turns
from tinyprune.compress.prepare import prepare
from tinyprune.tasks.speech import measure_frontend

LIMIT = 1.10
MIXED, FIXED, ALONE = (
    "step, mixtures made on the fly",
    "step, the same arrays again and again",
    "making a batch, alone",
)
VARIED, VARIED_ALONE = "step, mixtures that vary in every way", "making such a batch, alone"


class Fixed(Short):
    """The same task on one batch."""

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """One batch, as often as there are steps."""
        first = next(iter(super().batches(0)))
        return itertools.repeat(first, self.steps_per_epoch())


def measure(options: argparse.Namespace) -> Report:
    """Milliseconds per float step of our loop, which is the shortest one that the pipeline has to keep up with."""
    with tempfile.TemporaryDirectory() as name:
        dataset = corpus(Path(name))
        frontend = measure_frontend(dataset, BATCH, FRAMES)
        mixed, fixed = (kind(dataset, frontend) for kind in (Short, Fixed))
        various = Short(varied(dataset, Path(name)), frontend)
        steps = {FIXED: fixed, MIXED: mixed, VARIED: various}
        cases = {
            what: our_loop(prepare(plain(), masked=False, quantized=False), task)
            for what, task in steps.items()
        }
        cases |= {
            ALONE: functools.partial(_making, mixed),
            VARIED_ALONE: functools.partial(_making, various),
        }
        walls, cpu = apart(take_turns(cases, repeats(options, 11)))
    return Report(
        milliseconds(walls, cpu),
        [
            Check(
                "step with mixing / step from fixed arrays",
                ratio(walls[MIXED], walls[FIXED]),
                "x",
                LIMIT,
            ),
            Check(
                "step with mixing / step from fixed arrays: CPU time", ratio(cpu[MIXED], cpu[FIXED])
            ),
            Check(
                "the same, varied in every way",
                ratio(walls[VARIED], walls[FIXED]),
                "x",
                LIMIT,
            ),
            Check("the same, varied in every way: CPU time", ratio(cpu[VARIED], cpu[FIXED])),
        ],
    )


def _making(task: Short) -> Spent:
    """The batches of an epoch, one after the other, while nothing else runs."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in task.batches(0))
    return Spent((time.perf_counter() - wall) / count, (time.process_time() - cpu) / count)
