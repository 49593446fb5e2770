"""The record for firmware: every number of it is the one that the network was trained with."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio import stft
from tinyprune.audio.device import (
    DeviceFrontEnd,
    frontend_of,
    latency_samples,
    record_beside,
    unpack,
)
from tinyprune.audio.frontend import FrontEnd
from tinyprune.errors import UsageError
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json, write_json

BANDS, BINS = 16, 512 // 2 + 1
KNOWN = FrontEnd(bands=2, mean=(0.0, 1.0), std=(1.0, 2.0))


@pytest.fixture(scope="module")
def model(speech_run):
    return speech_run / "variants/small/streaming.tflite"


@pytest.fixture(scope="module")
def record(model):
    return record_beside(model)


def test_matrices_are_packed_and_unpacked_without_a_loss(record):
    frontend = record.frontend
    mel = unpack(record.mel_first, record.mel_lengths, record.mel_weights, BINS)
    np.testing.assert_array_equal(mel, frontend.mel().T)
    spread = unpack(record.spread_first, record.spread_lengths, record.spread_weights, BANDS)
    np.testing.assert_array_equal(spread, frontend.spread().T)
    assert len(record.mel_lengths) == BANDS
    assert len(record.spread_lengths) == BINS
    assert len(record.spread_weights) == sum(record.spread_lengths) < BINS * 2 + 1


def test_windows_are_float32_in_few_digits(record):
    for written, window in (
        (record.analysis_window, stft.hann(512)),
        (record.synthesis_window, stft.synthesis_window(512)),
    ):
        np.testing.assert_array_equal(np.array(written, np.float32), window)
    assert max(len(str(number)) for number in record.mel_weights) <= len("-1.2345678e-05")


def test_an_empty_band_has_no_weights():
    assert unpack((0, 3, 0), (0, 2, 0), (1.0, 2.0), 5).tolist() == [
        [0] * 5,
        [0, 0, 0, 1, 2],
        [0] * 5,
    ]


def test_scales_types_and_hash_are_those_of_the_file(record, model):
    artifact = read_json(model.with_suffix(".json"), TFLiteArtifact)
    assert (record.model, record.sha256) == ("streaming.tflite", sha256(model))
    assert (record.input_scale, record.input_zero_point) == (
        artifact.input_scale,
        artifact.input_zero_point,
    )
    assert (record.output_scale, record.output_zero_point) == (1 / 256, -128)
    assert (record.input_dtype, record.output_dtype) == ("int8", "int8")
    assert (record.hop, record.fft) == (256, 512)
    assert "reset" in record.state
    assert not record.contexts


def test_latency_is_one_hop_to_fill_and_one_that_overlaps(record):
    assert latency_samples(FrontEnd(frame=320)) == 160 + 160
    assert (record.latency_samples, record.latency_seconds) == (256 + 256, 0.032)


def test_the_file_is_flat_and_has_the_fields_of_a_front_end(model):
    content = json.loads(model.with_name("streaming.frontend.json").read_text())
    assert FrontEnd.__dataclass_fields__.keys() <= content.keys()
    assert not [name for name, value in content.items() if isinstance(value, dict)]


# --- where it is found


@pytest.mark.parametrize(
    "place", ["a/streaming.frontend.json", "a/frontend.json", "baseline/frontend.json"]
)
def test_it_is_found_beside_the_model(tmp_path, place):
    write_json(tmp_path / place, KNOWN)
    assert record_beside(tmp_path / "a/streaming.tflite") == KNOWN


def test_the_one_beside_the_model_comes_before_that_of_the_run(tmp_path):
    for name, mean in (
        ("a/streaming.frontend.json", 1.0),
        ("a/frontend.json", 2.0),
        ("baseline/frontend.json", 3.0),
    ):
        write_json(tmp_path / name, FrontEnd(bands=1, mean=(mean,), std=(1.0,)))
    assert record_beside(tmp_path / "a/streaming.tflite").mean == (1.0,)
    assert record_beside(tmp_path / "a/streaming.tflite", tmp_path / "a/frontend.json").mean == (
        2.0,
    )
    assert record_beside(tmp_path / "a/model.keras").mean == (2.0,)


def test_it_is_found_from_within_the_folder(tmp_path, monkeypatch):
    write_json(tmp_path / "baseline/frontend.json", KNOWN)
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert record_beside(Path("streaming.tflite")) == KNOWN


def test_the_record_of_a_device_is_that_of_the_training(model, record):
    assert isinstance(record, DeviceFrontEnd)
    assert record_beside(model) == record
    assert frontend_of(record) == record.frontend
    assert record.frontend.bands == BANDS


def test_none_at_all(tmp_path):
    with pytest.raises(
        UsageError, match=r"^no front end beside .*model.tflite: give the STEM.frontend.json of its"
    ):
        record_beside(tmp_path / "model.tflite")
    with pytest.raises(UsageError, match=r"^there is no file .*gone.json: give"):
        record_beside(tmp_path / "model.tflite", tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is no front end: expected the JSON that train or export wrote"),
        ("[1, 2]", "is not the front end of a speech-enhancement network"),
        ('{"bands": "many"}', "is no front end: expected the JSON that train or export wrote"),
        (
            "{}",
            "is not the front end of a speech-enhancement network: expected the mean "
            "and the deviation of each",
        ),
        (
            '{"bands": 40, "mean": [1.0], "std": [1.0]}',
            "is not the front end of a speech-enhancement network",
        ),
    ],
)
def test_what_is_no_front_end_of_speech(tmp_path, content, message):
    (tmp_path / "frontend.json").write_text(content)
    with pytest.raises(UsageError, match=f"^{tmp_path / 'frontend.json'} {message}"):
        record_beside(tmp_path / "model.tflite")
