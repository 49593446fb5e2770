"""`tinyprune compile FILE.tflite` beside the bare `vela` command with the same options."""

import argparse
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.shared.environment import program
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.timing import difference, repeats, take_turns, timed
from tinyprune.npu import targets, vela

NPU = "ethos-u55-128"
LIMIT_SECONDS = 1.0
OURS, BARE = f"tinyprune compile FILE.tflite --npu {NPU}", "vela FILE.tflite, same options"


def measure(options: argparse.Namespace) -> Report:
    """Wall-clock time of whole processes on an int8 TinyLSTM with untrained weights."""
    with tempfile.TemporaryDirectory() as name:
        folder, target = Path(name), targets.resolve(NPU)
        path = tinylstm(folder)
        ours = [
            *program("tinyprune", [*vela.command()[:2], "tinyprune"]),
            "compile",
            str(path),
            "--npu",
            NPU,
        ]
        bare = [
            *program("vela", vela.command()),
            str(path),
            "--config",
            "Arm/vela.ini",
            "--accelerator-config",
            NPU,
        ]
        bare += [
            "--system-config",
            target.system_config,
            "--memory-mode",
            target.memory_mode,
            "--verbose-performance",
        ]
        cases = {
            BARE: timed(
                functools.partial(run, [*bare, "--output-dir", str(folder / "bare")], folder)
            ),
            OURS: timed(
                functools.partial(_fresh, [*ours, "--output", str(folder / "ours")], folder)
            ),
        }
        seconds = take_turns(cases, repeats(options, 15, 5))
        same = (folder / "bare" / "tinylstm_vela.tflite").read_bytes() == (
            folder / "ours" / "tinylstm_vela.tflite"
        ).read_bytes()
    return Report(
        [Case(what, "s", samples) for what, samples in seconds.items()],
        [
            Check(
                "tinyprune more than vela",
                difference(seconds[OURS], seconds[BARE]),
                "s",
                LIMIT_SECONDS,
            )
        ],
        [
            f"target: {target.npu}, {target.system_config}, {target.memory_mode}",
            f"same compiled file: {same}",
        ],
    )


def _fresh(command: list[str], folder: Path) -> None:
    """The program, with nothing there that it could find again."""
    shutil.rmtree(folder / "ours", ignore_errors=True)
    run(command, folder)


def tinylstm(folder: Path) -> Path:
    """The one-frame int8 graph of a TinyLSTM with untrained weights."""
    import numpy as np

    from benchmarks.shared.speech_workload import plain
    from tinyprune.export.tflite import export

    calibration = np.random.default_rng(0).standard_normal((100, 128), np.float32)
    return export(plain(), 1, calibration, {}, folder / "tinylstm.tflite").path


def run(command: list[str], folder: Path) -> None:
    """Run a program without its output. Raises CalledProcessError if it fails."""
    subprocess.run(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
