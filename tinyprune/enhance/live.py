"""From a microphone to a loudspeaker, a hop at a time, until Ctrl-C."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyprune import extras
from tinyprune.array_types import Float32Array
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.enhance.signal import SignalStream
from tinyprune.errors import TinypruneError, UsageError

log = logging.getLogger(__name__)


class Live:
    """The function that a sound card calls for every block, with its counts.

    Attributes:
        rate: of the sound card, Hz. block: samples that it gives and takes at once: a hop.
        silence: samples of it in the block in which the signal begins; None before.
        hops: how many blocks have gone through.
        late: how many times the sound card had no samples to play, or lost some.
    """

    def __init__(self, denoiser: Denoiser, rate: int | None = None) -> None:
        """Start a signal; ``rate``: None is that of the network."""
        front_end = denoiser.front_end
        self.rate = rate or front_end.sample_rate
        self.block = -(-front_end.hop * self.rate // front_end.sample_rate)
        # Where a hop is no whole number of samples, blocks are longer and need some in store.
        is_whole = self.block * front_end.sample_rate == front_end.hop * self.rate
        self._store = 0 if is_whole else self.block
        self._stream = SignalStream(denoiser, self.rate, 1, is_live=True)
        self._ready = np.zeros(0, np.float32)
        self.silence: int | None = None
        self.hops = self.late = 0

    def __call__(
        self, indata: Float32Array, outdata: Float32Array, frames: int, moment: Any, status: Any
    ) -> None:
        """Fill ``outdata`` (block, 1) with the samples that ``indata`` (block, 1) completes."""
        self.late += bool(status)
        self.hops += 1
        made = self._stream.push(np.array(indata[:, :1]))[:, 0]
        if len(made) and self.silence is None:
            self.silence = max(0, frames - len(made)) + self._store
            made = np.pad(made, (self.silence, 0))
        self._ready = np.concatenate([self._ready, made])
        outdata[:, 0] = 0
        if self.silence is not None:
            outdata[:, 0] = self._ready[:frames]
            self._ready = self._ready[frames:]


def latency_seconds(denoiser: Denoiser, rate: int) -> float:
    """Return how long after a sample went in it comes out, without what the sound card adds.

    A block is collected first; silence is played until the first sample is ready.
    """
    live = Live(denoiser, rate)
    nothing = np.zeros((live.block, 1), np.float32)
    while live.silence is None:
        live(nothing, nothing.copy(), live.block, None, None)
    return (live.hops * live.block + live.silence) / rate


def run_live(denoiser: Denoiser, devices: Sequence[str]) -> Live:
    """Run until Ctrl-C and return what happened.

    A sound card that cannot be opened at the network's sampling rate is opened at its own, and
    resampled.

    Args:
        denoiser: the network.
        devices: name or number of the microphone, then of the loudspeaker; one for both; none for
            the usual ones.

    Raises UsageError for a device that does not exist, TinypruneError where sound is not available.
    """
    sounddevice = _sounddevice()
    pair = _pair(sounddevice, devices)
    rate = _rate(sounddevice, pair, denoiser.front_end.sample_rate)
    algorithmic = latency_seconds(denoiser, rate)
    live = Live(denoiser, rate)
    try:
        stream = sounddevice.Stream(
            samplerate=rate,
            blocksize=live.block,
            device=pair,
            channels=1,
            dtype="float32",
            latency="low",
            callback=live,
        )
        with stream:
            card = sum(stream.latency)
            log.info(
                "live: speak; Ctrl-C ends. "
                "Latency %.0f ms: %.0f ms algorithmic, %.0f ms of the sound card",
                (algorithmic + card) * 1000,
                algorithmic * 1000,
                card * 1000,
            )
            _wait(stream)
    except sounddevice.PortAudioError as error:
        raise TinypruneError(
            f"the sound card cannot be used: {_message(error)}; choose another --device"
        ) from error
    return live


def _rate(sounddevice: Any, pair: tuple[int, int], wanted: int) -> int:
    """Return the sampling rate to open two sound cards at: the wanted one where they take it."""
    microphone, loudspeaker = pair
    try:
        sounddevice.check_input_settings(device=microphone, channels=1, samplerate=wanted)
        sounddevice.check_output_settings(device=loudspeaker, channels=1, samplerate=wanted)
    except sounddevice.PortAudioError:
        own = round(sounddevice.query_devices(microphone, "input")["default_samplerate"])
        log.info("live: the sound card does not take %d Hz, it is opened at %d Hz", wanted, own)
        return own
    return wanted


def _wait(stream: Any) -> None:
    """Wait for Ctrl-C. Raises TinypruneError if the sound card is gone before."""
    try:
        while stream.active:
            time.sleep(0.1)
    except KeyboardInterrupt:
        return
    raise TinypruneError("the sound card stopped: is it still connected?")


def _sounddevice() -> Any:
    extras.require("sounddevice", "--live")
    try:
        import sounddevice
    except OSError as error:
        raise TinypruneError(
            "--live needs the PortAudio library, which sounddevice did not find: "
            "install it, e.g. with apt install libportaudio2"
        ) from error
    return sounddevice


def _pair(sounddevice: Any, devices: Sequence[str]) -> tuple[int, int]:
    """Numbers of the microphone and the loudspeaker."""
    if len(devices) > 2:
        raise UsageError(
            f"--device was given {len(devices)} times: "
            "expected the microphone, then the loudspeaker"
        )
    microphone = devices[0] if devices else None
    loudspeaker = devices[-1] if devices else None
    return _number(sounddevice, microphone, "input"), _number(sounddevice, loudspeaker, "output")


def _number(sounddevice: Any, name: str | None, kind: str) -> int:
    """The number of a sound card.

    Args:
        sounddevice: the module.
        name: name or number of the card; None: the usual one.
        kind: "input" or "output".
    """
    role = {"input": "microphone", "output": "loudspeaker"}[kind]
    known = [device for device in sounddevice.query_devices() if device[f"max_{kind}_channels"]]
    if not known:
        raise TinypruneError(
            f"there is no {role}: connect one, and check that this user may use it"
        )
    is_number = name is not None and name.isdecimal()
    device = int(name) if name is not None and is_number else name
    try:
        return int(sounddevice.query_devices(device, kind)["index"])
    except (ValueError, sounddevice.PortAudioError) as error:
        missing = f"no usual {role}" if name is None else f"no {role} {name}"
        names = ", ".join(f"{device['index']} '{device['name']}'" for device in known)
        raise UsageError(f"{missing}: --device takes one of {names}") from error


def _message(error: Exception) -> str:
    return " ".join(str(error).removesuffix(".").split())
