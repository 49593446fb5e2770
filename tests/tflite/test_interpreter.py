import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.export.tflite import convert
from tinyprune.models.tinylstm import build
from tinyprune.tflite import flatbuffer, interpreter
from tinyprune.tflite.interpreter import Int8Model

BANDS, FRAMES = 8, 5
FEATURES = np.random.default_rng(0).normal(size=(40, BANDS)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Int8Model:
    import keras

    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("interpreter") / "tiny.tflite"
    path.write_bytes(convert(build((None, BANDS), BANDS, 6, 5), FRAMES, FEATURES))
    return Int8Model(path)


def test_what_it_says_about_itself(model):
    assert model.frames == FRAMES
    assert (model.output_scale, model.output_zero_point) == (1 / 256, -128)  # of a sigmoid
    low, high = (model.input_scale * (end - model.input_zero_point) for end in (-128, 127))
    np.testing.assert_allclose(
        [low, high], [FEATURES.min(), FEATURES.max()], atol=model.input_scale
    )


def test_a_step_is_floats_in_floats_out(model):
    made = model.step(FEATURES[:FRAMES])
    assert made.shape == (FRAMES, BANDS)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made * 256, np.round(made * 256))


def test_a_whole_utterance_is_its_steps_from_a_reset_state(model):
    model.step(FEATURES[:FRAMES])  # something of another utterance
    whole = model.run(FEATURES)
    model.reset()
    parts = [
        model.step(FEATURES[start : start + FRAMES]) for start in range(0, len(FEATURES), FRAMES)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(model.run(FEATURES), whole)


@pytest.mark.parametrize("length", [1, FRAMES - 1, FRAMES, FRAMES + 1, 2 * FRAMES + 3])
def test_any_length_is_run_and_padding_does_not_show(model, length):
    made = model.run(FEATURES[:length])
    assert made.shape == (length, BANDS)
    np.testing.assert_array_equal(made, model.run(FEATURES)[:length])


def test_features_beyond_the_range_are_clipped_not_wrapped(model):
    huge = np.full((FRAMES, BANDS), 1e6, np.float32)
    largest = np.full(
        (FRAMES, BANDS), model.input_scale * (127 - model.input_zero_point), np.float32
    )
    np.testing.assert_array_equal(model.run(huge), model.run(largest))
    np.testing.assert_array_equal(model.run(-huge), model.run(-largest * 10))


def test_tflite_runtime_is_used_where_only_that_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", SimpleNamespace())
    monkeypatch.setitem(
        sys.modules, "tflite_runtime.interpreter", SimpleNamespace(Interpreter="theirs")
    )
    assert interpreter.interpreter_class() == "theirs"


def test_no_interpreter_at_all_is_one_line_with_what_to_install(monkeypatch):
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        TinypruneError, match=r"^no int8 interpreter is installed: pip install ai-edge-litert$"
    ):
        interpreter.interpreter_class()


def test_shapes_of_one_call(model):
    assert model.input_shape == model.output_shape == (1, FRAMES, BANDS)


def test_16_bit_inputs_and_outputs_are_scaled_as_8_bit_ones_are(networks):
    wide = Int8Model(networks.dense_int16())
    features = np.random.default_rng(0).uniform(-0.9, 0.9, 16).astype(np.float32)
    made = wide.step(features)
    assert wide.input_shape == (1, 16)
    np.testing.assert_array_equal(
        made, np.round(made / wide.output_scale) * np.float32(wide.output_scale)
    )
    assert np.abs(made).max() / wide.output_scale > 128  # more steps than 8 bit have
    np.testing.assert_allclose(wide.step(features * 1.001), made, atol=0.01)


def test_files_that_cannot_be_run_are_one_line(tmp_path, networks):
    with pytest.raises(
        UsageError, match=r"^there is no file .*gone.tflite: expected an int8 .tflite$"
    ):
        Int8Model(tmp_path / "gone.tflite")
    (tmp_path / "text.tflite").write_text("no network\n" * 100)
    with pytest.raises(
        TinypruneError, match=r"^.*text.tflite cannot be run by the int8 interpreter: [^\n]+[^.]$"
    ):
        Int8Model(tmp_path / "text.tflite")
    with pytest.raises(
        UsageError,
        match=r"^.*dense_float.tflite is not an int8 network: input '.*' is float32, first float op",
    ):
        Int8Model(networks.dense_float())


def test_a_call_that_fails_is_one_line(model, monkeypatch):
    def fail():
        raise RuntimeError("Node number 3 failed to invoke.\nmore of it")

    monkeypatch.setattr(model, "_model", SimpleNamespace(set_tensor=lambda *_: None, invoke=fail))
    with pytest.raises(
        TinypruneError,
        match=r"tiny.tflite cannot be run by the int8 interpreter: Node number 3 failed",
    ):
        model.step(FEATURES[:FRAMES])


def test_features_of_another_size_are_one_line(model):
    with pytest.raises(
        TinypruneError, match=r"cannot be run by the int8 interpreter: cannot reshape array of size"
    ):
        model.step(FEATURES[: FRAMES - 1])


def test_float_ends_are_those_of_the_integers_behind_them(networks):
    model = Int8Model(networks.dense_float_ends())
    first, *_, last = flatbuffer.read(networks.dense_float_ends()).operators
    assert (first.name, last.name) == ("QUANTIZE", "DEQUANTIZE")
    assert model.input_scale == pytest.approx(first.outputs[0].scale[0])
    assert model.output_scale == pytest.approx(last.given_inputs[0].scale[0])
    features = np.linspace(-1, 1, 16, dtype=np.float32)
    steps = model.run(features) / model.output_scale
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    rounded = np.round(features / model.input_scale) * np.float32(model.input_scale)
    np.testing.assert_allclose(model.run(rounded), model.run(features), atol=1e-6)
