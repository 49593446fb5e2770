"""80 % weights + int8 on keywords and images: accuracy beside TFMOT's prune -> PQAT pipeline (long, by name)."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.shared import toys
from benchmarks.shared.budgets import data_of
from benchmarks.shared.environment import log_to_stderr, relative
from benchmarks.shared.keras2.client import Keras2
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.speech_data import SHARED
from tinyprune.config import (
    DataConfig,
    ImageData,
    KeywordData,
    MagnitudePruning,
    ModelConfig,
    RunConfig,
    TrainConfig,
    to_mapping,
)

SPARSITY, POINT, ABOVE = 0.8, 0.01, 0.001  # a point, and what counts as above
RATES = (1e-2, 1e-3, 1e-4)  # of TFMOT's pruning; its QAT is tried with the same and with a tenth
SMOKE_RATES = (1e-3,)
SPLITS = ("dev", "test")
FLOAT, THEIRS = "float baseline", "TFMOT, int8"
DEFAULT, SAME = "tinyprune, int8, defaults", "tinyprune, int8, same kernels"


@dataclass(frozen=True)
class Setting:
    """One comparison.

    Attributes:
        data, model: the data set and the network that learns it.
        epochs, pruning: epochs of the baseline, and of either pipeline in all.
        dense: patterns of the kernels that TFMOT does not prune.
        rates: learning rates of TFMOT's pruning that are tried.
        second_rates: those of its QAT, as parts of them.
    """

    data: DataConfig
    model: str
    epochs: int
    pruning: int
    dense: tuple[str, ...] = ()
    rates: tuple[float, ...] = RATES
    second_rates: tuple[float, ...] = (1, 0.1)


SETTINGS = {
    "keywords": Setting(
        KeywordData(path=str(SHARED / "keywords")), "ds_cnn", 100, 60, ("*depthwise",)
    ),
    "images": Setting(
        ImageData(path=str(SHARED / "images" / "cifar10_subset.npz")), "resnet8", 60, 30
    ),
}


def settings_of(options: argparse.Namespace) -> dict[str, Setting]:
    """Return the comparisons at the size that the command line gives."""
    if options.smoke:
        return {"keywords": _toy_setting(options)}
    settings = {}
    for name, setting in SETTINGS.items():
        if options.quick:
            setting = replace(setting, epochs=2, pruning=2)
        settings[name] = replace(setting, pruning=options.epochs or setting.pruning)
    return settings


def _toy_setting(options: argparse.Namespace) -> Setting:
    data, _ = data_of("keywords", options)
    return Setting(
        data,
        toys.NETWORKS["ds_cnn"],
        epochs=12,
        pruning=12,
        rates=SMOKE_RATES,
        second_rates=(1,),
    )


class Found(NamedTuple):
    """A network of some seed. Attributes: accuracy: per split; sparsity: of the weights in the flatbuffer."""

    accuracy: dict[str, float]
    sparsity: float


def measure(options: argparse.Namespace) -> Report:
    """One baseline per data set, both pipelines from its weights; a killed measurement goes on from ``--work``."""
    settings = settings_of(options)
    there = {
        name: setting for name, setting in settings.items() if Path(str(setting.data.path)).exists()
    }
    if not there:
        raise Unavailable(
            f"the keywords and images of {relative(SHARED)} are not there: nothing to measure"
        )
    log_to_stderr()
    cases, checks = [], []
    notes = [
        f"{name}: skipped, {relative(Path(str(SETTINGS[name].data.path)))} is absent"
        for name in settings.keys() - there
    ]
    for name, setting in there.items():
        found, note = _compared(name, setting, options)
        cases += list(_cases(name, found))
        checks += list(_checks(name, found))
        notes.append(
            f"{name}: {setting.model}, {setting.epochs} float epochs, then {setting.pruning} of either; {note}"
        )
    notes += [
        f"TFMOT: half of the epochs pruning, half prune-preserving QAT; learning rates of pruning {RATES}, of QAT the "
        "same or a tenth, the best pair on dev; same batches, optimizer, cosine, best epoch on dev",
        "tinyprune, same kernels: each ranked alone, no depthwise kernels, as TFMOT does; defaults: all ranked "
        "together; the limits are for both; both learn from the baseline too, for which TFMOT has no means",
        f"{options.seeds} seed(s) of pruning; checks are of means; everything is chosen on dev, test is only reported",
    ]
    return Report(cases, checks, notes)


def _compared(
    name: str, setting: Setting, options: argparse.Namespace
) -> tuple[dict[str, list[Found]], str]:
    from tinyprune.stages.run import Run
    from tinyprune.stages.train import train_baseline
    from tinyprune.storage.run_folder import Workspace

    folder = options.work / f"tfmot-{name}-{setting.epochs}"
    train = TrainConfig(epochs=setting.epochs)
    train_baseline(
        folder, RunConfig(data=setting.data, model=ModelConfig(setting.model), train=train)
    )
    run = Run(Workspace(folder))
    ours = {
        way: [_ours(run, setting, way, seed) for seed in range(options.seeds)]
        for way in (DEFAULT, SAME)
    }
    theirs, note = _tfmot(run, setting, options.seeds)
    return {FLOAT: [_baseline(run)], **ours, THEIRS: theirs}, note


def _ours(run: Any, setting: Setting, way: str, seed: int) -> Found:
    """The int8 graph of one pruning of ours; on TFMOT's terms the same number of zeros in the same kernels."""
    from tinyprune.stages.prune import prune_variants

    terms: dict[str, Any] = {"scope": "layer", "exclude": setting.dense} if way == SAME else {}
    variant = f"{'same' if way == SAME else 'default'}-{setting.pruning}-{seed}"
    config = MagnitudePruning(
        name=variant,
        sparsity=SPARSITY,
        epochs=setting.pruning,
        seed=seed,
        **terms,
    )
    prune_variants(run.space.root, [config])
    return _scored(run, run.space.variant(variant).folder / "int8.tflite")


def _tfmot(run: Any, setting: Setting, seeds: int) -> tuple[list[Found], str]:
    """The opponent of every seed, at the learning rates that are best on dev with the first seed."""
    found: dict[tuple[float, float], Found] = {}
    with Keras2() as worker:
        for rate in setting.rates:
            for second in (rate * part for part in setting.second_rates):
                found[rate, second] = _scored(run, _trained(worker, run, setting, rate, second, 0))
        best = max(found, key=lambda rates: found[rates].accuracy["dev"])
        others = [
            _scored(run, _trained(worker, run, setting, *best, seed)) for seed in range(1, seeds)
        ]
    tried = ", ".join(f"{a:g}/{b:g} {one.accuracy['dev']:.3f}" for (a, b), one in found.items())
    return [found[best], *others], f"TFMOT on dev by learning rates: {tried}"


def _trained(
    worker: Keras2, run: Any, setting: Setting, rate: float, second: float, seed: int
) -> Path:
    """The int8 graph of one TFMOT pipeline."""
    folder = run.space.root / f"tfmot-{setting.pruning}"
    pruned = folder / f"pruned-{rate:g}-{seed}"
    made = folder / f"int8-{rate:g}-{second:g}-{seed}"
    half = max(1, setting.pruning // 2)
    common = {
        "baseline": str((run.baseline.folder / "model.keras").resolve()),
        "data": _given(setting.data),
        "cache": str(run.space.data.resolve()),
        "epochs": half,
        "seed": seed,
    }
    worker.ask("prune", **common, folder=str(pruned.resolve()), rate=rate, sparsity=SPARSITY)
    worker.ask(
        "quantize", **common, pruned=str(pruned.resolve()), folder=str(made.resolve()), rate=second
    )
    return made / "int8.tflite"


def _given(data: DataConfig) -> dict[str, Any]:
    """The settings of the data that are not left open, as the Keras 2 process reads them."""
    return {key: value for key, value in to_mapping(data).items() if value is not None}


def _baseline(run: Any) -> Found:
    import keras
    import numpy as np

    model = keras.models.load_model(run.baseline.folder / "model.keras")
    return Found(
        _accuracy(run, lambda inputs: np.asarray(model(inputs, training=False)), "float"), 0.0
    )


def _scored(run: Any, path: Path) -> Found:
    """An int8 graph, whoever made it, by the same interpreter and the same code."""
    import numpy as np

    from tinyprune.tflite import flatbuffer
    from tinyprune.tflite.interpreter import Int8Model

    graph = flatbuffer.read(path)
    flatbuffer.require_int8(path, graph)
    weighted = [
        op.inputs[1]
        for op in graph.operators
        if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    ]
    kernels = [tensor.data for tensor in weighted if tensor is not None and tensor.data is not None]
    model = Int8Model(path)
    accuracy = _accuracy(run, lambda inputs: np.stack([model.run(item) for item in inputs]), "int8")
    return Found(accuracy, sum(int((k == 0).sum()) for k in kernels) / sum(k.size for k in kernels))


def _accuracy(run: Any, forward: Any, form: str) -> dict[str, float]:
    return {split: run.task.quality(forward, form, split).metrics["accuracy"] for split in SPLITS}


def _cases(name: str, found: dict[str, list[Found]]) -> Iterator[Case]:
    for split in SPLITS:
        for what, runs in found.items():
            yield Case(
                f"{name}: {what}, {split}", "accuracy", [one.accuracy[split] for one in runs]
            )
    for what in (DEFAULT, SAME, THEIRS):
        yield Case(
            f"{name}: {what}, zeros in the flatbuffer",
            "fraction",
            [one.sparsity for one in found[what]],
        )


def _checks(name: str, found: dict[str, list[Found]]) -> Iterator[Check]:
    for split in SPLITS:
        base, theirs = (
            mean(one.accuracy[split] for one in found[what]) for what in (FLOAT, THEIRS)
        )
        for way in (DEFAULT, SAME):
            ours, what = mean(one.accuracy[split] for one in found[way]), way.split(", ")[-1]
            yield Check(
                f"{name}, {split}: float - ours, {what}", round(base - ours, 6), "accuracy", POINT
            )
            yield Check(
                f"{name}, {split}: ours, {what} - TFMOT",
                round(ours - theirs, 6),
                "accuracy",
                ABOVE,
                True,
            )
