"""Measure tinyprune beside its opponents: ``python benchmarks/run.py [NAME...] [--list] [--quick]``.

Each measurement runs in a process of its own, prints a table and writes
``benchmarks/results/NAME.json`` (with ``--quick``: ``benchmarks/results/quick/NAME.json``). Exit
code 3: a limit did not hold. With ``--smoke`` everything is of toy size: it shows that a
measurement runs, and its figures mean nothing.
"""

import argparse
import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder: its modules are benchmarks.FOLDER.NAME

#: Measurement -> its folder; those that run when none is named.
USUAL = {
    "startup": "speed",
    "train_float": "speed",
    "train_joint": "speed",
    "joint_conv": "speed",
    "mask_update": "speed",
    "input_pipeline": "speed",
    "gate_steps": "speed",
    "data_memory": "speed",
    "compile": "speed",
    "matrix": "speed",
    "npu_cuts": "npu",
    "few_values": "npu",
    "cells": "npu",
    "firmware": "npu",
    "blocks": "npu",
    "streaming": "speed",
    "scoring": "speed",
    "verification": "speed",
    "levels": "quality",
    "resampling": "quality",
    "low_rank": "quality",
    "sweep_schedule": "speed",
    "sweep_engines": "speed",
    "demo": "speed",
}
#: Measurement -> its folder; those that train for hours and run only when they are named.
LONG = {
    "losses": "quality",
    "distill": "quality",
    "tfmot": "quality",
    "mask_bits": "quality",
    "fit_npu": "npu",
    "fixed_keywords": "npu",
    "differentiable": "quality",
    "ranking": "quality",
    "mlperf_tiny": "quality",
    "structures": "quality",
    "kills": "quality",
}
MEASUREMENTS = USUAL | LONG
NOT_QUICK = ("demo",)
LIMIT_MISSED = 3


def main() -> int:
    """Run the measurements of the command line; return the exit code."""
    options = _parser().parse_args()
    for name in options.names:
        if name not in MEASUREMENTS:
            known = ", ".join(MEASUREMENTS)
            print(f"unknown measurement '{name}': expected some of: {known}", file=sys.stderr)
            return 2
    if options.list:
        for name in MEASUREMENTS:
            print(f"{name:<15} {_title(name)}")
        return 0
    if len(options.names) == 1:
        return _measure(options.names[0], options)
    return _measure_each(options.names or _usual(options.quick))


def _usual(quick: bool) -> list[str]:
    return [name for name in USUAL if not (quick and name in NOT_QUICK)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to measure; default: all but the long ones"
    )
    parser.add_argument("--list", action="store_true", help="what there is to measure")
    parser.add_argument(
        "--quick", action="store_true", help="fewer repeats, into results/quick/; without the demo"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="toy sizes, into results/smoke/: shows that it runs; the figures mean nothing",
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of each case")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="default: benchmarks/results, with --quick its quick/",
    )
    parser.add_argument(
        "--hour", action="store_true", help="streaming: an hour of audio instead of 10 minutes"
    )
    long = parser.add_argument_group("only for the long ones, which run only when named")
    for name in ("speech", "noise", "dev-speech", "dev-noise"):
        long.add_argument(
            f"--{name}", type=Path, metavar="DIR", help="default: ../shared/data, or synthetic data"
        )
    long.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="of each training; default: 10; tfmot: 60 and 30; differentiable: of each method",
    )
    long.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="trainings of each case; default: 1; ranking: 0 prunes without training only",
    )
    long.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="finished run, for distill, mask_bits, differentiable, structures and fixed_keywords",
    )
    long.add_argument(
        "--only",
        metavar="NAMES",
        help="differentiable, gate_steps: some of the networks, e.g. ds_cnn,crn; "
        "kills: some of the commands; cells: the forms with a word in their name",
    )
    long.add_argument(
        "--sparsities", metavar="LIST", help="ranking: some sparsities, e.g. 0.5,0.9; default: five"
    )
    long.add_argument(
        "--ways", metavar="NAMES", help="ranking: some ways to rank, e.g. lamp,taylor; default: six"
    )
    long.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="kills: before one file operation of N; default: before each",
    )
    long.add_argument(
        "--work",
        type=Path,
        default=ROOT / "runs" / "bench",
        metavar="DIR",
        help="default: runs/bench",
    )
    return parser


def _title(name: str) -> str:
    """Return the first line of a measurement's docstring, without loading what it needs."""
    path = Path(__file__).parent / MEASUREMENTS[name] / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (docstring or "").split("\n")[0]


def _measure_each(names: list[str]) -> int:
    """Run one process per measurement, so that none inherits another's memory, threads or cores."""
    flags = [argument for argument in sys.argv[1:] if argument not in names]
    codes = {}
    for name in names:
        command = [sys.executable, __file__, name, *flags]
        codes[name] = subprocess.run(command, check=False).returncode
    print()
    for name, code in codes.items():
        print(f"{name:<15} {_verdict(code)}")
    return max(codes.values(), key=lambda code: (code not in (0, LIMIT_MISSED), code))


def _verdict(code: int) -> str:
    if code == 0:
        return "done"
    return "a limit did not hold" if code == LIMIT_MISSED else f"failed with exit code {code}"


def _measure(name: str, options: argparse.Namespace) -> int:
    if options.smoke:
        _set_smoke_sizes()
        options.quick = True
    from benchmarks.shared import results
    from benchmarks.shared.environment import environment
    from benchmarks.shared.report import Unavailable
    from tinyprune.cli import native_output
    from tinyprune.errors import TinypruneError

    native_output.mute()
    measured_on = environment()  # before the measurement changes anything
    options.results = options.results or _results_folder(options)
    try:
        module = importlib.import_module(f"benchmarks.{MEASUREMENTS[name]}.{name}")
        report = module.measure(options)
    except (Unavailable, TinypruneError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    results.write(options.results / f"{name}.json", name, _title(name), report, measured_on)
    print(results.table(name, _title(name), report, measured_on), flush=True)
    return 0 if all(check.holds for check in report.checks) else LIMIT_MISSED


def _set_smoke_sizes() -> None:
    """Set the sizes of this process and of those that it starts."""
    from benchmarks.shared import sizes

    os.environ[sizes.SMOKE_VARIABLE] = "1"
    importlib.reload(sizes)
    from tinyprune.data.synthetic import corpus

    corpus.HELD_OUT_MINUTES = sizes.SIZES.held_out_minutes


def _results_folder(options: argparse.Namespace) -> Path:
    folder = Path(__file__).parent / "results"
    if options.smoke:
        return folder / "smoke"
    return folder / "quick" if options.quick else folder


if __name__ == "__main__":
    sys.exit(main())
