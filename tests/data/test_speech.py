import re
from dataclasses import replace

import numpy as np
import pytest

from tinyprune.data.clips import Clip, open_store
from tinyprune.data.speech import LEVEL_DB, MAX_UTTERANCE_SECONDS, SNR_STEPS, SpeechDataset, Split
from tinyprune.errors import UsageError
from tinyprune.metrics.speech import quality

SAMPLES = 1600


def tone(number, samples=SAMPLES, level=0.3):
    """A sine of (number + 1) * 100 Hz: which clip an excerpt comes from can be read from its spectrum."""
    return (level * np.sin(2 * np.pi * (number + 1) * 100 * np.arange(samples) / 16_000)).astype(np.float32)


def tone_of(signal):
    """The number of the loudest tone; bins are 10 Hz apart in 1600 samples."""
    return round(np.abs(np.fft.rfft(signal)).argmax() * 10 / 100) - 1


def noise(samples, seed=0, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


@pytest.fixture
def make(tmp_path):
    """A dataset whose train and dev split hold the same clips."""

    def make(speech, noises, groups=None, **settings):
        named = [Clip(f"s{i}", (groups or "abcdefghijkl")[i], samples) for i, samples in enumerate(speech)]
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        split = Split(
            open_store(folder / "speech.pcm", named),
            open_store(folder / "noise.pcm", [Clip(f"n{i}", f"kind{i}", x) for i, x in enumerate(noises)]),
        )
        values = {"snr_db": (-6.0, 9.0), "scored_utterances": 12, "seed": 0} | settings
        return SpeechDataset({"train": split, "dev": split}, **values)

    return make


@pytest.fixture
def dataset(make):
    return make([tone(i) for i in range(8)], [noise(5 * SAMPLES, i) for i in range(3)])


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
    assert {m.snr_db for m in replace(dataset, snr_db=(5.0, 5.0)).utterances("dev")} == {5.0}


def test_utterances_name_their_parts(dataset):
    mixture = dataset.utterances("dev")[0]
    speech, category = re.fullmatch(r"s(\d)\+n(\d)", mixture.name).groups()
    assert tone_of(mixture.clean) == int(speech)
    assert mixture.category == f"kind{category}"


def test_every_speaker_is_heard_before_one_is_heard_again(make):
    dataset = make([tone(i) for i in range(9)], [noise(SAMPLES)], groups="aaaaaabbc", scored_utterances=9)
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
    utterances = make([noise(int(seconds * 16_000))], [noise(SAMPLES)], scored_utterances=1).utterances("dev")
    assert len(utterances[0].clean) == len(utterances[0].noisy) == 5 * 16_000


def test_noise_that_is_shorter_than_speech_is_repeated(make):
    mixture = make([tone(0)], [noise(100)], scored_utterances=1).utterances("dev")[0]
    added = mixture.noisy - mixture.clean
    np.testing.assert_allclose(added[100:], added[:-100], atol=1e-6)
    assert snr_db(mixture.noisy, mixture.clean) == pytest.approx(mixture.snr_db, abs=0.01)


def test_noise_with_a_long_silence_is_heard_in_every_mixture(make):
    """A hundredth of the clip has sound: a random excerpt would miss it nearly always."""
    mostly_silent = np.concatenate([np.zeros(50 * SAMPLES, np.float32), noise(SAMPLES), np.zeros(49 * SAMPLES)])
    for mixture in make([tone(0)], [mostly_silent.astype(np.float32)]).utterances("dev"):
        assert snr_db(mixture.noisy, mixture.clean) == pytest.approx(mixture.snr_db, abs=0.01)


def test_silent_speech_is_finite_and_left_out_of_the_score(make):
    dataset = make([np.zeros(SAMPLES, np.float32), tone(1)], [noise(SAMPLES)], scored_utterances=6)
    mixtures = dataset.utterances("dev")
    assert all(np.isfinite(mixture.noisy).all() for mixture in mixtures)
    pairs = ((mixture.clean, mixture.noisy) for mixture in mixtures)
    found = quality("noisy", "dev", pairs, [mixture.snr_db for mixture in mixtures], ["si_sdr_db"])
    assert (found.utterances, found.undefined) == (3, 3)


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
    dataset = make([noise(20 * SAMPLES, 1, 0.01)], [noise(20 * SAMPLES, 2, 0.2)], snr_db=(-5.0, 10.0))
    (noisy, clean), *_ = dataset.batches(0, 400, SAMPLES)
    levels = 10 * np.log10(np.mean(clean**2, axis=1))
    snrs = [snr_db(*pair) for pair in zip(noisy, clean, strict=True)]
    for values, (low, high) in ((levels, LEVEL_DB), (snrs, (-5.0, 10.0))):
        assert low - 0.5 < min(values) < low + 1
        assert high - 1 < max(values) < high + 0.5


def test_silence_in_training_is_finite(make):
    for noisy, clean in make([np.zeros(SAMPLES, np.float32)], [np.zeros(SAMPLES, np.float32)]).batches(0, 2, 800):
        assert not noisy.any()
        assert not clean.any()


def as_bytes(batches):
    return [signal.tobytes() for batch in batches for signal in batch]


def test_same_seed_and_epoch_give_the_same_bytes(dataset):
    assert as_bytes(dataset.batches(3, 4, 800)) == as_bytes(replace(dataset).batches(3, 4, 800))
    one, other = (dataset.utterances("dev") for _ in range(2))
    assert as_bytes((m.noisy, m.clean) for m in one) == as_bytes((m.noisy, m.clean) for m in other)


def test_another_epoch_or_seed_gives_other_batches(dataset):
    batches = [dataset.batches(0, 4, 800), dataset.batches(1, 4, 800), replace(dataset, seed=1).batches(0, 4, 800)]
    firsts = {as_bytes(each)[0] for each in batches}
    assert len(firsts) == 3


def test_the_fingerprint_changes_with_whatever_changes_the_mixtures(make, dataset):
    others = [
        make([tone(i) for i in range(7)], [noise(SAMPLES)]),
        replace(dataset, seed=1),
        replace(dataset, snr_db=(-6.0, 8.0)),
        replace(dataset, scored_utterances=13),
    ]
    prints = [each.fingerprint() for each in [dataset, *others]]
    assert len(set(prints)) == 5
    assert dataset.fingerprint() == replace(dataset).fingerprint()


def test_a_split_that_is_not_there(dataset):
    message = "the data have no 'test' split, only train, dev: give --test-speech and --test-noise"
    with pytest.raises(UsageError, match=f"^{message}$"):
        dataset.utterances("test")
