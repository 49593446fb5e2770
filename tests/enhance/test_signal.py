"""Signals of any kind through a real int8 network: what comes out has the length and the place of what went in."""

import numpy as np
import pytest
import soxr

from tests.support.conditioning import without_dc
from tinyprune.audio import stft
from tinyprune.audio.device import record_beside
from tinyprune.enhance.denoiser import Denoiser, find_graph
from tinyprune.enhance.signal import SignalStream
from tinyprune.errors import UsageError
from tinyprune.tflite.interpreter import Int8Model

HOP = 256


@pytest.fixture(scope="module")
def denoiser(speech_run):
    return Denoiser(speech_run / "variants/small/streaming.tflite")


class Transparent(Denoiser):
    """A denoiser whose masks are ones."""

    def channels(self, count):
        channels = super().channels(count)
        for channel in channels:
            channel._network = Ones(self.front_end.bands)
        return channels


class Ones:
    def __init__(self, bands):
        self.bands = bands

    def step(self, features):
        return np.ones((1, self.bands), np.float32)


@pytest.fixture(scope="module")
def transparent(speech_run):
    return Transparent(speech_run / "variants/small/streaming.tflite")


def noise(samples, channels=1, seed=0):
    return (np.random.default_rng(seed).normal(size=(samples, channels)) / 10).astype(np.float32)


def enhanced(denoiser, signal, rate=16_000, block=1000, is_live=False):
    stream = SignalStream(denoiser, rate, signal.shape[1], is_live)
    parts = [stream.push(signal[start : start + block]) for start in range(0, len(signal), block)]
    return np.concatenate([*parts, stream.finish()])


def at_once(path, signal):
    """The whole signal (n,) by the batch path: its features, all masks, its synthesis."""
    frontend, spectrum = record_beside(path).frontend, stft.analyse(signal)
    masks = Int8Model(path).run(frontend.features(spectrum))
    return stft.synthesise(spectrum * (masks @ frontend.spread()), len(signal))


def test_samples_are_those_of_the_batch_path(denoiser, speech_run):
    signal = noise(20_000)
    whole = at_once(speech_run / "variants/small/streaming.tflite", without_dc(signal[:, 0]))
    inside = len(whole) // HOP * HOP - HOP  # afterwards the high-pass dies away, in the stream only
    np.testing.assert_allclose(enhanced(denoiser, signal)[:inside, 0], whole[:inside], atol=1e-5)
    assert np.abs(whole - signal[:, 0]).max() > 0.01


@pytest.mark.parametrize("block", [1, 100, HOP, 4096])
def test_blocks_do_not_matter(denoiser, block):
    signal = noise(3 * HOP + 17)
    np.testing.assert_array_equal(
        enhanced(denoiser, signal, block=block), enhanced(denoiser, signal, block=10**6)
    )


def test_each_channel_is_on_its_own(denoiser):
    signal = noise(5000, channels=3)
    together = enhanced(denoiser, signal)
    for channel in range(3):
        alone = enhanced(denoiser, signal[:, channel : channel + 1])
        np.testing.assert_array_equal(together[:, channel], alone[:, 0])


def test_a_signal_does_not_hear_the_one_before(denoiser):
    first = enhanced(denoiser, noise(5000))
    enhanced(denoiser, 10 * noise(5000, seed=1))
    np.testing.assert_array_equal(enhanced(denoiser, noise(5000)), first)


RATES = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("samples", [1, 160, HOP + 1, 12_345])
def test_length_is_kept_to_the_sample(denoiser, rate, samples, is_live):
    made = enhanced(denoiser, noise(samples, 2), rate, is_live=is_live)
    assert made.shape == (samples, 2)


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_what_comes_out_is_aligned_in_time(transparent, rate, is_live):
    """A mask of ones gives the same samples at the same place, as far as 16 kHz can hold them.

    Only what is below 2 Hz is gone.
    """
    signal = soxr.resample(noise(8000), 8000, rate).astype(np.float32)
    error = enhanced(transparent, signal, rate, is_live=is_live) - without_dc(signal, rate)
    assert np.sqrt((error[rate // 10 : -rate // 10] ** 2).mean()) < 0.01 * np.sqrt(
        (signal**2).mean()
    )


def test_as_soon_as_a_hop_is_complete_one_comes_out(denoiser):
    stream = SignalStream(denoiser, 16_000, 1)
    lengths = [len(stream.push(noise(size))) for size in (HOP, HOP - 1, 1, 3 * HOP)]
    assert lengths == [0, 0, HOP, 3 * HOP]  # the first hop of all lies before the signal
    assert len(stream.finish()) == HOP


def test_it_counts(speech_run):
    denoiser = Denoiser(speech_run / "variants/small/streaming.tflite")
    stream = SignalStream(denoiser, 16_000, 2)
    stream.push(noise(4 * HOP, 2))
    assert (stream.samples, denoiser.frames) == (4 * HOP, 2 * 4)
    assert 0 < denoiser.inference_seconds < stream.seconds
    assert denoiser.frame_seconds == denoiser.inference_seconds / 8
    assert denoiser.latency_seconds == 2 * HOP / 16_000


@pytest.mark.parametrize("rate", RATES)
def test_what_somebody_waits_for_comes_within_40_ms(transparent, rate):
    """Sample by sample, the most that has gone in and not come out is what is said of it."""
    stream = SignalStream(transparent, rate, 1, is_live=True)
    made = np.cumsum([len(stream.push(np.zeros((1, 1), np.float32))) for _ in range(rate // 8)])
    waiting = np.arange(1, rate // 8 + 1) - made
    said = transparent.latency_seconds + stream.resampling_seconds
    assert said < 0.040
    assert waiting.max() / rate == pytest.approx(said, abs=2 / min(rate, 16_000))
    assert stream.resampling_seconds == pytest.approx(0 if rate == 16_000 else 0.0074, rel=0.02)


def test_blocks_of_what_somebody_waits_for_do_not_matter(denoiser):
    signal = noise(2000)
    whole = enhanced(denoiser, signal, 48_000, 10**6, is_live=True)
    for block in (7, 160):
        made = enhanced(denoiser, signal, 48_000, block, is_live=True)
        np.testing.assert_array_equal(made, whole)


# --- which network
# ----------------------------------------------------------------------------------------------------


def test_the_newest_variant_is_meant(speech_run, log_lines):
    assert find_graph(speech_run, None) == speech_run / "variants/small/streaming.tflite"
    assert log_lines == [f"model: small, the newest variant in {speech_run}"]


def test_a_variant_or_a_file_is_meant(speech_run):
    path = speech_run / "variants/baseline/streaming.tflite"
    assert (
        find_graph(speech_run, "baseline") == find_graph(speech_run / "nothing", str(path)) == path
    )


def test_what_is_not_there(speech_run, tmp_path):
    with pytest.raises(
        UsageError,
        match=r"^no finished run in .*: `tinyprune train`, then `tinyprune prune` make one",
    ):
        find_graph(tmp_path, None)
    with pytest.raises(
        UsageError, match=r"^no finished variant 'x' in .*: it has baseline, small; or give a FILE"
    ):
        find_graph(speech_run, "x")
    (tmp_path / "variants/baseline").mkdir(parents=True)
    (tmp_path / "variants/baseline/train.json").write_text("{}")
    with pytest.raises(
        UsageError,
        match=r"^no variant in .* has an int8 streaming graph: `tinyprune export` makes it",
    ):
        find_graph(tmp_path, None)
    with pytest.raises(
        UsageError, match=r"^variant 'baseline' has no int8 streaming graph: `tinyprune export base"
    ):
        find_graph(tmp_path, "baseline")
    with pytest.raises(UsageError, match=r"^.*train.json is no .tflite: export it first"):
        find_graph(tmp_path, str(tmp_path / "variants/baseline/train.json"))


@pytest.mark.parametrize("name", ["dense", "all_cpu"])
def test_a_network_of_classes_is_named(networks, name):
    path = getattr(networks, name)()
    with pytest.raises(
        UsageError,
        match=f"^{path} is no streaming speech network .*: expected one frame of features",
    ):
        Denoiser(path)


def test_a_front_end_of_other_bands_is_named(speech_run, tmp_path):
    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.storage.records import write_json

    write_json(tmp_path / "frontend.json", FrontEnd(bands=2, mean=(0.0, 1.0), std=(1.0, 2.0)))
    with pytest.raises(
        UsageError,
        match="takes 16 features, its front end makes 2: give the one that it was trained",
    ):
        Denoiser(speech_run / "variants/small/streaming.tflite", tmp_path / "frontend.json")
