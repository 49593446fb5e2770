"""From a microphone to a loudspeaker, a hop at a time, until Ctrl-C."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.errors import TinypruneError, UsageError

log = logging.getLogger(__name__)


class Live:
    """The function that a sound card calls for every hop, with its counts.

    Attributes:
        hops: how many have gone through. late: how many times the sound card had no samples to
            play, or lost some.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        (self._channel,) = denoiser.channels(1)
        self.hops = self.late = 0

    def __call__(
        self, indata: Float32Array, outdata: Float32Array, frames: int, moment: Any, status: Any
    ) -> None:
        """Fill ``outdata`` (hop, 1) with the samples that ``indata`` (hop, 1) completes."""
        self.late += bool(status)
        self.hops += 1
        outdata[:, 0] = self._channel.enhance(np.array(indata[:, 0]))


def run_live(denoiser: Denoiser, devices: Sequence[str]) -> Live:
    """Run until Ctrl-C and return what happened.

    Args:
        denoiser: the network.
        devices: name or number of the microphone, then of the loudspeaker; one for both; none for
            the usual ones.

    Raises UsageError for a device that does not exist, TinypruneError where sound is not available.
    """
    sounddevice = _sounddevice()
    front_end = denoiser.front_end
    live = Live(denoiser)
    try:
        stream = sounddevice.Stream(
            samplerate=front_end.sample_rate,
            blocksize=front_end.hop,
            device=_pair(sounddevice, devices),
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
                (denoiser.latency_seconds + card) * 1000,
                denoiser.latency_seconds * 1000,
                card * 1000,
            )
            _wait(stream)
    except sounddevice.PortAudioError as error:
        raise TinypruneError(
            f"the sound card cannot be used: {_message(error)}; choose another --device"
        ) from error
    return live


def _wait(stream: Any) -> None:
    """Wait for Ctrl-C. Raises TinypruneError if the sound card is gone before."""
    try:
        while stream.active:
            time.sleep(0.1)
    except KeyboardInterrupt:
        return
    raise TinypruneError("the sound card stopped: is it still connected?")


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise TinypruneError('--live needs sounddevice: pip install "tinyprune[live]"') from error
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
