"""Records of front ends that somebody else wrote."""

from dataclasses import replace

import pytest

from tinyprune import pretrained
from tinyprune.audio.device import DeviceFrontEnd, record_beside
from tinyprune.audio.device_check import mismatch, mismatch_of_device
from tinyprune.errors import UsageError
from tinyprune.storage.records import read_json, write_json


@pytest.fixture(scope="module")
def record() -> DeviceFrontEnd:
    return read_json(pretrained.denoiser().with_name("denoiser.frontend.json"), DeviceFrontEnd)


def test_what_is_shipped_fits(record):
    assert mismatch(record) == mismatch_of_device(record) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frame": 0}, "frame is out of range"),
        ({"sample_rate": -1}, "sample_rate or frame"),
        ({"bands": 3}, "each of its mel bands"),
        ({"std": (0.0,) * 128}, "a deviation is out of range"),
        ({"power": float("inf")}, "power"),
        ({"mel_weights": (float("nan"),)}, "mel_weights has a number that is not finite"),
        ({"fft": 1024}, "hop and fft do not go with frame"),
        ({"hop": 100}, "hop and fft"),
        ({"analysis_window": (1.0,)}, "analysis_window is not as long as a frame"),
        ({"mel_first": (0,)}, "no matrix (bands, bins)"),
        ({"mel_lengths": (-1,) * 128}, "no matrix (bands, bins)"),
        ({"spread_first": (500,) * 257}, "no matrix (bins, bands)"),
        ({"spread_weights": (1.0,)}, "no matrix (bins, bands)"),
    ],
)
def test_what_does_not_fit_is_named(record, changes, said, tmp_path):
    path = tmp_path / "m.frontend.json"
    write_json(path, replace(record, **changes))
    with pytest.raises(UsageError) as caught:
        record_beside(tmp_path / "m.tflite")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
