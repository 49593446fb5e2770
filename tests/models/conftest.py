"""What a network of random weights costs on an NPU; a user's folder with a module of layers."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.artifacts.resources import ResourceReport
from tinyprune.npu import targets, vela

#: A user's module, which works with either Keras.
LAYERS_OF_MINE = """
import tensorflow as tf

class Scale(tf.keras.layers.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
    def call(self, x):
        return x * self.factor
    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

def double(x):
    return x * 2.0
"""


@pytest.fixture(scope="session")
def layers_of_mine() -> str:
    """A user's module: a layer ``Scale`` and a function ``double``."""
    return LAYERS_OF_MINE


@pytest.fixture
def cost(tmp_path: Path) -> Callable[[keras.Model], ResourceReport]:
    """Converts to int8, compiles for ethos-u55-128, and reads what Vela says."""
    return lambda model: _cost(model, tmp_path)


def _cost(model: keras.Model, folder: Path) -> ResourceReport:
    samples = (
        np.random.default_rng(0).normal(size=(2, 1, *model.inputs[0].shape[1:])).astype(np.float32)
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = folder / f"{model.name}.tflite"
    path.write_bytes(converter.convert())
    return vela.compile_tflite(path, targets.resolve("ethos-u55-128"), folder).report


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a user's module ``layers_of_mine``; what is imported from the folder is forgotten."""
    before = set(sys.modules)
    (tmp_path / "layers_of_mine.py").write_text(LAYERS_OF_MINE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__spec__", "")):
            del sys.modules[name]
