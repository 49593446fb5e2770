"""The three losses of training: SI-SDR and SDR on dev after the same number of epochs (long, by name)."""

import argparse

from benchmarks.shared import toys
from benchmarks.shared.environment import log_to_stderr
from benchmarks.shared.report import Report
from benchmarks.shared.speech_data import cases, data, describe, dev_quality
from tinyprune.config import ModelConfig, RunConfig, TrainConfig

#: Losses of speech.
LOSSES = ("si-sdr", "spectrum", "combined")


def measure(options: argparse.Namespace) -> Report:
    """One training per loss and seed, in run folders of their own that a killed measurement continues from."""
    from tinyprune.stages.train import train_baseline

    log_to_stderr()
    epochs = options.epochs or (1 if options.quick else 10)
    config, found = data(options), {loss: [] for loss in LOSSES}
    model = ModelConfig(toys.NETWORKS["tinylstm"]) if options.smoke else ModelConfig()
    for seed in range(options.seeds):
        for loss in LOSSES:
            run = options.work / f"losses-{config.name}-{epochs}" / f"{loss}-{seed}"
            train = TrainConfig(epochs=epochs, loss=loss, seed=seed)
            train_baseline(run, RunConfig(config, model, train))
            baseline = run / "variants" / "baseline"
            found[loss].append(dev_quality(baseline, baseline, config, run / "data"))
    return Report(
        cases(found), (), [f"{epochs} epochs each, {options.seeds} seed(s)", describe(config)]
    )
