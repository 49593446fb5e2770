"""A denoiser in C whose front end computes in fixed point."""

import math

import numpy as np

from tinyprune.audio.conditioning import LEAST_POWER
from tinyprune.audio.frontend import smallest_gain
from tinyprune.firmware.c_text import CConstant
from tinyprune.firmware.fixed_point import (
    FULL_SCALE_BITS,
    LOG_BITS,
    SCALE_BITS,
    WINDOW_BITS,
    end_constants,
    fitting_bits,
    fixed_array,
    fixed_constant,
    matrix_arrays,
    power_array,
    spectrum_arrays,
    spectrum_bits,
    window_array,
)
from tinyprune.firmware.speech import SpeechFirmware
from tinyprune.firmware.tables import Tables

#: Bits behind the point, as in templates/speech_fixed.c.
_POLE_BITS, _LEVEL_BITS, _EXPONENT_BITS, _MEL_BITS, _FACTOR_BITS = 31, 16, 30, 24, 30


class FixedSpeechFirmware(SpeechFirmware):
    """The front end of a denoiser in 32-bit integers, with products of 64 bits.

    Attributes as of :class:`SpeechFirmware`. Raises UsageError for a record whose numbers do not
    fit.
    """

    is_fixed = True

    def tables(self) -> Tables:
        """Return all numbers of the front end as integers."""
        record = self._record
        [given], [made] = self._model.inputs, self._model.outputs
        mel_bits = fitting_bits("mel_weights", record.mel_weights, _MEL_BITS)
        factors = 1 / (np.asarray(record.std) * given.scale)
        factor_bits = fitting_bits("std", factors, _FACTOR_BITS)
        mel_unit = spectrum_bits(record) - mel_bits
        least_gain = float(smallest_gain(record.max_attenuation_db))
        constants = [
            CConstant("bands", str(record.bands)),
            CConstant("frame_bits", str(int(math.log2(record.fft))), "2^9 samples have 9"),
            fixed_constant("power", record.power, _EXPONENT_BITS, "of the mel bands, Q30"),
            fixed_constant("log_mel_unit", mel_unit, LOG_BITS, "of a mel band, Q24"),
            CConstant("factor_bits", str(factor_bits), "behind the point of the factors"),
            fixed_constant("smallest_gain", least_gain, SCALE_BITS, "Q30"),
            *end_constants(given, made),
        ]
        if record.dc_pole:
            constants.append(fixed_constant("dc_pole", record.dc_pole, _POLE_BITS, "Q31"))
        if record.usual_dbfs is not None:
            constants += self._level_constants(record.usual_dbfs)
        return Tables(
            tuple(constants),
            (
                *spectrum_arrays(record),
                power_array(),
                window_array("synthesis_window", record.synthesis_window, "after its inverse, Q30"),
                *matrix_arrays(record, "mel", mel_bits, "from magnitudes to bands"),
                fixed_array("mean", record.mean, LOG_BITS, "of each feature, Q24"),
                fixed_array("factor", factors, factor_bits, "of each feature: steps of the input"),
                *matrix_arrays(record, "spread", WINDOW_BITS, "from the mask to bins"),
            ),
        )

    def _level_constants(self, usual_dbfs: float) -> list[CConstant]:
        """Return the numbers of the gain that follows the level, in steps of 16 bits, squared."""
        record = self._record
        unit_bits = _LEVEL_BITS + 2 * FULL_SCALE_BITS
        usual = usual_dbfs / 10 * math.log2(10) + unit_bits
        most = record.most_gain_db / 20 * math.log2(10)
        least = max(1, round(LEAST_POWER * 2**unit_bits))
        return [
            fixed_constant("level_decay", record.level_decay, _POLE_BITS, "per hop, Q31"),
            CConstant("least_level", f"INT64_C({least})", "Q16"),
            fixed_constant("log_usual_level", usual, LOG_BITS, f"{usual_dbfs:g} dBFS, Q24"),
            fixed_constant("log_most_gain", most, LOG_BITS, "Q24"),
        ]
