import csv
import io
import json

import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.cli.list import KINDS
from tinyprune.npu import targets
from tinyprune.registry import IMPORTANCES, MODELS

SINGULARS = {"losses": "loss"}


def list_(*arguments):
    result = CliRunner().invoke(main, ["list", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_listed_with_what_it_is(kind):
    rows = json.loads(list_(kind, "--format", "json"))
    assert rows
    assert all(
        row["kind"] == SINGULARS.get(kind, kind.removesuffix("s"))
        and row["name"]
        and row["what it is"]
        for row in rows
    )


def test_everything_is_listed_at_once():
    names = [row["name"] for row in json.loads(list_("--format", "json"))]
    assert {*MODELS, *targets.names()} <= {*names}


def test_csv_and_table_hold_the_same_rows():
    rows = list(csv.reader(io.StringIO(list_("models", "--format", "csv"))))
    assert len(rows) == 1 + len(MODELS)
    assert list_("models").split() == [
        word for row in rows for cell in row for word in cell.split()
    ]


def test_what_is_too_long_for_a_line_goes_on_below_where_it_began():
    header, *lines = list_("importances").splitlines()
    start = header.index("what it is")
    assert [line[:start].split() for line in lines if line[:start].strip()] == [
        ["importance", n] for n in IMPORTANCES
    ]
    assert all(line[start - 2 : start] == "  " and line[start] != " " for line in lines)
    assert len(lines) > len(IMPORTANCES)


def test_the_list_fits_100_columns():
    assert max(map(len, list_().splitlines())) <= 100
