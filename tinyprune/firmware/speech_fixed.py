"""A denoiser in C whose front end computes in fixed point."""

import math
from collections.abc import Sequence

import numpy as np

from tinyprune.audio.conditioning import LEAST_POWER
from tinyprune.audio.frontend import smallest_gain
from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CArray, CConstant
from tinyprune.firmware.device_model import DeviceEnd
from tinyprune.firmware.speech import SpeechFirmware
from tinyprune.firmware.tables import Tables, check_fft, packed_arrays

#: Bits behind the point, as in templates/speech_fixed.c.
_SAMPLE_BITS, _WINDOW_BITS, _GAIN_BITS, _LOG_BITS, _POLE_BITS = 12, 30, 30, 24, 31
_LEVEL_BITS = 16
_TURN_BITS, _EXPONENT_BITS, _MEL_BITS = 30, 30, 24
_FULL_SCALE_BITS = 15
_TABLE_STEPS, _MOST_BITS = 256, 30


class FixedSpeechFirmware(SpeechFirmware):
    """The front end of a denoiser in 32-bit integers, with products of 64 bits.

    Attributes as of :class:`SpeechFirmware`. Raises UsageError for a record whose numbers do not
    fit.
    """

    is_fixed = True

    def tables(self) -> Tables:
        """Return all numbers of the front end as integers."""
        record = self._record
        check_fft(record.fft)
        [given], [made] = self._model.inputs, self._model.outputs
        mel_bits = _fitting_bits("mel_weights", record.mel_weights, _MEL_BITS)
        factors = 1 / (np.asarray(record.std) * given.scale)
        factor_bits = _fitting_bits("std", factors, 30)
        mel_unit = int(math.log2(record.fft)) - _SAMPLE_BITS - _FULL_SCALE_BITS - mel_bits
        constants = [
            CConstant("bands", str(record.bands)),
            CConstant("frame_bits", str(int(math.log2(record.fft))), "2^9 samples have 9"),
            CConstant("power", _wide(record.power, _EXPONENT_BITS), "of the mel bands, Q30"),
            CConstant("log_mel_unit", _wide(mel_unit, _LOG_BITS), "of a mel band, Q24"),
            CConstant("factor_bits", str(factor_bits), "behind the point of the factors"),
            CConstant(
                "smallest_gain",
                _wide(float(smallest_gain(record.max_attenuation_db)), _GAIN_BITS),
                "Q30",
            ),
            CConstant("output_scale", _wide(made.scale, _GAIN_BITS), "Q30"),
            *_zero_points(given, made),
        ]
        if record.dc_pole:
            constants.append(CConstant("dc_pole", _wide(record.dc_pole, _POLE_BITS), "Q31"))
        if record.usual_dbfs is not None:
            constants += self._level_constants(record.usual_dbfs)
        steps = np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS
        angles = 2 * np.pi * np.arange(record.fft // 2) / record.fft
        return Tables(
            tuple(constants),
            (
                _fixed("cosines", np.cos(angles), _TURN_BITS, "of the Fourier transform, Q30"),
                _fixed("sines", np.sin(angles), _TURN_BITS, "of the Fourier transform, Q30"),
                _fixed("logarithms", np.log2(1 + steps), _LOG_BITS, "of 1 to 2, base 2, Q24"),
                CArray(
                    "powers", np.rint(2.0 ** (30 + steps)).astype(np.uint32), "of 2, 0 to 1, Q30"
                ),
                _window("analysis_window", record.analysis_window, "before the transform, Q30"),
                _window("synthesis_window", record.synthesis_window, "after its inverse, Q30"),
                *self._matrix("mel", mel_bits, "from magnitudes to bands"),
                _fixed("mean", record.mean, _LOG_BITS, "of each feature, Q24"),
                _fixed("factor", factors, factor_bits, "of each feature: steps of the input"),
                *self._matrix("spread", _WINDOW_BITS, "from the mask to bins"),
            ),
        )

    def _matrix(self, name: str, bits: int, meaning: str) -> list[CArray]:
        """Return the three arrays of a packed matrix."""
        first, lengths, weights = (
            getattr(self._record, f"{name}_{part}") for part in ("first", "lengths", "weights")
        )
        *places, _ = packed_arrays(name, first, lengths, weights, meaning)
        return [*places, _fixed(f"{name}_weights", weights, bits, f"row by row, Q{bits}")]

    def _level_constants(self, usual_dbfs: float) -> list[CConstant]:
        """Return the numbers of the gain that follows the level, in steps of 16 bits, squared."""
        record = self._record
        unit_bits = _LEVEL_BITS + 2 * _FULL_SCALE_BITS
        usual = usual_dbfs / 10 * math.log2(10) + unit_bits
        most = record.most_gain_db / 20 * math.log2(10)
        least = max(1, round(LEAST_POWER * 2**unit_bits))
        return [
            CConstant("level_decay", _wide(record.level_decay, _POLE_BITS), "per hop, Q31"),
            CConstant("least_level", f"INT64_C({least})", "Q16"),
            CConstant("log_usual_level", _wide(usual, _LOG_BITS), f"{usual_dbfs:g} dBFS, Q24"),
            CConstant("log_most_gain", _wide(most, _LOG_BITS), "Q24"),
        ]


def _zero_points(given: DeviceEnd, made: DeviceEnd) -> list[CConstant]:
    return [
        CConstant("input_zero_point", str(given.zero_point)),
        CConstant("output_zero_point", str(made.zero_point)),
    ]


def _wide(value: float, bits: int) -> str:
    """Return a number with bits behind the point as a constant of 64 bits in C."""
    return f"INT64_C({round(value * 2**bits)})"


def _fixed(name: str, values: Sequence[float] | np.ndarray, bits: int, meaning: str) -> CArray:
    """Return numbers with bits behind the point. Raises UsageError for what 32 bits do not hold."""
    integers = np.rint(np.asarray(values, float) * 2.0**bits)
    if np.abs(integers).max() >= 2**31:
        raise _too_large(name)
    return CArray(name, integers.astype(np.int32), meaning)


def _too_large(name: str) -> UsageError:
    return UsageError(
        f"numbers of the front end do not fit into 32 bits: {name}; give --arithmetic float"
    )


def _window(name: str, values: Sequence[float], meaning: str) -> CArray:
    return _fixed(name, values, _WINDOW_BITS, meaning)


def _fitting_bits(name: str, values: Sequence[float] | np.ndarray, most: int) -> int:
    """Return the bits behind the point with which the largest number has fewer than ``most``."""
    largest = float(np.abs(values).max())
    if not 0 < largest < 2**20:
        raise _too_large(name)
    return min(most - 1 - math.floor(math.log2(largest)), _MOST_BITS)
