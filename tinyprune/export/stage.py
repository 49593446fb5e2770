"""The export of a variant: two int8 graphs from the same weights, checked against the network that was trained."""

import logging
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tinyprune.artifacts import Quality, write_json
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.stft import Array
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.data.calibration import calibration_features
from tinyprune.data.scored import ScoredSet
from tinyprune.data.speech import SpeechDataset
from tinyprune.errors import CheckFailed
from tinyprune.export.interpreter import Int8Model
from tinyprune.export.tflite import export
from tinyprune.metrics.speech import quality

log = logging.getLogger(__name__)
FORMS = {"streaming": 1, "sequence": 100}
TOLERANCE_DB = 0.05


def export_variant(model: keras.Model, frontend: FrontEnd, dataset: SpeechDataset, folder: Path) -> list[str]:
    """Write ``streaming.tflite`` and ``sequence.tflite`` with their records, and ``quality.json`` on dev.

    Returns the files it made. Raises CheckFailed if zeros were lost, or if an int8 graph scores more than 0.05 dB
    SI-SDR away from the fake-quantized Keras model.
    """
    log.info("%s: exporting int8 TFLite", folder.name)
    calibration, masks = calibration_features(dataset, frontend), _masks(folder)
    for form, frames in FORMS.items():
        artifact = export(model, frames, calibration, masks, folder / f"{form}.tflite")
        write_json(folder / f"{form}.json", replace(artifact, path=Path(artifact.path.name)))
    scored = ScoredSet(dataset.utterances("dev"), frontend)
    qualities = [noisy_input(scored, "dev"), *evaluate(model, scored, "dev", folder)]
    simulated = prepare(model, masked=False)
    calibrate(simulated, [calibration[None]])
    _check(folder.name, qualities, _score(simulated, "fake-quantized", scored, "dev"))
    write_json(folder / "quality.json", qualities)
    return [*(f"{form}{suffix}" for form in FORMS for suffix in (".tflite", ".json")), "quality.json"]


def evaluate(model: keras.Model, scored: ScoredSet, split: str, folder: Path) -> list[Quality]:
    """Quality of the float model and of both int8 graphs in a variant's folder."""
    return [_score(model, "float", scored, split), *(_int8(form, scored, split, folder) for form in FORMS)]


def noisy_input(scored: ScoredSet, split: str) -> Quality:
    """Quality of the mixtures as they are."""
    return _quality("noisy", scored, [mixture.noisy for mixture in scored.mixtures], split)


def _int8(form: str, scored: ScoredSet, split: str, folder: Path) -> Quality:
    runner = Int8Model(folder / f"{form}.tflite")
    return _quality(form, scored, scored.enhance_each(runner.run, f"{folder.name}: running int8 {form}"), split)


def _score(model: keras.Model, form: str, scored: ScoredSet, split: str) -> Quality:
    forward = tf.function(lambda features: model(features, training=False), reduce_retracing=True)
    estimates = scored.enhance(lambda features: forward(features).numpy())
    return _quality(form, scored, estimates, split)


def _quality(form: str, scored: ScoredSet, estimates: list[Array], split: str) -> Quality:
    pairs = zip((mixture.clean for mixture in scored.mixtures), estimates, strict=True)
    return quality(form, split, pairs, [mixture.snr_db for mixture in scored.mixtures])


def _check(name: str, qualities: list[Quality], simulated: Quality) -> None:
    for found in qualities:
        if found.form in FORMS:
            if not (found.metrics and simulated.metrics):
                raise CheckFailed(
                    f"{name}: the int8 {found.form} graph cannot be checked: in all {found.undefined} utterances "
                    "the speech or the output is silent; check the dev speech, or train longer"
                )
            difference = found.metrics["si_sdr_db"] - simulated.metrics["si_sdr_db"]
            log.info("%s: int8 %s is %+.3f dB SI-SDR from the trained network", name, found.form, difference)
            if not abs(difference) <= TOLERANCE_DB:
                raise CheckFailed(
                    f"{name}: the int8 {found.form} graph scores {difference:+.3f} dB SI-SDR beside the fake-quantized "
                    f"model, expected within {TOLERANCE_DB} dB: its activation ranges do not fit; train longer"
                )


def _masks(folder: Path) -> dict[str, Array]:
    path = folder / "masks.npz"
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return {key: arrays[key].astype(np.float32) for key in arrays.files}
