"""What the form of recurrent layers costs on the NPU, by Vela.

Fused LSTM, LSTM as a cell with two products or one, GRU; cells with soft gates and with hard ones. ``--only`` takes the
forms that have a word in their name.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from benchmarks.shared.lstm_forms import in_form
from benchmarks.shared.report import Case, Report
from tinyprune.compress.fold import fold
from tinyprune.export.tflite import export
from tinyprune.models.gates import functions
from tinyprune.npu import targets, vela
from tinyprune.tflite.interpreter import Int8Model

BANDS = 128
#: Size -> units of both recurrent layers and the Dense layer behind them.
SIZES = {"256, 256, 128": (256, 256, 128), "64, 96, 128": (64, 96, 128)}
TARGETS = (
    ("ethos-u55-128", "Sram_Only"),
    ("ethos-u55-128", "Shared_Sram"),
    ("ethos-u65-256", "Dedicated_Sram"),
    ("ethos-u85-256", "Dedicated_Sram_384KB"),
    ("ethos-u85-256", "Sram_Only"),
)
#: Form -> layer, its gates, and the form of its LSTM layers.
FORMS: dict[str, tuple[Callable[..., keras.Layer], str, str]] = {
    "LSTM, fused": (keras.layers.LSTM, "soft", "fused"),
    "LSTM, explicit": (keras.layers.LSTM, "soft", "explicit"),
    "LSTM, merged": (keras.layers.LSTM, "soft", "merged"),
    "LSTM, hard": (keras.layers.LSTM, "hard", "explicit"),
    "LSTM, hard, merged": (keras.layers.LSTM, "hard", "merged"),
    "GRU": (keras.layers.GRU, "soft", "explicit"),
    "GRU, hard": (keras.layers.GRU, "hard", "explicit"),
}


def measure(options: argparse.Namespace) -> Report:
    """Cycles and flash of a frame, and how far the int8 graph is from the float network."""
    frames = 20 if options.smoke else 400
    sizes = {"4, 4, 4": (4, 4, 4)} if options.smoke else SIZES
    chosen = TARGETS[:1] if options.smoke else TARGETS
    cases = []
    forms = [form for form in FORMS if (options.only or "") in form]
    for size, units in sizes.items():
        for form in forms:
            with tempfile.TemporaryDirectory() as name:
                cases += _cases(f"{size}: {form}", form, units, frames, Path(name), chosen)
    notes = [
        "two recurrent layers, a Dense layer and a mask of 128 bands, one frame a call; Vela looks "
        "at sizes only, so random weights",
        "SQNR: of all outputs, against the float network, without any int8 learning",
    ]
    return Report(cases, [], notes)


def _cases(
    what: str,
    form: str,
    units: tuple[int, ...],
    frames: int,
    folder: Path,
    chosen: tuple[tuple[str, str], ...],
) -> list[Case]:
    features = _features(frames)
    model = _network(form, units, features)
    path = folder / "network.tflite"
    artifact = export(model, 1, features, {}, path)
    made = Int8Model(path).run(features)
    cases = [Case(f"{what}: SQNR", "dB", [_sqnr_db(model(features[None]).numpy()[0], made)])]
    for npu, mode in chosen:
        target = targets.resolve(npu, memory_mode=mode)
        report = vela.compile_tflite(path, target, folder / npu / mode, artifact.layers).report
        where = f"{what}, {npu} {mode}"
        cases.append(Case(where, "cycles", [report.cycles]))
        cases.append(Case(f"{where}: flash", "B", [report.flash_bytes]))
    return cases


def _network(form: str, units: tuple[int, ...], features: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(0)
    layer, gates, lstm_form = FORMS[form]
    *recurrent, hidden = units
    x = inputs = keras.Input((None, BANDS))
    for number, width in enumerate(recurrent):
        settings = {"return_sequences": True, "name": f"recurrent_{number}", **functions(gates)}
        x = layer(width, **settings)(x)
    x = keras.layers.Dense(hidden, activation="relu")(x)
    mask = keras.layers.Dense(BANDS, activation="sigmoid")(x)
    return in_form(fold(keras.Model(inputs, mask)), lstm_form, features)


def _features(frames: int) -> np.ndarray:
    """Consecutive features that change slowly."""
    noise = np.random.default_rng(0).normal(size=(frames + 4, BANDS))
    return np.stack([noise[t : t + 5].mean(axis=0) * 2 for t in range(frames)]).astype(np.float32)


def _sqnr_db(expected: np.ndarray, found: np.ndarray) -> float:
    signal = expected - expected.mean()
    return float(10 * np.log10((signal**2).sum() / ((expected - found) ** 2).sum()))
