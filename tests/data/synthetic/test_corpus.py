import pytest

from tinyprune.config import SyntheticSpeechData
from tinyprune.data.synthetic import corpus

CONFIG = SyntheticSpeechData(minutes=0.2, dev_utterances=3)


@pytest.fixture(scope="module", autouse=True)
def short_held_out():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "HELD_OUT_MINUTES", 0.1)
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def dataset(cache):
    return corpus.load(CONFIG, cache)


def seconds(store):
    return store.lengths.sum() / 16_000


def test_splits_are_as_long_as_asked_for(dataset):
    """A clip of speech is at most 8 s, one of noise is shorter than 15 s: the last one may pass the
    length.
    """
    assert list(dataset.splits) == ["train", "dev", "test"]
    for split, wanted in (("train", 0.2 * 60), ("dev", 0.1 * 60), ("test", 0.1 * 60)):
        assert wanted <= seconds(dataset.split(split).speech) < wanted + 8
        assert wanted <= seconds(dataset.split(split).noise) < wanted + 15


def test_nobody_speaks_in_two_splits(dataset):
    timbres = [
        {group.split("+")[1] for group in split.speech.groups} for split in dataset.splits.values()
    ]
    assert len(set.union(*timbres)) == sum(map(len, timbres))


def test_every_split_can_be_mixed(dataset):
    for split in dataset.splits:
        assert [mixture.snr_db for mixture in dataset.utterances(split)] == [-6, -3, 0]


def test_a_second_load_makes_nothing(dataset, cache, monkeypatch):
    def never(*_):
        raise AssertionError("made again")
        yield

    for module in (corpus.voices, corpus.noise):
        monkeypatch.setattr(module, "clips", never)
    assert corpus.load(CONFIG, cache).fingerprint() == dataset.fingerprint()


def test_same_seed_same_bytes_elsewhere(dataset, tmp_path):
    again = corpus.load(CONFIG, tmp_path)
    assert again.fingerprint() == dataset.fingerprint()


def test_another_seed_is_another_corpus(dataset, cache):
    assert corpus.load(SyntheticSpeechData(minutes=0.2, dev_utterances=3, seed=1), cache).split(
        "train"
    ).speech.index.sha256 != (dataset.split("train").speech.index.sha256)
