"""The two trainings of a run: the float32 baseline, and its pruning jointly with int8 learning."""

import logging
from collections.abc import Callable
from pathlib import Path

import keras

from tinyprune.artifacts import write_json
from tinyprune.audio.frontend import FrontEnd
from tinyprune.compress.mask_updater import MaskUpdater, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare, strip
from tinyprune.config import PruneConfig, TrainConfig
from tinyprune.data.calibration import calibration_features
from tinyprune.data.speech import SpeechDataset
from tinyprune.training.denoise import Denoise, measure_frontend
from tinyprune.training.fit import Fit
from tinyprune.writing import write_arrays, writing

log = logging.getLogger(__name__)
MASKS = "masks.npz"


def train_baseline(
    build: Callable[[], keras.Model], dataset: SpeechDataset, config: TrainConfig, folder: Path
) -> list[str]:
    """Train a network from scratch in float32, or continue where it was interrupted. Returns the files it made."""
    keras.utils.set_random_seed(config.seed)
    model = build()
    frontend = measure_frontend(dataset, config.batch_size, config.frames)
    prepared = prepare(model, masked=False, quantized=False)
    task = Denoise(dataset, frontend, config.loss, config.batch_size, config.frames, config.seed)
    fit = Fit(prepared, task, config.epochs, config.learning_rate, folder)
    fit.run("baseline")
    log.info("baseline: dev SI-SDR %.2f dB, %.2f dB in the noisy input; in %s", fit.best, task.noisy_score(), folder)
    write_json(folder / "frontend.json", frontend)
    return [*_save(strip(prepared, model), folder), "frontend.json"]


def prune_baseline(
    base: keras.Model, frontend: FrontEnd, dataset: SpeechDataset, train: TrainConfig, config: PruneConfig, folder: Path
) -> list[str]:
    """prepare -> train -> strip: masks and int8 grids act together from the first step. Returns the files it made."""
    keras.utils.set_random_seed(config.seed)
    pruning = plan(base, config.structure, config.sparsity, config.scope, config.schedule)
    prepared = prepare(base)
    calibrate(prepared, [calibration_features(dataset, frontend)[None]])
    teacher = prepare(base, masked=False, quantized=False) if config.distill else None
    task = Denoise(dataset, frontend, train.loss, train.batch_size, train.frames, config.seed, teacher)
    fit = Fit(prepared, task, config.epochs, config.learning_rate, folder)
    updater = MaskUpdater(prepared, pruning, fit.steps)
    fit.run(config.variant, before_step=updater.update, counts=updater.final)
    write_json(folder / "plan.json", pruning)
    write_arrays(folder / MASKS, {key: mask.astype(bool) for key, mask in read_masks(prepared).items()})
    return [*_save(strip(prepared, base), folder), "plan.json", MASKS]


def _save(model: keras.Model, folder: Path) -> list[str]:
    """The plain model and its number of parameters."""
    with writing(folder / "model.keras") as part:
        model.save(part)
    write_json(folder / "size.json", model.count_params())
    return ["model.keras", "size.json", "history.csv"]
