"""Anomaly detection in C: log-mel power of a window, and the error of its reconstruction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.data.anomaly.device import DeviceLogMel
from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CConstant, CRows, c_double, c_float
from tinyprune.firmware.device_model import DeviceModel
from tinyprune.firmware.golden import Golden, Recorder, made_up_speech
from tinyprune.firmware.tables import (
    Tables,
    fft_tables,
    float_array,
    packed_arrays,
    quantization,
)
from tinyprune.metrics.numbers import mse
from tinyprune.tflite.interpreter import Int8Model

_CALLS = 6
_CALLS_BEFORE_RESET = 3
_RELATIVE_TOLERANCE = 1e-4


class AnomalyFirmware:
    """The front end of anomaly detection, by its record for firmware.

    Attributes:
        template: name of its C sources.
        unit: what a call takes.
        is_fixed: whether it computes in fixed point.

    Raises UsageError for a network that does not go with the record.
    """

    template = "anomaly"
    unit = "window"
    is_fixed = False

    def __init__(self, record: DeviceLogMel, model: DeviceModel) -> None:
        self._record = record
        self._model = model
        features = record.frames * record.bands
        fits = len(model.inputs) == len(model.outputs) == 1
        for end in (*model.inputs, *model.outputs):
            fits = fits and end.elements == features and end.dtype == "int8"
        if not fits:
            raise UsageError(
                f"the front end makes {features} features in int8 and takes as many back, the "
                "network does not: give the one that it was trained with as --frontend"
            )

    def context(self) -> dict[str, Any]:
        """Return what the templates need besides tables and model."""
        return {"record": self._record, "fft": self._record.fft, "has_inverse": False}

    def tables(self) -> Tables:
        """Return all numbers of the front end."""
        record = self._record
        constants = [
            CConstant("bands", str(record.bands)),
            CConstant("smallest_power", c_float(record.smallest_power)),
            *quantization(self._model.inputs[0], "input"),
            *quantization(self._model.outputs[0], "output"),
        ]
        mel = (record.mel_first, record.mel_lengths, record.mel_weights)
        return Tables(
            tuple(constants),
            (
                *fft_tables(record.fft),
                float_array("analysis_window", record.analysis_window, "before the transform"),
                *packed_arrays("mel", *mel, "from powers to bands"),
                float_array("mean", record.mean, "of each band"),
                float_array("std", record.std, "of each band"),
            ),
        )

    def golden(self, source: Path, recorder: Recorder) -> Golden:
        """Return windows through front end and simulated stream."""
        record = self._record
        front_end = record.frontend
        runner = Int8Model(source, engine=recorder)
        sound = made_up_speech(_CALLS * record.samples, record.sample_rate)
        windows = sound.reshape(_CALLS, record.samples)
        errors = []
        for window in windows:
            levels = front_end.levels(np.asarray(window / 32768, np.float32))
            features = front_end.features(levels[None])
            errors.append(mse(features, runner.step(features)))
        resets = [number in (0, _CALLS_BEFORE_RESET) for number in range(_CALLS)]
        made, tolerance = self._vectors(errors)
        return recorder.golden([CRows("window", windows)], [made], resets, tolerance)

    def _vectors(self, errors: Sequence[float]) -> tuple[CRows, str]:
        """Return the errors of all calls as C gives them, and how far they may be off."""
        made = np.asarray(errors, np.float32)[:, None]
        return CRows("error", made), c_double(self._tolerance(errors))

    def _tolerance(self, errors: Sequence[float]) -> float:
        return max(1.0, *errors) * _RELATIVE_TOLERANCE
