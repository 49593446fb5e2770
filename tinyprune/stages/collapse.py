"""Checks that a pruning has not destroyed a network that did something before."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from tinyprune.artifacts.network import TensorSparsity, TFLiteArtifact, least_left
from tinyprune.artifacts.quality import Quality, graph_in_words
from tinyprune.compress.reach import probes, responds, sparsity_of_kernels
from tinyprune.errors import CheckFailed
from tinyprune.export.forward import of_keras
from tinyprune.metrics.metric import metric_of
from tinyprune.stages.pruning_job import PruningJob
from tinyprune.storage.records import read_json
from tinyprune.tasks.task import Task
from tinyprune.tflite.response import is_constant
from tinyprune.training.fit import Learner

_ADVICE = "try a smaller --sparsity, more --epochs, or another --scope or --importance"


def check_not_destroyed(
    job: PruningJob, learner: Learner, model: keras.Model, score: float
) -> None:
    """Check a network that was trained while it was pruned.

    Args:
        job: the pruning.
        learner: of its training.
        model: the plain network that came of it.
        score: its best one on dev.

    Raises CheckFailed, which names the emptiest kernel, where its output does not depend on its
    input or its score is at chance, and the network that it was made of was better.
    """
    left = sparsity_of_kernels(model)
    inputs = probes(job.task.calibration(), model)
    before, after = responds(job.base, inputs), responds(model, inputs)
    if any(was and not does for was, does in zip(before, after, strict=True)):
        raise CheckFailed(_constant(job.config.variant, left))
    if job.task.is_at_chance(score) and not job.task.is_at_chance(learner.score(job.base)):
        raise CheckFailed(_at_chance(job.config.variant, score, job.task, left))


def check_learned(name: str, model: keras.Model, task: Task) -> None:
    """Check a network before it is pruned.

    Raises CheckFailed where dev has enough examples to say that it has learned nothing.
    """
    if not task.can_tell_chance():
        return
    quality = task.quality(of_keras(model), "float", "dev", name)
    if task.shows_nothing(quality.metrics):
        shown = metric_of(task.metric).in_words(quality.metrics[task.metric])
        raise CheckFailed(
            f"{name}: {shown} on dev is no better than chance, so there is nothing that a pruning "
            "could keep: train it longer, or look at its data and labels; --force prunes it anyway"
        )


def check_graphs_respond(
    canonical: keras.Model, task: Task, calibration: np.ndarray, folder: Path, forms: Sequence[str]
) -> None:
    """Check the int8 graphs of a network, in the folder of its variant.

    Raises CheckFailed where the outputs of one do not depend on its input, and the network's do.
    """
    inputs = probes(calibration, canonical)
    if not all(responds(canonical, inputs)):
        return
    for form in forms:
        if is_constant(folder / f"{form}.tflite", list(inputs)):
            artifact = read_json(folder / f"{form}.json", TFLiteArtifact)
            raise CheckFailed(_constant(f"{folder.name}, {graph_in_words(form)}", artifact.tensors))


def check_above_chance(
    name: str, reference: Quality, graphs: Sequence[Quality], task: Task, folder: Path
) -> None:
    """Check the scores of the int8 graphs of a variant on dev.

    Args:
        name: of the variant.
        reference: of the network that the graphs were made of.
        graphs: of the graphs.
        task, folder: of the variant.

    Raises CheckFailed where a graph is at chance, and the network was not.
    """
    if task.is_at_chance(reference.metrics.get(task.metric, math.nan)):
        return
    for quality in graphs:
        score = quality.metrics.get(task.metric, math.nan)
        if task.is_at_chance(score):
            artifact = read_json(folder / f"{quality.form}.json", TFLiteArtifact)
            raise CheckFailed(_at_chance(f"{name}, int8", score, task, artifact.tensors))


def _constant(name: str, left: Sequence[TensorSparsity]) -> str:
    if not any(tensor.masked for tensor in left):
        return (
            f"{name}: every input gives the same output: outputs of the network differ by less "
            "than a step of int8; train it longer"
        )
    return f"{name}: the output no longer depends on the input: {least_left(left)}; {_ADVICE}"


def _at_chance(name: str, score: float, task: Task, left: Sequence[TensorSparsity]) -> str:
    shown = metric_of(task.metric).in_words(score)
    return (
        f"{name}: {shown} on dev, which is chance: the pruning has destroyed the network; "
        f"{least_left(left)}; {_ADVICE}"
    )
