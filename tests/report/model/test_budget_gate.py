"""Limits and values are round numbers, so that what is over can be seen."""

from dataclasses import replace

import pytest

from tests.support import records
from tests.support.costs import cycles
from tinyprune.artifacts.resources import LayerCost, NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.config.budget import Budget
from tinyprune.errors import UsageError
from tinyprune.report.model.budget_gate import Verdict, check, check_all, failure
from tinyprune.report.render.budget_tables import format_verdicts
from tinyprune.report.render.terminal import to_text

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
OTHER = NpuTarget("ethos-u85-2048", "Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB")


def layer(name: str, flash: float, computing: float, sram: float) -> LayerCost:
    macs = int(20 * computing)
    return LayerCost(
        name,
        ("CONV_2D",),
        (),
        flash - 100,
        100,
        macs,
        sram_bytes=sram,
        processor="NPU",
        bound_by="NPU",
        **cycles(computing, npu=computing),
    )


LAYERS = (
    layer("small", 10_000, 3_000, 9_000),
    layer("large", 200_000, 100_000, 8_000),
    layer("middle", 50_000, 30_000, 12_000),
    layer("tiny", 1_000, 1_000, 1_000),
)


def variant(name: str, flash: float, frames: int = 1, cpu: tuple[str, ...] = ()) -> VariantSummary:
    report = records.resource_report(
        target=TARGET,
        flash_bytes=flash,
        encoded_weight_bytes=flash - 400,
        cycles=150_000,
        cycles_npu=140_000,
        cycles_sram=9_000,
        cycles_off_chip_flash=120_000,
        macs=3_000_000,
        cpu_operators=cpu,
        layers=LAYERS,
    )
    return records.variant_summary(
        name,
        report,
        parameters=10,
        quality=records.quality("int8", 9),
        tflite=records.tflite_artifact(frames=frames),
    )


def summary(*variants: VariantSummary, target: NpuTarget = TARGET) -> RunSummary:
    return records.run_summary(*variants, target=target, schema=2)


RUN = summary(
    variant("baseline", 900_000), variant("weight-0.80", 300_000), variant("weight-0.95", 100_000)
)


def lines(verdicts: list[Verdict]) -> list[str]:
    return to_text(format_verdicts(verdicts)).splitlines()


def test_every_limit_has_a_verdict() -> None:
    budget = Budget(
        100 * 1024,
        sram_bytes=12_000,
        cycles=100_000,
        seconds=0.0005,
        cpu_operators=0,
        macs=2_000_000,
    )
    found = check(RUN, budget, ["weight-0.80"])
    assert [(v.what, v.unit, v.limit, v.value, v.holds) for v in found] == [
        ("flash", "bytes", 102_400, 300_000, False),
        ("SRAM", "bytes", 12_000, 12_000, True),  # what is just as large fits
        ("MACs", "MACs", 2_000_000, 3_000_000, False),
        ("cycles", "cycles", 100_000, 150_000, False),
        ("latency", "seconds", 0.0005, 0.0003, True),
        ("CPU operators", "operators", 0, 0, True),
    ]
    assert [v.over for v in found[:4]] == [
        300_000 - 102_400,
        0,
        3_000_000 - 2_000_000,
        150_000 - 100_000,
    ]
    assert found[4].over == pytest.approx(0.0003 - 0.0005)
    assert {(v.variant, v.target) for v in found} == {("weight-0.80", "ethos-u55-128-shared-sram")}


def test_the_layers_that_weigh_most_are_named() -> None:
    flash, sram, macs, cycles, latency = check(RUN, Budget(1, 1, 1, 1, macs=1), ["weight-0.80"])
    assert flash.heaviest == (("large", 200_000), ("middle", 50_000), ("small", 10_000))
    assert sram.heaviest == (("middle", 12_000), ("small", 9_000), ("large", 8_000))
    assert macs.heaviest == (
        ("large", 20 * 100_000),
        ("middle", 20 * 30_000),
        ("small", 20 * 3_000),
    )
    assert (
        cycles.heaviest
        == latency.heaviest
        == (("large", 100_000), ("middle", 30_000), ("small", 3_000))
    )


def test_cpu_operators_are_counted_by_kind_and_not_in_the_cycles() -> None:
    run = summary(variant("a", 1, cpu=("ELU", "GATHER", "ELU")))
    macs, cycles, latency, cpu = check(run, Budget(cycles=1, seconds=1, cpu_operators=2, macs=1))
    assert cpu.heaviest == (("ELU", 2), ("GATHER", 1))
    assert (cpu.value, cpu.over, cpu.holds, cpu.note) == (3, 3 - 2, False, "")
    assert macs.note == cycles.note == latency.note == "without what runs on the CPU (ELU, GATHER)"
    assert check(summary(variant("a", 1)), Budget(cycles=1))[0].note == ""


def test_weights_that_are_kept_in_sram_are_said() -> None:
    one = variant("a", 5_000)
    kept = replace(one.report, cycles_off_chip_flash=0)
    assert check(summary(replace(one, report=kept)), Budget(sram_bytes=1))[0].note.startswith(
        "with the weights"
    )
    assert check(summary(one), Budget(sram_bytes=1))[0].note == ""


def test_latency_is_that_of_one_frame() -> None:
    (found,) = check(summary(variant("a", 1, frames=100)), Budget(seconds=0.001))
    assert found.value == pytest.approx(150_000 / 500e6 / 100)


@pytest.mark.parametrize(
    ("names", "gated"),
    [
        ((), ["weight-0.80", "weight-0.95"]),
        (("weight-0.95",), ["weight-0.95"]),
        (("baseline", "weight-0.95"), ["baseline", "weight-0.95"]),
    ],
)
def test_a_budget_is_for_what_was_compressed_unless_variants_are_named(names, gated) -> None:
    assert [v.variant for v in check(RUN, Budget(cycles=1), names)] == gated


def test_a_baseline_alone_is_gated() -> None:
    assert [v.variant for v in check(summary(variant("baseline", 1)), Budget(cycles=1))] == [
        "baseline"
    ]


def test_an_unknown_variant_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(
        UsageError, match="unknown variant 'weight-0.8': did you mean 'weight-0.80'"
    ):
        check(RUN, Budget(), ["weight-0.8"])


def test_nothing_is_asked_of_an_empty_budget() -> None:
    assert check(RUN, Budget()) == []
    assert failure([]) is None


def test_several_targets_are_checked_and_a_variant_may_be_missing_on_one() -> None:
    other = summary(variant("baseline", 900_000), variant("extra", 50_000), target=OTHER)
    found = check_all([RUN, other], Budget(flash_bytes=200_000), ["weight-0.80", "extra"])
    assert [(v.variant, v.target, v.holds) for v in found] == [
        ("weight-0.80", TARGET.name, False),
        ("extra", OTHER.name, True),
    ]
    text = lines(found)
    assert text[0] == "budget on ethos-u55-128-shared-sram"
    assert text.count("") == 1
    assert "budget on ethos-u85-2048-dedicated-sram-384kb" in text


def test_the_worst_is_named_in_one_line() -> None:
    # flash: 300 / 102.4 = 2.9; cycles: 150 / 100 = 1.5; weight-0.95 is over in cycles, too.
    message = failure(check(RUN, Budget(flash_bytes=100 * 1024, cycles=100_000)))
    assert message == (
        "weight-0.80 on ethos-u55-128-shared-sram: flash 300.0 kB, 197.6 kB over the limit of 100 KiB (102.4 kB); "
        "most weighs large (200.0 kB); and 2 more"
    )


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (Budget(flash_bytes=299_999), "flash 300.0 kB, 1 B over the limit of 300.0 kB"),
        (Budget(sram_bytes=8 * 1024), "SRAM 12.0 kB, 3808 B over the limit of 8 KiB (8192 B)"),
        (Budget(cycles=100_000), "cycles 150.0 k, 50.0 k over the limit of 100.0 k"),
        (
            Budget(macs=2_000_000),
            "MACs 3000.0 k, 1000.0 k over the limit of 2000.0 k; most weighs large (2000.0 k MACs)",
        ),
        (
            Budget(seconds=0.0002),
            "latency 0.3 ms, 0.1 ms over the limit of 0.2 ms; most weighs large (100.0 k cycles)",
        ),
    ],
)
def test_values_are_in_the_unit_of_their_limit(budget: Budget, text: str) -> None:
    assert text in (failure(check(RUN, budget, ["weight-0.80"])) or "")


def test_sram_over_its_limit_comes_with_what_vela_can_be_asked_for() -> None:
    budget = Budget(sram_bytes=8 * 1024)
    assert (failure(check(RUN, budget, ["weight-0.80"])) or "").endswith(
        "; --optimise size or --arena-limit may lower it"
    )
    [verdict] = check(RUN, budget, ["weight-0.80"])
    asked = replace(TARGET, optimise="size")
    report = replace(records.resource_report(target=asked), sram_bytes=12_000)
    run = summary(records.variant_summary("a", report))
    [of_asked] = check(run, budget)
    assert (verdict.hint != "", of_asked.hint) == (True, "")


def test_a_limit_of_none_is_exceeded_by_the_largest_factor() -> None:
    run = summary(variant("a", 900_000, cpu=("ELU",)))
    message = failure(check(run, Budget(flash_bytes=1_000, cpu_operators=0)))
    assert (
        message
        == "a on ethos-u55-128-shared-sram: CPU operators 1, 1 over the limit of 0; most weighs ELU (1); and 1 more"
    )


def test_all_that_holds_is_no_failure() -> None:
    assert failure(check(RUN, Budget(cycles=150_000, cpu_operators=0))) is None


def test_the_table_says_which_and_by_how_much_in_words() -> None:
    text = lines(
        check(RUN, Budget(flash_bytes=100 * 1024, cycles=100_000, seconds=0.0002), ["weight-0.80"])
    )
    assert text[1].split() == ["variant", "budget", "limit", "value", "verdict"]
    assert (
        " ".join(text[2].split())
        == "weight-0.80 flash 100 KiB = 102.4 kB 300.0 kB OVER by 197.6 kB"
    )
    assert " ".join(text[3].split()) == "weight-0.80 cycles 100.0 k 150.0 k OVER by 50.0 k"
    assert (
        text[5]
        == "weight-0.80, flash: most weighs large (200.0 kB), middle (50.0 kB), small (10.0 kB)"
    )
    assert " ".join(text[6:]) == (
        "weight-0.80, cycles and latency: most weighs large (100.0 k cycles), middle (30.0 k cycles), "
        "small (3000 cycles)"
    )


def test_what_holds_says_what_is_to_spare_and_names_no_layers() -> None:
    text = lines(check(RUN, Budget(flash_bytes=400_000, cpu_operators=0), ["weight-0.80"]))
    assert (
        " ".join(text[2].split()) == "weight-0.80 flash 400.0 kB 300.0 kB holds, 100.0 kB to spare"
    )
    assert " ".join(text[3].split()) == "weight-0.80 CPU operators 0 0 holds"
    assert len(text) == 4


@pytest.mark.parametrize("name", ["w", "a-name-that-somebody-made-far-too-long", "with[red]markup"])
def test_the_table_fits_100_columns_and_loses_nothing(name: str) -> None:
    run = summary(variant("baseline", 1), variant(name, 88_888_888))
    text = to_text(
        format_verdicts(
            check(run, Budget(64_000 * 1024, 10_000 * 1024, 99_999_999, 0.1, 0, 9_999_999_999))
        )
    )
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert "64000 KiB = 65536.0 kB" in text
    assert name[:20] in text
