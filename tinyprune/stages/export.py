"""The export of a variant: int8 graphs from the same weights, checked against the network that was trained."""

import logging
from dataclasses import replace
from pathlib import Path

import keras

from tinyprune.artifacts.quality import Quality
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import load_masks
from tinyprune.compress.prepare import batches, calibrate, prepare
from tinyprune.errors import CheckFailed
from tinyprune.export import forward
from tinyprune.export.tflite import export
from tinyprune.stages.front_end_record import write_front_end
from tinyprune.storage.records import write_json
from tinyprune.tasks.task import Task
from tinyprune.units import format_metric

log = logging.getLogger(__name__)
FRAMES = {
    "streaming": 1,
    "sequence": 100,
}  # of one call, by the form that is exported; other forms have no time axis


def export_variant(model: keras.Model, task: Task, folder: Path) -> list[str]:
    """Write ``FORM.tflite`` and its record for every form of a task, its front end's, and ``quality.json`` on dev.

    A network whose past goes in and comes out of every call has the first form only, the one that
    the device runs. Returns the files it made. Raises CheckFailed if zeros were lost, or if an int8
    graph is further from the fake-quantized Keras model than the task tolerates.
    """
    log.info("%s: exporting int8 TFLite", folder.name)
    canonical, calibration, masks = fold(model), task.calibration(), load_masks(folder)
    for form in task.record.forms:
        artifact = export(
            canonical, FRAMES.get(form), calibration, masks, folder / f"{form}.tflite"
        )
        write_json(folder / f"{form}.json", replace(artifact, path=Path(artifact.path.name)))
        if artifact.contexts:
            break
    noisy = task.unprocessed("dev")
    qualities = [*([noisy] if noisy else []), *evaluate(model, task, "dev", folder)]
    simulated = prepare(canonical, masked=False)
    calibrate(simulated, batches(calibration, simulated))
    _check(
        folder.name,
        qualities,
        task.quality(forward.of_keras(simulated), "fake-quantized", "dev", folder.name),
        task,
    )
    write_json(folder / "quality.json", qualities)
    graphs = [
        f"{form}{suffix}" for form in exported(task, folder) for suffix in (".tflite", ".json")
    ]
    return [*graphs, *write_front_end(task, folder), "quality.json"]


def exported(task: Task, folder: Path) -> list[str]:
    """The forms of a task whose int8 graphs are in a variant's folder."""
    return [form for form in task.record.forms if (folder / f"{form}.tflite").exists()]


def evaluate(model: keras.Model | None, task: Task, split: str, folder: Path) -> list[Quality]:
    """Quality of the float model, if there is one, and of the int8 graphs in a variant's folder."""
    ways = {} if model is None else {"float": forward.of_keras(model)}
    ways |= {form: forward.of_int8(folder / f"{form}.tflite") for form in exported(task, folder)}
    return [task.quality(way, form, split, folder.name) for form, way in ways.items()]


def _check(name: str, qualities: list[Quality], simulated: Quality, task: Task) -> None:
    metric = task.record.metric
    for found in qualities:
        if found.form in task.record.forms:
            graph = found.form if found.form == "int8" else f"int8 {found.form}"
            if not (found.metrics and simulated.metrics):
                raise CheckFailed(
                    f"{name}: the {graph} graph cannot be checked: all {found.undefined} outputs are silent "
                    "or not finite; check the dev data, or train longer"
                )
            difference = found.metrics[metric] - simulated.metrics[metric]
            shown = format_metric(metric, difference)
            log.info("%s: %s is %s from the trained network", name, graph, shown)
            if not abs(difference) <= task.tolerance + 1e-9:
                raise CheckFailed(
                    f"{name}: the {graph} graph is {shown} from the fake-quantized model, expected within "
                    f"{task.tolerance:g}: its activation ranges do not fit; train longer"
                )
