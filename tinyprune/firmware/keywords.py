"""Keyword spotting in C: MFCC of a clip, and a score for each class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.audio.device_mfcc import DeviceMfcc
from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CConstant, CRows, c_float
from tinyprune.firmware.device_model import DeviceModel
from tinyprune.firmware.golden import Golden, Recorder, made_up_speech
from tinyprune.firmware.tables import (
    Tables,
    fft_tables,
    float_array,
    packed_arrays,
    quantization,
)
from tinyprune.tflite.interpreter import Int8Model

_CALLS = 4
_CALLS_BEFORE_RESET = 2
_TOLERANCE = "1e-6"


class KeywordFirmware:
    """The front end of keyword spotting, by its record for firmware.

    Attributes:
        template: name of its C sources.
        unit: what a call takes.
        is_fixed: whether it computes in fixed point.

    Raises UsageError for a network that does not go with the record.
    """

    template = "keywords"
    unit = "clip"
    is_fixed = False

    def __init__(
        self, record: DeviceMfcc, model: DeviceModel, class_names: Sequence[str] = ()
    ) -> None:
        self._record = record
        self._model = model
        features = record.frames * record.coefficients
        fits = len(model.inputs) == len(model.outputs) == 1
        fits = fits and model.inputs[0].elements == features
        if not fits or {model.inputs[0].dtype, model.outputs[0].dtype} != {"int8"}:
            raise UsageError(
                f"the front end makes {features} features in int8, the network takes others: "
                "give the one that it was trained with as --frontend"
            )
        self._class_names = _fitting_names(class_names, model.outputs[0].elements)

    def context(self) -> dict[str, Any]:
        """Return what the templates need besides tables and model."""
        return {
            "record": self._record,
            "fft": self._record.fft,
            "has_inverse": False,
            "class_names": self._class_names,
        }

    def tables(self) -> Tables:
        """Return all numbers of the front end."""
        record = self._record
        constants = [
            CConstant("bands", str(record.bands)),
            CConstant("coefficients", str(record.coefficients)),
            CConstant("log_offset", c_float(record.log_offset)),
            *quantization(self._model.inputs[0], "input"),
            *quantization(self._model.outputs[0], "output"),
        ]
        return Tables(
            tuple(constants),
            (
                *fft_tables(record.fft),
                float_array("analysis_window", record.analysis_window, "before the transform"),
                *packed_arrays(
                    "mel",
                    record.mel_first,
                    record.mel_lengths,
                    record.mel_weights,
                    "from magnitudes to bands",
                ),
                float_array("dct", record.dct, "a row per coefficient"),
                float_array("mean", record.mean, "of each coefficient"),
                float_array("std", record.std, "of each coefficient"),
            ),
        )

    def golden(self, source: Path, recorder: Recorder) -> Golden:
        """Return clips through front end and simulated stream."""
        record = self._record
        names = ("sample_rate", "samples", "window", "stride", "bands", "low_hz", "high_hz")
        settings = {name: getattr(record, name) for name in names}
        front_end = MfccFrontEnd(
            **settings, coefficients=record.coefficients, mean=record.mean, std=record.std
        )
        runner = Int8Model(source, engine=recorder)
        clips = made_up_speech(_CALLS * record.samples, record.sample_rate)
        clips = clips.reshape(_CALLS, record.samples)
        scores = [runner.step(features) for features in front_end.features(clips)]
        resets = [number in (0, _CALLS_BEFORE_RESET) for number in range(_CALLS)]
        made, tolerance = self._vectors(scores)
        return recorder.golden([CRows("clip", clips)], [made], resets, tolerance)

    def _vectors(self, scores: Sequence[np.ndarray]) -> tuple[CRows, str]:
        """Return the scores of all calls as C gives them, and how far they may be off."""
        return CRows("scores", np.stack(scores).reshape(len(scores), -1)), _TOLERANCE


def _fitting_names(names: Sequence[str], outputs: int) -> tuple[str, ...]:
    """Return the names of classes where each has an output; else none."""
    if len(names) != outputs:
        return ()
    return tuple(names)
