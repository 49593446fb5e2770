"""Speech enhancement frame by frame on one core: int8 beside the float Keras model, and `tinyprune enhance`."""

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import ratio, repeats, say, take_turns, timed

SECONDS, RATE = 5.0, 16_000
LIMIT = 20.0
GROWTH_LIMIT = 1.05
INT8, SEQUENCE = "int8, frame by frame", "int8, 100 frames a call"
COMPILED, EAGER = "float Keras, frame by frame, tf.function", "float Keras, frame by frame, called"
WHOLE, NONE = "float Keras, whole utterance, tf.function", "front end alone, frame by frame"
UNIT = "x realtime"

#: Runs a program and prints its CPU seconds and its peak memory in KiB. It is a small process of
#: its own because a program's peak begins with that of the process that starts it.
USAGE = """
import os, subprocess, sys
_, status, used = os.wait4(subprocess.Popen(sys.argv[1:]).pid, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status != 0)
"""


def measure(options: argparse.Namespace) -> Report:
    """Seconds of audio per second, everything included: STFT, features, network, mask, synthesis."""
    os.sched_setaffinity(
        0, {min(os.sched_getaffinity(0))}
    )  # before the libraries below make their threads
    with tempfile.TemporaryDirectory() as folder:
        cases, checks = _in_memory(options, Path(folder))
        minutes = (1, 60) if options.hour else SIZES.recording_minutes
        found = [_command(Path(folder), length) for length in minutes]
    for length, (speed, peak) in zip(minutes, found, strict=True):
        cases += [
            Case(f"tinyprune enhance, a file of {length:g} min", UNIT, [speed]),
            Case(f"tinyprune enhance, a file of {length:g} min: peak", "MiB", [peak]),
        ]
    (_, few), (speed, many) = found
    checks += [
        Check(f"tinyprune enhance, {minutes[1]:g} min", speed, UNIT, LIMIT, True),
        Check(
            f"peak memory, {minutes[1]:g} min / {minutes[0]:g} min", many / few, "x", GROWTH_LIMIT
        ),
    ]
    return Report(
        cases,
        checks,
        [
            "All on one core, one thread. Checked: the int8 stream gives the samples of the int8 whole utterance.",
            "tinyprune enhance: CPU time of the whole program from its start, reading and writing included.",
        ],
    )


def _in_memory(options: argparse.Namespace, folder: Path) -> tuple[list[Case], list[Check]]:
    import numpy as np

    from benchmarks.shared.speech_workload import plain
    from benchmarks.speed.inference import at_once, frame_by_frame, stream, whole
    from tinyprune.audio import stft
    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.audio.streaming import StreamingFrontEnd

    signal = 0.1 * np.random.default_rng(0).standard_normal(int(SECONDS * RATE), np.float32)
    model, frontend = plain(), FrontEnd()
    frontend = frontend.measured(frontend.compress(stft.analyse(signal)))
    calibration, front_end = (
        frontend.features(stft.analyse(signal))[:300],
        StreamingFrontEnd(frontend),
    )
    one, many = (_int8(model, frames, calibration, frontend, folder) for frames in (1, 100))
    called, compiled = frame_by_frame(model)

    def int8() -> np.ndarray:
        one.reset()
        return stream(signal, front_end, one.step)

    ways = {
        COMPILED: partial(stream, signal, front_end, compiled),
        INT8: int8,
        EAGER: partial(stream, signal, front_end, called),
        NONE: partial(stream, signal, front_end, np.ones_like),
        SEQUENCE: partial(at_once, signal, frontend, many.run),
        WHOLE: partial(at_once, signal, frontend, whole(model)),
    }
    conditioned = _without_dc(signal, frontend)
    inside = len(signal) - 2 * front_end.hop  # afterwards the stream's high-pass dies away
    np.testing.assert_allclose(
        ways[INT8]()[:inside], at_once(conditioned, frontend, one.run)[:inside], atol=1e-5
    )
    np.testing.assert_allclose(  # its state is zero still: it is new
        ways[COMPILED]()[:inside],
        at_once(conditioned, frontend, whole(model))[:inside],
        atol=1e-4,
    )
    seconds = take_turns({what: timed(way) for what, way in ways.items()}, repeats(options, 11))
    speeds = {
        what: Case(what, UNIT, [SECONDS / s for s in samples]) for what, samples in seconds.items()
    }
    return list(speeds.values()), [
        Check(INT8, speeds[INT8].median, UNIT, LIMIT, True),
        Check(
            "int8 / float tf.function, frame by frame: speed",
            ratio(seconds[COMPILED], seconds[INT8]),
        ),
        Check("front end's share of the int8 stream", ratio(seconds[NONE], seconds[INT8])),
    ]


def _without_dc(signal: Any, frontend: Any) -> Any:
    """The signal as the stream takes it: through the high-pass, all of it at once."""
    from scipy.signal import lfilter

    from tinyprune.audio.conditioning import Conditioning

    pole = Conditioning.of(frontend).dc_pole
    before = -signal[: frontend.hop].mean(dtype=float)
    out, _ = lfilter([1, -1], [1, -pole], signal, zi=[before])
    return out.astype(signal.dtype)


def _int8(model: Any, frames: int, calibration: Any, frontend: Any, folder: Path) -> Any:
    """The interpreter of an int8 graph with that many frames per call, in ``FRAMES.tflite``."""
    from tinyprune.audio.device import device_front_end
    from tinyprune.export.tflite import export
    from tinyprune.storage.records import write_json
    from tinyprune.tflite.interpreter import Int8Model

    artifact = export(model, frames, calibration, {}, folder / f"{frames}.tflite")
    write_json(folder / f"{frames}.frontend.json", device_front_end(frontend, artifact))
    return Int8Model(artifact.path)


def _command(folder: Path, minutes: float) -> tuple[float, float]:
    """How many times faster than real time the command is on a file of so many minutes, and its peak memory in MiB."""
    import numpy as np
    import soundfile

    say(f"tinyprune enhance: {minutes:g} min")
    rng, source = np.random.default_rng(0), folder / f"{minutes}.wav"
    with soundfile.SoundFile(source, "w", RATE, 1, "PCM_16") as file:
        for _ in range(max(1, int(minutes))):
            seconds = 60 * min(1, minutes)
            file.write(0.1 * rng.standard_normal(int(seconds * RATE), np.float32))
    arguments = [source, folder / "enhanced.wav", "--model", folder / "1.tflite", "-q"]
    program = [sys.executable, "-m", "tinyprune", "enhance", *map(str, arguments)]
    done = subprocess.run(
        [sys.executable, "-c", USAGE, *program], check=True, stdout=subprocess.PIPE, text=True
    )
    source.unlink()
    seconds, kib = map(float, done.stdout.split())
    return 60 * minutes / seconds, kib / 1024
