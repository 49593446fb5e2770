"""The front end's record for the device, written beside the graph that the device runs."""

from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device import device_front_end
from tinyprune.audio.device_mfcc import device_mfcc
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task


def write_front_end(task: Task, folder: Path) -> list[str]:
    """Write ``FORM.frontend.json`` beside a task's first graph in a variant's folder. Returns the files it made.

    Images have none: what normalises them is in ``frontend.json`` of the baseline.
    """
    form, frontend = task.record.forms[0], task.frontend
    artifact = replace(
        read_json(folder / f"{form}.json", TFLiteArtifact), path=folder / f"{form}.tflite"
    )
    name = f"{form}.frontend.json"
    if isinstance(frontend, FrontEnd):
        write_json(folder / name, device_front_end(frontend, artifact))
    elif isinstance(frontend, MfccFrontEnd):
        write_json(folder / name, device_mfcc(frontend, artifact))
    else:
        return []
    return [name]
