"""Finished runs of tiny sizes: speech and pictures. Each is made once per session."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.own_network import write_images


@contextmanager
def tiny_sizes() -> Iterator[None]:
    """Make everything real, and small.

    A network of 16 units, utterances of a second, 40 frames of calibration.
    """
    from tinyprune.data.speech import calibration, fixed_mixtures
    from tinyprune.data.synthetic import corpus
    from tinyprune.models import tinygru, tinylstm
    from tinyprune.tasks.speech import Speech
    from tinyprune.tasks.task import Form

    with pytest.MonkeyPatch.context() as patch:
        for network in (tinylstm, tinygru):
            patch.setattr(network, "build", partial(network.build, units=16, hidden=16))
        patch.setattr(corpus, "HELD_OUT_MINUTES", 0.1)
        patch.setattr(fixed_mixtures, "MAX_UTTERANCE_SECONDS", 1.0)
        patch.setattr(calibration, "SEQUENCES", 2)
        patch.setattr(calibration, "FRAMES", 20)
        patch.setattr(Speech, "forms", (Form("streaming", 1), Form("sequence", 10)))
        yield


def strip_digests(run: Path) -> None:
    """Make the records of a run those of 0.1.0, which had no digests of their own."""
    for path in run.rglob("*.json"):
        record = json.loads(path.read_text())
        if isinstance(record, dict) and record.pop("record_sha256", None):
            record.pop("claim_sha256", None)
            path.write_text(json.dumps(record))


class SpeechRun:
    """A finished run of tiny sizes: a baseline and "weight-0.80", compiled for ethos-u55-128.

    Attributes: folder; train, prune, target: its configuration; qualities: of the pruning; summary.
    """

    def __init__(self, folder: Path) -> None:
        from tinyprune.config import (
            MagnitudePruning,
            RunConfig,
            SyntheticSpeechData,
            TargetConfig,
            TrainConfig,
        )
        from tinyprune.npu import targets
        from tinyprune.stages.compile import compile_variants
        from tinyprune.stages.prune import prune_variants
        from tinyprune.stages.train import train_baseline

        self.folder = folder
        data = SyntheticSpeechData(minutes=0.3, dev_utterances=3)
        self.train = RunConfig(data=data, train=TrainConfig(epochs=2, batch_size=4, frames=50))
        self.prune, self.target = MagnitudePruning(epochs=2), TargetConfig()
        with tiny_sizes():
            train_baseline(folder, self.train)
            self.qualities = prune_variants(folder, [self.prune])
            [self.summary] = compile_variants(folder, [targets.resolve(self.target.npu)])


class ImageRun:
    """A finished run on pictures: weights, units, 2:4 and the offline control, compiled for ethos-u55-128.

    Attributes: folder; config: of the baseline; qualities: of all prunings; offline: of the
        control; summary.
    """

    def __init__(self, folder: Path) -> None:
        from tinyprune.cli.prunings import prunings
        from tinyprune.config import ImageData, ModelConfig, OfflinePruning, RunConfig, TrainConfig
        from tinyprune.npu import targets
        from tinyprune.stages.compile import compile_variants
        from tinyprune.stages.offline import prune_offline
        from tinyprune.stages.prune import prune_variants
        from tinyprune.stages.train import train_baseline

        self.folder = folder / "run"
        data = ImageData(path=str(write_images(folder / "images.npz")), augment=False)
        train = TrainConfig(epochs=2, batch_size=8, learning_rate=0.02)
        self.config = RunConfig(data=data, model=ModelConfig(name="tiny_net:build"), train=train)
        prune = {"epochs": 2, "distill": False}
        self.configs = [
            *prunings(prune, [(0.5,)], []),
            *prunings(prune | {"structure": "unit"}, [(0.5,)], []),
            *prunings(prune | {"structure": "2:4", "exclude": ["stem"]}, [], []),
        ]
        train_baseline(self.folder, self.config)
        self.qualities = prune_variants(self.folder, self.configs)
        int8 = self.folder / "variants/baseline/int8.tflite"
        self.offline = prune_offline(self.folder, int8, OfflinePruning(), None)
        [self.summary] = compile_variants(self.folder, [targets.resolve("ethos-u55-128")])


class StructuresRun:
    """A run on pictures that goes on: with a second level, weights after units, and blocks.

    Attributes: folder; summary.
    """

    def __init__(self, before: ImageRun, folder: Path) -> None:
        from tinyprune.cli.prunings import prunings
        from tinyprune.npu import targets
        from tinyprune.stages.compile import compile_variants
        from tinyprune.stages.prune import prune_variants

        self.folder = Path(shutil.copytree(before.folder, folder / "run"))
        prune = {"epochs": 2, "distill": False}
        blocks = {
            "structure": "block",
            "block_size": "4x8",
            "importance": "l2",
            "epochs": 4,  # with two it stays at chance
            "learning_rate": 0.004,
        }
        # Gradients of so few steps leave the small network at chance.
        after_units = {"base": "unit-0.50", "importance": "lamp"}
        configs = [
            *prunings(prune, [(0.5, 0.7)], []),
            *prunings(prune | after_units, [(0.8,)], []),
            *prunings(prune | blocks, [(0.5,)], []),
        ]
        prune_variants(self.folder, configs)
        [self.summary] = compile_variants(self.folder, [targets.resolve("ethos-u55-128")])
