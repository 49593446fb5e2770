"""Small ``.tflite`` files, converted on demand."""

from pathlib import Path


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

    def dense_float_ends(self) -> Path:
        """Int8 inside, float input and output."""
        import keras
        import tensorflow as tf

        ends = (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.float32)
        layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(8)]
        return self._converted("dense_float_ends.tflite", (16,), layers, kind=ends)

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

    def image(self) -> Path:
        """Three convolutions over an image, whose feature maps are the largest of its memory."""
        import keras

        layers = [keras.layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(3)]
        return self._converted("image.tflite", (32, 32, 3), layers)

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
