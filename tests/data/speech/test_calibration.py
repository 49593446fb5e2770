import numpy as np
import pytest

from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.data.clips import Clip, open_store
from tinyprune.data.speech.calibration import FRAMES, SEQUENCES, calibration_features
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("store"), np.random.default_rng(0)
    stores = [
        open_store(
            folder / f"{kind}.pcm",
            [Clip(str(i), kind, rng.normal(0, 0.1, 30_000)) for i in range(3)],
        )
        for kind in ("speech", "noise")
    ]
    return MixtureDataset({"train": SpeechAndNoise(*stores)}, Mixing((0.0, 10.0)), 4, 0)


@pytest.fixture(scope="module")
def frontend(dataset):
    noisy, _ = next(dataset.batches(0, 8, 16_000))
    return FrontEnd().measured(FrontEnd().compress(stft.analyse(noisy)))


def test_ten_stretches_of_four_seconds_in_a_row(dataset, frontend):
    features = calibration_features(dataset, frontend)
    assert features.shape == (10 * 250, 128) == (SEQUENCES * FRAMES, 128)
    assert features.dtype == np.float32


def test_frames_of_a_stretch_are_consecutive(dataset, frontend):
    """Half of the samples of a frame are in the next one too: neighbours within a stretch are
    alike.
    """
    features = calibration_features(dataset, frontend).reshape(10, 250, 128)
    features -= features.mean(axis=1, keepdims=True)

    def correlation(lag):
        return np.mean(features[:, lag:] * features[:, : 250 - lag]) / np.mean(features**2)

    assert correlation(1) > correlation(5) + 0.03


def test_they_are_training_mixtures_and_always_the_same(dataset, frontend):
    features = calibration_features(dataset, frontend)
    noisy, _ = next(dataset.batches(0, 10, 249 * 256))
    np.testing.assert_array_equal(features[:250], frontend.features(stft.analyse(noisy[:1]))[0])
    np.testing.assert_array_equal(features, calibration_features(dataset, frontend))
