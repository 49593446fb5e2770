"""A denoiser in C: conditioning, features, mask, synthesis."""

from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.audio.conditioning import LEAST_POWER
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.audio.frontend import smallest_gain
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CConstant, CRows, c_double, c_float
from tinyprune.firmware.device_model import DeviceModel
from tinyprune.firmware.golden import (
    SAMPLE_TOLERANCE,
    Golden,
    Recorder,
    made_up_speech,
    to_int16,
)
from tinyprune.firmware.tables import (
    Tables,
    fft_tables,
    float_array,
    packed_arrays,
    quantization,
)
from tinyprune.tflite.interpreter import Int8Model

_CALLS = 64
_CALLS_BEFORE_RESET = 40


class SpeechFirmware:
    """The front end of a denoiser, by its record for firmware.

    Attributes:
        template: name of its C sources.
        unit: what a call takes.
        is_fixed: whether it computes in fixed point.

    Raises UsageError for a network that does not go with the record.
    """

    template = "speech"
    unit = "hop"
    is_fixed = False

    def __init__(self, record: DeviceFrontEnd, model: DeviceModel) -> None:
        self._record = record
        self._model = model
        fits = len(model.inputs) == len(model.outputs) == 1
        for end in (*model.inputs, *model.outputs):
            fits = fits and end.elements == record.bands and end.dtype == "int8"
        if not fits:
            raise UsageError(
                f"the front end makes {record.bands} features and takes as many of a mask in int8, "
                "the network does not: give the one that it was trained with as --frontend"
            )

    def context(self) -> dict[str, Any]:
        """Return what the templates need besides tables and model."""
        return {"record": self._record, "fft": self._record.fft, "has_inverse": True}

    def tables(self) -> Tables:
        """Return all numbers of the front end."""
        record = self._record
        constants = [
            CConstant("bands", str(record.bands)),
            CConstant("power", c_float(record.power), "of the mel bands"),
            CConstant("smallest_gain", c_float(float(smallest_gain(record.max_attenuation_db)))),
            *quantization(self._model.inputs[0], "input"),
            *quantization(self._model.outputs[0], "output"),
        ]
        if record.dc_pole:
            constants.append(CConstant("dc_pole", c_double(record.dc_pole), "of the high-pass"))
        if record.usual_dbfs is not None:
            constants += _level_constants(record, record.usual_dbfs)
        return Tables(
            tuple(constants),
            (
                *fft_tables(record.fft),
                float_array("analysis_window", record.analysis_window, "before the transform"),
                float_array("synthesis_window", record.synthesis_window, "after its inverse"),
                *packed_arrays(
                    "mel",
                    record.mel_first,
                    record.mel_lengths,
                    record.mel_weights,
                    "from magnitudes to bands",
                ),
                float_array("mean", record.mean, "of each feature"),
                float_array("std", record.std, "of each feature"),
                *packed_arrays(
                    "spread",
                    record.spread_first,
                    record.spread_lengths,
                    record.spread_weights,
                    "from the mask to bins",
                ),
            ),
        )

    def golden(self, source: Path, recorder: Recorder) -> Golden:
        """Return hops through front end and simulated stream, with a reset between them."""
        front_end = StreamingFrontEnd(self._record)
        runner = Int8Model(source, engine=recorder)
        samples = made_up_speech(_CALLS * front_end.hop, self._record.sample_rate)
        hops = samples.reshape(_CALLS, front_end.hop)
        state = front_end.start()
        made = []
        resets = []
        for number, hop in enumerate(hops):
            is_reset = number in (0, _CALLS_BEFORE_RESET)
            if is_reset:
                runner.reset()
                state = front_end.start()
            features = front_end.analyse(state, np.asarray(hop / 32768, np.float32))
            mask = runner.step(features[None])[0]
            made.append(to_int16(front_end.synthesise(state, mask)))
            resets.append(is_reset)
        return recorder.golden(
            [CRows("in", hops)],
            [CRows("out", np.stack(made))],
            resets,
            SAMPLE_TOLERANCE,
        )


def _level_constants(record: DeviceFrontEnd, usual_dbfs: float) -> list[CConstant]:
    """Return the numbers of the gain that follows the level."""
    return [
        CConstant("level_decay", c_double(record.level_decay), "per hop"),
        CConstant("least_power", c_double(LEAST_POWER)),
        CConstant("usual_power", c_double(10 ** (usual_dbfs / 10)), f"{usual_dbfs:g} dBFS"),
        CConstant("most_gain", c_double(10 ** (record.most_gain_db / 20))),
    ]
