"""The record of the front end of machine sounds for firmware."""

from dataclasses import replace

import pytest

from tinyprune.data.anomaly.device import DeviceLogMel, mismatch_of_log_mel
from tinyprune.data.anomaly.frontend import LogMelFrontEnd

FRONT_END = LogMelFrontEnd(16_000, 8, 4, 2, 3, (1.0, 2.0), (3.0, 4.0))
RECORD = DeviceLogMel(
    model="net.tflite",
    sha256="",
    input_dtype="int8",
    input_scale=1.0,
    input_zero_point=0,
    output_dtype="int8",
    output_scale=1.0,
    output_zero_point=0,
    state="",
    sample_rate=16_000,
    fft=8,
    hop=4,
    bands=2,
    frames=3,
    samples=16,  # 8 + 2 * 4
    smallest_power=1e-10,
    features="",
    answer="",
    mean=(1.0, 2.0),
    std=(3.0, 4.0),
    analysis_window=(1.0,) * 8,
    mel_first=(0, 1),
    mel_lengths=(2, 3),
    mel_weights=(0.5,) * 5,
)


def test_a_record_that_fits_has_its_front_end():
    assert mismatch_of_log_mel(RECORD) == ""
    assert RECORD.frontend == FRONT_END


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"hop": 0}, "fft, hop or frames is out of range"),
        ({"fft": 2**20}, "fft, hop or frames is out of range"),
        ({"samples": 15}, "samples are not those of its frames"),
        ({"analysis_window": (1.0,) * 7}, "analysis_window is not as long as a frame"),
        ({"mel_lengths": (2, 5)}, "no matrix"),
        ({"mean": (1.0,)}, "expected the mean and the deviation"),
        ({"mel_weights": (float("nan"),) * 5}, "mel_weights has a number that is not finite"),
        ({"std": (0.0, 1.0)}, "smallest_power or a deviation is out of range"),
    ],
)
def test_what_does_not_fit_is_named(changed, problem):
    assert problem in mismatch_of_log_mel(replace(RECORD, **changed))
