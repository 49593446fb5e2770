"""Evaluations as tables of at most 100 columns, JSON, CSV; scores per file; the line of a gate that failed."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from tinyprune.metrics.evaluation import Drop, Evaluation, drops, evaluation
from tinyprune.metrics.scores import ItemScore, Scored, Scores
from tinyprune.metrics.statistics import Estimate
from tinyprune.report.render import score_data, score_gate
from tinyprune.report.render import scores as report
from tinyprune.report.render.terminal import to_text
from tinyprune.storage.records import from_jsonable

METRICS = ("si_sdr_db", "stoi")


def scores(model, form, shift, undefined=0, items=40):
    rng = np.random.default_rng(0)
    values = rng.normal(8, 3, items) + shift
    return Scores(
        *(model, form, "test", METRICS),
        tuple(
            ItemScore(
                *(
                    f"{number}.wav",
                    f"p{number % 4}",
                    ("car", "babble")[number % 2],
                    2.5 * (number % 3),
                ),
                {} if number < undefined else {"si_sdr_db": value, "stoi": 0.5 + value / 100},
            )
            for number, value in enumerate(values)
        ),
    )


def scored(names=("baseline", "weight-0.80"), noisy=True, undefined=0):
    models = [
        (scores(name, "float", -0.1 * index), scores(name, "streaming", -0.3 * index, undefined))
        for index, name in enumerate(names)
    ]
    return Scored("test", METRICS, scores("-", "noisy", -6) if noisy else None, tuple(models))


def text(found: Scored) -> str:
    return to_text(report.format_evaluation(evaluation(found)))


def line(shown: str, start: str, nth: int = 0) -> str:
    return [line for line in shown.splitlines() if line.startswith(start)][nth]


def test_each_metric_has_a_table_with_what_is_told_from_zero():
    shown = text(scored())
    assert shown.startswith("40 files of the test split; differences to baseline\n")
    mean = np.mean([item.metrics["si_sdr_db"] for item in scored().models[0][0].items])
    assert line(shown, "SI-SDR dB").split()[2:] == [
        "mean",
        "median",
        "over",
        "noisy",
        "difference",
        "95",
        "%",
        "interval",
    ]
    assert line(shown, "noisy input").split()[2] == f"{mean - 6:.2f}"
    assert line(shown, "baseline float").split()[2] == f"{mean:.2f}"
    assert line(shown, "baseline float").split()[-2:] == ["+6.00", "±0.00"]  # each file 6 dB better
    assert line(shown, "weight-0.80 streaming").split()[-5:] == [
        "-0.30",
        "-0.30",
        "to",
        "-0.30",
        "worse",
    ]
    assert line(shown, "weight-0.80 streaming", 1).split()[-5:] == [
        "-0.003",
        "-0.003",
        "to",
        "-0.003",
        "worse",
    ]


def test_what_cannot_be_told_from_zero_is_unclear():
    one, other = scores("a", "float", 0), scores("b", "float", 0)
    items = [
        replace(item, metrics={"si_sdr_db": float(n)})
        for n, item in enumerate(reversed(other.items))
    ]
    other = replace(other, items=tuple(items))
    shown = text(Scored("test", METRICS, None, ((one,), (other,))))
    assert not line(shown, "b float").endswith("unclear")  # 8 against 0 ... 39
    items = [replace(item, metrics=one.items[-1 - n].metrics) for n, item in enumerate(one.items)]
    shown = text(Scored("test", METRICS, None, ((one,), (replace(other, items=tuple(items)),))))
    assert line(shown, "b float").split()[-5] == "+0.00"
    assert line(shown, "b float").endswith("unclear")
    assert "unclear: their interval holds 0" in shown


def test_the_main_metric_per_snr_and_per_category_of_what_the_device_runs():
    shown = text(scored()).splitlines()
    start = next(
        n
        for n, row in enumerate(shown)
        if row.split() == ["by", "SNR", "in", "dB", "items", "input", *2 * ["streaming"]]
    )
    assert [row.split()[:2] for row in shown[start + 1 : start + 4]] == [
        ["0", "14"],
        ["2.5", "13"],
        ["5", "13"],
    ]
    assert [row.split()[0] for row in shown if row.startswith(("babble", "car"))] == [
        "babble",
        "car",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["baseline", *(f"unit-0.{i}0-weight-0.80-block-16x16-0.9{i}" for i in range(8))],
        [
            f"/a/very/long/path/of/a/run/folder/variants/weight-0.8{i}/streaming.tflite"
            for i in range(4)
        ],
    ],
    ids=["many", "files"],
)
def test_at_most_100_columns(names):
    shown = text(scored(names))
    assert max(map(len, shown.splitlines())) <= 100
    assert "very" not in shown  # what tells files apart is enough


def test_what_is_undefined_is_said():
    shown = " ".join(text(scored(undefined=2)).split())
    start = "Left out, because undefined (silent, too short, too long for PESQ, no speech): "
    assert (
        f"{start}SI-SDR dB 2 of baseline streaming, 2 of weight-0.80 streaming; STOI 2 of" in shown
    )
    assert "undefined" not in text(scored())
    alike = Scored("test", METRICS, None, ((scores("a", "float", 0, undefined=3),),))
    assert f"{start}SI-SDR dB 3; STOI 3." in " ".join(text(alike).split())


def test_few_items_are_said():
    few = Scored("test", METRICS, None, ((scores("a", "float", 0, items=5),),))
    assert "Of fewer than 20 items, intervals come out somewhat too narrow." in text(few)
    assert "somewhat" not in text(scored())


def test_one_model_without_a_noisy_input_has_neither_improvement_nor_difference():
    shown = text(Scored("dev", METRICS, None, ((scores("a", "int8", 0),),)))
    assert shown.startswith("40 examples of the dev split\n")
    assert line(shown, "SI-SDR dB").split() == ["SI-SDR", "dB", "mean"]


def test_a_metric_without_any_value_is_a_dash():
    empty = replace(
        scores("b", "float", 0),
        items=tuple(replace(i, metrics={}) for i in scores("b", "float", 0).items),
    )
    shown = text(
        Scored("test", METRICS, scores("-", "noisy", 0), ((scores("a", "float", 0),), (empty,)))
    )
    assert line(shown, "b float").split() == ["b", "float", *"------"]


def test_json_is_the_whole_record():
    found = evaluation(scored(undefined=1))
    read = json.loads(score_data.to_json(found))
    assert read["schema"] == 1
    row = read["rows"][-1]
    assert (row["model"], row["form"], row["reference"]) == (
        "weight-0.80",
        "streaming",
        "baseline streaming",
    )
    assert row["metrics"]["si_sdr_db"].keys() == {"value", "undefined", "improvement", "difference"}
    assert row["metrics"]["si_sdr_db"]["undefined"] == 1
    assert row["by_category"].keys() == {"babble", "car"}
    assert "NaN" not in score_data.to_json(found)
    assert from_jsonable(read, Evaluation) == found


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_line_per_row_group_and_metric():
    found = rows(score_data.to_csv(evaluation(scored())))
    assert len(found) == (1 + 2 * 2) * (1 + 3 + 2) * len(METRICS)
    last = found[-1]
    assert (last["model"], last["group"], last["value"], last["metric"]) == (
        "weight-0.80",
        "category",
        "car",
        "stoi",
    )
    assert float(last["difference"]) == pytest.approx(-0.003)
    assert found[0]["improvement"] == found[0]["reference"] == ""


def test_files_have_a_line_per_file_model_and_form():
    found = rows(score_data.files_csv(scored(undefined=1)))
    assert len(found) == (1 + 2 * 2) * 40
    assert list(found[0]) == ["file", "speaker", "category", "snr_db", "model", "form", *METRICS]
    assert (found[40]["file"], found[40]["model"], found[40]["form"]) == (
        "0.wav",
        "baseline",
        "float",
    )
    assert found[80]["stoi"] == ""  # undefined


# --- the gate
# ---------------------------------------------------------------------------------------------------------


def drop(mean, low, high, limit=0.1, metric="sdr_db"):
    return Drop(
        "weight-0.80",
        "streaming",
        "baseline streaming",
        metric,
        limit,
        Estimate(mean, mean, low, high, 9),
    )


def test_a_drop_that_is_too_far_is_one_line():
    assert score_gate.failed([drop(-0.05, -0.2, 0.1)]) is None
    assert score_gate.failed([drop(0.3, 0.2, 0.4), drop(-0.62, -0.8, -0.44), drop(-9, -9, -9)]) == (
        "weight-0.80 streaming: SDR 0.62 dB below baseline streaming (95 % interval 0.44 to 0.80); allowed 0.10 dB; "
        "and 1 more"
    )
    assert score_gate.failed([drop(-0.03, -0.05, 0.01, 0.02, "stoi")]) == (
        "weight-0.80 streaming: STOI 0.030 below baseline streaming (95 % interval -0.010 to 0.050); allowed 0.020, "
        "which the interval includes: more files would tell"
    )


def test_a_drop_without_an_interval_or_a_value():
    assert score_gate.failed([drop(-0.3, None, None, metric="auc")]) == (
        "weight-0.80 streaming: AUC 0.300 below baseline streaming; allowed 0.100"
    )
    assert score_gate.failed([replace(drop(0, 0, 0), difference=None)]) == (
        "weight-0.80 streaming: SDR is undefined everywhere, it cannot be held to baseline streaming"
    )


def test_the_verdicts_say_whether_the_interval_includes_the_limit():
    found = [
        drop(-0.05, -0.08, 0.0),
        drop(-0.05, -0.2, 0.1),
        drop(-0.5, -0.6, -0.4),
        drop(-0.2, -0.4, 0.0),
    ]
    shown = to_text(score_gate.format_drops(found)).splitlines()[1:]
    assert [row.partition("-0.10  ")[2] for row in shown] == [
        "holds",
        "holds, not for sure",
        "TOO FAR",
        "TOO FAR, not for sure",
        "",
    ]
    assert shown[-1] == "not for sure: the interval includes the limit; more files would tell"
    assert max(map(len, shown)) <= 100


def test_a_gate_from_scores_to_verdict():
    assert score_gate.failed(drops(evaluation(scored()), {"si_sdr_db": 0.31})) is None
    assert score_gate.failed(drops(evaluation(scored()), {"si_sdr_db": 0.29})).startswith(
        "weight-0.80 streaming: SI-SDR 0.30"
    )
