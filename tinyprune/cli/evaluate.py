"""``tinyprune evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options, sweeping
from tinyprune.cli.values import FILE, FOLDER, PATH
from tinyprune.config.values import one_or_several
from tinyprune.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from tinyprune.metrics.evaluation import Evaluation
    from tinyprune.metrics.scores import Scored
    from tinyprune.stages.model_reference import EvaluationRequest


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@options.run_folder
@click.option(
    "--split",
    type=click.Choice(["dev", "test"]),
    help="Split of the data that is scored.  [default: dev; test where folders or a path are "
    "given]",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Metric, e.g. sdr, stoi or pesq, or all. May be repeated.  [default: those of the task]",
)
@click.option(
    "--test-speech",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of clean speech of the test split, with --test-noise. May be repeated.",
)
@click.option(
    "--test-noise",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of noise of the test split. May be repeated.",
)
@click.option(
    "--noisy",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of noisy recordings to score on, with --clean. May be repeated.",
)
@click.option(
    "--clean",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of the clean speech in them, in files of the same names: one for all, or one for "
    "each --noisy.",
)
@click.option(
    "--enhanced",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    help="Folder of finished audio to score instead of MODELs, with --clean. May be repeated.",
)
@click.option(
    "--path",
    type=PATH,
    metavar="CORPUS",
    help="Corpus to score on, in a known layout, or its CSV manifest.",
)
@click.option(
    "--frontend",
    type=FILE,
    metavar="FILE",
    help="Front end (JSON) of models that are files.  [default: the one beside each]",
)
@click.option(
    "--max-drop",
    multiple=True,
    metavar="METRIC=X",
    help="Largest drop of a metric below the first model. Exit code 3 beyond it. May be repeated.",
)
@click.option(
    "--files",
    type=FILE,
    metavar="FILE.csv",
    help="File that the metrics of every item, model and form are written to.",
)
@sweeping.options
@options.format_option((*options.DATA_FORMATS, "markdown"), "the results, markdown with --sweep,")
def evaluate(
    models: tuple[str, ...],
    run: Path,
    split: str | None,
    metrics: tuple[str, ...],
    frontend: Path | None,
    max_drop: tuple[str, ...],
    files: Path | None,
    enhanced: tuple[str, ...],
    sweep: tuple[str, ...],
    sweep_inputs: Path | None,
    strict: bool,
    output_format: str,
    **folders: Any,
) -> None:
    """Score MODELs on the same files: how good, how sure, and how far from the first.

    A MODEL is a variant of the run, optionally in one form (weight-0.80:float), or a file: .keras,
    .h5, int8 .tflite, or "pretrained", which comes with tinyprune. By default all variants are
    scored. The first is the reference. Every difference to it has a 95 % interval.

    Files need no run where --noisy and --clean, or --path, say what to score on. With --max-drop
    and one variant the reference is the baseline.

    Finished audio, e.g. recorded from a device, is scored with --enhanced DIR --clean DIR. Each
    file is moved to where its clean speech is; lag and polarity are reported.

    With --sweep the recordings are changed in one way at a time, and it is said where a model must
    not be used.
    """
    for name in ("test_speech", "test_noise"):
        folders[name] = one_or_several(folders[name])
    for name in ("noisy", "clean"):  # the first with the first: one may be given twice
        folders[name] = folders[name] if len(folders[name]) > 1 else one_or_several(folders[name])
    swept = sweeping.flags(sweep, sweep_inputs, strict)
    if swept is not None:
        sweeping.check(models, enhanced, {"--metric": metrics, "--max-drop": max_drop})
        request = _request(split, metrics, frontend, (), folders)
        sweeping.run_sweep(run, models, request, swept, enhanced, files, output_format)
        return
    if output_format == "markdown":
        raise UsageError("--format markdown goes with --sweep: give table, json or csv")
    limits = _limits(max_drop)
    from tinyprune.metrics.evaluation import evaluation
    from tinyprune.report.render.score_data import files_csv
    from tinyprune.storage.records import write_text

    if enhanced:
        _check_finished(models, split, frontend, folders)
        scored = _score_finished(enhanced, folders, metrics, tuple(limits))
    else:
        from tinyprune.stages.evaluate import evaluate_models

        request = _request(split, metrics, frontend, tuple(limits), folders)
        scored = evaluate_models(run, models, request)
    if files is not None:
        write_text(files, files_csv(scored))
    compared = evaluation(scored)
    _show(compared, output_format)
    _gate(compared, limits, output_format)


def _check_finished(
    models: tuple[str, ...], split: str | None, frontend: Path | None, folders: dict[str, Any]
) -> None:
    """Raise UsageError for what finished audio does not go together with, or lacks."""
    if models:
        raise UsageError(f"--enhanced scores finished audio, {models[0]} is a model: give one kind")
    others = {"--split": split, "--frontend": frontend}
    for name in ("path", "test_speech", "test_noise"):
        others[f"--{name.replace('_', '-')}"] = folders[name]
    for option, value in others.items():
        if value is not None:
            raise UsageError(f"--enhanced goes with --clean and --noisy: leave out {option}")
    if folders["clean"] is None:
        raise UsageError("--enhanced needs the clean speech beside it: give --clean DIR")
    for name in ("noisy", "clean"):
        if isinstance(folders[name], tuple):
            raise UsageError(
                f"--{name} was given {len(folders[name])} times: --enhanced takes one such folder, "
                "which all of its folders have the file names of"
            )


def _score_finished(
    enhanced: tuple[str, ...],
    folders: dict[str, Any],
    metrics: tuple[str, ...],
    limited: tuple[str, ...],
) -> "Scored":
    """Return the scores of folders of finished audio."""
    from tinyprune.metrics.selection import registered_name
    from tinyprune.stages.finished_audio import score_finished

    noisy = Path(folders["noisy"]) if folders["noisy"] else None
    names = tuple(map(registered_name, metrics))
    return score_finished(tuple(map(Path, enhanced)), Path(folders["clean"]), noisy, names, limited)


def _request(
    split: str | None,
    metrics: tuple[str, ...],
    frontend: Path | None,
    held: tuple[str, ...],
    folders: dict[str, Any],
) -> "EvaluationRequest":
    """Return data and metrics to score with. Raises UsageError for what contradicts itself."""
    from tinyprune.data.speech.evaluation_data import EvaluationData
    from tinyprune.metrics.selection import registered_name
    from tinyprune.stages.model_reference import EvaluationRequest

    data = EvaluationData(**folders)
    if split == "dev" and not data.is_empty:
        raise UsageError("--split dev is the run's own: leave it out, or leave out the folders")
    default_split = "test"
    if data.is_empty:
        default_split = "dev"
    names = tuple(map(registered_name, metrics))
    return EvaluationRequest(split or default_split, names, data, frontend, held)


def _limits(max_drop: tuple[str, ...]) -> dict[str, float]:
    """Return the largest drop by metric. Raises UsageError for what is no ``METRIC=X``."""
    from tinyprune.metrics.selection import largest_drop

    return dict(map(largest_drop, max_drop))


def _show(compared: "Evaluation", output_format: str) -> None:
    """Print the evaluation."""
    from tinyprune.report.render import score_data, scores, terminal

    if output_format == "table":
        terminal.show(scores.format_evaluation(compared))
    elif output_format == "json":
        click.echo(score_data.to_json(compared), nl=False)
    else:
        click.echo(score_data.to_csv(compared), nl=False)


def _gate(compared: "Evaluation", limits: dict[str, float], output_format: str) -> None:
    """Print which limits are kept, on stderr unless the results are a table.

    Raises CheckFailed for limits that are not kept.
    """
    from tinyprune.metrics.evaluation import drops
    from tinyprune.report.render import score_gate, terminal

    if not limits:
        return
    checked = drops(compared, limits)
    text = terminal.to_text(score_gate.format_drops(checked))
    click.echo(f"\n{text}", nl=False, err=output_format != "table")
    failed = score_gate.failed(checked)
    if failed:
        raise CheckFailed(failed)
