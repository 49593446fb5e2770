"""A step of pruning ds_cnn and resnet8 with int8 learning, beside the float step and TFMOT's pruning wrapper."""

import argparse
from collections.abc import Callable, Iterator

import keras
import numpy as np

from benchmarks.shared import labelled_workload
from benchmarks.shared.keras2.client import Keras2
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.step_time import (
    BeforeStep,
    Spent,
    apart,
    compiled_step,
    milliseconds,
    model_fit,
    our_loop,
)
from benchmarks.shared.timing import ratio, repeats, take_turns
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.config import MagnitudePruning
from tinyprune.data.examples import Examples
from tinyprune.data.images.dataset import ImageFrontEnd
from tinyprune.data.labelled import LabelledDataset
from tinyprune.registry import MODELS
from tinyprune.training.classify import Classify

LIMIT_FLOAT, LIMIT_TFMOT = 1.25, 1.0
PLAIN, BARE = "float Keras, model.fit", "float Keras, bare compiled step"
FLOAT = "our float, folded, our loop"
JOINT, TAUGHT = "joint, our loop", "joint + distillation, our loop"
KERAS2, TFMOT = "float Keras 2, model.fit", "TFMOT wrapper, float, Keras 2, model.fit"


class Short(Classify):
    """Cross-entropy on fixed arrays; not scored."""

    def __init__(self, name: str, teacher: keras.Model | None = None) -> None:
        (shape, classes), (features, labels) = (
            labelled_workload.SHAPES[name],
            labelled_workload.examples(name),
        )
        examples = Examples(features, labels)
        frontend = ImageFrontEnd(shape, "none", (0.0,) * shape[-1], (1.0,) * shape[-1])
        splits, names = (
            {"train": examples, "dev": examples.only(np.arange(1))},
            tuple(map(str, range(classes))),
        )
        super().__init__(
            LabelledDataset(splits, names, frontend, 0), labelled_workload.BATCH, teacher=teacher
        )
        self._batches = [
            (
                features[start : start + labelled_workload.BATCH],
                labels[start : start + labelled_workload.BATCH],
            )
            for start in range(0, len(labels), labelled_workload.BATCH)
        ]

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """The same arrays as ``model.fit`` has."""
        return iter(self._batches)

    def score(self, model: keras.Model) -> float:
        """Nothing."""
        return 0.0


def measure(options: argparse.Namespace) -> Report:
    """Milliseconds per step at batch 64; the Keras 2 opponents in a process of their own, taking turns."""
    cases, checks = [], []
    with Keras2() as worker:
        for name in list(labelled_workload.SHAPES)[: SIZES.labelled_networks]:
            walls, cpu = apart(take_turns(_cases(name, worker), repeats(options, 9)))
            cases += [
                Case(f"{name}: {case.what}", case.unit, case.samples)
                for case in milliseconds(walls, cpu)
            ]
            checks += [
                Check(f"{name}: {check.what}", *list(vars(check).values())[1:])
                for check in _checks(walls, cpu)
            ]
    notes = [
        f"batch {labelled_workload.BATCH}, {labelled_workload.STEPS} steps a round; in half of them masks move, for ours and for TFMOT's",
        "float Keras trains BatchNorm too; ours folds it before int8 learning, as `tinyprune prune` does",
        "TFMOT prunes float weights only and no depthwise kernels; ours prunes all kernels and learns int8",
    ]
    return Report(cases, checks, notes)


def _cases(name: str, worker: Keras2) -> dict[str, Callable[[], Spent]]:
    def network() -> keras.Model:
        keras.utils.set_random_seed(0)
        return MODELS[name](*labelled_workload.SHAPES[name], **labelled_workload.OPTIONS[name])

    base = fold(network())
    teacher = prepare(base, masked=False, quantized=False)
    (joint, masks), (taught, taught_masks) = _joint(base, name), _joint(base, name)
    schedule = plan(base, MagnitudePruning(importance="lamp")).steps(
        labelled_workload.PRUNING_STEPS[name]
    )
    loss = "sparse_categorical_crossentropy"
    return {
        PLAIN: model_fit(network(), given=labelled_workload.examples(name), loss=loss),
        JOINT: our_loop(joint, Short(name), masks),
        TFMOT: worker.case("pruning_step", Spent, name=name, schedule=schedule),
        TAUGHT: our_loop(taught, Short(name, teacher), taught_masks),
        BARE: compiled_step(network(), Short(name)),
        KERAS2: worker.case("float_step", Spent, name=name),
        FLOAT: our_loop(prepare(base, masked=False, quantized=False), Short(name)),
    }


def _joint(base: keras.Model, name: str) -> tuple[keras.Model, BeforeStep]:
    """A model prepared as ``tinyprune prune`` does it, and the update of its masks."""
    prepared = prepare(base, normalised=True)
    calibrate(prepared, [labelled_workload.examples(name)[0][: labelled_workload.BATCH]])
    updater = MaskUpdater(
        prepared,
        plan(base, MagnitudePruning(importance="lamp", sparsity=labelled_workload.SPARSITY)),
        labelled_workload.PRUNING_STEPS[name],
    )
    return prepared, lambda step: updater.update(
        labelled_workload.first_step(updater.end_step) + step
    )


def _checks(walls: dict[str, list[float]], cpu: dict[str, list[float]]) -> Iterator[Check]:
    for what in (JOINT, TAUGHT):
        for opponent in (PLAIN, BARE):
            yield Check(
                f"{what} / {opponent}", ratio(walls[what], walls[opponent]), "x", LIMIT_FLOAT
            )
        limit = (
            LIMIT_TFMOT if what == JOINT else None
        )  # TFMOT has no teacher: on equal terms without
        yield Check(f"{what} / TFMOT wrapper", ratio(walls[what], walls[TFMOT]), "x", limit)
        yield Check(f"{what} / TFMOT wrapper: CPU", ratio(cpu[what], cpu[TFMOT]))
        yield Check(f"{what} / our float", ratio(walls[what], walls[FLOAT]))
