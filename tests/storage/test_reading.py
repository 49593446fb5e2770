"""Files of strangers are ordinary files of a known size, and JSON of any shape is one error."""

import os

import pytest

from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.cells import harmless
from tinyprune.storage.digests import read_sealed
from tinyprune.storage.reading import MIB, check_inflation, parse_json, parse_table, read_bytes
from tinyprune.storage.records import read_json


def test_an_ordinary_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a", 3, "expected a") == b"abc"
    with pytest.raises(UsageError, match="the most that is read is 0 MiB"):
        read_bytes(tmp_path / "a", 2, "expected a")


def test_what_is_no_file_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, line in (("fifo", "is a FIFO"), ("", "is a folder"), ("none", "does not exist")):
        with pytest.raises(UsageError, match=rf"{line}.*: expected this"):
            read_bytes(tmp_path / name, 9, "expected this")


BAD_JSON = ["", "{", "[" * 100_000, '{"a":' * 100_000, "1" * 10_000, "\x00"]


@pytest.mark.parametrize("text", BAD_JSON, ids=range(len(BAD_JSON)))
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("text", ["null", "[]", "[[1, 2]]", "3", '"a"'])
def test_what_is_no_object_is_a_value_error(text):
    with pytest.raises(ValueError, match="expected an object"):
        parse_table(text)


@pytest.mark.parametrize("text", [*BAD_JSON, "null", "[]", '[["a", 1]]'], ids=range(9))
def test_a_record_of_any_shape_is_one_line(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(TinypruneError, match="delete it"):
        read_json(path, int)
    with pytest.raises(TinypruneError, match=r"record\.json cannot be read \(.*delete it"):
        read_sealed(path, "delete it")


def test_what_no_data_inflate_to(tmp_path):
    check_inflation("a", 250 * MIB, 1)
    check_inflation("a", 300 * MIB, 2 * MIB)
    with pytest.raises(UsageError, match="takes 3,000 MiB, unpacked from 3.0 MiB"):
        check_inflation("a", 3_000 * MIB, 3 * MIB)


def test_cells_that_would_be_formulas():
    """Numbers stay numbers, also as texts."""
    assert harmless("=1+1") == "'=1+1"
    assert harmless("@sum") == "'@sum"
    assert harmless("-x.wav") == "'-x.wav"
    assert harmless("+x") == "'+x"
    assert [harmless(cell) for cell in ("-1.5", "+3", "a=b", "", -2, None)] == [
        "-1.5",
        "+3",
        "a=b",
        "",
        -2,
        None,
    ]
