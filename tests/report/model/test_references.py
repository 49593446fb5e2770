"""What A and B stand for, and which of them meet."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import records
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.report.model.record import SCHEMA, RunReport
from tinyprune.report.model.references import (
    Reference,
    reference_of,
    summary_pairs,
    unmatched_notes,
)
from tinyprune.storage.records import write_json

U55 = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
U85 = NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")


def summary(*names: str, target: NpuTarget = U55) -> RunSummary:
    quality = records.quality("int8", 1, accuracy=0.9)
    report = records.resource_report(target)
    variants = [records.variant_summary(name, report, quality=quality) for name in names]
    return records.run_summary(*variants, target=target)


def run_folder(path: Path, *summaries: RunSummary, uncompiled: str = "") -> Path:
    for one in summaries:
        write_json(path / f"summary-{one.target.name}.json", one)
        for variant in one.variants:
            (path / "variants" / variant.name).mkdir(parents=True, exist_ok=True)
    if uncompiled:
        (path / "variants" / uncompiled).mkdir(parents=True)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return run_folder(
        Path("runs/default"), summary("baseline", "unit-0.50"), uncompiled="unit-0.80"
    )


def test_a_variant_of_the_run(run: Path) -> None:
    assert reference_of("unit-0.50", run) == Reference(
        "unit-0.50", (summary("baseline", "unit-0.50"),), "unit-0.50"
    )


def test_a_run_folder(run: Path) -> None:
    run_folder(Path("other"), summary("a"), summary("a", target=U85))
    assert reference_of("other", run) == Reference(
        "other", (summary("a"), summary("a", target=U85))
    )
    assert (
        reference_of("other", Path("no/such/run")).summaries
        == reference_of("./other/", run).summaries
    )


def test_a_variant_of_a_folder(run: Path) -> None:
    assert reference_of("runs/default:unit-0.50", Path("none")).variant == "unit-0.50"


def test_a_name_with_a_colon_in_a_path(run: Path) -> None:
    run_folder(Path("a:b"), summary("baseline"))
    assert reference_of("a:b", run).variant is None
    assert reference_of("a:b:baseline", run).variant == "baseline"


def test_json_files(run: Path) -> None:
    write_json(Path("summary.json"), summary("baseline"))
    write_json(Path("report.json"), RunReport(SCHEMA, "r", "", {}, None, (), (summary("x", "y"),)))
    assert reference_of("summary.json", run) == Reference("summary.json", (summary("baseline"),))
    assert reference_of("report.json:y", run) == Reference(
        "report.json:y", (summary("x", "y"),), "y"
    )


def test_a_file_is_read_whatever_is_in_the_run(run: Path) -> None:
    write_json(Path("summary.json"), summary("baseline"))
    next(run.glob("summary-*")).write_text("{")
    assert reference_of("summary.json", run).summaries == (summary("baseline"),)
    with pytest.raises(
        TinypruneError, match=r"summary-ethos-u55-128-shared-sram\.json is not JSON"
    ):
        reference_of("baseline", run)


def test_a_variant_comes_before_a_folder_of_its_name(run: Path) -> None:
    run_folder(Path("baseline"), summary("other"))
    assert reference_of("baseline", run).variant == "baseline"
    assert reference_of("./baseline", run).summaries == (summary("other"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "unit-0.05",
            r"unknown variant of runs/default 'unit-0\.05': did you mean 'unit-0\.50'\? expected one of: base",
        ),
        (
            "unit-0.80",
            r"variant unit-0\.80 of runs/default is not compiled: run `tinyprune compile` first",
        ),
        (
            "runs/default:x",
            r"unknown variant of runs/default 'x': expected one of: baseline, unit-0\.50",
        ),
        (
            "runs/default:",
            r"unknown variant of runs/default '': expected one of: baseline, unit-0\.50",
        ),
        ("runs/default:unit-0.80", r"variant unit-0\.80 of runs/default is not compiled: run"),
        (
            "runs/none",
            r"there is no 'runs/none': expected a variant of runs/default, a run folder, a JSON file, FOLDER",
        ),
        ("runs/none:baseline", r"there is no 'runs/none:baseline': expected"),
        (":baseline", r"there is no ':baseline': expected"),
        ("none.json", r"there is no 'none\.json': expected"),
        ("", r"there is no '': expected"),
        ("..", r"\.\. is not a run folder: it has no variants and no summary-TARGET\.json"),
        ("x" * 5000, r"unknown variant of runs/default 'xxx"),
        ("a\0b", r"unknown variant of runs/default 'a"),
        ("trained", r"nothing in trained is compiled: run `tinyprune compile --run trained` first"),
        ("empty.json", r"nothing in empty\.json is compiled: run `tinyprune compile` first"),
        ("binary", r"binary is not JSON"),
    ],
)
def test_what_stands_for_nothing(run: Path, text: str, message: str) -> None:
    run_folder(Path("trained"), uncompiled="baseline")
    write_json(Path("empty.json"), RunReport(SCHEMA, "r", "", {}, None, (), ()))
    Path("binary").write_bytes(b"\x80")
    with pytest.raises(TinypruneError, match=message) as error:
        reference_of(text, run)
    assert "\n" not in str(error.value)


def test_a_name_without_a_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = "'baseline' is neither a run folder nor a JSON file, nor a variant of r, which does not exist: run `tinyp"
    with pytest.raises(UsageError, match=expected):
        reference_of("baseline", Path("r"))
    Path("r/data").mkdir(parents=True)
    with pytest.raises(
        UsageError,
        match=r"of r, in which nothing is compiled: run `tinyprune compile --run r` first",
    ):
        reference_of("baseline", Path("r"))


def names(before: Reference, after: Reference) -> dict[str, tuple[tuple[str, str], ...]]:
    return {pair.before.target.name: pair.variants for pair in summary_pairs(before, after)}


def test_two_variants_meet_on_every_target_that_both_have() -> None:
    both = (summary("a", "b"), summary("a", "b", target=U85))
    assert names(Reference("a", both, "a"), Reference("b", both, "b")) == {
        U55.name: (("a", "b"),),
        U85.name: (("a", "b"),),
    }
    one = (summary("a", "b"), summary("a", target=U85))
    assert names(Reference("a", one, "a"), Reference("b", one, "b")) == {U55.name: (("a", "b"),)}


def test_whole_runs_meet_by_name() -> None:
    left, right = (
        Reference("l", (summary("a", "b", "c"),)),
        Reference("r", (summary("c", "d", "a"),)),
    )
    assert names(left, right) == {U55.name: (("a", "a"), ("c", "c"))}
    assert unmatched_notes(left, right) == ("only l has b", "only r has d")


def test_single_variants_meet_whatever_they_are_called() -> None:
    left, right = Reference("l", (summary("a"),)), Reference("r", (summary("b"),))
    assert names(left, right) == {U55.name: (("a", "b"),)}
    assert unmatched_notes(left, right) == ()


def test_a_variant_meets_the_one_of_its_name_in_a_whole_run() -> None:
    named, whole = Reference("b", (summary("a", "b"),), "b"), Reference("r", (summary("a", "b"),))
    assert names(named, whole) == names(whole, named) == {U55.name: (("b", "b"),)}
    assert unmatched_notes(named, whole) == ()


def test_of_two_summaries_for_a_target_the_first_counts() -> None:
    twice = Reference("l", (summary("a"), summary("b")))
    assert summary_pairs(twice, Reference("r", (summary("a"),)))[0].before == summary("a")


def test_a_target_of_one_side_is_said() -> None:
    left, right = (
        Reference("l", (summary("a"), summary("a", target=U85))),
        Reference("r", (summary("a"),)),
    )
    assert unmatched_notes(left, right) == (
        "only l is compiled for ethos-u85-256-sram-only (Ethos_U85_SYS_DRAM_Mid)",
    )


@pytest.mark.parametrize("other", [U85, replace(U55, system_config="Ethos_U55_Deep_Embedded")])
def test_different_targets_never_meet(other: NpuTarget) -> None:
    """Schema 1 called targets of one accelerator and memory mode the same, whatever their clock."""
    left, right = Reference("l", (summary("a"),)), Reference("r", (summary("a", target=other),))
    with pytest.raises(UsageError) as error:
        summary_pairs(left, right)
    assert str(error.value) == (
        "nothing was compiled for the same target: l has ethos-u55-128-shared-sram (Ethos_U55_High_End_Embedded); "
        f"r has {other.name} ({other.system_config}); compile both for the same one"
    )


def test_no_variant_in_common() -> None:
    left, right = Reference("l", (summary("a", "b"),)), Reference("r", (summary("c"),))
    with pytest.raises(
        UsageError,
        match=r"no variant has the same name: l has a, b; r has c; name one of each, as in l:",
    ):
        summary_pairs(left, right)


def test_old_summaries_still_have_their_name(run: Path) -> None:
    path = next(run.glob("summary-*"))
    old = json.loads(path.read_text()) | {"schema": 1}
    path.write_text(json.dumps(old))
    assert reference_of("baseline", run).summaries[0].target.name == "ethos-u55-128-shared-sram"
