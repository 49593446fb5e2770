"""The reference of a stream: TFLM, LiteRT for what it lacks, and what that is worth."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.one_operator import one_operator
from tinyprune.compress.fold import fold
from tinyprune.export.tflite import convert
from tinyprune.named_arrays import joined
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.comparison import Lockstep
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite import reference
from tinyprune.tflite.engines import LITERT, TFLM, Engine, LiteRt, has_tflm
from tinyprune.tflite.reference import MIXED, reference_of

needs_tflm = pytest.mark.skipif(not has_tflm(), reason="TFLM is not installed")
U55 = targets.resolve("ethos-u55-128")
INFERENCES = 20


def file_of(model: keras.Model, inputs: np.ndarray) -> bytes:
    return convert(fold(model), None, inputs)


@pytest.fixture(scope="module")
def with_gelu() -> bytes:
    """Dense layers around activations that TFLM has no operator for."""
    keras.utils.set_random_seed(0)
    given = keras.Input((24,))
    hidden = keras.layers.Dense(64, activation="gelu")(given)
    hidden = keras.layers.Dense(64, activation="gelu")(hidden)
    made = keras.layers.Dense(48)(hidden)
    rng = np.random.default_rng(0)
    return file_of(keras.Model(given, made), rng.standard_normal((64, 24)).astype(np.float32))


def compared(network: CompiledNetwork, engine: Engine) -> Lockstep:
    """Both on noise."""
    lockstep = Lockstep(network, engine, INFERENCES)
    rng = np.random.default_rng(1)
    for _ in range(INFERENCES):
        lockstep.invoke(
            [rng.integers(-128, 128, end.shape, dtype=np.int8) for end in network.inputs]
        )
    assert lockstep.inferences == INFERENCES
    return lockstep


def compiled(content: bytes, folder: Path) -> CompiledNetwork:
    path = folder / "net.tflite"
    path.write_bytes(content)
    return CompiledNetwork(vela.compile_tflite(path, U55, folder / "vela").path)


@needs_tflm
def test_what_tflm_lacks_is_run_by_litert_and_nothing_else(with_gelu, tmp_path):
    """LiteRT rounds dense layers otherwise, so by itself it is off."""
    found = reference_of(with_gelu)
    assert (found.engine.name, found.reason) == (MIXED, "LiteRT runs what TFLM lacks: GELU")
    network = compiled(with_gelu, tmp_path)
    assert compared(network, found.engine).bytes_off == 0
    alone = compared(network, LiteRt(with_gelu))
    assert 0 < alone.bytes_off < alone.bytes / 10
    assert alone.bytes_beyond <= alone.bytes_off


@needs_tflm
def test_a_changed_weight_is_found(with_gelu, tmp_path):
    network = compiled(with_gelu, tmp_path)
    scales = [
        step.scales[0].start for step in network.programs[0].settings if hasattr(step, "scales")
    ]
    path = next((tmp_path / "vela").glob("*_vela.tflite"))
    content = bytearray(path.read_bytes())
    constants = network.file.steps[0].constants
    old = constants[scales[-1] : scales[-1] + 64]
    place = content.index(old)
    content[place + 1] ^= 0x40  # of the bias of an output
    path.write_bytes(bytes(content))
    assert compared(CompiledNetwork(path), reference_of(with_gelu).engine).bytes_beyond > 0


@needs_tflm
def test_ends_keep_their_order_and_are_read_where_they_are_needed(tmp_path):
    """An output that is read again inside, and inputs that meet behind an operator of LiteRT."""
    keras.utils.set_random_seed(0)
    first, second = keras.Input((8,), name="first"), keras.Input((16,), name="second")
    low = keras.layers.Dense(16, activation="gelu", name="low")(first)
    high = keras.layers.Dense(4, name="high")(keras.layers.Add()([low, second]))
    model = keras.Model({"first": first, "second": second}, {"low": low, "high": high})
    rng = np.random.default_rng(2)
    inputs = {
        "first": rng.standard_normal((32, 8)).astype(np.float32),
        "second": rng.standard_normal((32, 16)).astype(np.float32),
    }
    content = file_of(model, joined(inputs))
    found = reference_of(content)
    assert found.engine.name == MIXED
    assert compared(compiled(content, tmp_path), found.engine).bytes_off == 0


@needs_tflm
def test_a_state_is_kept_until_a_reset():
    """An LSTM of TFLM before a GELU of LiteRT."""
    keras.utils.set_random_seed(0)
    given = keras.Input((None, 8))
    hidden = keras.layers.LSTM(12, return_sequences=True)(given)
    model = keras.Model(given, keras.layers.Dense(6, activation="gelu")(hidden))
    rng = np.random.default_rng(3)
    content = convert(fold(model), 1, rng.standard_normal((64, 8)).astype(np.float32))
    engine = reference_of(content).engine
    assert engine.name == MIXED
    inputs = [rng.integers(-128, 128, (1, 1, 8), dtype=np.int8)]
    first, second = (engine.invoke(inputs)[0] for _ in range(2))
    engine.reset()
    assert (first != second).any()
    assert (engine.invoke(inputs)[0] == first).all()


@needs_tflm
def test_dense_layers_that_tflm_lacks_leave_all_to_litert():
    wide = one_operator(np.ones((16, 8), np.int8), wide=True)
    found = reference_of(wide)
    assert found.engine.name == LITERT
    assert "TFLM cannot run the network" in found.reason


def test_without_tflm_litert_runs_all(with_gelu, monkeypatch):
    monkeypatch.setattr(reference, "has_tflm", lambda: False)
    found = reference_of(with_gelu)
    assert found.engine.name == LITERT
    assert found.reason.startswith("TFLM is not installed: ")


@needs_tflm
def test_what_tflm_can_run_is_run_by_it_alone():
    found = reference_of(one_operator(np.ones((16, 8), np.int8)))
    assert (found.engine.name, found.reason) == (TFLM, "")
