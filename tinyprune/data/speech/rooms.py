"""Rooms that are simulated: impulse responses of shoeboxes, by image sources.

Allen and Berkley 1979, "Image method for efficiently simulating small-room acoustics".
"""

from dataclasses import dataclass

import numpy as np

from tinyprune import extras
from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.progress import track

#: Length, width and height of a room, in metres: from, to.
SIZES_M = ((2.5, 2.5, 2.3), (10.0, 8.0, 4.0))
#: Seconds until a sound is 60 dB down: from, to.
DECAYS_S = (0.15, 0.8)
#: Metres between a talker and the microphone: from, to.
DISTANCES_M = (0.2, 2.5)
WALL_M = 0.3  # nobody stands nearer to a wall
MOST_REFLECTIONS = 30  # one after the other; their number grows as its cube
MOST_ABSORBED = 0.9
LONGEST_S = 0.8


@dataclass(frozen=True)
class Room:
    """A shoebox with a talker and a microphone.

    Attributes:
        size_m: length, width and height. decay_s: time of 60 dB of decay (T60).
        talker_m, microphone_m: places in it.
    """

    size_m: tuple[float, float, float]
    decay_s: float
    talker_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]


def check_available() -> None:
    """Raise UsageError where the package that simulates rooms is not installed."""
    extras.require("pyroomacoustics", "a simulated room", "or give recorded ones as --rirs DIR")


def draw(rng: np.random.Generator) -> Room:
    """Draw a room, and places of a talker and a microphone in it."""
    size = rng.uniform(*SIZES_M)
    microphone = rng.uniform(WALL_M, size - WALL_M)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    talker = microphone + direction * rng.uniform(*DISTANCES_M)
    talker = np.clip(talker, WALL_M, size - WALL_M)
    # Where walls have pushed the talker onto the microphone, it steps aside.
    talker[0] += 0.1 if np.linalg.norm(talker - microphone) < 0.1 else 0.0
    return Room(_place(size), float(rng.uniform(*DECAYS_S)), _place(talker), _place(microphone))


def _place(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def response(room: Room) -> Float32Array:
    """Return the impulse response of a room, (samples,), with a peak of 1.

    The walls absorb what Sabine's formula asks for; where no wall could absorb so much, they absorb
    nearly all. Raises UsageError without the package ``pyroomacoustics``.
    """
    check_available()
    import pyroomacoustics

    absorbed, reflections = _walls(room)
    box = pyroomacoustics.ShoeBox(
        room.size_m,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(absorbed),
        max_order=reflections,
    )
    box.add_source(room.talker_m)
    box.add_microphone(room.microphone_m)
    box.compute_rir()
    found = np.asarray(box.rir[0][0])[: int(LONGEST_S * SAMPLE_RATE)]
    return (found / np.abs(found).max()).astype(np.float32)


def _walls(room: Room) -> tuple[float, int]:
    """Return the share of energy that walls absorb, and how many reflections are counted."""
    import pyroomacoustics

    try:
        absorbed, reflections = pyroomacoustics.inverse_sabine(room.decay_s, room.size_m)
    except ValueError:
        return MOST_ABSORBED, MOST_REFLECTIONS
    return min(float(absorbed), MOST_ABSORBED), min(int(reflections), MOST_REFLECTIONS)


def simulated(count: int, seed: int) -> list[Float32Array]:
    """Return the impulse responses of ``count`` rooms, each (samples,) of its own length.

    The same seed gives the same rooms. Raises UsageError without ``pyroomacoustics``.
    """
    check_available()
    rng = np.random.default_rng([seed, 7])
    rooms = [draw(rng) for _ in range(count)]
    return [response(room) for room in track(rooms, "simulating rooms", count)]
