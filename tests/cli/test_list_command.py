import csv
import io
import json

import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.cli.list import KINDS
from tinyprune.npu import targets
from tinyprune.registry import MODELS


def list_(*arguments):
    result = CliRunner().invoke(main, ["list", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_listed_with_what_it_is(kind):
    rows = json.loads(list_(kind, "--format", "json"))
    assert rows
    assert all(row["kind"] == kind.removesuffix("s") and row["name"] and row["what it is"] for row in rows)


def test_everything_is_listed_at_once():
    names = [row["name"] for row in json.loads(list_("--format", "json"))]
    assert {*MODELS, *targets.names()} <= {*names}


def test_csv_and_table_hold_the_same_rows():
    rows = list(csv.reader(io.StringIO(list_("models", "--format", "csv"))))
    lines = list_("models").splitlines()
    assert len(rows) == len(lines) == 1 + len(MODELS)
    assert all(cell in line for row, line in zip(rows, lines, strict=True) for cell in row)
