"""Targets side by side: the table is read as text, flips follow from cycles that are seen in the test."""

import csv
import io
from dataclasses import replace

import pytest

from tests.support import records
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model import target_matrix
from tinyprune.report.render import matrix_table, terminal

SYSTEM = "Ethos_U55_High_End_Embedded"
SHARED = NpuTarget("ethos-u55-128", SYSTEM, "Shared_Sram")
SRAM_ONLY = NpuTarget("ethos-u55-128", SYSTEM, "Sram_Only")


def variant(
    name: str, target: NpuTarget, cycles: float, cpu: tuple[str, ...] = (), frames: int = 1
) -> VariantSummary:
    report = records.resource_report(
        target=target,
        flash_bytes=124_000,
        encoded_weight_bytes=80_000,
        cycles=cycles,
        cpu_operators=cpu,
        dram_bytes=7,
    )
    tflite = records.tflite_artifact(f"{name}.tflite", frames=frames)
    return records.variant_summary(name, report, tflite=tflite)


def summary(target: NpuTarget, hop_seconds: float | None = 0.016, **cycles: float) -> RunSummary:
    """``weight_90=175`` stands for a variant ``weight-0.90`` with 175 thousand cycles."""
    variants = [
        variant(name.replace("_", "-0."), target, 1000 * count) for name, count in cycles.items()
    ]
    return records.run_summary(*variants, target=target, hop_seconds=hop_seconds, schema=2)


@pytest.fixture
def two() -> list[RunSummary]:
    """Weights in flash: zeros pay. Weights in SRAM: only fewer units do."""
    return [
        summary(SHARED, baseline=940, weight_90=175, unit_50=490),
        summary(SRAM_ONLY, baseline=163, weight_90=163.5, unit_50=90),
    ]


def text(summaries: list[RunSummary]) -> list[str]:
    return terminal.to_text(matrix_table.format_matrix(summaries)).splitlines()


def cells(lines: list[str], start: str, occurrence: int = 0) -> str:
    """What stands behind the name, with single blanks."""
    return " ".join([line for line in lines if line.startswith(start)][occurrence].split()[1:])


def test_rows_rank_the_variants_of_each_target(two: list[RunSummary]) -> None:
    rows = target_matrix.rows(two)
    assert [(row["target"], row["variant"], row["rank"]) for row in rows] == [
        ("ethos-u55-128-shared-sram", "baseline", 3),
        ("ethos-u55-128-shared-sram", "weight-0.90", 1),
        ("ethos-u55-128-shared-sram", "unit-0.50", 2),
        ("ethos-u55-128-sram-only", "baseline", 2),
        ("ethos-u55-128-sram-only", "weight-0.90", 3),
        ("ethos-u55-128-sram-only", "unit-0.50", 1),
    ]
    assert tuple(rows[0]) == target_matrix.FIELDS
    assert (rows[0]["npu"], rows[0]["system_config"], rows[0]["memory_mode"]) == (
        "ethos-u55-128",
        SYSTEM,
        "Shared_Sram",
    )
    assert (rows[0]["flash_bytes"], rows[0]["sram_bytes"], rows[0]["dram_bytes"]) == (
        124_000,
        12_000,
        7,
    )
    assert rows[0]["milliseconds_per_frame"] == pytest.approx(1000 * 940_000 / 500e6)


def test_the_same_cycles_share_a_rank() -> None:
    rows = target_matrix.rows([summary(SHARED, baseline=200, a_10=100, b_10=100)])
    assert [row["rank"] for row in rows] == [3, 1, 1]


def test_an_inference_over_many_frames_is_ranked_by_the_frame() -> None:
    many = variant("long", SHARED, 1_000_000, frames=100)  # 10 k cycles per frame
    rows = target_matrix.rows(
        [
            replace(
                summary(SHARED, baseline=940), variants=(variant("baseline", SHARED, 940_000), many)
            )
        ]
    )
    assert [row["rank"] for row in rows] == [2, 1]
    assert rows[1]["milliseconds_per_frame"] == pytest.approx(1000 * 1_000_000 / 500e6 / 100)


def test_the_csv_has_the_rows(two: list[RunSummary]) -> None:
    found = list(csv.DictReader(io.StringIO(target_matrix.to_csv(two))))
    assert len(found) == 2 * 3
    assert found[1]["rank"] == "1"
    assert tuple(found[0]) == target_matrix.FIELDS
    assert target_matrix.to_csv([]) == ",".join(target_matrix.FIELDS) + "\n"


def test_the_table_has_a_row_per_target_and_a_star_at_the_fastest(two: list[RunSummary]) -> None:
    lines = text(two)
    assert lines[0] == "2 targets side by side, estimated by Vela 5.2.0"
    # 940 k cycles at 500 MHz are 1.88 ms; then flash of the three variants.
    assert cells(lines, "ethos-u55-128-shared-sram") == "1.88 0.35 * 0.98 124 kB 124 kB 124 kB"
    assert cells(lines, "ethos-u55-128-sram-only") == "0.33 0.33 0.18 * 124 kB 124 kB 124 kB"
    assert cells(lines, "ethos-u55-128-sram-only", 1) == "12 kB 12 kB 12 kB"
    assert "* fastest variant on this target" in " ".join(lines)


def test_variants_that_are_as_fast_share_the_star() -> None:
    # 163.5 k is 0.3 % above 163 k.
    lines = text([summary(SRAM_ONLY, baseline=163, weight_90=163.5, unit_50=170)])
    assert cells(lines, "ethos-u55-128-sram-only").startswith("0.33 * 0.33 * 0.34 ")


def test_networks_that_do_not_stream_have_no_frames() -> None:
    assert "frame" not in "\n".join(text([summary(SHARED, None, baseline=940, weight_90=175)]))


def test_a_variant_that_a_target_does_not_have_is_a_dash() -> None:
    lines = text([summary(SHARED, baseline=940), summary(SRAM_ONLY, baseline=163, unit_50=90)])
    assert cells(lines, "ethos-u55-128-shared-sram") == "1.88 * - 124 kB - 12 kB -"
    assert (
        target_matrix.flips([summary(SHARED, baseline=940), summary(SRAM_ONLY, unit_50=90)]) == []
    )


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_the_table_fits_into_100_columns(count: int) -> None:
    target = replace(SHARED, npu="ethos-u85-2048", memory_mode="Dedicated_Sram_384KB")
    variants = {f"unit_50-weight_{number}": 940.0 for number in range(10, 10 + count)}
    long = replace(target, system_config="Ethos_U85_SYS_DRAM_Very_High", is_default_system=False)
    lines = text([summary(target, None, **variants), summary(long, None, **variants)])
    assert max(map(len, lines)) <= 100
    # Nothing is cut: every name is there, in pieces that end with a dash.
    assert "ethos-u85-2048-dedicated-sram-384kb" in "\n".join(lines)
    assert [line for line in lines if line.startswith("ethos-u85-2048-ethos-u85-sys-dram-")]
    # Time, flash and SRAM of every variant, on every target.
    assert sum(line.count("940") + line.count("1.88") for line in lines) == 2 * count
    assert sum(line.count(" kB") for line in lines) == 2 * 2 * count


def test_a_flip_says_who_is_before_whom(two: list[RunSummary]) -> None:
    assert target_matrix.flips(two) == [
        "ethos-u55-128-sram-only: unit-0.50 before weight-0.90 (90 k against 164 k cycles); "
        "on ethos-u55-128-shared-sram it is the other way round (490 k against 175 k)"
    ]
    assert "unit-0.50 before weight-0.90" in " ".join(text(two))


@pytest.mark.parametrize(
    ("unit", "flipped"), [(174, False), (173.3, False), (173.2, True), (170, True)]
)
def test_a_near_tie_is_no_flip(unit: float, flipped: bool) -> None:
    # 175 k is 1 % above 173.27 k.
    there, here = (
        summary(SHARED, weight_90=175, unit_50=490),
        summary(SRAM_ONLY, weight_90=175, unit_50=unit),
    )
    assert bool(target_matrix.flips([there, here])) == flipped
    # A near-tie on the first target is no order that could be turned round.
    assert bool(target_matrix.flips([here, there])) == flipped


def test_a_pair_is_compared_with_the_first_target_that_tells_it_apart() -> None:
    tie = summary(replace(SHARED, npu="ethos-u55-32"), weight_90=175, unit_50=175)
    found = target_matrix.flips(
        [
            tie,
            summary(SHARED, weight_90=175, unit_50=490),
            summary(SRAM_ONLY, weight_90=163, unit_50=90),
        ]
    )
    assert len(found) == 1
    assert found[0].startswith("ethos-u55-128-sram-only: unit-0.50 before")
    assert "on ethos-u55-128-shared-sram it is" in found[0]


def targets(count: int, memory_mode: str) -> list[NpuTarget]:
    return [NpuTarget(f"npu-{number}", "S", memory_mode) for number in range(count)]


def test_targets_that_flip_in_the_same_way_share_a_line() -> None:
    shared = [summary(target, weight_90=175, unit_50=490) for target in targets(25, "Shared_Sram")]
    only = [summary(target, weight_90=163, unit_50=90) for target in targets(25, "Sram_Only")]
    (line,) = target_matrix.flips([*shared, *only])
    assert line.startswith(
        "all 25 with Sram_Only: unit-0.50 before weight-0.90 (90 k against 163 k cycles); on npu-0-"
    )
    # One of them does not flip: names, the first ones.
    (line,) = target_matrix.flips(
        [*shared, *only[:-1], summary(targets(25, "Sram_Only")[-1], weight_90=163, unit_50=200)]
    )
    assert line.startswith(
        "npu-0-sram-only, npu-1-sram-only, npu-2-sram-only and 21 more: unit-0.50 before"
    )


def test_targets_that_flip_in_different_ways_have_lines_of_their_own() -> None:
    first = summary(targets(1, "A")[0], a_1=1, b_1=2, c_1=3)
    found = target_matrix.flips(
        [
            first,
            summary(targets(1, "B")[0], a_1=2, b_1=1, c_1=3),
            summary(targets(1, "C")[0], a_1=3, b_1=2, c_1=1),
        ]
    )
    assert len(found) == 2
    assert "b-0.1 before a-0.1 (1000 against 2000 cycles); on npu-0-a" in found[0]
    # Of three pairs, the ones that are furthest apart come first.
    assert found[1].startswith(
        "npu-0-c: c-0.1 before a-0.1 (1000 against 3000 cycles), c-0.1 before b-0.1 (1000 against"
    )


def test_many_pairs_are_counted() -> None:
    names = ["a_1", "b_1", "c_1", "d_1"]
    there = summary(SHARED, **{name: 10.0 * (place + 1) for place, name in enumerate(names)})
    here = summary(SRAM_ONLY, **{name: 10.0 * (4 - place) for place, name in enumerate(names)})
    (line,) = target_matrix.flips([there, here])
    assert line.count("before") == 3
    assert (
        "3 more pairs; on ethos-u55-128-shared-sram they are the other way round" in line
    )  # 4 * 3 / 2 = 6


def test_the_table_shows_ten_flips_and_counts_the_rest() -> None:
    # Variant 0 is the fastest on the first target, variant n on the n-th: twelve ways to differ.
    found = [
        summary(
            target,
            **{f"v_{10 + place}": 10.0 if place == index else 100.0 + place for place in range(13)},
        )
        for index, target in enumerate(targets(13, "A"))
    ]
    assert len(target_matrix.flips(found)) == 12
    lines = text(found)
    assert sum(line.startswith("- npu-") for line in lines) == 10
    assert "- and in 2 more ways; the ranks in CSV and JSON have them all" in lines


def test_no_flip_is_said() -> None:
    same = [
        summary(SHARED, baseline=940, weight_90=175),
        summary(SRAM_ONLY, baseline=200, weight_90=163),
    ]
    assert "The order of the variants is the same on every target." in text(same)
    assert "order" not in " ".join(text([summary(SHARED, baseline=940)]))


def test_what_runs_on_the_cpu_is_said() -> None:
    cpu = ("CONV_2D", "CONV_2D", "SOFTMAX")
    found = [
        replace(summary(target, baseline=1), variants=(variant("baseline", target, 1000, cpu),))
        for target in (SHARED, SRAM_ONLY)
    ]
    line = "baseline leaves to the CPU, which its time leaves out: CONV_2D SOFTMAX;"
    assert line in " ".join(" ".join(text(found)).split())
    assert target_matrix.rows(found)[0]["cpu_operator_count"] == 3


def test_nothing_compiled_is_one_line() -> None:
    assert text([]) == ["no target is compiled for yet"]
    assert target_matrix.rows([]) == target_matrix.flips([]) == []
