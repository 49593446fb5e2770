"""Impulse responses of rooms, as they are used."""

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.data.clips import ClipStore

LONGEST_RIR = SAMPLE_RATE  # samples; what comes later than a second is cut


def impulse_responses(store: ClipStore, rooms: list[int]) -> Float32Array:
    """Return impulse responses (rooms, m) by their numbers, a second at most.

    A short one is followed by zeros.
    """
    lengths = np.minimum(store.lengths[rooms], LONGEST_RIR)
    responses = np.zeros((len(rooms), int(lengths.max())), np.float32)
    for row, room, length in zip(responses, rooms, lengths, strict=True):
        row[:length] = store.excerpt(room, 0, int(length))
    return responses
