"""``tinyprune evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options
from tinyprune.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from tinyprune.metrics.comparison import Evaluation
    from tinyprune.stages.model_reference import EvaluationRequest

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@options.run_folder
@click.option(
    "--split",
    type=click.Choice(["dev", "test"]),
    help="Which files.  [default: dev; test of data that are given]",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="E.g. sdr, stoi, pesq, or all; may be repeated.",
)
@click.option(
    "--test-speech", type=options.FOLDER, metavar="DIR", help="Clean speech of the test split."
)
@click.option("--test-noise", type=options.FOLDER, metavar="DIR", help="Noise of the test split.")
@click.option(
    "--noisy",
    type=options.FOLDER,
    metavar="DIR",
    help="Noisy recordings to score on, with --clean.",
)
@click.option(
    "--clean",
    type=options.FOLDER,
    metavar="DIR",
    help="Their clean speech, in files of the same names.",
)
@click.option(
    "--path",
    type=options.PATH,
    metavar="CORPUS",
    help="A corpus to score on: a known layout, or a CSV.",
)
@click.option(
    "--frontend",
    type=FILE,
    metavar="FILE",
    help="Front end (JSON) of model files.  [default: beside them]",
)
@click.option(
    "--max-drop",
    multiple=True,
    metavar="METRIC=X",
    help="Exit 3 if a model falls further below the first.",
)
@click.option(
    "--files",
    type=FILE,
    metavar="FILE.csv",
    help="Write the metrics of every file, model and form.",
)
@options.output_format
def evaluate(
    models: tuple[str, ...],
    run: Path,
    split: str | None,
    metrics: tuple[str, ...],
    frontend: Path | None,
    max_drop: tuple[str, ...],
    files: Path | None,
    output_format: str,
    **data: Any,
) -> None:
    """Score MODELs on the same files: how good, how sure, and how far from the first.

    A MODEL is a variant of the run (all if none is named), in a form if you like
    (weight-0.80:float), or a file: .keras, .h5, int8 .tflite, or "pretrained", which comes with
    tinyprune. The first is the reference; every difference to it has a 95 % interval. Files need no
    run where --noisy and --clean, or --path, say what to score on. With
    --max-drop and one variant the reference is the baseline.
    """
    limits = _limits(max_drop)
    request = _request(split, metrics, frontend, tuple(limits), data)
    from tinyprune.metrics.comparison import evaluation
    from tinyprune.report.render.scores import files_csv
    from tinyprune.stages.evaluate import evaluate_models
    from tinyprune.storage.records import write_text

    scored = evaluate_models(run, models, request)
    if files is not None:
        write_text(files, files_csv(scored))
    found = evaluation(scored)
    _show(found, output_format)
    _gate(found, limits, output_format)


def _request(
    split: str | None,
    metrics: tuple[str, ...],
    frontend: Path | None,
    held: tuple[str, ...],
    data: dict[str, Any],
) -> "EvaluationRequest":
    """Return data and metrics to score with. Raises UsageError for what contradicts itself."""
    from tinyprune.data.speech.evaluation_data import EvaluationData
    from tinyprune.metrics.selection import registered_name
    from tinyprune.stages.model_reference import EvaluationRequest

    given = EvaluationData(**data)
    if split == "dev" and not given.is_empty:
        raise UsageError("--split dev is the run's own: leave it out, or leave out the folders")
    names = tuple(map(registered_name, metrics))
    return EvaluationRequest(
        split or ("dev" if given.is_empty else "test"), names, given, frontend, held
    )


def _limits(max_drop: tuple[str, ...]) -> dict[str, float]:
    """Metric name -> largest drop. Raises UsageError for what is no ``METRIC=X``."""
    from tinyprune.metrics.selection import largest_drop

    return dict(map(largest_drop, max_drop))


def _show(found: "Evaluation", output_format: str) -> None:
    """Print the evaluation."""
    from tinyprune.report.render import scores as evaluation
    from tinyprune.report.render import terminal

    if output_format == "table":
        terminal.show(evaluation.format_evaluation(found))
    else:
        text = evaluation.to_json(found) if output_format == "json" else evaluation.to_csv(found)
        click.echo(text, nl=False)


def _gate(found: "Evaluation", limits: dict[str, float], output_format: str) -> None:
    """Print what keeps its limit, on stderr unless the results are a table. Raises CheckFailed for what does not."""
    from tinyprune.metrics.comparison import drops
    from tinyprune.report.render import scores as evaluation
    from tinyprune.report.render import terminal

    if limits:
        checked, aside = drops(found, limits), output_format != "table"
        click.echo("\n" + terminal.to_text(evaluation.format_drops(checked)), nl=False, err=aside)
        if line := evaluation.failed(checked):
            raise CheckFailed(line)
