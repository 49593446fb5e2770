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
    """What a sound card calls for every hop.

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
        """Fill ``outdata`` (hop, 1) with the enhanced samples that ``indata`` (hop, 1) completes."""
        self.late += bool(status)
        self.hops += 1
        outdata[:, 0] = self._channel.enhance(np.array(indata[:, 0]))


def talk(denoiser: Denoiser, devices: Sequence[str]) -> Live:
    """Run until Ctrl-C and return what happened.

    Args:
        denoiser: the network.
        devices: name or number of the microphone, then of the loudspeaker; one for both; none for
            the usual ones.

    Raises UsageError for a device that does not exist, TinypruneError where sound is not available.
    """
    sounddevice = _sounddevice()
    front_end, live = denoiser.front_end, Live(denoiser)
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
                "live: speak; Ctrl-C ends. Latency %.0f ms: %.0f ms algorithmic, %.0f ms of the sound card",
                *(
                    (denoiser.latency_seconds + card) * 1000,
                    denoiser.latency_seconds * 1000,
                    card * 1000,
                ),
            )
            _wait(stream)
    except sounddevice.PortAudioError as error:
        raise TinypruneError(
            f"the sound card cannot be used: {_said(error)}; choose another --device"
        ) from error
    return live


def _wait(stream: Any) -> None:
    """Until Ctrl-C, or until the sound card is gone."""
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
            "--live needs the PortAudio library, which sounddevice did not find: install it, e.g. with "
            "apt install libportaudio2"
        ) from error
    return sounddevice


def _pair(sounddevice: Any, devices: Sequence[str]) -> tuple[int, int]:
    """Numbers of the microphone and the loudspeaker."""
    if len(devices) > 2:
        raise UsageError(
            f"--device was given {len(devices)} times: expected the microphone, then the loudspeaker"
        )
    wanted = (devices[0], devices[-1]) if devices else (None, None)
    return _number(sounddevice, wanted[0], "input"), _number(sounddevice, wanted[1], "output")


def _number(sounddevice: Any, wanted: str | None, kind: str) -> int:
    what = {"input": "microphone", "output": "loudspeaker"}[kind]
    found = [device for device in sounddevice.query_devices() if device[f"max_{kind}_channels"]]
    if not found:
        raise TinypruneError(
            f"there is no {what}: connect one, and check that this user may use it"
        )
    device = int(wanted) if wanted is not None and wanted.isdecimal() else wanted
    try:
        return int(sounddevice.query_devices(device, kind)["index"])
    except (ValueError, sounddevice.PortAudioError) as error:
        known = ", ".join(f"{device['index']} '{device['name']}'" for device in found)
        asked = f"no {what} {wanted}" if wanted is not None else f"no usual {what}"
        raise UsageError(f"{asked}: --device takes one of {known}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).removesuffix(".").split())
