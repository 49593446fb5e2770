import dataclasses
import inspect
import json
import types
import typing
from pathlib import Path

import pytest

from tinyprune import artifacts
from tinyprune.artifacts import resources
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import TinypruneError
from tinyprune.storage.records import read_json, to_jsonable, write_json, write_text

RECORDS = [
    kind
    for module in (artifacts, resources)
    for _, kind in inspect.getmembers(module, dataclasses.is_dataclass)
    if isinstance(kind, type) and kind.__module__ == module.__name__
]


def example(hint, name="value"):
    """A value of any type that a record is declared with, made from the name of its field."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(
            **{
                field.name: example(hints[field.name], field.name)
                for field in dataclasses.fields(hint)
            }
        )
    if origin is tuple and parts[1:] == (...,):
        return tuple(example(parts[0], f"{name}{i}") for i in range(2))
    if origin is dict:
        return {f"{name} key": example(parts[1], name)}
    if isinstance(hint, types.UnionType):
        return example(parts[0], name)
    return {
        str: f"{name} ü",
        bool: name == "on_npu",
        int: len(name),
        float: 1 / (1 + len(name)),
        Path: Path("folder") / name,
    }[hint]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_comes_back_from_json(tmp_path, kind):
    record = example(kind)
    write_json(tmp_path / "record.json", record)
    assert read_json(tmp_path / "record.json", kind) == record


def test_lists_and_plain_numbers_come_back_too(tmp_path):
    qualities = [example(Quality), example(Quality)]
    write_json(tmp_path / "list.json", qualities)
    write_json(tmp_path / "number.json", 968_960)
    assert read_json(tmp_path / "list.json", list[Quality]) == qualities
    assert read_json(tmp_path / "number.json", int) == 968_960


def test_none_comes_back(tmp_path):
    record = dataclasses.replace(example(RunSummary), hop_seconds=None)
    write_json(tmp_path / "record.json", record)
    assert read_json(tmp_path / "record.json", RunSummary) == record


def test_paths_are_written_with_slashes():
    assert to_jsonable(example(TFLiteArtifact))["path"] == "folder/path"


def test_fields_of_a_newer_program_are_ignored(tmp_path):
    record = example(RunSummary)
    table = to_jsonable(record)
    for part in (table, table["target"], table["variants"][0]["report"]["layers"][0]):
        part["energy_joules"] = 0.5
    (tmp_path / "record.json").write_text(json.dumps(table))
    assert read_json(tmp_path / "record.json", RunSummary) == record


@pytest.mark.parametrize(
    "content",
    [b"", b'{"form": "float"', b"[1, 2]", b'{"form": "float"}', b"\xff\xfe", None],
    ids=["empty", "cut", "list", "incomplete", "binary", "missing"],
)
def test_a_damaged_file_is_one_line(tmp_path, content):
    path = tmp_path / "quality.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TinypruneError) as caught:
        read_json(path, Quality)
    message = str(caught.value)
    assert message.startswith(f"{path} is not a readable Quality record (")
    assert message.endswith("); delete it and run again")
    assert "\n" not in message


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "record.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "record.json", object())
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
    assert read_json(tmp_path / "record.json", int) == 1


def test_text_is_written_into_new_folders(tmp_path):
    write_text(tmp_path / "a/b/history.csv", "epoch\n1\n")
    assert (tmp_path / "a/b/history.csv").read_text() == "epoch\n1\n"
