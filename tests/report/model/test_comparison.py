"""Verdicts are visible arithmetic; tables, CSV and JSON are read as text."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support import records
from tinyprune.artifacts.quantity import QUANTITIES, Allowance
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.report.model.comparison import Comparison, MetricChange, compare, metric_names_of
from tinyprune.report.model.policy import Entry, Policy
from tinyprune.report.model.references import Reference
from tinyprune.report.render import terminal
from tinyprune.report.render.verdict import (
    check,
    format_table,
    show_change,
    show_percent,
    show_value,
    to_csv,
    to_json,
)

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
OTHER = NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")


def reference(
    name: str = "a", target: NpuTarget = TARGET, frames: int = 1, **more: Any
) -> Reference:
    """One variant: 100 kB of flash, 10,000 cycles at 500 MHz, 9.4 dB; ``more`` differs."""
    metrics = {
        key: more.pop(key) for key in [*more] if key.endswith("_db") or key in ("accuracy", "pesq")
    }
    sparsity, utterances = more.pop("sparsity", 0.0), more.pop("utterances", 48)
    report = records.resource_report(
        target=target,
        encoded_weight_bytes=60_000.0,
        cycles=10_000.0,
        cycles_npu=8_000.0,
        cycles_sram=500.0,
        cycles_off_chip_flash=10_000.0,
        bound_by="off-chip flash",
        file_bytes=110_000.0,
    )
    variant = records.variant_summary(
        name,
        replace(report, **more),
        parameters=120_000,
        sparsity=sparsity,
        quality=records.quality("streaming", utterances, **(metrics or {"si_sdr_db": 9.4})),
        tflite=records.tflite_artifact(file_bytes=130_000, frames=frames),
    )
    summary = records.run_summary(variant, target=target, hop_seconds=0.016, schema=2)
    return Reference(name, (summary,))


def changes(
    before: Reference, after: Reference, policy: Policy | None = None
) -> dict[str, MetricChange]:
    (variant,) = compare(before, after, policy or Policy()).variants
    return {change.metric: change for change in variant.metrics}


def verdict(metric: str, before: Any, after: Any, policy: Policy | None = None) -> str:
    return changes(reference(**{metric: before}), reference(**{metric: after}), policy)[
        metric
    ].verdict


def test_every_metric_once_quality_first() -> None:
    found = changes(reference(si_sdr_db=9.4, sdr_db=10.0), reference(si_sdr_db=9.4, sdr_db=10.0))
    assert [*found] == ["si_sdr_db", "sdr_db", *QUANTITIES]
    assert {change.verdict for change in found.values()} == {"same"}


@pytest.mark.parametrize(
    ("metric", "before", "after", "expected"),
    [
        ("si_sdr_db", 9.4, 9.5, "better"),
        ("si_sdr_db", 9.4, 9.3, "worse, allowed"),  # 9.4 - 9.3 is a little more than 0.1 in binary
        ("si_sdr_db", 9.4, 9.29, "WORSE"),
        ("si_sdr_db", -1.0, -1.2, "WORSE"),
        ("si_sdr_db", 9.4, 9.4 + 1e-12, "same"),
        ("accuracy", 0.93, 0.92, "worse, allowed"),
        ("accuracy", 0.93, 0.919, "WORSE"),
        ("flash_bytes", 100_000.0, 99_999.0, "better"),
        ("flash_bytes", 100_000.0, 101_000.0, "worse, allowed"),  # 1 % of 100,000 = 1,000
        ("flash_bytes", 100_000.0, 101_001.0, "WORSE"),
        ("cycles", 10_000.0, 10_101.0, "WORSE"),
        ("sram_bytes", 0.0, 1.0, "WORSE"),  # 1 % of 0 is 0
        ("cycles_npu", 8_000.0, 80_000.0, "worse, allowed"),
        ("cpu_operators", (), ("ELU",), None),
        ("macs", 10, 20, "-"),
        ("sparsity", 0.0, 0.8, "-"),
        ("dram_bytes", 0.0, 64.0, "worse, allowed"),
    ],
)
def test_the_default_policy(metric: str, before: Any, after: Any, expected: str | None) -> None:
    if expected is None:
        found = changes(reference(cpu_operators=before), reference(cpu_operators=after))[
            "cpu_operator_count"
        ]
        assert (found.before, found.after, found.verdict, found.change_percent) == (
            0,
            1,
            "WORSE",
            None,
        )
    else:
        assert verdict(metric, before, after) == expected


def test_a_policy_of_ones_own() -> None:
    policy = Policy(
        "p", (Entry("*_bytes", Allowance(0.5, relative=True)), Entry("cycles", ignored=True))
    )
    assert verdict("flash_bytes", 100_000.0, 150_000.0, policy) == "worse, allowed"
    assert verdict("flash_bytes", 100_000.0, 150_001.0, policy) == "WORSE"
    assert verdict("cycles", 100.0, 500.0, policy) == "ignored"
    assert (
        verdict("si_sdr_db", 9.4, 9.0, policy) == "WORSE"
    )  # what it leaves out is as in the default
    turned = Policy("p", (Entry("accuracy", Allowance(0.0), direction="lower"),))
    assert verdict("accuracy", 0.1, 0.2, turned) == "WORSE"
    assert (
        verdict("sparsity", 0.8, 0.7, Policy("p", (Entry("sparsity", Allowance(0.05), "higher"),)))
        == "WORSE"
    )


def test_change_in_figures() -> None:
    found = changes(reference(), reference(flash_bytes=75_000.0))["flash_bytes"]
    assert (found.before, found.after, found.change, found.change_percent) == (
        100_000,
        75_000,
        -25_000,
        -25.0,
    )
    assert (found.allowed, found.allowed_percent) == (0.01 * 100_000, 1.0)
    quality = changes(reference(), reference(si_sdr_db=9.2))["si_sdr_db"]
    assert (quality.change_percent, quality.allowed, quality.allowed_percent) == (None, 0.1, None)


def test_what_one_side_lacks() -> None:
    both, one = reference(si_sdr_db=9.4, pesq=2.5), reference(si_sdr_db=9.4)
    assert changes(both, one)["pesq"].verdict == "missing"
    assert changes(both, one)["pesq"].failed
    assert changes(one, both)["pesq"].verdict == "new"
    assert not changes(one, both)["pesq"].failed
    ignoring = Policy("p", (Entry("pesq", ignored=True),))
    assert not changes(both, one, ignoring)["pesq"].failed
    assert changes(reference(pesq=2.5), reference(pesq=float("nan")))["pesq"].verdict == "missing"
    with pytest.raises(
        CheckFailed, match=r"allows: a on ethos-u55-128-shared-sram: pesq is missing"
    ):
        check(compare(both, one, Policy()))


def test_dram_is_compared_only_where_it_is_known() -> None:
    """Schema 1 did not count it: 0 there means nothing."""
    old = reference(file_bytes=0.0)
    assert "dram_bytes" not in changes(reference(dram_bytes=64.0), old)
    assert "dram_bytes" not in changes(old, reference(dram_bytes=64.0))


def test_an_inference_over_many_frames_is_divided_among_them() -> None:
    found = changes(reference(), reference(frames=10))["seconds_per_frame"]
    assert (found.before, found.after) == (pytest.approx(20e-6), pytest.approx(2e-6))


def test_two_clocks_are_never_compared() -> None:
    with pytest.raises(
        UsageError,
        match="a was estimated at 500 MHz and b at 400 MHz, both on ethos-u55-128-shared",
    ):
        compare(reference("a"), reference("b", clock_hz=400e6), Policy())


def test_what_makes_figures_less_comparable_is_said() -> None:
    (found,) = compare(
        reference(), reference(vela_version="5.1.0", utterances=6), Policy()
    ).variants
    assert found.notes == (
        "A was estimated by Vela 5.2.0, B by Vela 5.1.0",
        "quality was not measured on the same: A on 48 of dev as streaming, B on 6 of dev as streaming",
    )
    own = replace(TARGET, vela_config="my.ini")
    assert (
        "B with my.ini"
        in compare(reference(), reference(target=own), Policy()).variants[0].notes[0]
    )


def worse() -> Comparison:
    after = reference("b", flash_bytes=110_000.0, si_sdr_db=9.0, sram_bytes=11_000.0)
    return compare(reference("a"), after, Policy())


def test_a_failed_check_names_what_failed() -> None:
    check(compare(reference(), reference(), Policy()))
    with pytest.raises(CheckFailed) as error:
        check(worse())
    assert str(error.value) == (
        "worse than the policy (default) allows: a -> b on ethos-u55-128-shared-sram: "
        "si_sdr_db -0.40 (allowed 0.1), flash_bytes +10.0% (allowed 1%)"
    )


def test_a_failed_check_of_many_names_the_first() -> None:
    def whole(flash: float) -> Reference:
        names = [f"v{index}" for index in range(5)]
        (summary,) = reference(flash_bytes=flash).summaries
        return Reference(
            "r",
            (
                replace(
                    summary, variants=tuple(replace(summary.variants[0], name=n) for n in names)
                ),
            ),
        )

    with pytest.raises(CheckFailed, match=r"v0 on .*; v1 on .*; v2 on [^;]*; and 2 more$"):
        check(compare(whole(1000.0), whole(2000.0), Policy()))


def test_the_table_has_a_line_per_metric() -> None:
    lines = terminal.to_text(format_table(worse())).splitlines()
    assert lines[0] == "A: a   B: b   policy: default"
    assert lines[2] == "a -> b on ethos-u55-128-shared-sram"
    rows = {line.split()[0]: line.split() for line in lines[4:]}
    assert rows["si_sdr_db"] == [
        "si_sdr_db",
        "higher",
        "9.40",
        "9.00",
        "-0.40",
        "-",
        "0.1",
        "WORSE",
    ]
    assert " ".join(rows["flash_bytes"]) == "flash_bytes lower 100 kB 110 kB +10 kB +10.0% 1% WORSE"
    assert " ".join(rows["sram_bytes"]) == "sram_bytes lower 12 kB 11 kB -1000 B -8.3% 1% better"
    assert (
        " ".join(rows["seconds_per_frame"])
        == "seconds_per_frame lower 0.0200 ms 0.0200 ms - - 1% same"
    )
    assert "cycles_dram" not in rows  # 0 in both, and nothing limits it
    assert rows["cpu_operator_count"][1:] == ["lower", "0", "0", "-", "-", "0", "same"]


def test_the_table_fits_100_columns() -> None:
    large = dict.fromkeys(
        ["flash_bytes", "sram_bytes", "cycles", "cycles_off_chip_flash", "dram_bytes"],
        123_456_789.0,
    )
    before = reference(inference_seconds=1.234567, **large)
    after = reference(
        inference_seconds=2.345678, **{key: 9 * value for key, value in large.items()}
    )
    text = terminal.to_text(format_table(compare(before, after, Policy())))
    assert max(map(len, text.splitlines())) <= 100
    assert "flash_bytes lower 123.46 MB 1111.11 MB +987.65 MB +800.0% 1% WORSE" in " ".join(
        text.split()
    )
    assert "…" not in text


def test_names_are_no_markup() -> None:
    text = terminal.to_text(
        format_table(compare(reference("[red]a"), reference("[/red]b"), Policy()))
    )
    assert "[red]a -> [/red]b" in text


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("flash_bytes", 9_999, "9999 B"),
        ("cycles", 163_400, "163 k"),
        ("si_sdr_db", 9.434, "9.43"),
        ("accuracy", 0.9344, "0.934"),
        ("sparsity", 0.8, "0.800"),
        ("seconds_per_frame", 0.01234, "12.34 ms"),
        ("seconds_per_frame", 0.000375, "0.375 ms"),
        ("seconds_per_frame", None, "-"),
    ],
)
def test_values_in_a_table(metric: str, value: float | None, expected: str) -> None:
    assert show_value(metric, value) == expected


def test_a_difference_is_never_shown_as_none() -> None:
    tiny = changes(reference(accuracy=0.9), reference(accuracy=0.9001))["accuracy"]
    assert (show_change(tiny), show_percent(tiny)) == ("+0.0001", "+0.011%")  # 0.0001 / 0.9


def test_csv_has_one_row_per_metric() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(worse()))))
    flash = next(row for row in rows if row["metric"] == "flash_bytes")
    assert flash["target"] == "ethos-u55-128-shared-sram"
    assert (flash["variant_a"], flash["variant_b"], flash["verdict"]) == ("a", "b", "WORSE")
    assert (float(flash["before"]), float(flash["after"]), float(flash["change"])) == (
        100_000,
        110_000,
        10_000,
    )
    assert [row["metric"] for row in rows] == ["si_sdr_db", *QUANTITIES]


def test_json_has_everything() -> None:
    found = json.loads(to_json(worse()))
    assert (found["schema"], found["before"], found["policy"]) == (1, "a", "default")
    flash = next(
        metric for metric in found["variants"][0]["metrics"] if metric["metric"] == "flash_bytes"
    )
    assert (flash["change"], flash["allowed"], flash["verdict"]) == (10_000, 1_000, "WORSE")
    empty = to_json(compare(reference(pesq=float("nan"), si_sdr_db=1.0), reference(), Policy()))
    assert "NaN" not in empty


def test_targets_are_never_mixed() -> None:
    both = Reference(
        "r", (*reference().summaries, *reference(target=OTHER, flash_bytes=5.0).summaries)
    )
    found = compare(both, both, Policy())
    assert [variant.target for variant in found.variants] == [TARGET, OTHER]
    assert not found.failures


def test_metrics_of_all_references() -> None:
    assert metric_names_of(reference(si_sdr_db=1.0), reference(pesq=1.0, si_sdr_db=1.0)) == [
        "si_sdr_db",
        "pesq",
    ]
