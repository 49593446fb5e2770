from dataclasses import replace

import numpy as np
import pytest

from tests.support.conditioning import without_dc
from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.data.speech.scored_set import BATCH, ScoredSet

HOP = 256


def mixture(number, samples):
    noisy, clean = np.random.default_rng(number).normal(0, 0.1, (2, samples)).astype(np.float32)
    return NoisyUtterance(f"m{number}", 0.0, "kind", noisy, clean)


@pytest.fixture(scope="module")
def frontend():
    frontend = FrontEnd()
    return frontend.measured(frontend.compress(stft.analyse(mixture(99, 16_000).noisy)))


@pytest.fixture(scope="module")
def scored(frontend):
    """More mixtures than fit in one batch, of 1000, 1100, ... samples."""
    return ScoredSet([mixture(i, 1000 + 100 * i) for i in range(BATCH + 3)], frontend)


def assert_signals(found, expected, atol=1e-5):
    assert [len(signal) for signal in found] == [len(signal) for signal in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


def test_a_mask_of_ones_gives_the_noisy_signals_back_without_their_mean(scored):
    assert_signals(scored.enhance(np.ones_like), [without_dc(m.noisy) for m in scored.mixtures])


def test_a_mask_is_a_factor_on_the_amplitude(scored):
    halved = scored.enhance(lambda features: np.full_like(features, 0.5))
    assert_signals(halved, [0.5 * without_dc(m.noisy) for m in scored.mixtures])


def test_a_mask_of_zeros_is_silence(scored):
    assert not any(signal.any() for signal in scored.enhance(np.zeros_like))


def test_networks_see_batches_of_about_one_length_the_longest_first(scored, frontend):
    """Of 1000 to 2800 samples: 16 from 2800 down to 1300, then 1200, 1100 and 1000."""
    seen = []
    scored.enhance(lambda features: seen.append(features) or np.ones_like(features))
    frames = [1 + -(-samples // HOP) for samples in (1000 + 100 * (BATCH + 2), 1200)]
    assert [features.shape for features in seen] == [(BATCH, frames[0], 128), (3, frames[1], 128)]
    first = frontend.features(stft.analyse(without_dc(scored.mixtures[0].noisy)))
    # The last of the last batch has 1000 samples: frames of three whole hops.
    np.testing.assert_allclose(seen[1][2, :3], first[:3], atol=1e-4)


def test_features_and_samples_are_those_of_the_stream(frontend):
    """Features bit for bit, in a batch too; quiet recordings are brought to the usual level."""
    frontend = replace(frontend, usual_dbfs=-10.0)
    mixtures = [mixture(number, samples) for number, samples in enumerate((1000, 1500))]
    seen = []

    def mask(features):
        seen.append(features)
        return 1 / (1 + np.exp(-features))

    found = ScoredSet(mixtures, frontend).enhance(mask)
    front_end = StreamingFrontEnd(frontend)
    for row, number in enumerate((1, 0)):  # the longest first
        state = front_end.start()
        out = []
        for frame, hop in enumerate(stft.pad(mixtures[number].noisy, HOP).reshape(-1, HOP)[1:]):
            features = front_end.analyse(state, hop)
            np.testing.assert_array_equal(features, seen[0][row, frame])
            out.append(front_end.synthesise(state, 1 / (1 + np.exp(-features))))
        samples = len(mixtures[number].noisy)
        np.testing.assert_allclose(np.concatenate(out[1:])[:samples], found[number], atol=1e-6)


def test_padding_does_not_reach_back_into_what_a_causal_network_gives(scored, frontend):
    def causal(features):
        return 1 / (1 + np.exp(-np.cumsum(features, axis=-2) / 10))

    alone = [ScoredSet([mixture], frontend).enhance(causal)[0] for mixture in scored.mixtures]
    assert_signals(scored.enhance(causal), alone)
