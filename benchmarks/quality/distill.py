"""Pruning to 90 % with and without distillation: SI-SDR and SDR on dev (long, by name)."""

import argparse
from pathlib import Path

from benchmarks.shared import toys
from benchmarks.shared.environment import log_to_stderr, relative
from benchmarks.shared.report import Check, Report, Unavailable
from benchmarks.shared.speech_data import cases, copy_baseline, describe, dev_quality
from benchmarks.shared.timing import difference

SPARSITY = 0.9
WAYS = {"with distillation": True, "without": False}


def measure(options: argparse.Namespace) -> Report:
    """One pruning per way and seed of the same baseline, in a run folder of its own."""
    from tinyprune.config import DataConfig, MagnitudePruning, from_mapping
    from tinyprune.stages.prune import prune_variants
    from tinyprune.storage.run_folder import Workspace

    log_to_stderr()
    source = _baseline_run(options)
    epochs = options.epochs or (1 if options.quick else 10)
    sha256 = Workspace(source).variant("baseline").output_sha256("train", "model.keras")
    run = options.work / f"distill-{sha256[:8]}-{epochs}"
    copy_baseline(source, run)
    baseline = Workspace(run).variant("baseline")
    stored = {
        key: value for key, value in baseline.configuration()["data"].items() if value is not None
    }
    config, found = from_mapping(stored, DataConfig), {way: [] for way in WAYS}
    for seed in range(options.seeds):
        for way, distill in WAYS.items():
            name = f"{'with' if distill else 'without'}-{seed}"
            pruning = MagnitudePruning(
                name=name, sparsity=SPARSITY, epochs=epochs, distill=distill, seed=seed
            )
            prune_variants(run, [pruning])
            found[way].append(
                dev_quality(run / "variants" / name, baseline.folder, config, run / "data")
            )
    found = {
        "baseline": [dev_quality(baseline.folder, baseline.folder, config, run / "data")],
        **found,
    }
    gains = [[scores["si_sdr_db"] for scores in found[way]] for way in WAYS]
    return Report(
        cases(found),
        [Check("SI-SDR that distillation gains", difference(*gains), "dB")],
        [
            f"weights, {SPARSITY:.0%}, {epochs} epochs each, {options.seeds} seed(s)",
            f"baseline: {relative(source)}",
        ]
        + [describe(config)],
    )


def _baseline_run(options: argparse.Namespace) -> Path:
    """The run folder of ``--baseline``; one of toy size for ``--smoke``."""
    if options.smoke:
        return toys.exported_run(options)
    run = options.baseline
    if not run or not (run / "variants" / "baseline" / "train.json").exists():
        raise Unavailable("give a run folder with a trained baseline: --baseline runs/default")
    return run
