"""A step of pruning with int8 learning, beside the plain float step."""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.shared.report import Check, Report
from benchmarks.shared.speech_workload import BATCH, FRAMES, Short, corpus, distilled, joint, plain
from benchmarks.shared.step_time import apart, milliseconds, model_fit, our_loop
from benchmarks.shared.timing import ratio, repeats, take_turns
from tinyprune.compress.prepare import prepare
from tinyprune.tasks.speech import measure_frontend

PLAIN = "plain Keras float, model.fit, arrays"
LIMIT = 1.25


def measure(options: argparse.Namespace) -> Report:
    """Milliseconds per step, on the same arrays in ``model.fit`` and in our own loop with everything in it."""
    with tempfile.TemporaryDirectory() as name:
        dataset = corpus(Path(name))
        frontend = measure_frontend(dataset, BATCH, FRAMES)

        def task(teacher=None):  # type: ignore[no-untyped-def]
            return Short(dataset, frontend, teacher)

        base = plain()
        teacher = prepare(base, masked=False, quantized=False)
        (in_fit, fit_masks), (taught, taught_masks) = joint(base), joint(base)
        (in_loop, loop_masks), (taught_loop, taught_loop_masks) = joint(base), joint(base)
        cases = {
            PLAIN: model_fit(plain()),
            "our float, model.fit": model_fit(prepare(base, masked=False, quantized=False)),
            "joint, model.fit": model_fit(in_fit, fit_masks),
            "joint + distillation, model.fit": model_fit(distilled(taught, base), taught_masks),
            "our float, our loop": our_loop(prepare(base, masked=False, quantized=False), task()),
            "joint, our loop": our_loop(in_loop, task(), loop_masks),
            "joint + distillation, our loop": our_loop(
                taught_loop, task(teacher), taught_loop_masks
            ),
        }
        walls, cpu = apart(take_turns(cases, repeats(options, 9)))
    return Report(milliseconds(walls, cpu), list(_checks(walls, cpu)))


def _checks(walls: dict[str, list[float]], cpu: dict[str, list[float]]) -> Iterator[Check]:
    """Each joint step against the plain Keras float step, and against our own float step of the same loop.

    The limit is for the same arrays and the same loss; our loop does more than the plain step:
    mixing, STFT, SI-SDR.
    """
    for what in [what for what in walls if what.startswith("joint")]:
        ours = f"our float, {what.split(', ')[-1]}"
        yield Check(
            f"{what} / plain Keras float",
            ratio(walls[what], walls[PLAIN]),
            "x",
            LIMIT if "model.fit" in what else None,
        )
        yield Check(f"{what} / plain Keras float: CPU", ratio(cpu[what], cpu[PLAIN]))
        yield Check(f"{what} / {ours}", ratio(walls[what], walls[ours]))
