import importlib.util
from functools import partial

import pytest

from tinyprune.errors import UsageError
from tinyprune.metrics import selection
from tinyprune.metrics.metric import metric_of
from tinyprune.registry import METRICS
from tinyprune.tasks.classification import Classification
from tinyprune.tasks.speech import Speech

SPEECH = ("si_sdr_db", "sdr_db", "seg_snr_db", "stoi", "estoi", "pesq_wb", "pesq_nb")


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        *(
            ("sdr", "sdr_db"),
            ("SI-SDR", "si_sdr_db"),
            ("si_sdr_db", "si_sdr_db"),
            ("seg-snr", "seg_snr_db"),
        ),
        *(
            ("stoi", "stoi"),
            ("pesq", "pesq_wb"),
            ("pesq-nb", "pesq_nb"),
            ("accuracy", "accuracy"),
            ("all", "all"),
        ),
    ],
)
def test_short_names(name, metric):
    assert selection.registered_name(name) == metric


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_a_short_name(metric):
    assert selection.registered_name(metric_of(metric).option) == metric


def test_a_name_that_does_not_exist_is_said_with_the_closest():
    with pytest.raises(
        UsageError,
        match=r"^unknown metric 'stio': did you mean 'stoi'\? expected one of: all, estoi, ",
    ):
        scored((selection.registered_name("stio"),), Speech)


def test_a_metric_of_a_users_task_or_of_an_output_is_known():
    assert selection.registered_name("degrees_error") == "degrees_error"
    assert selection.registered_name("Box.SI-SDR") == "Box.si_sdr_db"
    known = ("box.r2", "box.mse")
    choose = partial(selection.metrics_to_score, task="several", default=("box.r2",), known=known)
    assert choose(["box.mse"]) == ("box.mse",)
    assert choose(["all"]) == ("mean_score", "box.r2", "box.mse")
    with pytest.raises(UsageError, match=r"^unknown metric 'bax.mse': did you mean 'box.mse'"):
        choose(["bax.mse"])


def scored(names, task, limited=()):
    return selection.metrics_to_score(names, task.name, task.default_metrics, limited)


def test_the_default_metrics_of_a_task():
    assert scored((), Speech) == ("si_sdr_db", "sdr_db", "stoi")
    assert scored((), Classification) == ("accuracy", "auc")


def test_each_metric_is_there_once_and_what_is_held_too():
    assert scored(("stoi", "sdr_db", "stoi"), Speech, ("sdr_db", "estoi")) == (
        "stoi",
        "sdr_db",
        "estoi",
    )


def installed(monkeypatch, is_there):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "pesq" and not is_there else find("sys"),
    )


def test_all_is_with_pesq_where_that_is_installed(monkeypatch):
    installed(monkeypatch, True)
    assert scored(("all",), Speech) == SPEECH
    installed(monkeypatch, False)
    assert scored(("all",), Speech) == SPEECH[:5]
    of_classes = ("accuracy", "auc", "balanced_accuracy", "f1")
    assert scored(("all",), Classification) == of_classes


def test_pesq_that_is_not_installed_is_said_before_anything_is_scored(monkeypatch):
    installed(monkeypatch, False)
    with pytest.raises(
        UsageError,
        match=r'^pesq-wb needs pesq, .* pip install "tinyprune\[pesq\]", or leave it out$',
    ):
        scored(("stoi", "pesq_wb"), Speech)


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(
        UsageError, match="^accuracy is no metric of speech: expected si-sdr, sdr, seg-snr, stoi, "
    ):
        scored(("accuracy",), Speech)
    with pytest.raises(
        UsageError,
        match="^sdr is no metric of classification: expected accuracy, auc, balanced-accuracy, f1 or all$",
    ):
        scored((), Classification, ("sdr_db",))


def test_a_limit_is_a_metric_and_a_number():
    assert selection.largest_drop("sdr=0.1") == ("sdr_db", 0.1)
    assert selection.largest_drop("stoi=0") == ("stoi", 0.0)


@pytest.mark.parametrize(
    "text", ["sdr", "sdr=", "sdr=-1", "sdr=much", "sdr=nan", "sdr=inf", "all=1", "0.1"]
)
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(
        UsageError,
        match=f"^--max-drop {text}: expected METRIC=X with X of at least 0, e.g. sdr=0.1$",
    ):
        selection.largest_drop(text)


def test_a_limit_of_an_unknown_metric_is_named():
    metric, _ = selection.largest_drop("srd=0.1")
    with pytest.raises(UsageError, match="^unknown metric 'srd'"):
        scored((), Speech, (metric,))
