import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from tinyprune.data.clips import Clip, open_store
from tinyprune.data.speech.fixed_mixtures import MAX_UTTERANCE_SECONDS, SNR_STEPS
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.errors import UsageError
from tinyprune.metrics.speech import is_defined

SAMPLES = 1600


def tone(number, samples=SAMPLES, level=0.3):
    """A sine of (number + 1) * 100 Hz: which clip an excerpt comes from can be read from its
    spectrum.
    """
    return (level * np.sin(2 * np.pi * (number + 1) * 100 * np.arange(samples) / 16_000)).astype(
        np.float32
    )


def tone_of(signal):
    """The number of the loudest tone; bins are 10 Hz apart in 1600 samples."""
    return round(np.abs(np.fft.rfft(signal)).argmax() * 10 / 100) - 1


def noise(samples, seed=0, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


@pytest.fixture
def make(tmp_path):
    """A dataset whose train and dev split hold the same clips."""

    def make(speech, noises, groups=None, rirs=None, scored_utterances=12, seed=0, **mixing):
        named = [
            Clip(f"s{i}", (groups or "abcdefghijkl")[i], samples)
            for i, samples in enumerate(speech)
        ]
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        split = SpeechAndNoise(
            open_store(folder / "speech.pcm", named),
            open_store(
                folder / "noise.pcm", [Clip(f"n{i}", f"kind{i}", x) for i, x in enumerate(noises)]
            ),
            rirs
            and open_store(folder / "rirs.pcm", [Clip(f"r{i}", "", x) for i, x in enumerate(rirs)]),
        )
        return MixtureDataset(
            {"train": split, "dev": split}, Mixing(**mixing), scored_utterances, seed
        )

    return make


@pytest.fixture
def dataset(make):
    return make([tone(i) for i in range(8)], [noise(5 * SAMPLES, i) for i in range(3)])


IMPULSE = np.eye(1, 50, 10, dtype=np.float32)[0]
SETTINGS = [
    {"snr_db": (-6.0, 8.0)},
    {"level_db": (-30.0, -15.0)},
    {"speed": (0.9, 1.1)},
    {"babble": 0.2},
]


def snr_db(noisy, clean):
    added = noisy.astype(np.float64) - clean
    return 10 * np.log10(np.mean(clean.astype(np.float64) ** 2) / np.mean(added**2))


def test_utterances_have_their_nominal_snr(dataset):
    for mixture in dataset.utterances("dev"):
        assert snr_db(mixture.noisy, mixture.clean) == pytest.approx(mixture.snr_db, abs=0.01)


def test_snrs_go_in_equal_steps_over_the_range(dataset):
    """-6 to 9 dB in 6 steps of 3 dB, then again."""
    snrs = [mixture.snr_db for mixture in dataset.utterances("dev")]
    assert snrs == [-6, -3, 0, 3, 6, 9] * (12 // SNR_STEPS)


def test_one_snr_may_be_asked_for(dataset):
    assert {m.snr_db for m in replace(dataset, mixing=Mixing((5.0, 5.0))).utterances("dev")} == {
        5.0
    }


def test_utterances_name_their_parts(dataset):
    mixture = dataset.utterances("dev")[0]
    speech, category = re.fullmatch(r"s(\d)\+n(\d)", mixture.name).groups()
    assert tone_of(mixture.clean) == int(speech)
    assert mixture.category == f"kind{category}"


def test_every_speaker_is_heard_before_one_is_heard_again(make):
    dataset = make(
        [tone(i) for i in range(9)], [noise(SAMPLES)], groups="aaaaaabbc", scored_utterances=9
    )
    heard = ["aaaaaabbc"[tone_of(mixture.clean)] for mixture in dataset.utterances("dev")]
    assert sorted(heard[:3]) == ["a", "b", "c"]
    assert sorted(heard[3:5]) == ["a", "b"]
    assert heard[5:] == ["a"] * 4


def test_more_utterances_than_clips_go_round(make):
    utterances = make([tone(0), tone(1)], [noise(SAMPLES)], scored_utterances=5).utterances("dev")
    first, second, *_ = heard = [tone_of(mixture.clean) for mixture in utterances]
    assert heard == [first, second, first, second, first]
    assert {first, second} == {0, 1}


def test_long_speech_is_cut(make):
    seconds = MAX_UTTERANCE_SECONDS + 1
    utterances = make(
        [noise(int(seconds * 16_000))], [noise(SAMPLES)], scored_utterances=1
    ).utterances("dev")
    assert len(utterances[0].clean) == len(utterances[0].noisy) == 5 * 16_000


def test_noise_that_is_shorter_than_speech_is_repeated(make):
    mixture = make([tone(0)], [noise(100)], scored_utterances=1).utterances("dev")[0]
    added = mixture.noisy - mixture.clean
    np.testing.assert_allclose(added[100:], added[:-100], atol=1e-6)
    assert snr_db(mixture.noisy, mixture.clean) == pytest.approx(mixture.snr_db, abs=0.01)


def test_noise_with_a_long_silence_is_heard_in_every_mixture(make):
    """A hundredth of the clip has sound: a random excerpt would miss it nearly always."""
    mostly_silent = np.concatenate(
        [np.zeros(50 * SAMPLES, np.float32), noise(SAMPLES), np.zeros(49 * SAMPLES)]
    )
    for mixture in make([tone(0)], [mostly_silent.astype(np.float32)]).utterances("dev"):
        assert snr_db(mixture.noisy, mixture.clean) == pytest.approx(mixture.snr_db, abs=0.01)


def test_silent_speech_is_finite_and_left_out_of_the_score(make):
    dataset = make([np.zeros(SAMPLES, np.float32), tone(1)], [noise(SAMPLES)], scored_utterances=6)
    mixtures = dataset.utterances("dev")
    assert all(np.isfinite(mixture.noisy).all() for mixture in mixtures)
    assert sum(is_defined(mixture.clean, mixture.noisy) for mixture in mixtures) == 3


def test_batches_have_their_shape_and_fill_an_epoch(dataset):
    """8 clips of 1600 samples are 4 batches of 4 sequences of 800."""
    batches = list(dataset.batches(0, 4, 800))
    assert len(batches) == dataset.batches_per_epoch(4, 800) == 8 * 1600 // (4 * 800)
    for batch in batches:
        assert [signal.shape for signal in batch] == [(4, 800)] * 2
        assert [signal.dtype for signal in batch] == [np.float32] * 2


def test_an_epoch_has_at_least_one_batch(dataset):
    assert len(list(dataset.batches(0, 64, 100 * SAMPLES))) == 1


def test_an_epoch_hears_every_clip(dataset):
    heard = [tone_of(clean) for _, batch in dataset.batches(0, 2, SAMPLES) for clean in batch]
    assert sorted(heard) == list(range(8))


def test_a_clip_is_heard_as_often_as_it_is_long(make):
    dataset = make([tone(0), tone(1, 3 * SAMPLES)], [noise(SAMPLES)])
    heard = [tone_of(clean) for _, batch in dataset.batches(0, 1, SAMPLES) for clean in batch]
    assert sorted(heard) == [0, 1, 1, 1]


def test_levels_and_snrs_of_training_mixtures_are_in_their_ranges(make):
    dataset = make(
        [noise(20 * SAMPLES, 1, 0.01)], [noise(20 * SAMPLES, 2, 0.2)], snr_db=(-5.0, 10.0)
    )
    (noisy, clean), *_ = dataset.batches(0, 400, SAMPLES)
    levels = 10 * np.log10(np.mean(clean**2, axis=1))
    snrs = [snr_db(*pair) for pair in zip(noisy, clean, strict=True)]
    for values, (low, high) in ((levels, (-35.0, -15.0)), (snrs, (-5.0, 10.0))):
        assert low - 0.5 < min(values) < low + 1
        assert high - 1 < max(values) < high + 0.5


def test_silence_in_training_is_finite(make):
    for noisy, clean in make(
        [np.zeros(SAMPLES, np.float32)], [np.zeros(SAMPLES, np.float32)]
    ).batches(0, 2, 800):
        assert not noisy.any()
        assert not clean.any()


def as_bytes(batches):
    return [signal.tobytes() for batch in batches for signal in batch]


def test_same_seed_and_epoch_give_the_same_bytes(dataset):
    assert as_bytes(dataset.batches(3, 4, 800)) == as_bytes(replace(dataset).batches(3, 4, 800))
    one, other = (dataset.utterances("dev") for _ in range(2))
    assert as_bytes((m.noisy, m.clean) for m in one) == as_bytes((m.noisy, m.clean) for m in other)


def test_another_epoch_or_seed_gives_other_batches(dataset):
    batches = [
        dataset.batches(0, 4, 800),
        dataset.batches(1, 4, 800),
        replace(dataset, seed=1).batches(0, 4, 800),
    ]
    firsts = {as_bytes(each)[0] for each in batches}
    assert len(firsts) == 3


def test_the_fingerprint_changes_with_whatever_changes_the_mixtures(make, dataset):
    others = [
        make([tone(i) for i in range(7)], [noise(SAMPLES)]),
        make(
            [tone(i) for i in range(8)], [noise(5 * SAMPLES, i) for i in range(3)], rirs=[IMPULSE]
        ),
        replace(dataset, seed=1),
        replace(dataset, scored_utterances=13),
        *(replace(dataset, mixing=Mixing(**setting)) for setting in SETTINGS),
    ]
    prints = [each.fingerprint() for each in [dataset, *others]]
    assert len(set(prints)) == 1 + 4 + len(SETTINGS)
    assert dataset.fingerprint() == replace(dataset).fingerprint()


def test_a_split_that_is_not_there(dataset):
    message = "the data have no 'test' split, only train, dev: give --test-speech and --test-noise"
    with pytest.raises(UsageError, match=f"^{message}$"):
        dataset.utterances("test")


# --- as it was before rooms, speeds and babble


@pytest.fixture
def old(tmp_path):
    """A data set whose digests below were taken when there was nothing but SNRs and levels."""

    def clips(kind, count):
        rng = np.random.default_rng(kind)
        for i in range(count):
            samples = rng.uniform(-0.5, 0.5, 1000 + 700 * i).astype(np.float32) * np.float32(
                1 / (1 + i)
            )
            yield Clip(f"{kind}{i}", f"g{i % 3}", samples)

    split = SpeechAndNoise(
        open_store(tmp_path / "s.pcm", clips(1, 7)), open_store(tmp_path / "n.pcm", clips(2, 5))
    )
    return MixtureDataset({"train": split, "dev": split}, Mixing(), 10, 3)


def digest(parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_the_defaults_give_the_batches_they_always_gave(old):
    found = digest(
        part for epoch in range(3) for part in as_bytes(old.batches(epoch, 4, 800, seed=2))
    )
    assert found == "089c0d27e39b014504061e44121feda1751d0e45b5213d920ba3928466013d43"


def test_the_defaults_give_the_utterances_they_always_gave(old):
    found = digest(
        repr((m.name, m.snr_db, m.category)).encode() + m.noisy.tobytes() + m.clean.tobytes()
        for m in old.utterances("dev")
    )
    assert found == "cd4184d316a35d0dd934b02258cd58591858b80c7b59f8950d20bd250c3d6140"


def test_the_defaults_have_the_fingerprint_they_always_had(old):
    found = digest([old.fingerprint().encode()])
    assert found == "4884cf436cfdb7fe7f75ad2b7d54a357e53c4815a5a70544d39bb2a09de45b77"


# --- what varies in training


def test_the_level_of_the_speech_can_be_chosen(make):
    dataset = make([noise(20 * SAMPLES, 1, 0.01)], [noise(SAMPLES)], level_db=(-20.0, -20.0))
    (_, clean), *_ = dataset.batches(0, 20, SAMPLES)
    np.testing.assert_allclose(10 * np.log10(np.mean(clean**2, axis=1)), -20, atol=0.5)


def frequency(signal):
    """Of the loudest tone, in Hz, to 1 Hz."""
    return np.abs(np.fft.rfft(signal * np.hanning(len(signal)), 16_000)).argmax()


def test_speech_is_played_at_other_speeds(make):
    """A tone of 1000 Hz becomes one of 900 to 1200 Hz in half of the excerpts; none is cut short."""
    dataset = make([tone(9, 40 * SAMPLES)], [noise(SAMPLES)], speed=(0.9, 1.2))
    (_, clean), *_ = dataset.batches(0, 80, SAMPLES)
    found = [frequency(signal) for signal in clean]
    assert 899 <= min(found) < 930 and 1170 < max(found) <= 1201
    assert len(set(found)) > 20
    assert 20 < found.count(1000) < 60
    assert clean.shape == (80, SAMPLES)
    assert np.abs(clean[:, -20:]).max(axis=1).min() > 0


def test_half_of_the_speech_is_in_rooms(make):
    """In a room of one echo, one period later and inverted, a tone of 1000 Hz is gone after its
    first period.
    """
    echo = np.zeros(17, np.float32)
    echo[[0, 16]] = 1, -1
    dataset = make([tone(9, 40 * SAMPLES)], [noise(SAMPLES)], rirs=[echo])
    (_, clean), *_ = dataset.batches(0, 200, SAMPLES)
    gone = np.abs(clean[:, 100:]).max(axis=1) < 0.01 * np.abs(clean).max(axis=1)
    assert 70 < gone.sum() < 130


def talkers_in(signal):
    """The numbers of the tones in a signal whose bins are 10 Hz apart."""
    heights = np.abs(np.fft.rfft(signal))[10::10]
    return set(np.flatnonzero(heights[:12] > 0.2 * heights.max()).tolist())


def test_babble_is_three_to_seven_others(make):
    """Each of 12 speakers has a tone: own tones are never in the noise, the others are at equal
    levels.
    """
    speech = [tone(i, level=0.05 * (1 + i % 4)) for i in range(12)]
    dataset = make(speech, [noise(SAMPLES)], groups="abcdefghijkl", babble=1.0)
    pairs = [
        pair
        for epoch in range(5)
        for noisy, clean in dataset.batches(epoch, 12, SAMPLES)
        for pair in zip(noisy, clean, strict=True)
    ]
    heard = [(tone_of(clean), talkers_in(noisy - clean)) for noisy, clean in pairs]
    assert not any(own in others for own, others in heard)
    assert {len(others) for _, others in heard} == {3, 4, 5, 6, 7}
    assert set.union(*(others for _, others in heard)) == set(range(12))


def test_babble_replaces_a_fraction_of_the_noise(make):
    dataset = make([tone(i) for i in range(8)], [noise(5 * SAMPLES)], babble=0.25)
    (noisy, clean), *_ = dataset.batches(0, 200, SAMPLES)
    tones = sum(len(talkers_in(signal)) <= 7 for signal in noisy - clean)
    assert 30 < tones < 70  # of 200, a quarter


def test_babble_of_a_single_clip_is_that_clip(make):
    (noisy, clean), *_ = make([tone(3)], [noise(SAMPLES)], babble=1.0).batches(0, 2, SAMPLES)
    assert [tone_of(signal) for signal in noisy - clean] == [3, 3]


def test_what_does_not_vary_stays_as_it_was(make):
    """The same excerpts at the same levels and SNRs: babble only replaces some of the noise."""
    parts = [tone(i) for i in range(8)], [noise(5 * SAMPLES)]
    plain, some = (list(make(*parts, babble=babble).batches(0, 4, 800)) for babble in (0.0, 0.3))
    for (noisy, clean), (other_noisy, other_clean) in zip(plain, some, strict=True):
        np.testing.assert_array_equal(clean, other_clean)
        assert 0 <= sum((a != b).any() for a, b in zip(noisy, other_noisy, strict=True)) <= 4
    assert any((a != b).any() for (a, _), (b, _) in zip(plain, some, strict=True))


def test_variation_is_the_same_for_the_same_seed(make):
    parts = [tone(i) for i in range(8)], [noise(5 * SAMPLES)]
    one, other = (make(*parts, rirs=[IMPULSE], speed=(0.9, 1.1), babble=0.5) for _ in range(2))
    assert (
        as_bytes(one.batches(1, 4, 800))
        == as_bytes(other.batches(1, 4, 800))
        != as_bytes(one.batches(2, 4, 800))
    )


def test_silence_stays_finite_however_it_is_varied(make):
    silence = [np.zeros(SAMPLES, np.float32)] * 2
    for noisy, clean in make(
        silence, silence, rirs=[IMPULSE], speed=(0.9, 1.1), babble=0.5
    ).batches(0, 2, 800):
        assert not noisy.any()
        assert not clean.any()


def test_the_scored_mixtures_do_not_vary(make):
    """A setting of the training leaves the dev set comparable."""
    parts = [tone(i) for i in range(8)], [noise(5 * SAMPLES)]
    one, other = (
        make(*parts, **mixing).utterances("dev")
        for mixing in ({}, {"speed": (0.9, 1.1), "babble": 0.5})
    )
    assert as_bytes((m.noisy, m.clean) for m in one) == as_bytes((m.noisy, m.clean) for m in other)


def test_utterances_name_their_speaker(make):
    utterances = make(
        [tone(i) for i in range(3)], [noise(SAMPLES)], groups="abc", scored_utterances=3
    ).utterances("dev")
    assert [mixture.speaker for mixture in utterances] == [
        "abc"[tone_of(mixture.clean)] for mixture in utterances
    ]


def test_a_batch_of_one_may_be_in_no_room(make):
    dataset = make([tone(i) for i in range(8)], [noise(SAMPLES)], rirs=[IMPULSE])
    assert len(list(dataset.batches(0, 1, SAMPLES))) == 8
