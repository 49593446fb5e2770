"""The 11 accelerators for TinyLSTM by `tinyprune compile`, beside as many bare `vela` runs; then the same once more."""

import argparse
import functools
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.shared.environment import program
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import ratio, repeats, take_turns, timed
from benchmarks.speed.compile import run, tinylstm
from tinyprune.npu import targets, vela

CORES, LIMIT_RATIO, LIMIT_AGAIN = 2, 1.3, 2.0
OURS, AGAIN, BARE = "tinyprune compile, 11 --npu", "the same again", f"11 x vela, {CORES} at a time"


def measure(options: argparse.Namespace) -> Report:
    """Wall-clock time of whole processes on an int8 TinyLSTM with untrained weights, each accelerator's defaults."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = targets.names()[: SIZES.accelerators or None]
        chosen = [targets.resolve(npu) for npu in names]
        path = tinylstm(folder)
        ours = [*program("tinyprune", [*vela.command()[:2], "tinyprune"]), "compile", str(path)]
        ours += [word for target in chosen for word in ("--npu", target.npu)]
        bare = []
        for target in chosen:
            options_of = [
                "--accelerator-config",
                target.npu,
                "--system-config",
                target.system_config,
            ]
            options_of += ["--memory-mode", target.memory_mode, "--verbose-performance"]
            output = ["--output-dir", str(folder / "bare" / target.name)]
            bare.append(
                [
                    *program("vela", vela.command()),
                    str(path),
                    "--config",
                    "Arm/vela.ini",
                    *options_of,
                    *output,
                ]
            )

        def fresh() -> None:
            shutil.rmtree(folder / "ours", ignore_errors=True)
            run([*ours, "--output", str(folder / "ours")], folder)

        def side_by_side() -> None:
            with ThreadPoolExecutor(CORES) as pool:
                list(pool.map(functools.partial(run, folder=folder), bare))

        cases = {
            BARE: side_by_side,
            OURS: fresh,
            AGAIN: lambda: run([*ours, "--output", str(folder / "ours")], folder),
        }
        seconds = take_turns(
            {name: timed(case) for name, case in cases.items()}, repeats(options, 5, 2)
        )
    return Report(
        [Case(what, "s", samples) for what, samples in seconds.items()],
        [
            Check(f"{OURS} / {BARE}", ratio(seconds[OURS], seconds[BARE]), "x", LIMIT_RATIO),
            Check(AGAIN, sorted(seconds[AGAIN])[len(seconds[AGAIN]) // 2], "s", LIMIT_AGAIN),
        ],
        [f"{target.npu}: {target.system_config}, {target.memory_mode}" for target in chosen],
    )
