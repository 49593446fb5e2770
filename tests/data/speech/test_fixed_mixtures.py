from dataclasses import replace

import numpy as np
import pytest

from tinyprune.data.clips import Clip, open_store, power
from tinyprune.data.speech.babble import Voice
from tinyprune.data.speech.fixed_mixtures import (
    DrawnMixture,
    draw_mixtures,
    mix,
    noise_name,
    snr_steps,
)
from tinyprune.data.speech.mixing import SpeechAndNoise

RATE = 16_000


def noise(samples, seed):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)


@pytest.fixture
def split(tmp_path):
    """Six clips of three speakers, four of noise, two rooms."""

    def store(name, *clips):
        return open_store(
            tmp_path / f"{name}.pcm",
            [Clip(f"{name}{i}", group, x) for i, (group, x) in enumerate(clips)],
        )

    echo = np.zeros(200, np.float32)
    echo[[10, 110]] = 1, 0.5
    return SpeechAndNoise(
        store("s", *((group, noise(RATE, i)) for i, group in enumerate("aabbcc"))),
        store("n", *((f"kind{i}", noise(RATE // 2, 10 + i)) for i in range(4))),
        store("r", ("", echo), ("", np.ones(1, np.float32))),
    )


def test_snrs_of_a_range():
    assert snr_steps((-6.0, 9.0)) == [-6, -3, 0, 3, 6, 9]
    assert snr_steps((5.0, 5.0)) == [5]


def test_snrs_noises_and_speakers_go_round(split):
    drawn = draw_mixtures(replace(split, rirs=None), (-5.0, 0.0, 5.0), 12, seed=1)
    assert [draw.snr_db for draw in drawn] == [-5, 0, 5] * 4
    assert sorted(draw.noise for draw in drawn) == sorted([0, 1, 2, 3] * 3)
    assert sorted(draw.speech for draw in drawn) == sorted([0, 1, 2, 3, 4, 5] * 2)
    assert {split.speech.groups[draw.speech] for draw in drawn[:3]} == {"a", "b", "c"}
    assert not any(draw.babble or draw.room is not None for draw in drawn)


def test_half_is_in_rooms_and_every_room_is_used(split):
    rooms = [draw.room for draw in draw_mixtures(split, (0.0,), 20, seed=0)]
    assert [rooms.count(room) for room in (None, 0, 1)] == [10, 5, 5]


def test_a_fraction_is_babble_of_other_speakers(split):
    drawn = draw_mixtures(split, (0.0,), 20, seed=0, babble_fraction=0.3)
    assert sum(bool(draw.babble) for draw in drawn) == round(0.3 * 20)
    for draw in drawn:
        others = {split.speech.groups[voice.clip] for voice in draw.babble}
        assert split.speech.groups[draw.speech] not in others
        assert not others or (
            3 <= len(draw.babble) <= 7 and len(others) == 2
        )  # both others take part


def test_rooms_and_babble_leave_everything_else_as_it_was(split):
    plain = draw_mixtures(replace(split, rirs=None), (0.0, 5.0), 20, seed=0)
    varied = draw_mixtures(split, (0.0, 5.0), 20, seed=0, babble_fraction=0.3)
    assert [replace(draw, room=None, babble=()) for draw in varied] == plain


def test_a_mixture_has_its_snr_in_a_room_and_in_babble(split):
    for babble in ((), (Voice(0, 5), Voice(3, 7), Voice(2, 100))):
        mixture = mix(split, DrawnMixture(4, 3.0, 1, 200, room=0, babble=babble))
        snr_db = 10 * np.log10(power(mixture.clean) / power(mixture.noisy - mixture.clean))
        assert snr_db == pytest.approx(3, abs=1e-3)


def test_names_of_a_mixture(split):
    plain, crowded = (
        DrawnMixture(4, 0.0, 1, 0),
        DrawnMixture(0, 0.0, 1, 0, babble=(Voice(3, 0), Voice(4, 0), Voice(2, 0))),
    )
    found = mix(split, plain)
    assert (found.name, found.category, found.speaker) == ("s4+n1", "kind1", "c")
    assert (mix(split, crowded).category, noise_name(split, crowded)) == ("babble", "s3;s4;s2")


def test_speech_in_a_room_keeps_its_place_and_level(split):
    """An echo of half the height 100 samples after the direct path, which is at sample 10 of the
    response.
    """
    dry, wet = (mix(split, DrawnMixture(0, 0.0, 0, 0, room=room)).clean for room in (None, 0))
    echoed = dry.astype(np.float64)
    echoed[100:] += 0.5 * dry[:-100]
    np.testing.assert_allclose(wet, echoed * np.sqrt(power(dry) / power(echoed)), atol=1e-4)
    assert power(wet) == pytest.approx(power(dry), rel=1e-6)


def test_no_mixture_is_longer_than_asked_for(split):
    assert len(mix(split, DrawnMixture(0, 0.0, 0, 0), seconds=0.25).noisy) == RATE // 4
    assert len(mix(split, DrawnMixture(0, 0.0, 0, 0), seconds=9.0).noisy) == RATE
