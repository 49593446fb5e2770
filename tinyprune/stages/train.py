"""The training of a run's float32 baseline."""

import logging
from dataclasses import replace
from pathlib import Path

from tinyprune.config import MODEL_FILES, DataConfig, ModelConfig, RunConfig
from tinyprune.errors import UsageError
from tinyprune.models.gates import require_gates
from tinyprune.models.loading.own import EXPECTED, is_own
from tinyprune.registry import MODELS
from tinyprune.stages.run import Run, begin_run, digest
from tinyprune.storage.run_folder import BASELINE, Variant

log = logging.getLogger(__name__)


def train_baseline(run: Path | Run, config: RunConfig) -> None:
    """Train the float32 baseline of a run, or continue where it was interrupted.

    Args:
        run: its folder, which is made if it is not there.
        config: data, model and training; prunings and targets are not looked at.

    Raises:
        UsageError: a baseline with another configuration is there, or the configuration makes no
            sense.
    """
    check_model(config)
    with begin_run(run) as opened:
        _train(opened, config)


def width_name(width: float) -> str:
    """Return the name of the variant that is the network of a baseline in another width."""
    return f"width-{width:.4g}"


def check_widths(config: RunConfig) -> None:
    """Raise UsageError, before anything is loaded, where there is no other width of a network."""
    if not config.sweep.width:
        return
    name = config.model.name
    if name is not None and is_own(name):
        raise UsageError(
            f"sweep.width: {name} is of your own, and has the width that it has: expected a "
            "registered network, see `tinyprune list models`"
        )
    if config.model.weights is not None:
        raise UsageError(
            f"sweep.width: the weights in {config.model.weights} fit one width only: leave out "
            "--weights, or the widths"
        )


def train_width(run: Run, width: float) -> Variant:
    """Train the network of an opened run's baseline in another width, as the baseline was.

    Args:
        run: the run.
        width: times that of the baseline.
    """
    from tinyprune.stages import baseline

    recipe = run.recipe
    model = replace(recipe.model, width=width * recipe.model.width)
    variant = run.space.variant(width_name(width))
    data_sha256 = run.baseline.configuration()["data_sha256"]
    with variant.claimed({"model": model, "train": recipe.train, "data_sha256": data_sha256}):
        if not variant.is_done("train"):
            network = baseline.build_network(model, recipe.train, run.task)
            outputs = baseline.fit_baseline(network, run.task, recipe.train, variant.folder)
            variant.finish("train", {}, outputs)
    return variant


def check_model(config: RunConfig) -> None:
    """Raise UsageError, before anything is loaded, for a model that cannot be trained.

    That is one that does not exist, or one that would keep random weights.
    """
    name = config.model.name
    weights = config.model.weights
    if weights is not None and not Path(weights).is_file():
        raise UsageError(f"there is no file {weights}: expected the weights of the model")
    if name is not None and is_own(name):
        _check_own(name, config.model)
        return
    if name is not None:
        MODELS.check(name)
        require_gates(name, config.model.gates)
    if config.train.epochs == 0 and weights is None:
        raise UsageError(
            "train.epochs: expected at least 1, got 0: "
            "only a model of your own comes with its weights; give --weights FILE"
        )


def _check_own(name: str, model: ModelConfig) -> None:
    """Raise UsageError for a network of one's own that is not there or not as it is asked."""
    if model.width != 1:
        raise UsageError(f"model.width: {name} is of your own, and has the width that it has")
    if Path(name).suffix.lower() in MODEL_FILES and not Path(name).exists():
        raise UsageError(f"there is no file {name}: {EXPECTED}")
    require_gates(name, model.gates)


def _train(run: Run, config: RunConfig) -> None:
    from tinyprune.stages import baseline, normalisation
    from tinyprune.tasks import lookup

    variant = run.space.variant(BASELINE)
    if baseline.keeps_weights(config):
        config = replace(config, data=config.data.for_kept_weights())
    data = normalisation.settled(run, config, variant)
    dataset = run.load_dataset(data)
    task = lookup.task_of(dataset, config.train)
    resolved = baseline.resolve(config, task)
    claim = {
        "data": data,
        "model": resolved.model,
        "train": resolved.train,
        **resolved.source,
        "data_sha256": digest(dataset),
    }
    with variant.claimed(claim):
        if config.data.test_folders():
            _keep_test_folders(run, config.data)
        if variant.is_done("train"):
            log.info("baseline: trained already, in %s", variant.folder)
            return
        network = baseline.build_network(resolved.model, resolved.train, task)
        outputs = baseline.fit_baseline(network, task, resolved.train, variant.folder)
        variant.finish("train", {}, outputs)


def _keep_test_folders(run: Run, data: DataConfig) -> None:
    """Remember the folders of the test split. An error in them is said now, not at the end."""
    run.load_dataset(data)
    run.keep_test_folders(data.test_folders())
