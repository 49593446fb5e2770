import json
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.support.quick import quick
from tinyprune.artifacts.network import ContextState
from tinyprune.compress.fold import fold
from tinyprune.compress.streaming import Context, streaming
from tinyprune.errors import CheckFailed
from tinyprune.export.contexts import check_contexts
from tinyprune.export.converter import calibration_inputs
from tinyprune.export.tflite import convert
from tinyprune.models import crn, tinylstm
from tinyprune.npu import targets, vela
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.interpreter import Int8Model

BANDS, FRAMES = 16, 24


def features(frames: int, bands: int = BANDS) -> np.ndarray:
    """Consecutive features that change slowly."""
    noise = np.random.default_rng(0).normal(size=(frames + 4, bands))
    return np.stack([noise[t : t + 5].sum(axis=0) / 2 for t in range(frames)]).astype(np.float32)


def lively(model: keras.Model, frames: np.ndarray) -> keras.Model:
    """Statistics of BatchNorm as after training."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(frames[None], training=True)
    return model


def sqnr_db(reference: np.ndarray, found: np.ndarray) -> float:
    signal = reference - reference.mean()
    return 10 * np.log10(np.sum(signal**2) / np.sum((reference - found) ** 2))


# --- float: frame by frame is the whole sequence
# ----------------------------------------------------------------------


def small_crn(frames: int | None = None) -> keras.Model:
    return crn.build((frames, BANDS), 12, channels=(4, 6), hidden=8, dilations=(1, 2))


def dilated() -> keras.Model:
    x = given = keras.Input((None, BANDS))
    for dilation in (1, 3):
        past = layers.Conv1D(BANDS, 4, padding="causal", dilation_rate=dilation, activation="relu")(
            x
        )
        x = layers.Add()([x, past])
    return keras.Model(given, layers.Dense(5)(x))


def padded_1d() -> keras.Model:
    """The padding and what uses it up are two layers each, with others between them."""
    x = given = keras.Input((None, BANDS))
    x = layers.ZeroPadding1D((3, 0), name="past")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.AveragePooling1D(2, strides=1)(layers.Conv1D(6, 3, name="conv")(x))
    return keras.Model(given, layers.Permute((1, 2))(layers.Softmax()(x)))


def shared() -> keras.Model:
    """One layer called twice has two pasts."""
    x = given = keras.Input((None, BANDS))
    conv = layers.Conv1D(BANDS, 3, padding="causal", name="conv")
    return keras.Model(given, conv(layers.ReLU()(conv(x))) + x)


def with_lstm() -> keras.Model:
    x = given = keras.Input((None, BANDS))
    x = layers.Conv1D(8, 2, padding="causal", name="before")(x)
    x = layers.LSTM(6, return_sequences=True)(x)
    return keras.Model(given, layers.Conv1D(5, 3, padding="causal", name="after")(x))


MODELS = {
    "crn of fixed length": (lambda: small_crn(FRAMES), [1, 1, 2, 4]),
    "folded crn": (lambda: fold(small_crn()), [1, 1, 2, 4]),
    "dilated": (dilated, [3 * 1, 3 * 3]),
    "1-D padding": (padded_1d, [3]),
    "shared": (shared, [2, 2]),
    "lstm": (with_lstm, [1, 2]),
}


@pytest.mark.parametrize("name", quick(list(MODELS), "dilated", "1-D padding", "shared", "lstm"))
def test_frame_by_frame_is_the_whole_sequence(name):
    build, past = MODELS[name]
    keras.utils.set_random_seed(0)
    model, frames = lively(build(), features(FRAMES)), features(FRAMES)
    stream, contexts = streaming(model)
    assert [context.frames for context in contexts] == past
    assert [x.shape for x in stream.inputs] == [
        (1, 1, BANDS),
        *(context.shape for context in contexts),
    ]
    assert [x.shape for x in stream.outputs] == [
        (1, 1, model.output_shape[-1]),
        *(c.shape for c in contexts),
    ]
    made, calls = stepped(stream, frames)
    whole = np.asarray(model(frames[None]))[0]
    assert np.ptp(whole) > 0.01
    np.testing.assert_allclose(made, whole, atol=1e-5)
    for call, calibrated in zip(calls, calibration_inputs(model, frames), strict=True):
        for expected, found in zip(call, calibrated, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def stepped(stream: keras.Model, frames: np.ndarray) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """What a one-frame model makes of an utterance, and the inputs of its calls."""
    step, contexts = tf.function(stream), [np.zeros(x.shape, np.float32) for x in stream.inputs[1:]]
    outputs, calls = [], []
    for frame in frames:
        calls.append([frame[None, None], *contexts])
        output, *contexts = step(calls[-1])
        outputs.append(output[0, 0])
    return np.array(outputs), calls


def test_the_contexts_have_names_and_shapes():
    _, contexts = streaming(small_crn())
    assert contexts == (
        Context("encoder_1_past", 1, (1, 1, 16, 1)),
        Context("encoder_2_past", 1, (1, 1, 8, 4)),
        Context("temporal_1", 2, (1, 2, 8)),
        Context("temporal_2", 4, (1, 4, 8)),
    )
    assert [context.name for context in streaming(shared())[1]] == ["conv", "conv_2"]


def test_a_window_may_be_used_up_by_several_layers_and_in_two_dimensions():
    keras.utils.set_random_seed(0)
    given = keras.Input((None, BANDS, 2))
    x = layers.ZeroPadding2D(((4, 0), (1, 1)), name="past")(given)
    x = layers.DepthwiseConv2D((2, 3))(layers.DepthwiseConv2D((2, 1), dilation_rate=(3, 1))(x))
    x = layers.UpSampling2D((1, 2))(
        layers.MaxPooling2D((1, 2))(layers.Conv2D(4, (1, 3), padding="same")(x))
    )
    model = keras.Model(given, layers.Reshape((-1, 4 * BANDS))(x))
    stream, (context,) = streaming(model)
    assert context == Context("past", 1 * 3 + 1, (1, 4, BANDS, 2))
    frames = features(FRAMES, 2 * BANDS).reshape(FRAMES, BANDS, 2)
    np.testing.assert_allclose(
        stepped(stream, frames)[0], np.asarray(model(frames[None]))[0], atol=1e-5
    )


def test_a_model_without_contexts_is_itself():
    model = tinylstm.build((None, BANDS), BANDS, 6, 5)
    assert streaming(model) == (model, ())


def test_the_model_that_is_given_stays_as_it_was():
    model = small_crn()
    before = [weights.copy() for weights in model.get_weights()]
    stream, _ = streaming(model)
    stream.set_weights([weights + 1 for weights in stream.get_weights()])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# --- int8
# -------------------------------------------------------------------------------------------------------------


@dataclass
class Exported:
    """The default CRN with random weights. Attributes: model (folded), contexts, path, features."""

    model: keras.Model
    contexts: tuple[Context, ...]
    path: Path
    features: np.ndarray


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    keras.utils.set_random_seed(0)
    frames = features(60, 128)
    model = fold(lively(crn.build(), frames))
    path = tmp_path_factory.mktemp("streaming") / "crn.tflite"
    path.write_bytes(convert(model, 1, frames))
    return Exported(model, streaming(model)[1], path, frames)


def test_int8_frame_by_frame_follows_the_float_sequence(exported):
    reference = np.asarray(exported.model(exported.features[None]))[0]
    made = Int8Model(exported.path).run(exported.features)
    assert np.ptp(reference) > 0.3
    assert made.shape == reference.shape
    assert sqnr_db(reference, made) > 25


def test_int8_frame_by_frame_is_the_int8_sequence(exported, tmp_path):
    path = tmp_path / "sequence.tflite"
    path.write_bytes(convert(exported.model, 60, exported.features))
    whole = Int8Model(path).run(exported.features)
    assert (
        sqnr_db(whole, Int8Model(exported.path).run(exported.features)) > 35
    )  # scales differ in the 7th digit


def test_a_context_goes_in_as_the_bytes_that_came_out(exported):
    graph = read(exported.path)
    states = check_contexts(exported.path, graph, exported.contexts)
    assert [state.shape for state in states] == [context.shape for context in exported.contexts]
    assert (
        len({state.input_position for state in states})
        == len({state.output_position for state in states})
        == 8
    )
    for state in states:
        given, made = graph.inputs[state.input_position], graph.outputs[state.output_position]
        assert (given.name, made.name) == (state.input_name, state.output_name)
        assert given.dtype == made.dtype == "int8"
        assert given.scale.tolist() == made.scale.tolist() == [state.scale]
        assert given.zero_point.tolist() == made.zero_point.tolist() == [state.zero_point]
    again = ContextState(**json.loads(json.dumps(asdict(states[0]))))
    assert (again.input_name, again.scale) == (states[0].input_name, states[0].scale)


def test_the_npu_runs_every_operator(exported, tmp_path):
    for npu in ("ethos-u55-128", "ethos-u85-256"):
        report = vela.compile_tflite(exported.path, targets.resolve(npu), tmp_path / npu).report
        assert report.cpu_operators == ()
        if npu == "ethos-u55-128":
            assert report.sram_bytes < 24 * 1024
            assert report.cycles < 600_000


def test_the_past_lives_between_calls_until_reset(exported):
    model, frame = Int8Model(exported.path), exported.features[:1]
    assert (model.frames, model.output_scale, model.output_zero_point) == (1, 1 / 256, -128)
    first, second = model.step(frame), model.step(frame)
    assert first.shape == (1, 128)
    assert np.abs(first - second).max() > 2 / 256
    model.reset()
    np.testing.assert_array_equal(model.step(frame), first)
    np.testing.assert_array_equal(model.step(frame), second)
    np.testing.assert_array_equal(
        model.run(np.concatenate([frame, frame])), np.concatenate([first, second])
    )


def test_a_context_that_needs_a_conversion_is_a_failed_check(exported, tmp_path):
    path = tmp_path / "broken.tflite"
    state = check_contexts(exported.path, read(exported.path), exported.contexts)[4]
    path.write_bytes(with_scale(exported.path.read_bytes(), state.output_name, 2 * state.scale))
    with pytest.raises(
        CheckFailed, match=r"the context of layer 'temporal_1' cannot be copied as bytes"
    ) as caught:
        check_contexts(path, read(path), exported.contexts)
    assert "\n" not in str(caught.value)


def with_scale(content: bytes, name: str, scale: float) -> bytes:
    """A flatbuffer with another scale of one tensor."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    (tensor,) = (tensor for tensor in model.subgraphs[0].tensors if tensor.name == name.encode())
    tensor.quantization.scale = [scale]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_context_that_the_graph_does_not_have_is_a_failed_check(exported):
    more = (*exported.contexts, Context("ninth", 1, (1, 1, 4)))
    with pytest.raises(
        CheckFailed, match=r"context 9, of layer 'ninth', is no input and output of the graph$"
    ):
        check_contexts(exported.path, read(exported.path), more)


def test_a_last_frame_that_is_the_loudest_is_no_other_scale(tmp_path):
    """No call of the calibration has it in its context; the graph has one scale for both nevertheless."""
    keras.utils.set_random_seed(0)
    model, frames, path = dilated(), features(40), tmp_path / "loud.tflite"
    frames[-1] *= 5
    path.write_bytes(convert(model, 1, frames))
    assert len(check_contexts(path, read(path), streaming(model)[1])) == 2


@pytest.mark.slow
def test_what_is_concatenated_elsewhere_still_has_a_context_of_one_scale(tmp_path):
    """The other concatenation wants a scale of its own for the same tensor."""
    keras.utils.set_random_seed(0)
    given = keras.Input((None, BANDS))
    x = layers.Dense(8, activation="relu")(given)
    loud = layers.Rescaling(7.0)(layers.Conv1D(8, 2, padding="causal", name="past")(x))
    model = keras.Model(
        given, layers.Conv1D(5, 2, padding="causal", name="last")(layers.Concatenate()([x, loud]))
    )
    path, frames = tmp_path / "concatenated.tflite", features(60)
    path.write_bytes(convert(model, 1, frames))
    assert len(check_contexts(path, read(path), streaming(model)[1])) == 2
    assert sqnr_db(np.asarray(model(frames[None]))[0], Int8Model(path).run(frames)) > 25


@pytest.mark.slow
def test_contexts_beside_a_fused_lstm(tmp_path):
    keras.utils.set_random_seed(0)
    model, frames, path = with_lstm(), features(100), tmp_path / "lstm.tflite"
    path.write_bytes(convert(model, 1, frames))
    check_contexts(path, read(path), streaming(model)[1])
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in [operator.name for operator in read(path).operators]
    runner, reference = Int8Model(path), np.asarray(model(frames[None]))[0]
    made = runner.run(frames)
    assert sqnr_db(reference, made) > 25
    np.testing.assert_array_equal(runner.run(frames), made)


@pytest.mark.slow
def test_a_network_without_contexts_runs_the_same_way(tmp_path):
    keras.utils.set_random_seed(0)
    model, frames, path = (
        tinylstm.build((None, BANDS), BANDS, 6, 5),
        features(40),
        tmp_path / "tinylstm.tflite",
    )
    path.write_bytes(convert(model, 1, frames))
    assert check_contexts(path, read(path), ()) == ()
    np.testing.assert_allclose(
        Int8Model(path).run(frames), np.asarray(model(frames[None]))[0], atol=0.02
    )
