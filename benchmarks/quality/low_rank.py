"""Kernels cut to low rank without training: by the SVD weighted with the inputs' covariance, and by the plain one."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from tinyprune.compress.fold import fold
from tinyprune.compress.low_rank import first_name, input_statistics, matrix, with_factors
from tinyprune.config import ArrayData, RunConfig, TrainConfig
from tinyprune.data.examples import features
from tinyprune.sparsity.factors import (
    Factorisation,
    InputStatistics,
    RankOptions,
    choose_ranks,
    rank_options,
)
from tinyprune.sparsity.plan import FactorPlan
from tinyprune.stages.run import open_run
from tinyprune.stages.train import train_baseline

#: Shares of the weights of convolutions that go.
SPARSITIES = (0.5, 0.7, 0.8, 0.9)
LAYERS = ("conv_1", "conv_2", "conv_3")
SEEDS = (0, 1, 2)
WEIGHTED, PLAIN = "weighted by the inputs", "plain"
FRAMES, SENSORS, SIGNALS, CLASSES = 32, 12, 4, 5


def measure(options: argparse.Namespace) -> Report:
    """Return accuracy on dev, and how near outputs are, of networks that are cut to equal ranks."""
    accuracies: dict[str, list[float]] = {}
    nearness: dict[str, list[float]] = {}
    for seed in SEEDS[:1] if options.smoke else SEEDS:
        for what, accuracy, decibels in _scores(options, seed):
            accuracies.setdefault(what, []).append(accuracy)
            nearness.setdefault(what, []).append(decibels)
    cases = [Case(what, "accuracy", values) for what, values in accuracies.items()]
    cases += [Case(f"{what}: outputs", "dB", values) for what, values in nearness.items()]
    checks = []
    for sparsity in SPARSITIES:
        weighted, plain = f"{WEIGHTED}, {sparsity:g} gone", f"{PLAIN}, {sparsity:g} gone"
        nearer = float(np.mean(nearness[weighted]) - np.mean(nearness[plain]))
        limit = None if options.smoke else 0.0
        what = f"{sparsity:g}: outputs of weighted less those of plain"
        checks.append(Check(what, nearer, "dB", limit, at_least=True))
        better = float(np.mean(accuracies[weighted]) - np.mean(accuracies[plain]))
        checks.append(Check(f"{sparsity:g}: accuracy of weighted less that of plain", better, ""))
    note = (
        f"conv1d on {SENSORS} sensors that share {SIGNALS} signals, {CLASSES} classes; the same "
        "ranks for both, and the mean of the inputs in the bias; nothing is trained after the cut; "
        "dB: outputs before the softmax over what the cut changes in them"
    )
    return Report(cases, checks, [note])


def _scores(options: argparse.Namespace, seed: int) -> Iterator[tuple[str, float, float]]:
    """Yield (what was done, accuracy on dev, dB of the outputs over their change) of one network."""
    folder = options.work / f"low_rank-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    model, calibration, dev = _trained(folder, seed, options.smoke)
    inputs, labels = dev
    whole = _outputs(model, inputs)
    seen = input_statistics(model, LAYERS, calibration)
    blind = {
        name: replace(found, covariance=np.eye(len(found.mean))) for name, found in seen.items()
    }
    possible = _options(model, seen)
    for sparsity in SPARSITIES:
        ranks = choose_ranks(possible, sparsity)
        for what, statistics in ((WEIGHTED, seen), (PLAIN, blind)):
            cut = with_factors(model, _plans(model, ranks), statistics)
            outputs = _outputs(cut, inputs)
            accuracy = float(np.mean(outputs.argmax(-1) == labels))
            decibels = 10 * np.log10(np.var(whole) / np.mean((outputs - whole) ** 2))
            yield f"{what}, {sparsity:g} gone", accuracy, float(decibels)


def _options(model: keras.Model, statistics: dict[str, InputStatistics]) -> dict[str, RankOptions]:
    found = {}
    for name in LAYERS:
        kernel = matrix(model.get_layer(name))
        found[name] = rank_options(Factorisation(kernel, statistics[name]), 2)
    return found


def _plans(model: keras.Model, ranks: dict[str, int]) -> list[FactorPlan]:
    plans = []
    for name, rank in ranks.items():
        shape = tuple(model.get_layer(name).kernel.shape)
        plans.append(FactorPlan(name, "kernel", first_name(model, name), shape, rank, 0.0))
    return plans


def _trained(
    folder: Path, seed: int, is_smoke: bool
) -> tuple[keras.Model, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return a trained network in canonical form, its calibration inputs, and dev."""
    path = folder / "windows.npz"
    x, y = _windows(seed, 300 if is_smoke else 3000)
    np.savez(path, x=x, y=y)
    epochs = 1 if is_smoke else 10
    train = TrainConfig(epochs=epochs, batch_size=SIZES.batch, seed=seed)
    train_baseline(folder / "run", RunConfig(data=ArrayData(arrays=str(path)), train=train))
    with open_run(folder / "run") as run:
        dev = run.task.dataset.split("dev")
        inputs = features(run.task.frontend, dev.inputs)
        network = fold(run.load_network(run.baseline))
        return network, run.task.calibration(), (inputs, dev.labels)


def _windows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows (n, frames, sensors) of signals that the sensors share, and their classes.

    The class is how fast one of the signals is.
    """
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(SIGNALS, SENSORS))
    labels = rng.integers(0, CLASSES, count)
    time = np.arange(FRAMES)
    windows = np.zeros((count, FRAMES, SENSORS), np.float32)
    for number, label in enumerate(labels):
        speed = 0.6 * (1 + 0.3 * label) * (1 + 0.05 * rng.normal())
        signals = 2 * rng.normal(size=(FRAMES, SIGNALS))
        signals[:, 0] = np.sin(speed * time + rng.uniform(0, 2 * np.pi))
        windows[number] = signals @ mixing + rng.normal(size=(FRAMES, SENSORS))
    return windows, labels


def _outputs(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Return outputs before the softmax, each with mean 0, which is what a softmax leaves."""
    logs = np.log(np.maximum(model.predict(inputs, verbose=0), 1e-12))
    return np.asarray(logs - logs.mean(-1, keepdims=True))
