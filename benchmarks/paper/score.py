"""Scores of a row, item by item against the float32 baseline, whose own scores are kept in the run folder."""

import hashlib
from collections.abc import Mapping, Sequence

from benchmarks.paper.record import Score, Split
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.metrics.evaluation import Figure, Row, evaluation
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.scores import Scored, Scores
from tinyprune.stages.evaluate import score_references
from tinyprune.stages.model_reference import EvaluationRequest, ModelReference
from tinyprune.stages.run import Run
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.run_folder import BASELINE

SCORED = {
    "speech": ("si_sdr_db", "sdr_db", "stoi", "pesq_wb"),
    "classification": ("accuracy", "auc"),
}
REFERENCE = ModelReference(BASELINE, "float")
Form = tuple[str, str]  # of a variant: its name and "float", or an int8 graph
AT_ONCE = 8  # models of the test split whose scores are in memory


def dev(run: Run, variant: str, form: str) -> Split:
    """A form of a variant on dev, beside the float32 baseline."""
    reference = _reference(run)
    if (variant, form) == (REFERENCE.name, REFERENCE.form):
        return _splits(reference)[variant, form]
    scores = _scores(run, variant, form)
    return _splits(
        Scored("dev", reference.metrics, reference.noisy, (*reference.models, (scores,)))
    )[variant, form]


def test(
    run: Run, wanted: Sequence[tuple[str, str]], folders: Mapping[str, str | None]
) -> dict[Form, Split]:
    """Forms of variants on the test split, by (variant, form), beside the float32 baseline.

    ``folders``: "test_speech" and "test_noise", or nothing for data that have a test split.
    """
    asked = EvaluationRequest("test", metrics_of(run), EvaluationData(**folders))
    models = [
        REFERENCE,
        *(ModelReference(*one) for one in wanted if one != (REFERENCE.name, REFERENCE.form)),
    ]
    return _splits(score_references(run, models, asked))


def metrics_of(run: Run) -> tuple[str, ...]:
    """What is scored: PESQ only where it is installed."""
    return tuple(name for name in SCORED[run.record.name] if metric_of(name).is_installed)


def _reference(run: Run) -> Scored:
    """The scores of the float32 baseline on dev, measured once per run folder."""
    path, wanted = (
        run.space.root / "scores-dev.json",
        {"model": run.baseline.output_sha256("train", "model.keras")},
    )
    wanted["metrics"] = ",".join(metrics_of(run))
    mark = path.with_name("scores-dev-of.json")
    if path.exists() and mark.exists() and read_json(mark, dict[str, str]) == wanted:
        return read_json(path, Scored)
    mark.unlink(missing_ok=True)
    found = score_references(run, [REFERENCE], EvaluationRequest("dev", metrics_of(run)))
    write_json(path, found)
    write_json(mark, wanted)
    return found


def _scores(run: Run, variant: str, form: str) -> Scores:
    from tinyprune.stages import scoring

    folder = run.require(variant).folder
    model = scoring.model_of_variant(ModelReference(variant, form), run.task, folder, None)
    return model.task.scores(model.forms[form](), form, "dev", metrics_of(run), model.name)


def _splits(scored: Scored) -> dict[Form, Split]:
    found = evaluation(scored)
    names = "\n".join(item.name for item in scored.rows[0].items)
    digest = hashlib.sha256(names.encode()).hexdigest()
    noisy = _means(found.rows[0]) if scored.noisy else {}
    rows = found.rows[1:] if scored.noisy else found.rows
    return {(row.model, row.form): Split(found.items, digest, _figures(row), noisy) for row in rows}


def _means(row: Row) -> dict[str, float]:
    return {name: figure.value.mean for name, figure in row.metrics.items() if figure.value}


def _figures(row: Row) -> dict[str, Score]:
    return {name: _score(figure) for name, figure in row.metrics.items() if figure.value}


def _score(figure: Figure) -> Score:
    assert figure.value is not None
    change = figure.difference
    return Score(figure.value.mean, *((change.mean, change.low, change.high) if change else ()))
