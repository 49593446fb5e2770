"""A run folder of untrained int8 networks for speech."""

import os
from pathlib import Path


def write_speech_run(run: Path) -> None:
    """Write two untrained int8 streaming networks of 16 mel bands, "baseline" and the newer "small"."""
    import keras
    import numpy as np

    from tinyprune.audio import stft
    from tinyprune.audio.device import device_front_end
    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.export.tflite import export
    from tinyprune.models.tinylstm import build
    from tinyprune.storage.records import write_json

    frontend = FrontEnd(bands=16)
    spectrum = stft.analyse(np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10)
    frontend = frontend.measured(frontend.compress(spectrum))
    for seed, name in enumerate(("baseline", "small")):
        folder = run / "variants" / name
        folder.mkdir(parents=True)
        keras.utils.set_random_seed(seed)
        artifact = export(
            build((None, 16), 16, 8, 8),
            1,
            frontend.features(spectrum),
            {},
            folder / "streaming.tflite",
        )
        write_json(folder / "streaming.json", artifact)
        write_json(folder / "streaming.frontend.json", device_front_end(frontend, artifact))
        write_json(folder / "train.json", {})
        os.utime(folder / "train.json", (seed, seed))
