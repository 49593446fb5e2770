"""Three storeys of one network: what stands in a table is in the record, and the sums are there."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import records
from tests.support.costs import cycles
from tinyprune.artifacts.resources import (
    CompiledArtifact,
    Kernel,
    LayerCost,
    NpuTarget,
    OperatorCost,
)
from tinyprune.report.model import layer_costs
from tinyprune.report.render import cost_tables, terminal

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
LSTM = LayerCost(
    name="lstm",
    operators=("UNIDIRECTIONAL_SEQUENCE_LSTM",),
    kernels=(Kernel((256, 128), 32_000), Kernel((256, 128), 30_768), Kernel((256, 256), 65_536)),
    encoded_weight_bytes=40_000,
    scale_bytes=3 * 10 * 256,
    macs=131_072,
    cycles=60_000,
    cycles_npu=20_000,
    cycles_sram=500,
    cycles_dram=0,
    cycles_on_chip_flash=0,
    cycles_off_chip_flash=47_680,
    sram_bytes=4608,
    processor="NPU",
    bound_by="off-chip flash",
)
SIGMOID = LayerCost(
    "mask", ("LOGISTIC",), (), 0, 0, 0, 256, "NPU", "NPU", **cycles(1000, npu=1000, sram=64)
)
ON_CPU = LayerCost("odd", ("ELU",), (), 0, 0, 0, 0, "CPU", "", **cycles(0))
OPERATORS = (
    OperatorCost(
        "lstm/gate",
        "FullyConnected",
        4608,
        131_072,
        True,
        0,
        40_000,
        7680,
        **cycles(60_000, npu=20_000, sram=500, off_chip_flash=47_680),
    ),
    OperatorCost("mask", "Sigmoid", 256, 0, True, 1, **cycles(1000, npu=1000, sram=64)),
    OperatorCost("odd", "ELU", 0, 0, False, 2, **cycles(0)),
)
REPORT = records.resource_report(
    target=TARGET,
    sram_bytes=4608,
    flash_bytes=40_000 + 7680 + 256 + 64,
    encoded_weight_bytes=40_000,
    cycles=61_000,
    cycles_npu=21_000,
    cycles_sram=564,
    cycles_off_chip_flash=47_680,
    macs=131_072,
    cpu_operators=("ELU",),
    layers=(LSTM, SIGMOID, ON_CPU),
    bound_by="off-chip flash",
    operators=OPERATORS,
    dram_bytes=2048,
    scale_bytes=7680,
    cpu_weight_bytes=64,
    command_stream_bytes=4000,
    file_bytes=40_000 + 7680 + 256 + 64 + 4000 + 2600,
)


def lines(renderable) -> list[str]:
    return terminal.to_text(renderable).splitlines()


def line(text: list[str], start: str, occurrence: int = 0) -> list[str]:
    return [row for row in text if row.startswith(start)][occurrence].split()


def test_flash_is_the_sum_of_its_parts():
    assert sum(count for _, count, _ in layer_costs.flash_parts(REPORT)) == REPORT.flash_bytes
    assert dict(layer_costs.beside_flash(REPORT)) == {
        "command stream": 4000,
        "rest of the file": 2600,
    }
    text = lines(cost_tables.format_flash(REPORT))
    assert line(text, "encoded weights")[2:5] == ["40", "kB", "83.3%"]  # 40,000 / 48,000
    assert line(text, "biases and scales")[3:6] == ["7680", "B", "16.0%"]
    assert line(text, "lookup tables")[4:7] == ["256", "B", "0.5%"]
    assert line(text, "weights of CPU")[4:6] == ["64", "B"]
    assert line(text, "total") == ["total", "48", "kB"]


def test_a_part_that_is_not_there_has_no_line():
    assert [
        name
        for name, *_ in layer_costs.flash_parts(
            replace(REPORT, cpu_weight_bytes=0, flash_bytes=47_680)
        )
    ] == [
        "encoded weights",
        "biases and scales",
    ]
    assert not any(
        "beside" in row
        for row in lines(
            cost_tables.format_flash(replace(REPORT, file_bytes=0, command_stream_bytes=0))
        )
    )


def test_layers_have_sizes_and_cycles():
    text = lines(cost_tables.format_layers(REPORT))
    weights = 2 * 256 * 128 + 256 * 256
    assert weights == 131_072
    zeros = (32_000 + 30_768 + 65_536) / weights
    assert line(text, "lstm") == [
        *(
            "lstm",
            "131",
            "k",
            f"{zeros:.2f}",
            "40",
            "kB",
            f"{weights / 40_000:.1f}x",
            "7680",
            "B",
            "131",
            "k",
        ),
        *("2", "of", "256x128,", "256x256"),
    ]
    assert line(text, "mask") == ["mask", *"------", "logistic"]
    cycles = line(text, "lstm", 1)
    assert cycles[:4] == ["lstm", "60", "k", "98.4%"]  # 60,000 / 61,000
    assert cycles[-5:] == ["4608", "B", "<", "off-chip", "flash"]
    assert line(text, "odd", 1)[-1] == "(CPU)"
    assert line(text, "all")[1:3] == ["61", "k"]


def test_where_sram_peaks():
    assert layer_costs.peak_layers(REPORT) == ("lstm",)
    both = replace(REPORT, layers=(LSTM, replace(SIGMOID, sram_bytes=4608)))
    assert layer_costs.peak_layers(both) == ("lstm", "mask")
    assert layer_costs.peak_layers(replace(REPORT, layers=())) == ()


def test_operators_in_order():
    text = lines(cost_tables.format_operators(REPORT))
    assert [row.split()[0] for row in text[1:]] == ["FullyConnected", "Sigmoid", "ELU"]
    assert text[1].split()[-1] == "lstm/gate"
    assert "ELU (CPU)" in text[3]


def test_one_compiled_network():
    text = lines(
        cost_tables.format_compiled(
            CompiledArtifact(Path("m.tflite"), "0", Path("m_vela.tflite"), REPORT)
        )
    )
    assert text[0].startswith(
        "m_vela.tflite on ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram"
    )
    assert line(text, "flash")[:3] == ["flash", "48", "kB"]
    assert line(text, "peak SRAM")[2:] == ["4608", "B", "(in", "lstm)"]
    assert line(text, "DRAM") == ["DRAM", "2048", "B"]
    assert line(text, "time")[1:] == [
        "0.12",
        "ms,",
        "61",
        "k",
        "cycles",
        "at",
        "500",
        "MHz",
    ]  # 61,000 / 500 MHz
    assert " ".join(line(text, "  off-chip flash cycles")).endswith("48 k <- bound by")
    assert " ".join(line(text, "CPU operators")) == "CPU operators ELU (not in cycles and time)"


@pytest.mark.parametrize(
    "name",
    ["lstm", "functional_1/block/inner_block/a_very_long_name_of_a_layer", "with[red]markup"],
)
def test_tables_fit_100_columns_whatever_the_name(name):
    layers = (replace(LSTM, name=name, kernels=LSTM.kernels * 3), SIGMOID)
    operators = tuple(
        replace(operator, name=f"{name}/{operator.name}" * 3) for operator in OPERATORS
    )
    report = replace(REPORT, layers=layers, operators=operators)
    for renderable in (cost_tables.format_model(report), cost_tables.format_operators(report)):
        assert max(map(len, lines(renderable))) <= 100
