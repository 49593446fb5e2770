"""Measure tinyprune beside its opponents: ``python benchmarks/run.py [NAME...] [--list] [--quick]``.

Each measurement runs in a process of its own, prints a table and writes
``benchmarks/results/NAME.json`` (with ``--quick``: ``benchmarks/results/quick/NAME.json``). Exit
code 3: a limit did not hold.
"""

import argparse
import ast
import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder: its modules are benchmarks.NAME

DEFAULT = ("startup", "train_float", "train_joint", "joint_conv", "mask_update", "input_pipeline")
DEFAULT += (
    "gate_steps",
    "data_memory",
    "compile",
    "matrix",
    "npu_cuts",
    "streaming",
    "scoring",
    "demo",
)
LONG = ("losses", "distill", "tfmot", "mask_bits", "fit_npu", "differentiable")
NOT_QUICK = ("demo",)
LIMIT_MISSED = 3


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    options = _parser().parse_args()
    unknown = [name for name in options.names if name not in DEFAULT + LONG]
    if unknown:
        print(
            f"unknown measurement '{unknown[0]}': expected some of: {', '.join(DEFAULT + LONG)}",
            file=sys.stderr,
        )
        return 2
    if options.list:
        print("\n".join(f"{name:<15} {_title(name)}" for name in DEFAULT + LONG))
        return 0
    names = options.names or [name for name in DEFAULT if not (options.quick and name in NOT_QUICK)]
    return _one(names[0], options) if options.names and len(names) == 1 else _each(names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to measure; default: all but the long ones"
    )
    parser.add_argument("--list", action="store_true", help="what there is to measure")
    parser.add_argument(
        "--quick", action="store_true", help="fewer repeats, into results/quick/; without the demo"
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
        help="of each training; default: 10; tfmot: 60 and 30; differentiable: of each way",
    )
    long.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="trainings of each case; default: 1"
    )
    long.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="finished run, for distill, mask_bits and differentiable",
    )
    long.add_argument(
        "--only",
        metavar="NAMES",
        help="differentiable, gate_steps: some of the networks, e.g. ds_cnn,crn",
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
    """First line of a measurement's docstring, without loading what it needs."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]


def _each(names: list[str]) -> int:
    """One process per measurement, so that none inherits another's memory, threads or cores."""
    flags = [argument for argument in sys.argv[1:] if argument not in names]
    codes = [
        subprocess.run([sys.executable, __file__, name, *flags], check=False).returncode
        for name in names
    ]
    print(
        "\n"
        + "\n".join(f"{name:<15} {_verdict(code)}" for name, code in zip(names, codes, strict=True))
    )
    return max(codes, default=0, key=lambda code: (code not in (0, LIMIT_MISSED), code))


def _verdict(code: int) -> str:
    return {0: "done", LIMIT_MISSED: "a limit did not hold"}.get(
        code, f"failed with exit code {code}"
    )


def _one(name: str, options: argparse.Namespace) -> int:
    from benchmarks import common, results
    from tinyprune.cli import chatter
    from tinyprune.errors import TinypruneError

    chatter.mute()
    measured_on = results.environment()  # before the measurement changes anything
    options.results = options.results or Path(__file__).parent / "results" / (
        "quick" if options.quick else ""
    )
    try:
        report = importlib.import_module(f"benchmarks.{name}").measure(options)
    except (common.Unavailable, TinypruneError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    results.write(options.results / f"{name}.json", name, _title(name), report, measured_on)
    print(results.table(name, _title(name), report, measured_on), flush=True)
    return 0 if all(check.holds for check in report.checks) else LIMIT_MISSED


if __name__ == "__main__":
    sys.exit(main())
