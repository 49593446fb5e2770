"""What tests of several rooms share: tiny networks and a tiny run, made once per session; the log; bad disks."""

import errno
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest


class Networks:
    """Converts on demand and keeps the file: one folder per session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def dense(self) -> Path:
        """16 inputs, 32 hidden units, 8 outputs, int8."""
        import keras

        layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(8)]
        return self._converted("dense.tflite", (16,), layers)

    def dense_float(self) -> Path:
        import keras

        return self._converted("dense_float.tflite", (16,), [keras.layers.Dense(8)], int8=False)

    def strided(self) -> Path:
        """A convolution with stride 5, which the NPU cannot do, then one that it can."""
        import keras

        layers = [keras.layers.Conv2D(32, 3, strides=5, padding="same"), keras.layers.Conv2D(16, 3, padding="same")]
        return self._converted("strided.tflite", (16, 16, 8), layers)

    def all_cpu(self) -> Path:
        import keras

        layers = [keras.layers.Conv2D(32, 3, strides=5, padding="same")]
        return self._converted("all_cpu.tflite", (16, 16, 8), layers)

    def _converted(self, name: str, shape: tuple[int, ...], layers: list, int8: bool = True) -> Path:
        path = self.folder / name
        if not path.exists():
            path.write_bytes(_convert(shape, layers, int8))
        return path


def _convert(shape: tuple[int, ...], layers: list, int8: bool) -> bytes:
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Sequential([keras.Input(shape), *layers]))
    if int8:
        rng = np.random.default_rng(0)
        samples = rng.uniform(-1, 1, (8, 1, *shape)).astype(np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    return Networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What tinyprune says on its logger, whether or not a command line has been set up before."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, logger = Keep(), logging.getLogger("tinyprune")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be put in its place any more."""

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory; skips where this process may not mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a file system here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    with _mounted(tmp_path / "disk", "size=64k") as folder:
        yield folder


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A disk that cannot be written, not even by root."""
    with _mounted(tmp_path / "disk", "size=64k,ro") as folder:
        yield folder


@contextmanager
def _tiny_sizes() -> Iterator[None]:
    """Everything real, and small: a network of 16 units, utterances of a second, 40 frames of calibration."""
    from tinyprune.data import calibration, speech, synthetic_speech
    from tinyprune.export import stage
    from tinyprune.models import tinylstm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tinylstm, "build", partial(tinylstm.build, units=16, hidden=16))
        patch.setattr(synthetic_speech, "HELD_OUT_MINUTES", 0.1)
        patch.setattr(speech, "MAX_UTTERANCE_SECONDS", 1.0)
        patch.setattr(calibration, "SEQUENCES", 2)
        patch.setattr(calibration, "FRAMES", 20)
        patch.setattr(stage, "FORMS", {"streaming": 1, "sequence": 10})
        yield


@pytest.fixture
def tiny_sizes() -> Iterator[None]:
    with _tiny_sizes():
        yield


class Run:
    """A finished run of tiny sizes: a baseline and "weight-0.80", compiled for ethos-u55-128.

    Attributes: folder; train, prune, target: its configuration; qualities: of the pruning; summary.
    """

    def __init__(self, folder: Path) -> None:
        from tinyprune import pipeline
        from tinyprune.config import DataConfig, PruneConfig, RunConfig, TargetConfig, TrainConfig

        self.folder = folder
        data = DataConfig(minutes=0.3, dev_utterances=3)
        self.train = RunConfig(data=data, train=TrainConfig(epochs=2, batch_size=4, frames=50))
        self.prune, self.target = PruneConfig(epochs=2), TargetConfig()
        with _tiny_sizes():
            pipeline.train(folder, self.train)
            self.qualities = pipeline.prune(folder, self.prune)
            self.summary = pipeline.compile(folder, self.target)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def run_copy(finished_run: Run, tmp_path: Path) -> Path:
    """A run of one's own, to change."""
    return Path(shutil.copytree(finished_run.folder, tmp_path / "run"))
