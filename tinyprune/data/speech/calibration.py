"""Calibration data of speech networks: consecutive frames of training mixtures."""

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.conditioning import frame_gains
from tinyprune.audio.frontend import FrontEnd
from tinyprune.data.speech.dataset import SpeechData

SEQUENCES = 10
FRAMES = 250


def calibration_features(dataset: SpeechData, frontend: FrontEnd) -> Float32Array:
    """Return features (2500, bands) of ten stretches of 4 s, one after the other, as a stream."""
    noisy, _ = next(dataset.batches(0, SEQUENCES, (FRAMES - 1) * frontend.hop))
    features = frontend.features(stft.analyse(noisy), frame_gains(frontend, noisy))
    return np.concatenate(features)[: SEQUENCES * FRAMES]
