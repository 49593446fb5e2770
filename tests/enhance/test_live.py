"""The microphone and the loudspeaker, by a sound card that is made up; there is none on a build machine."""

import sys

import numpy as np
import pytest

from tinyprune.enhance import jobs, live
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.enhance.live import Live, latency_seconds, run_live
from tinyprune.enhance.signal import SignalStream
from tinyprune.errors import TinypruneError, UsageError

HOP = 256
DEVICES = [
    {
        "index": 0,
        "name": "Array",
        "max_input_channels": 2,
        "max_output_channels": 0,
        "default_samplerate": 48_000.0,
    },
    {
        "index": 1,
        "name": "Speakers",
        "max_input_channels": 0,
        "max_output_channels": 2,
        "default_samplerate": 44_100.0,
    },
    {
        "index": 2,
        "name": "Headset",
        "max_input_channels": 1,
        "max_output_channels": 2,
        "default_samplerate": 44_100.0,
    },
]


class PortAudioError(Exception):
    pass


class Card:
    """Stands for the module ``sounddevice``: hears ``signal``, then Ctrl-C is pressed. Attributes: played, asked."""

    PortAudioError = PortAudioError

    def __init__(self, signal, devices=DEVICES, late=(), opens=True, rates=(16_000,)):
        self.signal, self.devices, self.late, self.opens = signal, devices, late, opens
        self.rates = rates
        self.played, self.asked = [], {}

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return self.devices
        fitting = [found for found in self.devices if found[f"max_{kind}_channels"]]
        if isinstance(device, str) and not any(device in found["name"] for found in fitting):
            raise ValueError(f"No {kind} device matching {device!r}")
        if device is None:
            return fitting[0]
        for found in fitting:
            if device in (found["index"], found["name"]):
                return found
        raise PortAudioError(f"Error querying device {device}")

    def check_input_settings(self, device, channels, samplerate):
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    check_output_settings = check_input_settings

    def Stream(self, **asked):
        if not self.opens:
            raise PortAudioError("Error opening Stream: Invalid sample rate [PaErrorCode -9997]")
        self.asked = asked
        return self

    latency = (0.010, 0.020)

    def __enter__(self):
        block = self.asked["blocksize"]
        complete = len(self.signal) // block * block
        for number, samples in enumerate(self.signal[:complete].reshape(-1, block, 1)):
            out = np.full((block, 1), np.nan, np.float32)
            self.asked["callback"](samples, out, block, None, number in self.late)
            self.played.append(out)
        return self

    def __exit__(self, *error):
        pass

    @property
    def active(self):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def denoiser(speech_run):
    return Denoiser(speech_run / "variants/small/streaming.tflite")


@pytest.fixture
def card(monkeypatch):
    def put(*arguments, **how):
        found = Card(*arguments, **how)
        monkeypatch.setitem(sys.modules, "sounddevice", found)
        return found

    return put


SIGNAL = (np.random.default_rng(0).normal(size=8 * HOP) / 10).astype(np.float32)


def test_what_is_played_is_what_was_heard_enhanced(card, denoiser):
    found = card(SIGNAL)
    assert run_live(denoiser, ()).hops == 8
    stream = SignalStream(denoiser, 16_000, 1)
    played = np.concatenate(found.played)
    np.testing.assert_array_equal(played[HOP:], stream.push(SIGNAL[:, None]))


def test_the_card_is_asked_for_one_hop_at_the_rate_of_the_network(card, denoiser):
    found = card(SIGNAL)
    run_live(denoiser, ())
    for name, value in {
        "samplerate": 16_000,
        "blocksize": HOP,
        "channels": 1,
        "device": (0, 1),
    }.items():
        assert found.asked[name] == value


@pytest.mark.parametrize(
    ("devices", "rate", "block", "most_seconds"),
    [(("Array", "Speakers"), 48_000, 768, 0.052), (("Headset",), 44_100, 706, 0.068)],
)
def test_a_card_of_another_rate_is_resampled_without_a_gap(
    card, denoiser, devices, rate, block, most_seconds
):
    """A hop of 16 ms is 768 samples at 48 kHz, and 705.6 at 44.1 kHz: one more block is kept there.

    Silence is played first; then comes what the same signal through a pipe gives, sample by sample.
    32 ms of the network, twice 3.7 ms of the filters and what a hop waits for them are 52 ms.
    """
    signal = (np.random.default_rng(0).normal(size=4 * rate) / 10).astype(np.float32)
    found = card(signal, rates=(rate,))
    run_live(denoiser, devices)
    assert (found.asked["samplerate"], found.asked["blocksize"]) == (rate, block)
    played = np.concatenate(found.played)
    expected = SignalStream(denoiser, rate, 1, is_live=True).push(signal[:, None])
    silence = round(latency_seconds(denoiser, rate) * rate) - block
    assert not played[:silence].any()
    np.testing.assert_array_equal(played[silence:], expected[: len(played) - silence])
    assert latency_seconds(denoiser, rate) < most_seconds


@pytest.mark.parametrize(
    ("devices", "pair"),
    [(("Headset",), (2, 2)), (("0", "1"), (0, 1)), (("Array", "Headset"), (0, 2))],
)
def test_devices_are_chosen_by_name_or_number(card, denoiser, devices, pair):
    found = card(SIGNAL)
    run_live(denoiser, devices)
    assert found.asked["device"] == pair


def test_samples_that_come_too_late_are_counted_and_said(card, speech_run, log_lines):
    card(SIGNAL, late=(2, 3))
    jobs.live((), jobs.NetworkChoice(speech_run))
    assert (
        log_lines[1]
        == "live: speak; Ctrl-C ends. Latency 62 ms: 32 ms algorithmic, 30 ms of the sound card"
    )
    assert log_lines[2].startswith("live: 128.00 ms, samples came too late 2 times, inference ")
    assert log_lines[2].endswith(" per frame of 16 ms")


def test_the_callback_fills_the_output_in_place(denoiser):
    out = np.full((HOP, 1), np.nan, np.float32)
    heard = Live(denoiser)
    heard(SIGNAL[:HOP, None], out, HOP, None, False)
    assert np.isfinite(out).all()
    assert (heard.hops, heard.late) == (1, 0)


# --- what is not there
# ------------------------------------------------------------------------------------------------


def test_no_sounddevice(monkeypatch, denoiser):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(
        TinypruneError,
        match=r'^--live needs sounddevice, which is not installed: pip install "tinyprune\[live\]"$',
    ):
        run_live(denoiser, ())


def test_no_portaudio(monkeypatch, denoiser, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        TinypruneError, match=r"^--live needs the PortAudio library, which sounddevice did not find"
    ):
        run_live(denoiser, ())


@pytest.mark.parametrize(
    ("left", "missing"), [((), "microphone"), ((1,), "microphone"), ((0,), "loudspeaker")]
)
def test_no_microphone_or_no_loudspeaker(card, denoiser, left, missing):
    card(SIGNAL, devices=[DEVICES[number] for number in left])
    with pytest.raises(
        TinypruneError,
        match=f"^there is no {missing}: connect one, and check that this user may use",
    ):
        run_live(denoiser, ())


@pytest.mark.parametrize("name", ["Radio", "7", "Speakers"])
def test_a_device_that_does_not_exist_or_cannot_hear(card, denoiser, name):
    card(SIGNAL)
    with pytest.raises(
        UsageError, match=f"^no microphone {name}: --device takes one of 0 'Array', 2 'Headset'$"
    ):
        run_live(denoiser, (name,))


def test_too_many_devices(card, denoiser):
    card(SIGNAL)
    with pytest.raises(
        UsageError,
        match=r"^--device was given 3 times: expected the microphone, then the loudspeaker$",
    ):
        run_live(denoiser, ("0", "1", "2"))


def test_a_card_that_refuses(card, denoiser):
    card(SIGNAL, opens=False)
    with pytest.raises(
        TinypruneError,
        match=r"^the sound card cannot be used: Error opening Stream: Invalid sample",
    ):
        run_live(denoiser, ())


def test_a_card_that_goes_away(card, denoiser, monkeypatch):
    card(SIGNAL)
    monkeypatch.setattr(Card, "active", False)
    with pytest.raises(TinypruneError, match=r"^the sound card stopped: is it still connected\?$"):
        run_live(denoiser, ())
    assert live.log.name == "tinyprune.enhance.live"
