"""A small network of anomalies, untrained, with the record of its front end beside it."""

from pathlib import Path

import keras
import numpy as np

from tinyprune.compress.fold import fold
from tinyprune.data.anomaly.device import device_log_mel
from tinyprune.data.anomaly.frontend import LogMelFrontEnd
from tinyprune.export.tflite import export
from tinyprune.firmware.golden import made_up_speech
from tinyprune.models import autoencoder
from tinyprune.storage.records import write_json

#: Frames of a window of the network of anomalies, and their samples.
FRAMES, HOP, FFT = 3, 128, 256
WINDOW = FFT + (FRAMES - 1) * HOP


def anomaly_network(folder: Path) -> tuple[Path, LogMelFrontEnd]:
    """Return the file of a network of anomalies in a folder, and its front end."""
    keras.utils.set_random_seed(0)
    front_end = LogMelFrontEnd(fft=FFT, hop=HOP, bands=16, frames=FRAMES)
    sound = made_up_speech(16_000, 16_000)
    levels = front_end.levels(sound.astype(np.float32) / 32768)
    front_end = front_end.measured(levels)
    windows = np.stack([levels[start : start + FRAMES] for start in range(0, 120, FRAMES)])
    path = folder / "int8.tflite"
    model = fold(autoencoder.build((48,), 48))
    artifact = export(model, None, front_end.features(windows), {}, path)
    write_json(folder / "int8.frontend.json", device_log_mel(front_end, artifact))
    return path, front_end


def window_features(front_end: LogMelFrontEnd, window: np.ndarray) -> np.ndarray:
    """Return the features (1, n) of int16 samples of a window."""
    levels = front_end.levels(np.asarray(window / 32768, np.float32))
    return front_end.features(levels[None])
