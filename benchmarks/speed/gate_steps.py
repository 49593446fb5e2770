"""A step of differentiable pruning before anything is removed, beside one of plain float training, on five networks."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from benchmarks.paper.rows import IMAGES, KEYWORDS, SPEECH
from benchmarks.shared import resources, speech_workload
from benchmarks.shared.budgets import Setting, selected_settings
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.step_time import Spent, apart, milliseconds, our_loop
from benchmarks.shared.timing import ratio, repeats, take_turns
from benchmarks.speed.joint_conv import Short
from tinyprune.budget.training import BudgetCompression, BudgetSettings
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.prepare import batches, prepare
from tinyprune.npu.limits import budget_limits
from tinyprune.registry import MODELS
from tinyprune.tasks.speech import measure_frontend
from tinyprune.training.fit import Learner

LIMIT = 1.10
PLAIN, GATED = "plain float", "gates and budget"
FOLDED = "plain float, BatchNorm as in pruning"
EXAMPLES = {KEYWORDS: "ds_cnn", IMAGES: "resnet8"}  # whose arrays a task has (fixed.py)
#: Optimizer steps of an epoch on the real data, which say how often the penalty is refreshed.
STEPS = {"ds_cnn": 13, "resnet8": 72, "mobilenet_v2": 72, "crn": 50, "tinylstm": 50}


def measure(options: argparse.Namespace) -> Report:
    """Milliseconds per step at batch 64, the same loop and learner, taking turns."""
    cases, checks = [], []
    with tempfile.TemporaryDirectory() as folder:
        dataset = speech_workload.corpus(Path(folder))
        frontend = measure_frontend(dataset, speech_workload.BATCH, speech_workload.FRAMES)
        for setting in selected_settings(options):
            name = setting.model
            learner = (
                speech_workload.Short(dataset, frontend)
                if setting.task == SPEECH
                else Short(EXAMPLES[setting.task])
            )
            walls, cpu = apart(take_turns(_cases(setting, learner), repeats(options, 9)))
            cases += [
                Case(f"{name}: {case.what}", case.unit, case.samples)
                for case in milliseconds(walls, cpu)
            ]
            checks += _checks(name, walls, cpu)
    notes = [
        "the same loop, learner and batches, without distillation; budgets as in `differentiable`, by our own count; "
        "the steps right after the warm-up, when gates move and all units are still there",
        "plain float trains BatchNorm as the baseline does; pruning folds it and normalises again",
    ]
    return Report(cases, checks, notes)


def _checks(
    name: str, walls: dict[str, list[float]], cpu: dict[str, list[float]]
) -> Iterator[Check]:
    for plain, limit in ((PLAIN, LIMIT), (FOLDED, None)):
        yield Check(f"{name}: {GATED} / {plain}", ratio(walls[GATED], walls[plain]), "x", limit)
    yield Check(f"{name}: {GATED} / {PLAIN}: CPU", ratio(cpu[GATED], cpu[PLAIN]))


def _cases(setting: Setting, learner: Learner) -> dict[str, Callable[[], Spent]]:
    keras.utils.set_random_seed(0)
    network = MODELS[setting.model]()
    compression, first = _gating(network, setting)
    follow = compression.before_step  # the loop puts its own in this place
    compression.may_be_best = lambda step: True  # there is no epoch with int8
    return {
        PLAIN: our_loop(prepare(network, masked=False, quantized=False), learner),
        FOLDED: our_loop(
            prepare(fold(network), masked=False, quantized=False, normalised=True), learner
        ),
        GATED: our_loop(
            compression.prepared, learner, lambda step: follow(first + step), compression
        ),
    }


def _gating(network: keras.Model, setting: Setting) -> tuple[BudgetCompression, int]:
    """The gates of a pruning as long as the real one, and the first step after its warm-up."""
    canonical, frames = fold(network), 1 if setting.task == SPEECH else None
    dense = resources.counted(canonical, frames)
    limits = {name: dense[name] / times for name, times in setting.cuts.items() if name in dense}
    shape = canonical.inputs[0].shape[2 if frames else 1 :]
    inputs = np.random.default_rng(0).standard_normal((256, *shape), np.float32)
    settings = BudgetSettings(
        limits=budget_limits(resources.budget(limits).resolved()),
        round_to=1,
        removable=tuple(item.name for item in coupling(canonical).sets),
        gate_epochs=max(1, setting.pruning // 2),
        measure_every=1,
        steps_per_epoch=STEPS[setting.model],
        batch_size=speech_workload.BATCH,
        frames=frames,
        calibration_batches=lambda model: batches(inputs, model),
    )
    compression = BudgetCompression(canonical, settings)
    return compression, settings.gate_epochs * settings.steps_per_epoch // 5
