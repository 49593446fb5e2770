"""Quantities say themselves where their numbers are, what limits them, and which is better."""

import dataclasses

import pytest

from tests.support import records
from tests.support.costs import cycles
from tinyprune.artifacts.quantity import (
    CPU_OPERATORS,
    FLASH,
    GATED,
    LATENCY,
    LIMITED,
    PREDICTED,
    QUANTITIES,
    SPARSITY,
)
from tinyprune.artifacts.resources import (
    Cycles,
    LayerCost,
    NpuTarget,
    Prediction,
)
from tinyprune.config.budget import Budget, BudgetConfig

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
COUNTS = cycles(900, npu=500, sram=100, dram=0, off_chip_flash=880)
LAYER = LayerCost("a", (), (), 300.0, 320.0, 512, 256.0, "NPU", "off-chip flash", **COUNTS)
REPORT = records.resource_report(
    target=TARGET,
    sram_bytes=512.0,
    flash_bytes=650.0,
    encoded_weight_bytes=300.0,
    macs=512,
    inference_seconds=8e-6,
    cpu_operators=("ELU", "ELU"),
    layers=(LAYER,),
    bound_by="off-chip flash",
    dram_bytes=7.0,
    **COUNTS,
)
VARIANT = records.variant_summary(
    "m",
    REPORT,
    parameters=528,
    sparsity=0.25,
    quality=records.quality("int8", 1),
    tflite=records.tflite_artifact(file_bytes=2500, frames=4),
)


def test_every_quantity_of_a_variant():
    assert {name: quantity.of(VARIANT) for name, quantity in QUANTITIES.items()} == {
        "flash_bytes": 650.0,
        "encoded_weight_bytes": 300.0,
        "tflite_bytes": 2500,
        "sram_bytes": 512.0,
        "dram_bytes": 7.0,
        "cycles": 900,
        "cycles_npu": 500,
        "cycles_sram": 100,
        "cycles_dram": 0,
        "cycles_on_chip_flash": 0,
        "cycles_off_chip_flash": 880,
        "seconds_per_frame": 2e-6,
        "cpu_operator_count": 2,
        "macs": 512,
        "parameters": 528,
        "sparsity": 0.25,
    }


def test_every_quantity_of_a_report_and_of_a_layer():
    for quantity in QUANTITIES.values():
        if quantity.report_field:
            assert quantity.of_report(REPORT) >= 0
        if quantity.layer_field:
            assert quantity.of_layer(LAYER) >= 0
    assert LATENCY.of_report(REPORT) == 8e-6
    assert FLASH.of_layer(LAYER) == 620.0


def test_what_is_predicted_is_a_field_of_a_prediction():
    names = {field.name for field in dataclasses.fields(Prediction)}
    assert {quantity.report_field for quantity in PREDICTED} < names


def test_every_limit_of_a_budget_is_one_of_a_quantity():
    assert {quantity.option.name for quantity in GATED} == set(vars(BudgetConfig()))
    assert {quantity.option.field for quantity in GATED} == set(vars(Budget()))


@pytest.mark.parametrize("quantity", LIMITED.values(), ids=LIMITED)
def test_the_example_of_an_option_is_right(quantity):
    assert quantity.parse(quantity.option.example) > 0


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        (FLASH, 650.0, "650 B"),
        (LATENCY, 0.016, "16.00 ms"),
        (LATENCY, 2e-6, "0.00200 ms"),
        (LATENCY, 0.0, "0.00 ms"),
        (SPARSITY, 0.25, "0.250"),
        (CPU_OPERATORS, 2, "2"),
    ],
)
def test_numbers_for_a_table(quantity, value, text):
    assert quantity.format(value) == text


def test_cycles_know_their_slowest_part():
    assert REPORT.slowest_part == "off-chip flash"
    assert REPORT.cycles_without("off-chip flash") == 500
    assert REPORT.cycles_flash == 880
    assert REPORT.parts == dict(zip(Cycles.PARTS, (500, 100, 0, 0, 880), strict=True))


def test_of_parts_with_as_many_cycles_the_first_is_named():
    tied = Cycles(**cycles(5, npu=5, sram=5))
    assert tied.slowest_part == "NPU"


def test_cycles_add_up():
    assert Cycles.total([LAYER, LAYER]).as_fields() == {
        name: 2 * count for name, count in COUNTS.items()
    }
