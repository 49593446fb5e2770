"""The question before a training: can the network become fully int8 at all?"""

import logging

import keras

from tinyprune.compress.grids import nearest, unfamiliar
from tinyprune.compress.streaming import streaming
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.export.tflite import convert
from tinyprune.tasks.task import Task

log = logging.getLogger(__name__)
SAMPLES = 16


def check_convertible(model: keras.Model, task: Task) -> None:
    """Try to convert a canonical model that has layers of which nothing is known.

    Models of known layers are taken as they are. Layers that TFLite makes int8 by itself are named
    in a warning: they stay dense, and learn without an int8 grid inside. Raises UsageError, which
    names the layers, for a model that cannot be fully int8, or that has to stream and cannot.
    """
    frames = task.forms[0].frames
    if frames == 1:
        streaming(model)  # raises for a layer that looks ahead
    names = ", ".join(unfamiliar(model))
    if not names:
        return
    try:
        convert(model, frames, task.calibration()[:SAMPLES])
    except CheckFailed as error:
        advice = "".join(f"; take {other}" for other in nearest(model))
        raise UsageError(f"{names}: {error}{advice}") from error
    log.warning("%s: left dense, with an int8 grid behind but none inside", names)
