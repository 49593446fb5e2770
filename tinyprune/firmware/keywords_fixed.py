"""Keyword spotting in C whose front end computes in fixed point."""

import math
from collections.abc import Sequence

import numpy as np

from tinyprune.firmware.c_text import CConstant, CRows
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
from tinyprune.firmware.keywords import KeywordFirmware
from tinyprune.firmware.tables import Tables

#: Bits of the largest numbers of the tables, and bits behind the point of coefficients and of the
#: quietest frame, as in templates/keywords_fixed.c.
_MEL_BITS, _DCT_BITS, _FACTOR_BITS = 24, 27, 30
_COEFFICIENT_BITS, _QUIETEST_BITS = 20, 30
#: Two roundings: of the scale and of a score.
_TOLERANCE = "2.0"


class FixedKeywordFirmware(KeywordFirmware):
    """The front end of keyword spotting in 32-bit integers, with products of 64 bits.

    Scores come out in Q16. Attributes as of :class:`KeywordFirmware`. Raises UsageError for a
    record whose numbers do not fit.
    """

    is_fixed = True

    def tables(self) -> Tables:
        """Return all numbers of the front end as integers."""
        record = self._record
        [given], [made] = self._model.inputs, self._model.outputs
        mel_bits = fitting_bits("mel_weights", record.mel_weights, _MEL_BITS)
        dct = np.asarray(record.dct) * math.log(2)
        dct_bits = fitting_bits("dct", dct, _DCT_BITS)
        factors = 1 / (np.asarray(record.std) * given.scale)
        factor_bits = fitting_bits("std", factors, _FACTOR_BITS)
        mel_unit = spectrum_bits(record) - mel_bits
        constants = [
            CConstant("bands", str(record.bands)),
            CConstant("coefficients", str(record.coefficients)),
            fixed_constant(
                "log_offset",
                record.log_offset,
                _QUIETEST_BITS - mel_unit,
                "in the unit of a mel band whose exponent is 30",
            ),
            fixed_constant("log_mel_unit", mel_unit, LOG_BITS, "of a mel band, Q24"),
            CConstant("dct_bits", str(dct_bits), "behind the point of the DCT"),
            CConstant("factor_bits", str(factor_bits), "behind the point of the factors"),
            *end_constants(given, made),
        ]
        return Tables(
            tuple(constants),
            (
                *spectrum_arrays(record),
                *matrix_arrays(record, "mel", mel_bits, "from magnitudes to bands"),
                fixed_array("dct", dct, dct_bits, "a row per coefficient, for base 2"),
                fixed_array("mean", record.mean, _COEFFICIENT_BITS, "of each coefficient, Q20"),
                fixed_array(
                    "factor", factors, factor_bits, "of each coefficient: steps of the input"
                ),
            ),
        )

    def _vectors(self, scores: Sequence[np.ndarray]) -> tuple[CRows, str]:
        rows = np.stack(scores).reshape(len(scores), -1).astype(np.float64)
        return CRows("scores", np.rint(rows * 2**OUTPUT_BITS).astype(np.int32)), _TOLERANCE
