import numpy as np

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device import unpack
from tinyprune.audio.device_mfcc import DeviceMfcc, device_mfcc
from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.storage.records import read_json, write_json


def test_cepstra_follow_from_the_record_of_keywords_alone(speech_run, tmp_path):
    frontend = MfccFrontEnd(mean=(1.0,) * 10, std=(2.0,) * 10)
    model = speech_run / "variants/small/streaming.tflite"
    artifact = read_json(model.with_suffix(".json"), TFLiteArtifact)
    write_json(tmp_path / "int8.frontend.json", device_mfcc(frontend, artifact))
    record = read_json(tmp_path / "int8.frontend.json", DeviceMfcc)
    clip = np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10
    mel = unpack(record.mel_first, record.mel_lengths, record.mel_weights, record.fft // 2 + 1)
    dct = np.reshape(record.dct, (record.coefficients, record.bands))
    features = []
    for start in range(0, record.frames * record.stride, record.stride):
        frame = clip[start : start + record.window] * record.analysis_window
        cepstrum = dct @ np.log(mel @ np.abs(np.fft.rfft(frame, record.fft)) + record.log_offset)
        features.append((cepstrum - record.mean) / record.std)
    np.testing.assert_allclose(features, frontend.features(clip[None])[0, ..., 0], atol=1e-4)
    assert len(features) == 49
