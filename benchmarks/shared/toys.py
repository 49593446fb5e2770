"""What the measurements of long trainings are given at full size, at toy size: networks, a finished run."""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.shared.sizes import SIZES
from benchmarks.shared.speech_data import data
from tinyprune.config import ModelConfig, RunConfig, TrainConfig

#: Network -> the smaller one that stands for it with ``--smoke``.
NETWORKS = {"tinylstm": f"{__name__}:tinylstm", "ds_cnn": f"{__name__}:ds_cnn"}


def tinylstm() -> Any:
    """Return TinyLSTM with 16 units."""
    from tinyprune.models import tinylstm

    return tinylstm.build(units=16, hidden=16)


def ds_cnn() -> Any:
    """Return DS-CNN with one block, for the synthetic patterns."""
    from tinyprune.models import ds_cnn

    return ds_cnn.build(outputs=4, blocks=1)


def exported_run(options: argparse.Namespace) -> Path:
    """Return a run folder on speech in ``--work`` with an exported baseline, which is made once."""
    from tinyprune.stages.export import export_variant
    from tinyprune.stages.train import train_baseline

    run = options.work / "toy-speech"
    train = TrainConfig(epochs=1, batch_size=SIZES.batch, frames=SIZES.frames)
    train_baseline(run, RunConfig(data(options), ModelConfig(NETWORKS["tinylstm"]), train))
    export_variant(run, None)
    return run
