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

    def dense_int16(self) -> Path:
        """Activations of 16 bits, weights of 8."""
        import keras
        import tensorflow as tf

        int16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        return self._converted(
            "dense_int16.tflite", (16,), [keras.layers.Dense(8)], kind=(int16, tf.int16)
        )

    def strided(self) -> Path:
        """A convolution with stride 5, which the NPU cannot do, then one that it can."""
        import keras

        layers = [
            keras.layers.Conv2D(32, 3, strides=5, padding="same"),
            keras.layers.Conv2D(16, 3, padding="same"),
        ]
        return self._converted("strided.tflite", (16, 16, 8), layers)

    def all_cpu(self) -> Path:
        import keras

        layers = [keras.layers.Conv2D(32, 3, strides=5, padding="same")]
        return self._converted("all_cpu.tflite", (16, 16, 8), layers)

    def _converted(
        self,
        name: str,
        shape: tuple[int, ...],
        layers: list,
        int8: bool = True,
        kind: tuple | None = None,
    ) -> Path:
        path = self.folder / name
        if not path.exists():
            path.write_bytes(_convert(shape, layers, int8, kind))
        return path


def _convert(shape: tuple[int, ...], layers: list, int8: bool, kind: tuple | None) -> bytes:
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(
        keras.Sequential([keras.Input(shape), *layers])
    )
    if int8:
        rng = np.random.default_rng(0)
        samples = rng.uniform(-1, 1, (8, 1, *shape)).astype(np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        operators, number = kind or (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8)
        converter.target_spec.supported_ops = [operators]
        converter.inference_input_type = converter.inference_output_type = number
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
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.setLevel(before)
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
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
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
    from tinyprune.data.speech import calibration, fixed_mixtures
    from tinyprune.data.synthetic import corpus
    from tinyprune.models import tinylstm
    from tinyprune.tasks.speech import Speech
    from tinyprune.tasks.task import Form

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tinylstm, "build", partial(tinylstm.build, units=16, hidden=16))
        patch.setattr(corpus, "HELD_OUT_MINUTES", 0.1)
        patch.setattr(fixed_mixtures, "MAX_UTTERANCE_SECONDS", 1.0)
        patch.setattr(calibration, "SEQUENCES", 2)
        patch.setattr(calibration, "FRAMES", 20)
        patch.setattr(Speech, "forms", (Form("streaming", 1), Form("sequence", 10)))
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
        with _tiny_sizes():
            train_baseline(folder, self.train)
            self.qualities = prune_variants(folder, [self.prune])
            [self.summary] = compile_variants(folder, [targets.resolve(self.target.npu)])


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def run_copy(finished_run: Run, tmp_path: Path) -> Path:
    """A run of one's own, to change."""
    return Path(shutil.copytree(finished_run.folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def speech_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with two untrained int8 streaming networks of 16 mel bands, "baseline" and the newer "small"."""
    import keras
    import numpy as np

    from tinyprune.audio import stft
    from tinyprune.audio.device import device_front_end
    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.export.tflite import export
    from tinyprune.models.tinylstm import build
    from tinyprune.storage.records import write_json

    run, frontend = tmp_path_factory.mktemp("speech") / "run", FrontEnd(bands=16)
    spectrum = stft.analyse(np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10)
    frontend = frontend.measured(frontend.compress(spectrum))
    for seed, name in enumerate(("baseline", "small")):
        folder = run / "variants" / name
        folder.mkdir(parents=True)
        keras.utils.set_random_seed(seed)
        artifact = export(
            build((None, 16), 16, 8, 8),
            1,
            frontend.features(spectrum),
            {},
            folder / "streaming.tflite",
        )
        write_json(folder / "streaming.json", artifact)
        write_json(folder / "streaming.frontend.json", device_front_end(frontend, artifact))
        write_json(folder / "train.json", {})
        os.utime(folder / "train.json", (seed, seed))
    return run


#: A network of one's own, as a user has it in a file: 3 classes of 8x8 pixels in colour.
TINY_NET = """
import keras
from keras import layers


def build():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    x = layers.Conv2D(24, 1, name="pointwise")(x)
    x = layers.Activation("relu", name="pointwise_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x), name="tiny")
"""


def write_images(path: Path, classes: int = 3) -> Path:
    """An ``.npz`` of noisy 8x8 pictures, each mostly of one of three colours; 48, 24 and 12 of the splits."""
    import numpy as np

    rng, arrays = np.random.default_rng(0), {}
    for split, count in (("train", 48), ("dev", 24), ("test", 12)):
        labels = np.arange(count) % classes
        pixels = rng.integers(0, 100, (count, 8, 8, 3))
        pixels[np.arange(count), :, :, labels] += 150
        arrays |= {f"x_{split}": pixels.astype(np.uint8), f"y_{split}": labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


class ImageRun:
    """A finished run on pictures, of every structure, compiled for ethos-u55-128.

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
            *prunings(prune, [(0.5, 0.7)], []),
            *prunings(prune | {"structure": "unit"}, [(0.5,), (0.8,)], ["weight"]),
            *prunings(prune | {"structure": "2:4", "exclude": ["stem"]}, [], []),
            *prunings(
                prune | {"structure": "block", "block_size": "4x8", "importance": "l2"},
                [(0.5,)],
                [],
            ),
        ]
        train_baseline(self.folder, self.config)
        self.qualities = prune_variants(self.folder, self.configs)
        int8 = self.folder / "variants/baseline/int8.tflite"
        self.offline = prune_offline(self.folder, int8, OfflinePruning(), None)
        [self.summary] = compile_variants(self.folder, [targets.resolve("ethos-u55-128")])


@pytest.fixture(scope="session")
def own_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``tiny_net.py``, whose modules can be imported."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "tiny_net.py").write_text(TINY_NET)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="session")
def image_run(own_network: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageRun:
    return ImageRun(tmp_path_factory.mktemp("images"))


@pytest.fixture
def image_run_copy(image_run: ImageRun, tmp_path: Path) -> Path:
    """A run on pictures of one's own, to change."""
    return Path(shutil.copytree(image_run.folder, tmp_path / "run"))
