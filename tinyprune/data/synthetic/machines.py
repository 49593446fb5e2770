"""Synthetic sounds of machines: hums of harmonics and noise; anomalies knock, whine or run uneven.

They lie as the data of DCASE do, see :mod:`tinyprune.data.anomaly.files`.
"""

from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.storage.records import write_text

SECONDS = 4.0
TRAINED, TESTED = 60, 16  # clips per machine to train on, and to test of each kind
MACHINES = ("id_00", "id_01")
HARMONICS = 12
_DONE = "complete"


def write_machines(folder: Path, seed: int) -> Path:
    """Write clips of two machines unless they are there. Returns the folder: the same per seed."""
    if (folder / _DONE).exists():
        return folder
    for number, machine in enumerate(MACHINES):
        for split, kind, count in (
            ("train", "normal", TRAINED),
            ("test", "normal", TESTED),
            ("test", "anomaly", TESTED),
        ):
            (folder / split).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                rng = np.random.default_rng([seed, number, TRAINED, index, len(split), len(kind)])
                path = folder / split / f"{kind}_{machine}_{index:08d}.wav"
                _save(path, hum(number, kind == "anomaly", rng))
    write_text(folder / _DONE, "")
    return folder


def hum(number: int, is_anomaly: bool, rng: np.random.Generator) -> Float32Array:
    """Return a clip (samples,) of a machine.

    Harmonics of a frequency of its own that hardly varies, in noise. An anomaly has one of: knocks,
    a whine, a frequency that wanders.
    """
    time = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = (70 + 45 * number) * (1 + 0.004 * rng.normal())
    fault = rng.integers(3) if is_anomaly else -1
    phase = 2 * np.pi * frequency * time
    if fault == 0:
        phase = phase + 2 * np.sin(2 * np.pi * rng.uniform(2, 5) * time)

    orders = np.arange(1, HARMONICS + 1)
    levels = 1 / orders ** (1 + 0.3 * number)
    phases = rng.uniform(0, 2 * np.pi, HARMONICS)
    signal = levels @ np.sin(np.outer(orders, phase) + phases[:, None])
    signal = signal + 0.1 * rng.normal(size=len(time))
    if fault == 1:
        signal = signal + 0.05 * np.sin(2 * np.pi * rng.uniform(2500, 5000) * time)
    if fault == 2:
        knocks = np.exp(-60 * (time % rng.uniform(0.15, 0.4)))
        signal = signal + 0.3 * knocks * rng.normal(size=len(time))
    return (0.05 * signal * 10 ** (rng.uniform(-1, 1) / 20)).astype(np.float32)


def _save(path: Path, samples: Float32Array) -> None:
    import soundfile

    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
