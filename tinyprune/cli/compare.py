"""``tinyprune compare``."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options
from tinyprune.cli.values import FILE

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import NpuTarget
    from tinyprune.report.model.comparison import Comparison
    from tinyprune.report.model.references import Reference

TFLITE = ".tflite"
_NO_QUALITY = (
    "costs only: a compiled file says nothing of its quality; "
    "`tinyprune evaluate A.tflite B.tflite` scores files on data"
)


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.run_folder
@options.targets
@click.option(
    "--policy",
    type=FILE,
    metavar="FILE",
    help="TOML file that says how much worse each metric may be.",
)
@options.format_option((*options.DATA_FORMATS, "markdown", "junit"), "the comparison")
@options.output_file("File that the comparison is written to, instead of stdout.")
def compare(
    before: str,
    after: str,
    run: Path,
    policy: Path | None,
    output_format: str,
    path: Path | None,
    **flags: Any,
) -> None:
    """Compare B with A, metric by metric. Exit code 3 if something is worse than allowed.

    A and B are variants of the run, run folders, JSON files that `compile` or `report` made, or
    FOLDER:VARIANT and FILE:VARIANT. The targets that both were compiled for are compared. Of whole
    runs, variants of the same name are compared.

    They may also be int8 .tflite files, which are compiled for --npu.
    """
    from tinyprune.report.model import comparison as comparing
    from tinyprune.report.model.policy import Policy, load_policy
    from tinyprune.report.render import terminal, verdict
    from tinyprune.storage.records import write_text

    targets = _targets((before, after), flags)
    left = _reference(before, run, targets)
    right = _reference(after, run, targets)
    rules = load_policy(policy, comparing.metric_names_of(left, right)) if policy else Policy()
    comparison = comparing.compare(left, right, rules)
    if path is not None:
        write_text(path, _text(comparison, output_format))
    elif output_format == "table":
        terminal.show(verdict.format_table(comparison))
    else:
        click.echo(_text(comparison, output_format), nl=False)
    if not (_knows_quality(left) and _knows_quality(right)):
        click.echo(_NO_QUALITY, err=True)
    verdict.check(comparison)


def _targets(texts: Sequence[str], flags: dict[str, Any]) -> "list[NpuTarget]":
    """Return what files are compiled for. Raises UsageError for a target that nothing needs."""
    if any(text.endswith(TFLITE) for text in texts):
        return options.chosen_targets(flags)
    for name, value in flags.items():
        if value:
            raise click.UsageError(
                f"--{name.replace('_', '-')} goes with {TFLITE} files: what is compiled already is "
                "compared on the targets that both have"
            )
    return []


def _reference(text: str, run: Path, targets: "list[NpuTarget]") -> "Reference":
    """Return one side of the comparison; a file is compiled in a folder that goes again."""
    from tinyprune.report.model import references
    from tinyprune.report.model.summary import summary_of_file

    if not text.endswith(TFLITE):
        return references.reference_of(text, run)
    from tinyprune.stages.compile import compile_file

    with tempfile.TemporaryDirectory(prefix="tinyprune-") as folder:
        artifacts = compile_file(Path(text), targets, Path(folder))
        summaries = [summary_of_file(artifact) for artifact in artifacts]
    return references.Reference(text, tuple(summaries))


def _knows_quality(side: "Reference") -> bool:
    """Return whether any variant has a score."""
    variants = [variant for summary in side.summaries for variant in summary.variants]
    return any(variant.quality.metrics for variant in variants)


def _text(comparison: "Comparison", output_format: str) -> str:
    """Return the comparison as text."""
    from tinyprune.report.render import junit, markdown, terminal, verdict

    if output_format == "table":
        return terminal.to_text(verdict.format_table(comparison))
    formats = {
        "json": verdict.to_json,
        "csv": verdict.to_csv,
        "markdown": markdown.comparison,
        "junit": junit.comparison,
    }
    return formats[output_format](comparison)
