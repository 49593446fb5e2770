"""`python -m benchmarks.pretrained`: the network that it starts from, merged folders, figures and the card."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from benchmarks.paper.sources import Source
from benchmarks.pretrained import card, measure, shipping, training
from benchmarks.pretrained.card import Shipped
from benchmarks.pretrained.measure import Record
from benchmarks.pretrained.network import with_weights_of
from benchmarks.pretrained.training import FINISH, PRUNE, START, TUNE, Places
from benchmarks.shared.environment import environment
from tinyprune import pretrained
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.audio.device import DeviceFrontEnd, frontend_of, record_beside
from tinyprune.config.recipe import load_recipe
from tinyprune.errors import UsageError
from tinyprune.storage.records import read_json
from tinyprune.tflite.interpreter import Int8Model

RNG = np.random.default_rng(0)


def test_the_network_to_start_from_gives_the_masks_of_its_int8_graph():
    """Also for features of another mean and deviation: the same sound, 3 (x - 1) instead of x."""
    frontend = frontend_of(record_beside(START))
    std = tuple(value / 3 for value in frontend.std)
    shifted = tuple(mean + value for mean, value in zip(frontend.mean, frontend.std, strict=True))
    features = RNG.normal(size=(1, 20, 128)).astype(np.float32)
    int8 = Int8Model(START)
    int8.reset()
    masks = np.concatenate([int8.step(frame[None]) for frame in features[0]])
    found = with_weights_of(START, frontend)(features)[0]
    assert np.abs(found - masks).mean() < 0.02
    other = with_weights_of(START, replace(frontend, mean=shifted, std=std))
    np.testing.assert_allclose(other(3 * (features - 1))[0], found, atol=1e-3)


def test_folders_are_linked_into_one(tmp_path):
    for name in ("a/one/x.wav", "b/one/y.wav", "b/two/x.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(10), 16_000)
    for _ in range(2):
        training.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    found = [
        path.relative_to(tmp_path / "all").as_posix() for path in (tmp_path / "all").rglob("*.wav")
    ]
    assert sorted(found) == ["one/x.wav", "one/y.wav", "two/x.wav"]
    with pytest.raises(UsageError, match="there is no .*expected a folder of audio files"):
        training.merge([tmp_path / "c"], tmp_path / "all")


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "data", tmp_path / "more", tmp_path / "work")


@pytest.mark.parametrize("step", [TUNE, PRUNE, FINISH])
def test_the_recipes_are_whole_with_their_places(places, step):
    recipe = load_recipe(places.recipe(step))
    assert recipe.data.dev_noise == str(places.data / "noise" / "dev")
    assert recipe.model.weights == str(places.weights(step))
    assert recipe.train.epochs == (45 if step == TUNE else 0)


def test_noise_is_mixed_at_its_snr():
    """10 dB: a tenth of the power."""
    clean = RNG.normal(size=4000).astype(np.float32)
    noisy = measure.mixed(clean, RNG.normal(size=1500).astype(np.float32), 10)
    assert np.sum((noisy - clean) ** 2) / np.sum(clean**2) == pytest.approx(0.1, rel=1e-4)


def test_a_limit_of_nothing_gives_the_signal_back():
    """The masks are at least 1 then, and 0.1 at 20 dB."""
    signal = (0.1 * RNG.normal(size=8000)).astype(np.float32)
    untouched, limited = measure.Masks(START, [0.0, 20.0]).enhance(signal)
    np.testing.assert_allclose(untouched[256:-512], signal[256:-512], atol=1e-4)
    assert 0.09 * np.std(signal) < np.std(limited) < np.std(signal)


def record(gain, test=9.0):
    metrics = {"si_sdr_db": test, "stoi": 0.8}
    clean = {"as recorded": (26.0, 20.0)}
    kinds = {str(snr_db): {"rain": gain, "dog": 2.0} for snr_db in measure.SNRS_DB}
    levels = {"-10": 11.0, "-65": 11.25}
    return Record("0", None, clean, kinds, levels, metrics, metrics, metrics, metrics)


def test_the_card_says_what_was_measured(places):
    network = pretrained.denoiser()
    shipped = Shipped(
        artifact=read_json(pretrained.record(), TFLiteArtifact),
        front_end=read_json(network.with_suffix(".frontend.json"), DeviceFrontEnd),
        tuned=load_recipe(places.recipe(TUNE)),
        pruned=load_recipe(places.recipe(PRUNE)),
        recipe=load_recipe(places.recipe(FINISH)),
        data_sha256="f" * 64,
        reports={},
        sources=[
            Source("speech", "A", "CC0", 1, 60.0),
            Source("noise", "B", "CC BY", 1, 60.0, ("C",)),
        ],
        measured=record(-0.75),
        before=record(1.0, test=9.5),
        made_with=environment(),
    )
    text = card.text(shipped)
    said = text.replace("\n", " ")
    assert "at -8 to 20 dB SNR, 8% without noise; at -8 to 12 dB SNR, 4% without noise; at" in said
    assert "| as recorded | 26.00 | 20.00 | 26.00 | 20.00 |" in text
    assert "More than 0.5 dB is lost in rain at -5 dB; rain at 0 dB" in text.replace("\n  ", " ")
    assert "behind the network before: SI-SDR dB -0.50." in text.replace("\n  ", " ")
    assert "differs by 0.25 dB" in text.replace("\n", " ")
    assert "Authors of the noise under CC BY: C." in text
    harmless = card.text(replace(shipped, measured=record(0.0), before=record(0.0)))
    assert "is lost in" not in harmless and "behind" not in harmless


def test_the_scores_in_the_package_are_those_that_were_measured_of_the_network_in_it():
    front_end = record_beside(pretrained.denoiser())
    limit_db = front_end.max_attenuation_db
    measured = read_json(shipping.result(f"denoiser-{limit_db:g}"), Record)
    assert (measured.network, measured.limit_db) == (front_end.sha256, limit_db)
    assert read_json(pretrained.qualities(), list[Quality]) == shipping.qualities(measured)
