"""Every rule of advice is made to speak by figures, and to keep silent by others."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support import records
from tests.support.costs import cycles
from tinyprune.artifacts.resources import (
    Cycles,
    Kernel,
    LayerCost,
    NpuTarget,
    OperatorCost,
    ResourceReport,
)
from tinyprune.report.model.advice import MOST_LINES, advice

U55 = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
U85 = NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")
DENSE, CONV3, CONV1 = (64, 64), (64, 3, 3, 64), (64, 1, 1, 64)


def layer(
    name: str = "a",
    npu: float = 100_000,
    flash: float = 0,
    sram: float = 0,
    dram: float = 0,
    kernel: tuple[int, ...] | None = DENSE,
    zeros: int = 0,
    encoded: float = 4_000,
    scales: float = 0,
    sram_bytes: float = 1_000,
    operator: str = "FULLY_CONNECTED",
    processor: str = "NPU",
) -> LayerCost:
    cycles = dict(zip(Cycles.PARTS, (npu, sram, dram, 0, flash), strict=True))
    return LayerCost(
        name=name,
        operators=(operator,),
        kernels=(Kernel(kernel, zeros),) if kernel else (),
        encoded_weight_bytes=encoded if kernel else 0,
        scale_bytes=scales,
        macs=0,
        cycles=max(cycles.values()),
        **{Cycles.PARTS[unit]: count for unit, count in cycles.items()},
        sram_bytes=sram_bytes,
        processor=processor,
        bound_by=max(cycles, key=lambda unit: cycles[unit]),
    )


def report(*layers: LayerCost, target: NpuTarget = U55, **changes: Any) -> ResourceReport:
    """The sum of the layers; flash has 100 kB more unless told otherwise, so that no share of it is large."""
    sums = {
        field: sum(getattr(one, field) for one in layers)
        for field in ("cycles", *Cycles.PARTS.values())
    }
    encoded, scales = (
        sum(getattr(one, name) for one in layers)
        for name in ("encoded_weight_bytes", "scale_bytes")
    )
    found = records.resource_report(
        target=target,
        sram_bytes=max(one.sram_bytes for one in layers),
        flash_bytes=encoded + scales + 100_000,
        encoded_weight_bytes=encoded,
        macs=0,
        layers=layers,
        bound_by=max(Cycles.PARTS, key=lambda unit: sums[Cycles.PARTS[unit]]),
        scale_bytes=scales,
        **sums,
    )
    return replace(found, **changes)


def lines(
    cost: ResourceReport, hop: float | None = None, sparsity: float = 0.0, frames: int = 1
) -> tuple[str, ...]:
    variant = records.variant_summary(
        "v",
        cost,
        parameters=10,
        sparsity=sparsity,
        quality=records.quality("int8", 9),
        tflite=records.tflite_artifact(frames=frames),
    )
    summary = records.run_summary(variant, target=cost.target, hop_seconds=hop, schema=2)
    return advice(summary)["v"]


def has(found: tuple[str, ...], *words: str) -> bool:
    return any(all(word in line for word in words) for line in found)


# --- waiting for weights
# ----------------------------------------------------------------------------------------------


def test_what_waits_for_flash_will_gain_from_weight_sparsity() -> None:
    # 300 k of 400 k cycles are flash; without it the NPU would need 100 k.
    found = lines(report(layer(npu=100_000, flash=400_000)))
    assert (
        found[0]
        == "75% of 400 k cycles wait for off-chip flash: weight sparsity will pay, to about 100 k cycles"
    )
    assert not has(found, "NPU bound")


def test_a_sparse_variant_is_told_of_more_sparsity() -> None:
    assert has(lines(report(layer(flash=400_000)), sparsity=0.5), "more weight sparsity will pay")


def test_biases_and_scales_are_read_whatever_the_sparsity() -> None:
    # Half of the 400 k flash cycles are scales: 200 k cycles remain.
    found = lines(report(layer(npu=100_000, flash=400_000, encoded=30_000, scales=30_000)))
    assert found[0].startswith("50% of 400 k cycles wait for off-chip flash")
    assert found[0].endswith("to about 200 k cycles")


def test_layers_that_wait_count_in_a_network_that_is_npu_bound_as_a_whole() -> None:
    # NPU 90 + 20 = 110 k of 90 + 60 = 150 k; the second layer waits for 40 k: 27 %.
    cost = report(layer("a", npu=90_000, flash=10_000), layer("b", npu=20_000, flash=60_000))
    assert cost.bound_by == "NPU"
    assert lines(cost)[0].startswith(
        "27% of 150 k cycles wait for off-chip flash: weight sparsity will pay"
    )


def test_operators_are_looked_at_where_they_are_known() -> None:
    """A layer whose sum is NPU bound can have an operator that waits."""
    flat = layer("a", npu=110_000, flash=70_000)
    parts = [
        OperatorCost(n, "Conv2D", 0, 0, **cycles(max(npu, flash), npu=npu, off_chip_flash=flash))
        for n, npu, flash in PARTS
    ]
    cost = report(replace(flat, cycles=150_000), operators=tuple(parts))
    assert has(lines(cost), "27% of 150 k cycles wait for off-chip flash")
    assert not has(lines(replace(cost, operators=())), "wait for")


PARTS = (("x", 90_000, 10_000), ("y", 20_000, 60_000))


def test_dram_is_waited_for_only_where_weights_outweigh_feature_maps() -> None:
    waits = layer(npu=100_000, dram=200_000, encoded=500_000, scales=10_000, sram_bytes=10_000)
    assert has(lines(report(waits)), "50% of 200 k cycles wait for DRAM: weight sparsity will pay")
    # 500 kB of weights are less than 4 x (10 kB scales + 10 kB SRAM + 200 kB DRAM).
    assert not has(lines(report(waits, dram_bytes=200_000)), "wait for DRAM")
    assert not has(lines(report(replace(waits, sram_bytes=200_000))), "wait for DRAM")


# --- NPU and SRAM
# -----------------------------------------------------------------------------------------------------


def test_what_computes_gains_from_fewer_units() -> None:
    assert lines(report(layer(npu=100_000, flash=50_000)))[0] == (
        "NPU bound, 100 k of 100 k cycles: removing units saves cycles, weight sparsity hardly any"
    )


def test_a_few_cycles_of_waiting_are_said() -> None:
    # The second layer waits for 15 - 10 = 5 k of 90 + 15 = 105 k cycles.
    found = lines(report(layer(npu=90_000), layer(npu=10_000, flash=15_000)))
    assert has(
        found,
        "NPU bound, 100 k of 105 k cycles: removing units saves cycles, weight sparsity about 5%",
    )


def test_nothing_is_said_of_zeros_where_the_npu_depends_on_them() -> None:
    """With a cache for DRAM, and on U85, more zeros save NPU cycles too (measured: 14 % on U65-512 at 80 %)."""
    for cost in (report(layer(dram=1_000)), report(layer(kernel=CONV1), target=U85)):
        assert lines(cost)[0].endswith("removing units saves cycles")


def test_feature_maps_gain_nothing_from_zeros() -> None:
    cost = report(layer(npu=50_000, sram=100_000, flash=10_000))
    assert lines(cost)[0] == (
        "SRAM bound, 100 k of 100 k cycles move feature maps: fewer units or smaller inputs help, zeros do not"
    )
    # With the weights in SRAM the figures do not say whose cycles these are.
    mixed = report(layer(npu=50_000, sram=100_000), sram_bytes=200_000)
    assert mixed.has_weights_in_sram
    assert not cost.has_weights_in_sram
    assert not has(lines(mixed), "SRAM bound")


# --- flash
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scales", "said"), [(43_000, True), (30_000, False)])
def test_metadata_that_sparsity_does_not_touch(scales: int, said: bool) -> None:
    # 43 / 124 = 35 %, 30 / 124 = 24 %
    found = lines(report(layer(scales=scales), flash_bytes=124_000))
    assert (
        has(found, "43 kB of 124 kB flash is per-channel metadata", "only fewer units shrink it")
        == said
    )
    assert has(found, "metadata") == said


def test_a_layer_whose_zeros_are_badly_encoded() -> None:
    # 64 * 64 = 4096 weights, 96 left: 960 / 96 = 10 bytes each against 192 / 96 = 2.
    bad = layer("bad", zeros=4000, encoded=960)
    good = layer("good", zeros=4000, encoded=192)
    said = "bad, 98% zeros, takes 10.0 bytes per weight that is left, the other layers 2.0: zeros pay better there"
    assert said in lines(report(bad, good, flash_bytes=10_000))
    assert not has(
        lines(report(bad, good, flash_bytes=100_000)), "bytes per weight"
    )  # 1 % of flash
    assert not has(
        lines(report(replace(bad, encoded_weight_bytes=250), good, flash_bytes=1_000)),
        "bytes per weight",
    )
    assert not has(lines(report(bad, good, flash_bytes=10_000, target=U85)), "bytes per weight")
    assert not has(
        lines(report(bad, flash_bytes=10_000)), "bytes per weight"
    )  # nothing to compare it with
    dense = [replace(one, kernels=(Kernel(DENSE, 0),)) for one in (bad, good)]
    assert not has(lines(report(*dense, flash_bytes=10_000)), "bytes per weight")


# --- layers
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zeros", "encoded", "target", "said"),
    [
        (2048, 4128, U85, True),
        (2048, 1800, U85, False),  # compressed
        (80, 4128, U85, False),  # nobody pruned it
        (2048, 4128, U55, False),
    ],
)
def test_zeros_of_weights_that_are_not_compressed(
    zeros: int, encoded: float, target: NpuTarget, said: bool
) -> None:
    one = layer("lstm", zeros=zeros, encoded=encoded, sram_bytes=50_000)
    found = lines(
        report(
            one, layer("b", encoded=50_000), target=target, flash_bytes=60_000, sram_bytes=62_000
        )
    )
    text = "the zeros of lstm save nothing, in 7% of the flash: with weights in SRAM, Vela compresses on Ethos-U85 only"
    assert has(found, text, "what becomes 2.3x smaller, with about 70% zeros") == said


def test_a_layer_that_has_most_of_it_all() -> None:
    small = [layer(name, npu=10_000, encoded=10_000) for name in "bc"]
    # 80 / (80 + 10 + 10) of the cycles, 60 / (60 + 10 + 10) of the flash
    large = layer("large", npu=80_000, encoded=60_000)
    assert "large has 80% of the cycles and 75% of the flash: prune it first" in lines(
        report(large, *small, flash_bytes=80_000)
    )
    assert "large has 80% of the cycles: prune it first" in lines(
        report(large, *small, flash_bytes=200_000)
    )
    assert not has(
        lines(report(large, small[0], flash_bytes=80_000)), "prune it first"
    )  # one of two
    even = [layer(name, npu=30_000, encoded=10_000) for name in "abc"]
    assert not has(lines(report(*even, flash_bytes=30_000)), "prune it first")


def test_a_layer_without_weights_cannot_be_pruned() -> None:
    pool = layer("pool", npu=80_000, kernel=None, operator="AVERAGE_POOL_2D")
    found = lines(report(pool, layer("b", npu=10_000), layer("c", npu=10_000)))
    assert (
        "pool has 80% of the cycles: it has no weights to prune, only smaller inputs help" in found
    )


def test_one_layer_alone_decides_the_sram() -> None:
    def found(*sizes: int) -> tuple[str, ...]:
        return lines(report(*(layer(f"l{i}", sram_bytes=size) for i, size in enumerate(sizes))))

    assert "SRAM peaks at l1 with 48 kB, the others need 30 kB at most: shrink this layer" in found(
        20_000, 48_000, 30_000
    )
    assert not has(found(20_000, 48_000, 40_000), "SRAM peaks")  # 40 / 48 = 83 %
    assert not has(found(48_000, 30_000), "SRAM peaks")


def test_units_that_do_not_fill_a_multiple_of_8() -> None:
    # 52 outputs are computed in 7 steps of 8; 48 take 6: 70 k / 7 = 10 k of 70 + 10 = 80 k cycles.
    odd, last = (
        layer("odd", npu=70_000, kernel=(52, 64)),
        layer("last", npu=10_000, kernel=(12, 52)),
    )
    text = "units of odd (52) are no multiple of 8: the multiple below saves about 12% of 80 k cycles (--round-to 8)"
    assert text in lines(report(odd, last))
    for silent in (
        report(layer("even", npu=70_000, kernel=(56, 64)), last),
        report(
            layer("first", npu=10_000), layer("odd", npu=70_000, kernel=(52, 64))
        ),  # the outputs of a network are given
        report(
            layer("odd", npu=70_000, kernel=(52, 1, 1, 64), operator="CONV_2D"), last
        ),  # measured: no steps
        report(layer("odd", npu=70_000, kernel=(1, 3, 3, 52), operator="DEPTHWISE_CONV_2D"), last),
        report(
            layer("odd", npu=1_000, flash=70_000, kernel=(52, 64)), last
        ),  # does not compute most of the time
        report(odd, last, target=replace(U55, npu="ethos-u55-32")),
    ):
        assert not has(lines(silent), "multiple of 8")


# --- 2:4
# --------------------------------------------------------------------------------------------------------------


def test_2_of_4_pays_on_u85() -> None:
    layers = layer("a", npu=60_000), layer("b", npu=40_000, kernel=CONV3, operator="CONV_2D")
    text = "2:4 would pay on this target: it up to halves the 100 k of 100 k cycles that 2 layers compute"
    assert text in lines(report(*layers, target=U85))
    small = layer("c", npu=10_000, kernel=CONV1, operator="CONV_2D")
    assert text.replace("of 100 k", "of 110 k") + " (1x1 convolutions gain less)" in lines(
        report(*layers, small, target=U85)
    )


@pytest.mark.parametrize(
    ("one", "target"),
    [
        (layer(), U55),
        (layer(), replace(U55, npu="ethos-u65-512")),
        (layer(zeros=64 * 64 // 2), U85),  # half of them are zero already
        (layer(kernel=CONV1, operator="CONV_2D"), U85),
        (layer(kernel=(1, 3, 3, 64), operator="DEPTHWISE_CONV_2D"), U85),
        (layer(kernel=(64, 3, 3, 1), operator="CONV_2D"), U85),  # no 4 inputs to choose from
        (layer(npu=50_000, flash=100_000), U85),  # waits for its weights
        (layer(npu=100_000, sram=95_000), U85),  # then SRAM would bind it
    ],
)
def test_2_of_4_is_not_for_everything(one: LayerCost, target: NpuTarget) -> None:
    assert not has(lines(report(one, target=target)), "2:4")


# --- what makes it unusable
# -------------------------------------------------------------------------------------------


def test_too_slow_for_real_time_comes_first() -> None:
    # 10 M cycles at 500 MHz take 20 ms.
    found = lines(report(layer(npu=10_000_000), cpu_operators=("ELU",)), hop=0.016)
    assert (
        found[0]
        == "not real time: a frame takes 20.00 ms and comes every 16.00 ms; it needs 1.2x fewer cycles"
    )
    assert found[1].startswith("CPU: ")
    assert not has(lines(report(layer(npu=10_000_000)), hop=0.032), "real time")
    assert not has(lines(report(layer(npu=10_000_000)), hop=None), "real time")
    assert not has(lines(report(layer(npu=10_000_000)), hop=0.016, frames=2), "real time")


def test_operators_on_the_cpu_are_named_with_their_layers() -> None:
    left = layer("gate", npu=0, kernel=None, operator="ELU", processor="CPU")
    found = lines(report(layer(), left, cpu_operators=("ELU", "GATHER", "ELU")))
    assert (
        found[0]
        == "CPU: 2x ELU, 1x GATHER in gate is not in the 100 k cycles: use operators that the NPU has"
    )
    assert not has(lines(report(layer())), "CPU")


# --- all together
# -----------------------------------------------------------------------------------------------------


def test_at_most_four_lines_the_weightiest_first() -> None:
    odd = layer(
        "odd", npu=9_000_000, kernel=(52, 64), encoded=50_000, scales=30_000, sram_bytes=90_000
    )
    cost = report(odd, layer("b"), layer("c"), flash_bytes=90_000, cpu_operators=("ELU",))
    found = lines(cost, hop=0.001)
    assert len(found) == MOST_LINES == len(set(found))
    assert [line.split()[0] for line in found] == ["not", "CPU:", "NPU", "odd"]


def test_nothing_to_say_is_no_line() -> None:
    nothing = layer(npu=0, kernel=None)
    assert lines(report(nothing, flash_bytes=0)) == ()


def test_every_variant_has_its_advice() -> None:
    costs = {"baseline": report(layer(flash=400_000)), "weight-0.95": report(layer(flash=50_000))}
    variants = [records.variant_summary(name, cost) for name, cost in costs.items()]
    found = advice(records.run_summary(*variants, schema=2))
    assert list(found) == ["baseline", "weight-0.95"]
    assert has(found["baseline"], "wait for off-chip flash")
    assert has(found["weight-0.95"], "NPU bound")
