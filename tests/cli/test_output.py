import csv
import io
import json
from pathlib import Path

import pytest

from tinyprune.artifacts.network import TensorSparsity
from tinyprune.artifacts.quality import Quality
from tinyprune.cli import output
from tinyprune.compress.offline import OfflineResult
from tinyprune.sparsity.n_m import NOfM
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.sparsity.weight import Weight

PADDED = "last run of 2 inputs padded to 4"
PLAN = PruningPlan(
    layers=(
        LayerPlan("lstm", "kernel", (32, 4 * 8), Weight(), "magnitude", 32 * 4 * 8, 0.8),
        LayerPlan(
            "conv", "kernel", (3, 3, 6, 8), NOfM(2, 4), "magnitude", 3 * 3 * 6 * 8, 0.5, note=PADDED
        ),
    ),
    skipped={"head": "too small", "tail": "too small"},
    scope="global",
    schedule="polynomial",
    sparsity=0.8,
    end=300,
)
LONG = ";".join(f"functional_1/block_{number}_1/convolution" for number in range(9))
OFFLINE = OfflineResult(
    path=Path("m-offline.tflite"),
    sha256="0" * 64,
    file_bytes=4000,
    tensors=(TensorSparsity("tiny/conv", 200, 100, 120), TensorSparsity(LONG, 64, 64, 64)),
    skipped={"tiny/table": "is a constant of GATHER"},
)
BASELINE = Quality("streaming", "dev", 8, 0, {"si_sdr_db": 9.0})
SMALL = Quality(
    "streaming", "dev", 8, 1, {"si_sdr_db": 8.5, "sdr_db": 8.75}, {"-6": {"si_sdr_db": 5.0}}
)
QUALITIES = [("baseline", BASELINE), ("small", SMALL)]
RECORDS = {
    "plan": PLAN,
    "offline": OFFLINE,
    "qualities": QUALITIES,
}


def printed(kind, output_format, capsys):
    getattr(output, kind)(RECORDS[kind], output_format)
    return capsys.readouterr().out


@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
@pytest.mark.parametrize("name", RECORDS)
def test_every_record_is_printed_plainly_in_every_format(name, output_format, capsys):
    text = printed(name, output_format, capsys)
    assert text.strip()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("name", RECORDS)
def test_csv_has_a_header_and_rows_of_the_same_length(name, capsys):
    rows = list(csv.reader(io.StringIO(printed(name, "csv", capsys))))
    assert len(rows) >= 2
    assert {len(row) for row in rows} == {len(rows[0])}


def test_json_is_the_whole_record(capsys):
    assert json.loads(printed("qualities", "json", capsys))[1]["metrics"] == {
        "si_sdr_db": 8.5,
        "sdr_db": 8.75,
    }


def test_the_plan_says_what_is_pruned_and_why_the_rest_is_not(capsys):
    header, pruned, padded, _, skipped, *more = printed("plan", "table", capsys).splitlines()
    assert header.split() == ["kernel", "shape", "structure", "groups", "sparsity", "note"]
    assert pruned.split() == ["lstm/kernel", "32x32", "weight", "1024", "0.80"]
    assert padded.split(maxsplit=5) == [
        *("conv/kernel", "3x3x6x8", "2:4", "432", "0.50"),  # 3 * 3 * 6 * 8
        "last run of 2 inputs padded to 4",
    ]
    assert skipped == "skipped head, tail: too small"
    assert more == [
        "",
        "magnitude (l1), kernels of one structure and sparsity ranked together;",
        "polynomial from 0% of the training to step 300",
    ]


def test_the_plan_as_csv_has_a_row_for_each_layer_that_is_left_alone(capsys):
    rows = list(csv.DictReader(io.StringIO(printed("plan", "csv", capsys))))
    assert [row["kernel"] for row in rows] == ["lstm/kernel", "conv/kernel", "head", "tail"]
    assert [row["note"] for row in rows][2:] == 2 * ["skipped: too small"]


def test_an_offline_pruning_says_what_is_left_of_each_tensor(capsys):
    header, half, gone, _, skipped, _, last = printed("offline", "table", capsys).splitlines()
    assert header.split() == ["tensor", "weights", "pruned", "zeros", "note"]
    assert half.split() == ["tiny/conv", "200", "0.50", "0.60"]  # 100 / 200 and 120 / 200
    name, *cells = gone.split(maxsplit=4)
    assert cells == ["64", "1.00", "1.00", "nothing is left of it"]
    assert len(name) <= 50
    assert (name[:20], name[-20:]) == (LONG[:20], LONG[-20:])
    assert skipped == "skipped tiny/table: is a constant of GATHER"
    assert last == "m-offline.tflite: 0.697 of its weights are zero"  # (120 + 64) / (200 + 64)


def test_an_offline_pruning_as_csv_and_json_cuts_no_name(capsys):
    rows = list(csv.DictReader(io.StringIO(printed("offline", "csv", capsys))))
    assert [row["tensor"] for row in rows] == ["tiny/conv", LONG, "tiny/table"]
    assert rows[2]["note"] == "skipped: is a constant of GATHER"
    record = json.loads(printed("offline", "json", capsys))
    assert [tensor["name"] for tensor in record["tensors"]] == ["tiny/conv", LONG]


def test_the_offline_control_of_a_run_is_printed_as_any_variant(capsys):
    output.offline(QUALITIES, "table")
    found = capsys.readouterr().out
    assert found == printed("qualities", "table", capsys)


@pytest.mark.parametrize("name", RECORDS)
def test_a_table_fits_100_columns(name, capsys):
    assert max(map(len, printed(name, "table", capsys).splitlines())) <= 100


def test_a_variant_without_a_metric_has_an_empty_cell(capsys):
    first, second, quiet = csv.DictReader(io.StringIO(printed("qualities", "csv", capsys)))
    assert (first["si_sdr_db"], first["sdr_db"]) == ("9.000", "")
    assert (second["si_sdr_db"], second["sdr_db"]) == ("8.500", "8.750")
    assert (quiet["variant"], quiet["snr_db"], quiet["si_sdr_db"], quiet["sdr_db"]) == (
        "small",
        "-6",
        "5.000",
        "",
    )


def test_the_table_of_qualities_has_one_line_each_and_another_per_snr(capsys):
    lines = printed("qualities", "table", capsys).splitlines()
    assert len(lines) == (1 + len(QUALITIES)) + 1 + (1 + len(QUALITIES))
    assert lines[1 + len(QUALITIES)] == ""
    assert lines[-3].endswith("si_sdr_db at  -6 dB")
    assert lines[-1].split() == ["small", "streaming", "5.000"]
