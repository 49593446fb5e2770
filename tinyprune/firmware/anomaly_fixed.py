"""Anomaly detection in C whose front end computes in fixed point."""

import math
from collections.abc import Sequence

import numpy as np

from tinyprune.firmware.anomaly import AnomalyFirmware
from tinyprune.firmware.c_text import CConstant, CRows, c_double
from tinyprune.firmware.fixed_point import (
    LOG_BITS,
    OUTPUT_BITS,
    end_constants,
    fitting_bits,
    fixed_array,
    fixed_constant,
    matrix_arrays,
    spectrum_arrays,
    spectrum_bits,
)
from tinyprune.firmware.tables import Tables

#: Base-2 logarithms of power in a dB.
_OCTAVES_PER_DB = math.log2(10) / 10
#: Bits of the largest numbers of the tables; the weights of powers are as fine as 32 bits hold,
#: since a quiet band beside a loud one has few bits. A product with a power loses 32.
_MEL_BITS, _FACTOR_BITS, _FINEST_BITS, _PRODUCT_BITS = 31, 30, 60, 32


class FixedAnomalyFirmware(AnomalyFirmware):
    """The front end of anomaly detection in 32-bit integers, with products of 64 bits.

    The error comes out in Q16. Attributes as of :class:`AnomalyFirmware`. Raises UsageError for a
    record whose numbers do not fit.
    """

    is_fixed = True

    def tables(self) -> Tables:
        """Return all numbers of the front end as integers."""
        record = self._record
        [given], [made] = self._model.inputs, self._model.outputs
        mel_bits = fitting_bits("mel_weights", record.mel_weights, _MEL_BITS, _FINEST_BITS)
        factors = 1 / (np.asarray(record.std) * _OCTAVES_PER_DB)
        factor_bits = fitting_bits("std", factors, _FACTOR_BITS)
        input_bits = fitting_bits("input_scale", [1 / given.scale], _FACTOR_BITS)
        mel_unit = 2 * spectrum_bits(record) + _PRODUCT_BITS - mel_bits
        smallest = math.log2(record.smallest_power)
        means = np.asarray(record.mean) * _OCTAVES_PER_DB
        constants = [
            CConstant("bands", str(record.bands)),
            fixed_constant("log_mel_unit", mel_unit, LOG_BITS, "of a mel band, Q24"),
            fixed_constant("log_smallest_power", smallest, LOG_BITS, "Q24"),
            CConstant("factor_bits", str(factor_bits), "behind the point of the factors"),
            fixed_constant("input_factor", 1 / given.scale, input_bits, "steps of the input"),
            CConstant("input_factor_bits", str(input_bits), "behind the point of it"),
            *end_constants(given, made),
        ]
        return Tables(
            tuple(constants),
            (
                *spectrum_arrays(record),
                *matrix_arrays(record, "mel", mel_bits, "from powers to bands"),
                fixed_array("mean", means, LOG_BITS, "of each band, in octaves of power, Q24"),
                fixed_array("factor", factors, factor_bits, "of each band: deviations per octave"),
            ),
        )

    def _vectors(self, errors: Sequence[float]) -> tuple[CRows, str]:
        made = np.rint(np.asarray(errors, np.float64) * 2**OUTPUT_BITS).astype(np.int32)
        tolerance = self._tolerance(errors) * 2**OUTPUT_BITS
        return CRows("error", made[:, None]), c_double(tolerance)
