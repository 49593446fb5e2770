"""The front end hop by hop is the one of training, whatever it is built from."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.support.conditioning import without_dc
from tinyprune.audio import stft
from tinyprune.audio.device import record_beside
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.streaming import StreamingFrontEnd

BANDS = 16
SIGNAL = np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10
WITHOUT_DC = without_dc(SIGNAL)
WITHOUT_DC_320 = without_dc(SIGNAL, hop=160)
#: Frames that end before the signal does: afterwards the high-pass dies away, in the stream only.
INSIDE = len(SIGNAL) // 256


@pytest.fixture(scope="module")
def record(speech_run):
    return record_beside(speech_run / "variants/small/streaming.tflite")


@pytest.fixture(scope="module", params=["training", "device"])
def front_end(request, record):
    return StreamingFrontEnd(record.frontend if request.param == "training" else record)


def hops(signal, hop):
    """The signal in hops, and one of silence that completes its last frame."""
    return stft.pad(signal, hop).reshape(-1, hop)[1:]


def stream(front_end, signal, mask):
    """Features (frames, bands), and the samples that come out, one hop per hop that goes in."""
    state, features, out = front_end.start(), [], []
    for hop in hops(signal, front_end.hop):
        features.append(front_end.analyse(state, hop))
        out.append(front_end.synthesise(state, mask(features[-1])))
    return np.stack(features), np.concatenate(out)


def some_mask(features):
    """Anything in [0, 1] that follows the features."""
    return 1 / (1 + np.exp(-features))


def test_features_are_those_of_training(front_end, record):
    features, _ = stream(front_end, SIGNAL, some_mask)
    np.testing.assert_allclose(
        features[:INSIDE],
        record.frontend.features(stft.analyse(WITHOUT_DC))[:INSIDE],
        atol=1e-5,
    )
    assert features.dtype == np.float32
    assert np.abs(features).max() > 1


def test_samples_are_those_of_the_whole_signal_at_once(front_end, record):
    _, out = stream(front_end, SIGNAL, some_mask)
    spectrum = stft.analyse(WITHOUT_DC)
    masked = spectrum * (some_mask(record.frontend.features(spectrum)) @ record.frontend.spread())
    np.testing.assert_allclose(
        out[front_end.hop :][: INSIDE * 256],
        stft.synthesise(masked, INSIDE * 256),
        atol=2e-5,
    )


def test_a_mask_of_ones_gives_the_samples_back_without_their_mean(front_end):
    _, out = stream(front_end, SIGNAL, np.ones_like)
    np.testing.assert_allclose(out[front_end.hop :][: len(SIGNAL)], WITHOUT_DC, atol=1e-6)


@pytest.mark.parametrize("sample", [0, 100, 255, 256, 1000])
def test_latency_is_the_delay_of_a_click(front_end, sample):
    """On the clock of a device: a hop can be worked on when its last sample is there, and is played
    from then on.
    """
    click = np.zeros(4096, np.float32)
    click[sample] = 1
    _, out = stream(front_end, click, np.ones_like)
    played = np.concatenate([np.zeros(front_end.hop, np.float32), out])
    assert np.abs(played).argmax() - sample == front_end.latency == 512


def test_the_state_is_all_there_is_to_it(front_end):
    """Two signals at once through one front end, each with its own state."""
    other = SIGNAL[::-1].copy()
    alone = [stream(front_end, signal, some_mask)[1] for signal in (SIGNAL, other)]
    states, out = [front_end.start(), front_end.start()], ([], [])
    for both in zip(hops(SIGNAL, front_end.hop), hops(other, front_end.hop), strict=True):
        for number, hop in enumerate(both):
            mask = some_mask(front_end.analyse(states[number], hop))
            out[number].append(front_end.synthesise(states[number], mask))
    for number in (0, 1):
        np.testing.assert_array_equal(np.concatenate(out[number]), alone[number])


def test_silence_stays_silence(front_end):
    features, out = stream(front_end, np.zeros(2000, np.float32), some_mask)
    assert np.isfinite(features).all()
    assert not out.any()


def test_features_follow_from_the_numbers_of_the_json_alone(speech_run, record):
    """As firmware would write it: no matrix of ours, no library but the Fourier transform."""
    path = speech_run / "variants/small/streaming.frontend.json"
    numbers = json.loads(path.read_text())
    before, features = np.zeros(numbers["hop"]), []
    last_input, last_output = SIGNAL[: numbers["hop"]].mean(dtype=np.float64), 0.0
    for samples in hops(SIGNAL, numbers["hop"]):
        hop = []
        for sample in samples:
            last_output = sample - last_input + numbers["dc_pole"] * last_output
            last_input = sample
            hop.append(last_output)
        magnitudes = np.abs(np.fft.rfft(np.concatenate([before, hop]) * numbers["analysis_window"]))
        before, used, frame = hop, 0, []
        for band in range(numbers["bands"]):
            first, length = numbers["mel_first"][band], numbers["mel_lengths"][band]
            weights = numbers["mel_weights"][used : used + length]
            used += length
            energy = sum(weight * magnitudes[first + k] for k, weight in enumerate(weights))
            frame.append(
                (energy ** numbers["power"] - numbers["mean"][band]) / numbers["std"][band]
            )
        features.append(frame)
    np.testing.assert_allclose(
        features[:INSIDE],
        record.frontend.features(stft.analyse(WITHOUT_DC))[:INSIDE],
        atol=1e-5,
    )


def test_the_record_of_a_device_needs_no_librosa(speech_run):
    model = str(speech_run / "variants/small/streaming.tflite")
    program = (
        "import sys; from pathlib import Path; from tinyprune.audio.device import record_beside\n"
        "from tinyprune.audio.streaming import StreamingFrontEnd\n"
        f"StreamingFrontEnd(record_beside(Path({model!r})))\n"
        "print([name for name in ('librosa', 'scipy', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[]\n", done.stderr


def test_another_frame_length():
    frontend = FrontEnd(frame=320, bands=8)
    frontend = frontend.measured(frontend.compress(stft.analyse(SIGNAL, 320)))
    front_end = StreamingFrontEnd(frontend)
    features, out = stream(front_end, SIGNAL, np.ones_like)
    np.testing.assert_allclose(
        features[:50], frontend.features(stft.analyse(WITHOUT_DC_320, 320))[:50], atol=1e-5
    )
    np.testing.assert_allclose(out[160:][: len(SIGNAL)], WITHOUT_DC_320, atol=1e-6)
    assert (front_end.hop_ms, front_end.latency) == (10.0, 320)
