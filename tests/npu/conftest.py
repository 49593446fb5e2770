"""Tiny networks, converted once per session."""

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
