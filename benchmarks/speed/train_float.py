"""Float training of TinyLSTM: ours beside plain keras.layers.LSTM in model.fit."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.speech_workload import BATCH, FRAMES, Short, corpus, plain
from benchmarks.shared.step_time import apart, milliseconds, model_fit, our_loop
from benchmarks.shared.timing import ratio, repeats, take_turns
from tinyprune.compress.prepare import prepare
from tinyprune.tasks.speech import measure_frontend

PLAIN = "plain Keras, model.fit, arrays, MSE"
OURS = "our LSTM, model.fit, same arrays, MSE"
WHOLE = "our loop: mixing, STFT, SI-SDR loss"


def measure(options: argparse.Namespace) -> Report:
    """Frames per second of three ways to train the same network."""
    with tempfile.TemporaryDirectory() as name:
        dataset = corpus(Path(name))
        task = Short(dataset, measure_frontend(dataset, BATCH, FRAMES))
        ours, whole = (prepare(plain(), masked=False, quantized=False) for _ in range(2))
        cases = {PLAIN: model_fit(plain()), OURS: model_fit(ours), WHOLE: our_loop(whole, task)}
        walls, cpu = apart(take_turns(cases, repeats(options, 9)))
    same = "same arrays and loss"
    return Report(
        [
            *(
                Case(what, "frames/s", [BATCH * FRAMES / s for s in samples])
                for what, samples in walls.items()
            ),
            *milliseconds({}, cpu),
        ],
        [
            Check(
                f"our LSTM / plain Keras, {same}: speed",
                ratio(walls[PLAIN], walls[OURS]),
                "x",
                1,
                True,
            ),
            Check(f"our LSTM / plain Keras, {same}: CPU time", ratio(cpu[OURS], cpu[PLAIN])),
            Check(
                "our whole loop / plain Keras on arrays: speed", ratio(walls[PLAIN], walls[WHOLE])
            ),
            Check(
                "our whole loop / plain Keras on arrays: CPU time", ratio(cpu[WHOLE], cpu[PLAIN])
            ),
        ],
        [
            "Adam everywhere; our loop also clips the gradient and falls by a cosine. Ratios are medians over rounds."
        ],
    )
