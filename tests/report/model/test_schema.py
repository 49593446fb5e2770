"""The schema says what the records say: real records fit it, others do not, and the file in docs is up to date."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support import records
from tests.support.costs import cycles
from tinyprune.artifacts.budget import BudgetLine, BudgetRecord, Expectation, Removal
from tinyprune.artifacts.network import TensorSparsity
from tinyprune.artifacts.quality import TaskRecord
from tinyprune.artifacts.resources import Kernel, LayerCost, NpuTarget, OperatorCost
from tinyprune.report.model.comparison import Comparison
from tinyprune.report.model.record import SCHEMA, ManifestEntry, RunReport, VariantRecord
from tinyprune.report.model.schema import descriptions, json_schema
from tinyprune.storage.records import to_jsonable

GENERATOR = Path(__file__).parents[3] / "docs" / "generate_schema.py"


def report() -> RunReport:
    target = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
    counts = cycles(64.0, npu=60.0, sram=8.0, off_chip_flash=64.0)
    operator = OperatorCost("out", "FullyConnected", 512.0, 32 * 16, **counts)
    kernel = Kernel((32, 16), 100)
    layer = LayerCost("a", ("MUL",), (kernel,), 300.0, 320.0, 512, 512.0, "NPU", "NPU", **counts)
    cost = records.resource_report(
        target=target,
        sram_bytes=512.0,
        flash_bytes=620.0,
        encoded_weight_bytes=300.0,
        cycles=64.0,
        cycles_npu=60.0,
        cycles_sram=8.0,
        cycles_off_chip_flash=64.0,
        macs=512,
        cpu_operators=("ELU",),
        layers=(layer,),
        operators=(operator,),
    )
    tensor = TensorSparsity("a/kernel", 512, 90, 100)
    quality = records.quality("int8", 100, accuracy=0.9)
    tflite = records.tflite_artifact("variants/a/int8.tflite", file_bytes=2500, tensors=(tensor,))
    variant = records.variant_summary(
        report=cost, parameters=528, sparsity=0.1, quality=quality, tflite=tflite
    )
    summary = records.run_summary(variant, target=target)
    line = BudgetLine("flash", 400.0, 620.0, 380.0)
    budget = BudgetRecord(
        None, (line,), ("a",), (32,), (Removal(2, (16,)),), (Expectation((380.0,), (390.0,)),)
    )
    done = VariantRecord(
        *("baseline", "export", {"train": {"epochs": 3}, "words": ["yes"]}, 528, 0.1, (quality,)),
        history=({"epoch": 1.0, "loss": None},),
        tflite=tflite,
        budget=budget,
    )
    half = VariantRecord("unit-0.50", "", {})
    entry = ManifestEntry("variants/a/int8.tflite", "0" * 64, 2500, "baseline/export")
    task = TaskRecord("classification", "accuracy", ("int8",), None, ("yes", "no"))
    versions = {"tinyprune": "0.1"}
    more = {"manifest": (entry,), "notes": ("note",), "advice": {"baseline": ("remove units",)}}
    return RunReport(
        SCHEMA, "default", "2026-01-01", versions, task, (done, half), (summary,), **more
    )


def jsonable() -> Any:
    return json.loads(json.dumps(to_jsonable(report())))


def test_a_report_fits() -> None:
    schema = json_schema(RunReport)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(jsonable())


def test_a_report_of_half_a_run_fits() -> None:
    nothing = RunReport(SCHEMA, "default", "2026-01-01", {}, None, (), ())
    jsonschema.Draft202012Validator(json_schema(RunReport)).validate(
        to_jsonable(nothing) | {"of_the_future": 1}
    )


def _set(value: Any, *path: Any) -> Any:
    *parents, last, new = path
    node = value
    for key in parents:
        node = node[key]
    node[last] = new
    return value


@pytest.mark.parametrize(
    "path",
    [
        ("schema", "2"),
        ("run", 3),
        ("task", []),
        ("versions", "tinyprune", 1),
        ("variants", 0, "history", 0, "loss", "none"),
        ("variants", 0, "budget", "lines", 0, "most", None),
        ("variants", 0, "budget", "compilations", 0, [[380.0]]),
        ("summaries", 0, "target", None),
        ("summaries", 0, "variants", 0, "report", "cycles", "many"),
        ("summaries", 0, "variants", 0, "report", "layers", 0, "kernels", 0, "shape", 0, 0.5),
    ],
    ids=str,
)
def test_what_is_no_report_does_not_fit(path: tuple[Any, ...]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema(RunReport)).validate(_set(jsonable(), *path))


def test_a_field_that_is_missing_does_not_fit() -> None:
    value = jsonable()
    del value["summaries"][0]["variants"][0]["report"]["flash_bytes"]
    with pytest.raises(jsonschema.ValidationError, match="'flash_bytes' is a required property"):
        jsonschema.Draft202012Validator(json_schema(RunReport)).validate(value)


@pytest.mark.parametrize("kind", [RunReport, Comparison])
def test_every_field_is_described(kind: type) -> None:
    schema = json_schema(kind)
    objects = {kind.__name__: schema, **schema["$defs"]}
    missing = [
        f"{name}.{field}"
        for name, definition in objects.items()
        for field, value in definition["properties"].items()
        if not value.get("description")
    ]
    assert missing == []


@dataclass(frozen=True)
class Sample:
    """What a sample is.

    More about it.

    Attributes:
        low, high: the ends; unit: of both, in
            many words. names: of e.g. high: things.
        pair: two numbers;
        any_of: whatever.

    Not about pair: it.
    """

    low: float
    high: int | None
    unit: str
    names: dict[str, tuple[str, ...]]
    pair: tuple[float, float] = (0.0, 1.0)
    any_of: Any = None
    silent: bool = False
    one: Kernel | None = None


def test_descriptions_come_from_the_attributes_block() -> None:
    assert descriptions(Sample) == {
        "low": "the ends",
        "high": "the ends",
        "unit": "of both, in many words.",
        "names": "of e.g. high: things.",
        "pair": "two numbers",
        "any_of": "whatever.",
    }


def test_every_kind_of_type() -> None:
    schema = json_schema(Sample)
    assert schema["description"] == "What a sample is."
    assert schema["required"] == ["low", "high", "unit", "names"]
    assert schema["additionalProperties"] is True
    properties = {
        name: {key: value for key, value in field.items() if key != "description"}
        for name, field in schema["properties"].items()
    }
    assert properties == {
        "low": {"type": "number"},
        "high": {"type": ["integer", "null"]},
        "unit": {"type": "string"},
        "names": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "number"}] * 2,
            "minItems": 2,
            "maxItems": 2,
        },
        "any_of": {},
        "silent": {"type": "boolean"},
        "one": {"anyOf": [{"$ref": "#/$defs/Kernel"}, {"type": "null"}]},
    }
    assert schema["$defs"].keys() == {"Kernel"}


def test_a_type_that_no_record_has() -> None:
    @dataclass(frozen=True)
    class Odd:
        """Odd."""

        what: set[str]

    with pytest.raises(TypeError, match="no field of type"):
        json_schema(Odd)


def test_the_file_in_docs_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate_schema", GENERATOR)
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.PAGE.read_text() == generator.page(), (
        "run `make docs` and look at the difference"
    )
