"""Speech enhancement frame by frame on one core: int8 beside the float Keras model."""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import Case, Check, Report, ratio, repeats, take_turns, timed

SECONDS = 5.0
LIMIT = 20.0
INT8, SEQUENCE = "int8, frame by frame", "int8, 100 frames a call"
COMPILED, EAGER = "float Keras, frame by frame, tf.function", "float Keras, frame by frame, called"
WHOLE, NONE = "float Keras, whole utterance, tf.function", "front end alone, frame by frame"
UNIT = "x realtime"


def measure(options: argparse.Namespace) -> Report:
    """Seconds of audio per second, everything included: STFT, features, network, mask, synthesis."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the libraries below make their threads
    import numpy as np

    from benchmarks.streamers import at_once, frame_by_frame, stream, whole
    from benchmarks.workloads import plain
    from tinyprune.audio import stft
    from tinyprune.audio.frontend import FrontEnd

    signal = 0.1 * np.random.default_rng(0).standard_normal(int(SECONDS * 16_000), np.float32)
    model, frontend = plain(), FrontEnd()
    frontend = frontend.measured(frontend.compress(stft.analyse(signal)))
    calibration = frontend.features(stft.analyse(signal))[:300]
    one, many = (_int8(model, frames, calibration) for frames in (1, 100))
    called, compiled = frame_by_frame(model)

    def int8() -> np.ndarray:
        one.reset()
        return stream(signal, frontend, one.step)

    ways = {
        COMPILED: partial(stream, signal, frontend, compiled),
        INT8: int8,
        EAGER: partial(stream, signal, frontend, called),
        NONE: partial(stream, signal, frontend, np.ones_like),
        SEQUENCE: partial(at_once, signal, frontend, many.run),
        WHOLE: partial(at_once, signal, frontend, whole(model)),
    }
    np.testing.assert_allclose(ways[INT8](), at_once(signal, frontend, one.run), atol=1e-5)
    np.testing.assert_allclose(ways[COMPILED](), ways[WHOLE](), atol=1e-4)  # its state is zero still: it is new
    seconds = take_turns({what: timed(way) for what, way in ways.items()}, repeats(options, 11))
    speeds = {what: Case(what, UNIT, [SECONDS / s for s in samples]) for what, samples in seconds.items()}
    return Report(
        list(speeds.values()),
        [
            Check(INT8, speeds[INT8].median, UNIT, LIMIT, True),
            Check("int8 / float tf.function, frame by frame: speed", ratio(seconds[COMPILED], seconds[INT8])),
            Check("front end's share of the int8 stream", ratio(seconds[NONE], seconds[INT8])),
        ],
        ["All on one core, one thread. Checked: the int8 stream gives the samples of the int8 whole utterance."],
    )


def _int8(model: Any, frames: int, calibration: Any) -> Any:
    """The interpreter of an int8 graph with that many frames per call."""
    from tinyprune.export.interpreter import Int8Model
    from tinyprune.export.tflite import export

    with tempfile.TemporaryDirectory() as folder:
        return Int8Model(export(model, frames, calibration, {}, Path(folder) / "model.tflite").path)
