"""What the measurements of long trainings are given at full size, at toy size: networks, a finished run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.shared.sizes import SIZES
from benchmarks.shared.speech_data import data
from tinyprune.config import ModelConfig, RunConfig, TrainConfig

if TYPE_CHECKING:
    from tinyprune.audio.mfcc import MfccFrontEnd

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


def keyword_network(folder: Path) -> "tuple[Path, MfccFrontEnd]":
    """Return the file of an untrained network of keywords in a folder, and its front end.

    The record of the front end lies beside it.
    """
    import keras

    from tinyprune.audio.device_mfcc import device_mfcc
    from tinyprune.audio.mfcc import MfccFrontEnd
    from tinyprune.compress.fold import fold
    from tinyprune.export.tflite import export
    from tinyprune.firmware.golden import made_up_speech
    from tinyprune.models import ds_cnn
    from tinyprune.storage.records import write_json

    keras.utils.set_random_seed(0)
    clips = made_up_speech(6 * 16_000, 16_000).reshape(6, 16_000)
    front_end = MfccFrontEnd()
    front_end = front_end.measured(front_end.cepstra(clips))
    path = folder / "int8.tflite"
    model = fold(ds_cnn.build(channels=12, blocks=2))
    artifact = export(model, None, front_end.features(clips), {}, path)
    write_json(folder / "int8.frontend.json", device_mfcc(front_end, artifact))
    return path, front_end
