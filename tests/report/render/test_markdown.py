"""Markdown that a pull request shows as it is meant: tables with as many cells as columns, names that are no marks."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support import records
from tinyprune.artifacts.quality import TaskRecord
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.comparison import compare
from tinyprune.report.model.policy import Entry, Policy
from tinyprune.report.model.record import SCHEMA, RunReport, VariantRecord
from tinyprune.report.model.references import Reference
from tinyprune.report.render import markdown

U55 = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
U85 = NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")
ODD = "a|b`c` <b>*x*</b>"


def variant(
    name: str, flash: float, cycles: float, sparsity: float, metrics: dict[str, float]
) -> VariantSummary:
    report = records.resource_report(
        target=U55, flash_bytes=flash, cycles=cycles, cycles_sram=500.0
    )
    quality = records.quality(**metrics)
    return records.variant_summary(name, report, sparsity=sparsity, quality=quality)


@pytest.fixture
def summary() -> RunSummary:
    baseline = variant("baseline", 900_000.0, 940_000.0, 0.0, {"si_sdr_db": 9.43, "pesq": 2.5})
    sparse = variant("weight-0.95", 120_000.0, 175_000.0, 0.95, {"si_sdr_db": 9.13, "pesq": 2.5})
    noisy = records.quality("noisy", si_sdr_db=1.5, pesq=1.25)
    return records.run_summary(baseline, sparse, hop_seconds=0.016, noisy=noisy)


def report(*summaries: RunSummary, **more: Any) -> RunReport:
    done = tuple(
        VariantRecord(one.name, "export", {})
        for summary in summaries[:1]
        for one in summary.variants
    )
    task = TaskRecord("speech", "si_sdr_db", ("streaming",))
    fields = {"task": task, "variants": done, "summaries": summaries} | more
    return RunReport(
        SCHEMA, "default", "2026-01-01T00:00:00+00:00", {"tinyprune": "0.1", "keras": "3"}, **fields
    )


def tables(text: str) -> list[list[list[str]]]:
    """The cells of every table: header, then rows; each as long as the header."""
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not before.startswith("|"):
                found.append([])
            found[-1].append(cells)
        before = line
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}
        assert all(re.fullmatch(":--|--:", cell) for cell in table[1])
    return [[table[0], *table[2:]] for table in found]


def test_the_headline_has_loss_gain_and_bound_on_one_line(summary: RunSummary) -> None:
    text = markdown.run_report(report(summary))
    ((header, noisy, baseline, sparse),) = tables(text)
    assert " ".join(header) == (
        "variant SI-SDR dB PESQ sparsity flash encoded weights .tflite SRAM cycles ms per frame bound by"
    )
    assert noisy == ["noisy input", "1.50", "1.25", *["-"] * 8]
    assert (
        ",".join(baseline) == "baseline,9.43,2.50,0.00,900 kB,860 kB,1.00 MB,12 kB,940 k,1.88,NPU"
    )
    # 9.13 - 9.43 = -0.30; 900 / 120 = 7.5; 940 / 175 = 5.4; 175,000 cycles at 500 MHz take 0.35 ms.
    shown = (
        "weight-0.95,9.13 (-0.30),2.50,0.95,120 kB (7.5x),80 kB,1.00 MB,12 kB,175 k (5.4x),0.35,NPU"
    )
    assert ",".join(sparse) == shown
    assert text.startswith(
        "# default\n\nspeech, made 2026-01-01T00:00:00+00:00 by tinyprune 0.1, keras 3\n"
    )
    assert (
        "## ethos-u55-128-shared-sram\n\nethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram, est"
        in text
    )


def test_one_table_per_target(summary: RunSummary) -> None:
    text = markdown.run_report(report(summary, replace(summary, target=U85)))
    assert len(tables(text)) == 2
    assert "## ethos-u85-256-sram-only" in text


def test_a_task_without_a_noisy_input(summary: RunSummary) -> None:
    text = markdown.run_report(report(replace(summary, noisy=None, hop_seconds=None)))
    assert [row[0] for row in tables(text)[0]] == ["variant", "baseline", "weight-0.95"]
    assert tables(text)[0][0][-2] == "ms"


def test_advice_and_notes_are_lists(summary: RunSummary) -> None:
    advice = {"baseline": ("flash bound: weight sparsity pays",)}
    text = markdown.run_report(
        report(summary, notes=("*x* is missing: run `tinyprune *`",), advice=advice)
    )
    assert (
        "## What the figures suggest\n\n**baseline**\n\n- flash bound: weight sparsity pays\n"
        in text
    )
    assert "**weight-0.95**" not in text
    assert text.endswith("## Notes\n\n- \\*x\\* is missing: run `tinyprune *`\n")
    assert "suggest" not in markdown.run_report(report(summary))


def test_operators_on_the_cpu_are_named(summary: RunSummary) -> None:
    fallen = replace(
        summary.variants[1], report=replace(summary.variants[1].report, cpu_operators=("ELU",))
    )
    text = markdown.run_report(report(replace(summary, variants=(summary.variants[0], fallen))))
    assert "- weight-0.95 leaves to the CPU: ELU" in text


def test_half_a_run(summary: RunSummary) -> None:
    states = {"a": "", "b": "train", "c": "export", "d": "of the future"}
    half = tuple(VariantRecord(name, state, {}) for name, state in states.items())
    text = markdown.run_report(report(variants=half, task=None, notes=("run `tinyprune compile`",)))
    assert tables(text) == [
        [
            ["variant", "state"],
            ["a", "training was stopped"],
            ["b", "trained, not exported"],
            ["c", "exported, not compiled"],
            ["d", "of the future"],
        ]
    ]
    mixed = markdown.run_report(
        report(summary, variants=(VariantRecord("baseline", "export", {}), half[1]))
    )
    assert tables(mixed)[1] == [["variant", "state"], ["b", "trained, not exported"]]
    assert "No variant exists yet." in markdown.run_report(report(variants=(), task=None))
    assert tables(markdown.run_report(report(replace(summary, variants=())))) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("weight-0.80", "weight-0.80"),
        ("a|b", "a\\|b"),
        ("`rm`", "\\`rm\\`"),
        ("<b> & *x*", "\\<b> \\& \\*x\\*"),
        ("si_sdr_db", "si_sdr_db"),
        ("_init_", "\\_init\\_"),
        ("[a](b)", "\\[a\\](b)"),
        ("back\\slash", "back\\\\slash"),
        ("two\nlines", "two lines"),
        ("# no title", "\\# no title"),
    ],
)
def test_escaping(text: str, expected: str) -> None:
    assert markdown.escape(text) == expected


def test_odd_names_break_no_table(summary: RunSummary) -> None:
    odd = replace(summary, variants=(summary.variants[0], replace(summary.variants[1], name=ODD)))
    text = markdown.run_report(
        report(odd, variants=(VariantRecord(f"{ODD}2", "", {}),), advice={ODD: (ODD,)})
    )
    assert tables(text)[0][-1][0] == "a\\|b\\`c\\` \\<b>\\*x\\*\\</b>"
    assert "<b>" not in text.replace("\\<b>", "")
    compared = markdown.comparison(
        compare(Reference(ODD, (odd,), ODD), Reference(ODD, (odd,), ODD), Policy())
    )
    assert len(tables(compared)) == 2
    assert "<b>" not in compared.replace("\\<b>", "")


def comparison(
    summary: RunSummary, policy: Policy, before: str = "baseline", after: str = "weight-0.95"
) -> str:
    return markdown.comparison(
        compare(Reference(before, (summary,), before), Reference(after, (summary,), after), policy)
    )


def test_a_comparison_begins_with_the_verdict(summary: RunSummary) -> None:
    text = comparison(summary, Policy())
    assert text.startswith(
        "**FAILED: worse than allowed:** si_sdr_db\n\nA: baseline, B: weight-0.95, policy: default\n"
    )
    assert "#### baseline -> weight-0.95 on ethos-u55-128-shared-sram" in text
    better = comparison(summary, Policy("p", (Entry("si_sdr_db", ignored=True),)))
    assert better.startswith(
        "**OK:** nothing is worse than allowed, better: flash_bytes, encoded_weight_bytes, cycles"
    )
    assert comparison(summary, Policy(), "baseline", "baseline").startswith(
        "**OK:** nothing is worse than allowed\n"
    )


def test_a_comparison_shows_what_is_limited_and_folds_the_rest(summary: RunSummary) -> None:
    text = comparison(summary, Policy())
    first, rest = tables(text)
    rows = {row[0]: row[1:] for row in first[1:]}
    assert rows["si_sdr_db"] == ["higher", "9.43", "9.13", "-0.30", "-", "0.1", "**WORSE**"]
    assert rows["flash_bytes"] == [
        "lower",
        "900 kB",
        "120 kB",
        "-780 kB",
        "-86.7%",
        "1%",
        "better",
    ]  # 780 / 900
    assert rows["pesq"] == ["higher", "2.50", "2.50", "-", "-", "0.01", "same"]
    assert {"tflite_bytes", "macs", "sparsity"} <= {row[0] for row in rest[1:]}
    folded = text[text.index("<details>") : text.index("</details>")]
    assert f"<summary>{len(rest) - 1} more metrics</summary>\n\n|" in folded


def test_a_comparison_with_nothing_limited(summary: RunSummary) -> None:
    text = comparison(summary, Policy("p", (Entry("*", ignored=True),)))
    assert "Nothing is limited by the policy." in text
    assert len(tables(text)) == 1


def test_what_only_one_has_is_listed(summary: RunSummary) -> None:
    less = replace(summary, variants=summary.variants[:1])
    more = replace(summary, variants=(*summary.variants, replace(summary.variants[1], name="x")))
    text = markdown.comparison(
        compare(Reference("l", (more,)), Reference("r", (summary,)), Policy())
    )
    assert text.endswith("\n- only l has x\n")
    assert "only" in markdown.comparison(
        compare(Reference("l", (more,)), Reference("r", (less,)), Policy())
    )
