"""The export of a variant: two int8 graphs from the same weights, checked against the network that was trained."""

import logging
from collections.abc import Iterator
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
from tinyprune.data.speech import Mixture, SpeechDataset
from tinyprune.errors import CheckFailed
from tinyprune.export.interpreter import Int8Model
from tinyprune.export.tflite import export
from tinyprune.metrics.speech import quality
from tinyprune.progress import track

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
    mixtures = dataset.utterances("dev")
    qualities = evaluate(model, frontend, mixtures, "dev", folder)
    simulated = prepare(model, masked=False)
    calibrate(simulated, [calibration[None]])
    _check(folder.name, qualities, _score(simulated, "fake-quantized", ScoredSet(mixtures, frontend), "dev"))
    write_json(folder / "quality.json", qualities)
    return [*(f"{form}{suffix}" for form in FORMS for suffix in (".tflite", ".json")), "quality.json"]


def evaluate(
    model: keras.Model, frontend: FrontEnd, mixtures: list[Mixture], split: str, folder: Path
) -> list[Quality]:
    """Quality of the noisy input, the float model and both int8 graphs of a variant's folder."""
    scored = ScoredSet(mixtures, frontend)
    noisy = quality("noisy", split, ((m.clean, m.noisy) for m in mixtures), [m.snr_db for m in mixtures])
    return [noisy, _score(model, "float", scored, split), *_int8(scored, split, folder)]


def _int8(scored: ScoredSet, split: str, folder: Path) -> Iterator[Quality]:
    for form in FORMS:
        runner = Int8Model(folder / f"{form}.tflite")
        frames = track(iter(scored.mixtures), f"{folder.name}: running int8 {form}", len(scored.mixtures))

        def mask(features: Array, runner: Int8Model = runner, frames: Iterator[Mixture] = frames) -> Array:
            next(frames)
            return runner.run(features)

        yield _quality(form, scored, scored.enhance_each(mask), split)
        next(frames, None)


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
