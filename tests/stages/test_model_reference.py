"""The models that a command line names."""

from pathlib import Path

import pytest

from tinyprune.errors import UsageError
from tinyprune.stages.model_reference import EvaluationRequest, ModelReference, parse_reference


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("weight-0.80", ModelReference("weight-0.80")),
        ("weight-0.80:float", ModelReference("weight-0.80", "float")),
        ("b:int8", ModelReference("b", "int8")),
    ],
)
def test_variants_with_and_without_a_form(text, wanted):
    assert parse_reference(text) == wanted


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.TFLITE"])
def test_files_by_their_suffix(tmp_path, name):
    path = tmp_path / name
    path.touch()
    assert parse_reference(str(path)) == ModelReference(str(path), None, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "gone.keras",
            r"^there is no file gone\.keras: expected \.keras, \.h5, \.hdf5 or \.tflite, or a variant$",
        ),
        (
            "a/b",
            r"^'a/b' is no model: expected a file \(\.keras, \.h5, \.hdf5, \.tflite\), or a variant$",
        ),
        ("here.onnx", "^'here.onnx' is no model"),
        (
            "v:flaot",
            r"^unknown form 'flaot': did you mean 'float'\? expected one of: float, int8, sequence, streaming$",
        ),
        ("v:", "^unknown form ''"),
    ],
)
def test_what_is_no_model(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    Path("here.onnx").touch()
    with pytest.raises(UsageError, match=message):
        parse_reference(text)


def test_a_gate_needs_two():
    one, two = ModelReference("a"), ModelReference("a", "float")
    EvaluationRequest().check_reference([one])
    EvaluationRequest(limited=("sdr_db",)).check_reference([one, two])
    with pytest.raises(
        UsageError, match="^--max-drop holds models to the first one: name another beside a$"
    ):
        EvaluationRequest(limited=("sdr_db",)).check_reference([one, one])
