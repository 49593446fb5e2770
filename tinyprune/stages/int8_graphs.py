"""Int8 graphs of a network: written, checked against the network that was trained, and scored."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality, graph_in_words
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import load_masks
from tinyprune.compress.prepare import batches, calibrate, prepare
from tinyprune.errors import CheckFailed
from tinyprune.export.forward import of_keras
from tinyprune.export.tflite import export
from tinyprune.metrics.metric import metric_of
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.collapse import check_above_chance, check_graphs_respond
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task
from tinyprune.tflite.forward import of_int8

log = logging.getLogger(__name__)
ROUNDING = 1e-9


def export_graphs(model: keras.Model, task: Task, folder: Path) -> list[str]:
    """Export a network in the forms of its task and score them on dev.

    Every form becomes ``FORM.tflite`` with its record ``FORM.json``; the first also has the front
    end for the device. A network whose past goes in and comes out of every call has the first form
    only, the one that the device runs. The scores are ``quality.json``.

    Returns the names of the files it made. Raises CheckFailed where zeros were lost, or where an
    int8 graph is further from the fake-quantized Keras model than the task tolerates.
    """
    log.info("%s: exporting int8 TFLite", folder.name)
    canonical = fold(model)
    calibration = task.calibration()
    _write_graphs(canonical, task, calibration, folder)

    check_graphs_respond(canonical, task, calibration, folder, task.exported(folder))
    trained, *graphs = evaluate(model, task, "dev", folder)
    qualities = [*_unprocessed(task), trained, *graphs]
    simulated = _simulated_quality(canonical, task, calibration, folder.name)
    _check(folder.name, qualities, simulated, task)
    check_above_chance(folder.name, trained, graphs, task, folder)
    write_json(folder / "quality.json", qualities)

    outputs = []
    for form in task.exported(folder):
        outputs += [f"{form}.tflite", f"{form}.json"]
    return [*outputs, *write_front_end(task, folder), "quality.json"]


def evaluate(model: keras.Model | None, task: Task, split: str, folder: Path) -> list[Quality]:
    """Score the float network, if there is one, and the int8 graphs in the folder of a variant."""
    qualities = []
    if model is not None:
        qualities.append(task.quality(of_keras(model), "float", split, folder.name))
    for form in task.exported(folder):
        network = of_int8(folder / f"{form}.tflite")
        scored = task.quality(network, form, split, folder.name)
        qualities.append(replace(scored, engine=network.engine))
    return qualities


def write_front_end(task: Task, folder: Path) -> list[str]:
    """Write the front end for the device beside the first graph of a variant, if the task has one.

    Returns the names of the files it made.
    """
    form = task.forms[0].name
    artifact = read_json(folder / f"{form}.json", TFLiteArtifact)
    record = task.device_front_end(replace(artifact, path=folder / f"{form}.tflite"))
    if record is None:
        return []
    write_json(folder / f"{form}.frontend.json", record)
    return [f"{form}.frontend.json"]


def _write_graphs(
    canonical: keras.Model, task: Task, calibration: np.ndarray, folder: Path
) -> None:
    masks = load_masks(folder)
    few_values = _few_values(folder)
    for form in task.forms:
        path = folder / f"{form.name}.tflite"
        artifact = export(canonical, form.frames, calibration, masks, path, few_values)
        write_json(folder / f"{form.name}.json", replace(artifact, path=Path(path.name)))
        if artifact.contexts:
            return


def _few_values(folder: Path) -> dict[str, int]:
    """Return ``layer/kernel`` -> the most values of it, by the plan of a variant, if it has one."""
    plan = folder / "plan.json"
    return read_json(plan, PruningPlan).few_values if plan.exists() else {}


def _unprocessed(task: Task) -> list[Quality]:
    """Return the quality of the input as it is, where it has one."""
    quality = task.unprocessed("dev")
    return [quality] if quality else []


def _simulated_quality(
    canonical: keras.Model, task: Task, calibration: np.ndarray, variant: str
) -> Quality:
    """Score the fake-quantized Keras model, which int8 graphs are held to."""
    simulated = prepare(canonical, masked=False)
    calibrate(simulated, batches(calibration, simulated))
    return task.quality(of_keras(simulated), "fake-quantized", "dev", variant)


def _check(name: str, qualities: Sequence[Quality], simulated: Quality, task: Task) -> None:
    """Raise CheckFailed for an int8 graph that is too far from the fake-quantized model."""
    for quality in qualities:
        if quality.form not in task.record.forms:
            continue
        graph = graph_in_words(quality.form)
        if not (quality.metrics and simulated.metrics):
            raise CheckFailed(
                f"{name}: the {graph} graph cannot be checked: all {quality.undefined} outputs are "
                "silent or not finite; check the dev data, or train longer"
            )
        for metric, allowed in task.allowed_differences(simulated.metrics).items():
            difference = quality.metrics[metric] - simulated.metrics[metric]
            shown = metric_of(metric).in_words(difference)
            log.info("%s: %s is %s from the trained network", name, graph, shown)
            is_near = abs(difference) <= allowed + ROUNDING
            if not is_near:
                raise CheckFailed(
                    f"{name}: the {graph} graph is {shown} from the fake-quantized model, expected "
                    f"within {allowed:g}: its activation ranges do not fit; train longer"
                )
