import sys

import numpy as np
import pytest

from tinyprune.data.speech import rooms
from tinyprune.errors import UsageError


def is_missing():
    try:
        rooms.check_available()
    except UsageError:
        return True
    return False


simulates = pytest.mark.skipif(is_missing(), reason="needs pyroomacoustics")


def decay_s(response):
    """The time of 60 dB of decay, from -5 to -25 dB of what is left (Schroeder 1965)."""
    left = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    left_db = 10 * np.log10(left / left[0])
    first, last = (np.flatnonzero(left_db < level)[0] for level in (-5, -25))
    return 3 * (last - first) / 16_000


def test_talker_and_microphone_stand_in_the_room():
    rng = np.random.default_rng(0)
    for _ in range(200):
        room = rooms.draw(rng)
        for place in (room.talker_m, room.microphone_m):
            assert all(0 < x < size for x, size in zip(place, room.size_m, strict=True))
        distance = np.linalg.norm(np.subtract(room.talker_m, room.microphone_m))
        assert 0.05 < distance <= rooms.DISTANCES_M[1] + 0.2


@simulates
def test_a_room_decays_as_it_was_told():
    """0.4 s. Sabine's formula is for sound from everywhere: within a third."""
    room = rooms.Room((6.0, 5.0, 3.0), 0.4, (2.0, 2.0, 1.5), (3.0, 3.5, 1.2))
    response = rooms.response(room)
    assert np.abs(response).max() == 1
    assert decay_s(response) == pytest.approx(0.4, rel=0.35)


@simulates
def test_a_room_that_no_wall_makes_so_dry_is_as_dry_as_can_be():
    room = rooms.Room((10.0, 8.0, 4.0), 0.02, (2.0, 2.0, 1.5), (3.0, 3.5, 1.2))
    assert decay_s(rooms.response(room)) < 0.3


@simulates
def test_the_same_seed_gives_the_same_rooms():
    first, again, other = (rooms.simulated(1, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(UsageError, match=r'pip install "tinyprune\[rooms\]", or give .* --rirs'):
        rooms.simulated(1, 0)
