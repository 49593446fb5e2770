"""The C of networks of all kinds: its own vectors, and other inputs with the simulator as its NPU."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.shared.firmware_in_c import FirmwareInC
from benchmarks.shared.toys import keyword_network
from tests.support import several
from tests.support.compilers import needs_gcc
from tests.support.sound_networks import WINDOW, anomaly_network, window_features
from tests.support.stream_networks import registered
from tinyprune.compress.fold import fold
from tinyprune.data.arrays.frontend import ArrayFrontEnd, NamedFrontEnd, OutputRecord
from tinyprune.data.images.dataset import ImageFrontEnd
from tinyprune.export.tflite import convert, export
from tinyprune.firmware.golden import made_up_speech
from tinyprune.metrics.numbers import mse
from tinyprune.models import tinygru
from tinyprune.named_arrays import joined
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.stages.firmware import FirmwareOptions, firmware_of_file
from tinyprune.storage.records import write_json
from tinyprune.tflite.interpreter import Int8Model

pytestmark = [needs_gcc, pytest.mark.slow]
U55 = targets.resolve("ethos-u55-128")
CALLS = 6


def in_c(path: Path, npu: str = "ethos-u55-128") -> FirmwareInC:
    """Generate and compile the sources of a network, which pass their own test."""
    options = FirmwareOptions(targets.resolve(npu), path.parent / "firmware", name="net")
    folder = firmware_of_file(path, options).folder
    goals = ["test", "test-qemu"] if shutil.which("qemu-system-arm") else ["test"]
    done = subprocess.run(["make", "-C", str(folder), *goals], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return FirmwareInC(folder, "net")


def simulated(path: Path) -> Int8Model:
    compiled = vela.compile_tflite(path, U55, path.parent / "vela").path
    return Int8Model(path, engine=CompiledNetwork(compiled))


def hold_on_noise(firmware: FirmwareInC, runner: Int8Model, reset_at: int = 3) -> None:
    """Hold C to the simulated network on numbers of the range of its first input."""
    rng = np.random.default_rng(1)
    out = np.zeros(int(np.prod(runner.output_shape)), np.float32)
    for call in range(CALLS):
        if call in (0, reset_at):
            assert firmware.reset() == 0
            runner.reset()
        given = rng.uniform(*runner.input_range, runner.input_shape[1:]).astype(np.float32)
        assert firmware.process([given], [out]) == 0
        assert (out == runner.step(given[None]).reshape(-1)).all()


@pytest.mark.parametrize("name", ["tinylstm", "crn", "resnet8", "mobilenet_v2"])
def test_registered_networks_without_a_front_end(name, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(registered(name))
    hold_on_noise(in_c(path), simulated(path))


def test_a_gru_of_explicit_cells(tmp_path):
    """Its state goes in and comes out of every call."""
    keras.utils.set_random_seed(0)
    path = tmp_path / "net.tflite"
    model = fold(tinygru.build((None, 16), 16, units=12, hidden=10))
    rng = np.random.default_rng(0)
    path.write_bytes(convert(model, 1, rng.standard_normal((64, 16)).astype(np.float32)))
    firmware = in_c(path)
    assert "context_bytes" in (tmp_path / "firmware/src/net_npu.c").read_text()
    hold_on_noise(firmware, simulated(path))


@pytest.mark.parametrize("npu", ["ethos-u65-256", "ethos-u85-256"])
def test_other_accelerators(npu, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(registered("resnet8"))
    firmware = in_c(path, npu)
    runner = Int8Model(
        path,
        engine=CompiledNetwork(
            vela.compile_tflite(path, targets.resolve(npu), tmp_path / "v").path
        ),
    )
    hold_on_noise(firmware, runner)


def test_keywords_with_their_front_end(tmp_path):
    path, front_end = keyword_network(tmp_path)
    clips = made_up_speech(CALLS * 16_000, 16_000).reshape(CALLS, 16_000)
    firmware, runner = in_c(path), simulated(path)
    scores = np.zeros(12, np.float32)
    assert firmware.reset() == 0
    for clip, features in zip(clips[::-1], front_end.features(clips)[::-1], strict=True):
        assert firmware.process([np.ascontiguousarray(clip)], [scores]) == 0
        assert np.abs(scores - runner.step(features)).max() <= 2 / 256  # a feature on a border


def test_anomalies_with_their_front_end(tmp_path):
    path, front_end = anomaly_network(tmp_path)
    sound = made_up_speech(16_000, 16_000)
    firmware, runner = in_c(path), simulated(path)
    error = np.zeros(1, np.float32)
    assert firmware.reset() == 0
    found = []
    for start in range(0, 80 * 128, 1280):
        window = sound[start : start + WINDOW].copy()
        assert firmware.process([window], [error]) == 0
        features = window_features(front_end, window)
        expected = mse(features, runner.step(features))
        found.append((float(error[0]), expected))
    assert np.allclose(*zip(*found, strict=True), rtol=1e-3)  # a feature on a border
    assert np.ptp([expected for _, expected in found]) > 0.1


def dense(shape: tuple[int, ...], outputs: int, path: Path) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    made = keras.layers.Dense(outputs)(keras.layers.Flatten()(inputs))
    rng = np.random.default_rng(0)
    path.write_bytes(
        convert(
            fold(keras.Model(inputs, made)),
            None,
            rng.standard_normal((32, *shape)).astype(np.float32),
        )
    )


FRONT_ENDS: dict[str, tuple[Callable, tuple[int, ...]]] = {
    "arrays": (
        lambda: ArrayFrontEnd(
            (4, 3), "standard", (1e4, 2.0, -3.0), (5.0, 1.0, 0.1), (7.0, 8.0), (2.0, 3.0)
        ),
        (4, 3),
    ),
    "images": (lambda: ImageFrontEnd((8, 8, 1), "unit", (0.0,), (255.0,)), (8, 8, 1)),
}


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_normalised_numbers(kind, tmp_path):
    make, shape = FRONT_ENDS[kind]
    front_end = make()
    path = tmp_path / "int8.tflite"
    dense(shape, 2, path)
    write_json(tmp_path / "int8.frontend.json", front_end)
    firmware, runner = in_c(path), simulated(path)
    rng = np.random.default_rng(3)
    out = np.zeros(2, np.float32)
    firmware.reset()
    for _ in range(CALLS):
        raw = rng.standard_normal(shape) * front_end.std + front_end.mean
        raw = raw.astype(np.float32)
        firmware.process([raw], [out])
        expected = runner.step(front_end.features(raw[None]))
        if kind == "arrays":
            expected = front_end.numbers(expected)
        step = runner.output_scale * max(getattr(front_end, "output_std", (1.0,)) or (1.0,))
        assert np.abs(out - expected).max() <= 1.01 * step


def test_several_inputs_and_outputs(tmp_path):
    network = several.network()
    path = tmp_path / "int8.tflite"
    export(fold(network), None, several.inputs(), {}, path)
    inputs = (
        ArrayFrontEnd((6, 6, 1), "none", (0.0,), (1.0,)),
        ArrayFrontEnd((3,), "standard", (1.0,) * 3, (10.0,) * 3),
    )
    outputs = (
        OutputRecord("kind", ("a", "b", "c")),
        OutputRecord("box", (), (1.0, 2.0), (3.0, 4.0)),
        OutputRecord("alarm"),
    )
    record = NamedFrontEnd(("picture", "angle"), inputs, outputs=outputs)
    write_json(tmp_path / "int8.frontend.json", record)

    firmware, runner = in_c(path), simulated(path)
    header = (tmp_path / "firmware/src/net.h").read_text()
    names = [end.name for end in runner.inputs], [end.name for end in runner.outputs]
    made = {name: np.zeros(shape, np.float32) for name, shape in several.OUTPUTS.items()}
    assert all(f"output_{name}[" in header for name in made)
    rng = np.random.default_rng(2)
    given = {
        "picture": rng.normal(size=(6, 6, 1)).astype(np.float32),
        "angle": rng.normal(size=3).astype(np.float32),
    }
    firmware.reset()
    assert (
        firmware.process([given[name] for name in names[0]], [made[name] for name in names[1]]) == 0
    )
    features = {
        "picture": given["picture"][None],
        "angle": ((given["angle"] - 1) / 10)[None].astype(np.float32),
    }
    expected = runner.step(joined(features))
    assert np.allclose(made["kind"], expected["kind"])
    assert np.allclose(made["alarm"], expected["alarm"])
    assert np.allclose(made["box"], expected["box"] * [3, 4] + [1, 2], rtol=1e-6)
