"""What verification adds to `compile` and `report` of a run of 80 variants, beside looking for the files alone."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.timing import difference, repeats, take_turns, timed
from tinyprune.storage.run_folder import STAGES, Workspace

VARIANTS = 80
#: Files of a stage and their bytes, those of TinyLSTM.
OUTPUTS = {
    "train": {"model.keras": 3_900_000, "history.csv": 4_000, "size.json": 7},
    "export": {"streaming.tflite": 1_000_000, "streaming.json": 6_000, "quality.json": 3_000},
    "compile": {"streaming_vela.tflite": 900_000, "summary.csv": 2_000},
}
LIMIT_SECONDS = 0.3
FILES, VERIFIED, READ = "files are there", "files are as they were made", "every byte is read"


def measure(options: argparse.Namespace) -> Report:
    """Seconds for all stages of all variants, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        run = Workspace(Path(folder, "run"))
        for number in range(VARIANTS):
            _finish(run, f"v{number}")
        cases = {
            FILES: timed(lambda: _all(run, "has_files")),
            VERIFIED: timed(lambda: _all(run, "is_done")),
            READ: timed(run.check),
        }
        seconds = take_turns(cases, repeats(options, 9))
    added = difference(seconds[VERIFIED], seconds[FILES])
    return Report(
        [Case(name, "s", samples) for name, samples in seconds.items()],
        [
            Check(
                f"added to `compile` or `report` of {VARIANTS} variants", added, "s", LIMIT_SECONDS
            )
        ],
    )


def _finish(run: Workspace, name: str) -> None:
    """Make a variant of files of the usual size, each with zeros in it but for its name."""
    variant = run.variant(name)
    variant.claim({"train": {"seed": 0}})
    for stage in STAGES:
        for file, size in OUTPUTS[stage].items():
            (variant.folder / file).write_bytes(name.encode().ljust(size, b"\0"))
        variant.finish(stage, {}, list(OUTPUTS[stage]))


def _all(run: Workspace, question: str) -> None:
    """Ask a question about every stage of every variant."""
    for variant in run.variants():
        for stage in STAGES:
            assert getattr(variant, question)(stage)
