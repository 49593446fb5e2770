"""Networks that TFMOT has wrapped, and SavedModel folders: the network inside is what is loaded."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tinyprune.errors import UsageError
from tinyprune.models.loading.own import is_own, load

INPUTS = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)


def network() -> tf_keras.Model:
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(0)
    return tf_keras.Sequential(
        [
            tf_keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, activation="relu", name="depthwise"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, activation="softmax", name="head"),
        ]
    )


@pytest.mark.parametrize("suffix", [".h5", pytest.param(".keras", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["pruned", pytest.param("quantized", marks=pytest.mark.slow)])
def test_wrappers_are_taken_off(
    tmp_path: Path, kind: str, suffix: str, monkeypatch: pytest.MonkeyPatch
):
    assert tf.keras.__version__ == keras.__version__
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "")  # whatever TFMOT makes of it is undone
    import tensorflow_model_optimization as tfmot

    monkeypatch.delenv("TF_USE_LEGACY_KERAS")
    plain = network()
    wrap = {
        "pruned": tfmot.sparsity.keras.prune_low_magnitude,
        "quantized": tfmot.quantization.keras.quantize_model,
    }
    wrapped = wrap[kind](plain)
    assert len(wrapped.weights) > len(plain.weights)
    path = tmp_path / f"wrapped{suffix}"
    wrapped.save(path)

    loaded = load(str(path))
    for name in ("conv", "depthwise", "head"):
        assert type(loaded.get_layer(name)).__name__ == type(plain.get_layer(name)).__name__
    np.testing.assert_allclose(loaded(INPUTS), plain(INPUTS), atol=1e-6)
    assert "TF_USE_LEGACY_KERAS" not in os.environ


def test_a_saved_model_of_keras_2_has_its_layers(tmp_path: Path):
    plain = network()
    plain.save(tmp_path / "folder")
    assert is_own(str(tmp_path / "folder"))
    loaded = load(str(tmp_path / "folder"))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in plain.layers]
    np.testing.assert_allclose(loaded(INPUTS), plain(INPUTS), atol=1e-6)


def test_a_saved_model_without_layers_says_what_to_do(tmp_path: Path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(UsageError, match="holds no layers: save the model as .keras, or prune"):
        load(str(tmp_path / "exported"))


def test_code_in_a_saved_model_is_not_run(tmp_path: Path):
    layers = [tf_keras.Input((4,)), tf_keras.layers.Lambda(lambda x: x * 2, name="double")]
    tf_keras.Sequential(layers).save(tmp_path / "folder")
    with pytest.raises(UsageError, match="layer 'double' is a Lambda, code that would run unseen"):
        load(str(tmp_path / "folder"))
