"""Whether a network can become fully int8 at all, asked before it is trained and not after."""

import logging

import keras

from tinyprune.compress.grids import unfamiliar
from tinyprune.compress.streaming import streaming
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.export.tflite import convert
from tinyprune.stages.int8_graphs import FRAMES
from tinyprune.tasks.task import Task

log = logging.getLogger(__name__)
SAMPLES = 16


def check_convertible(model: keras.Model, task: Task) -> None:
    """Try to convert a canonical model that has layers of which nothing is known; others are taken as they are.

    Layers that TFLite makes int8 by itself are named in a warning: they stay dense, and learn
        without an int8 grid
    inside. Raises UsageError, which names the layers, for a model that cannot be fully int8 or, of
    speech, not stream.
    """
    if FRAMES.get(task.record.forms[0]) == 1:
        streaming(model)  # raises for a layer that looks ahead
    names = ", ".join(unfamiliar(model))
    if not names:
        return
    try:
        convert(model, FRAMES.get(task.record.forms[0]), task.calibration()[:SAMPLES])
    except CheckFailed as error:
        raise UsageError(f"{names}: {error}") from error
    log.warning("%s: left dense, with an int8 grid behind but none inside", names)
