"""Ratios are visible arithmetic; tables are read as text."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from tests.support import records
from tinyprune.artifacts.network import ContextState, TensorSparsity
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.summary import summary_rows
from tinyprune.report.render import table, terminal

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")


def quality(si_sdr_db: float, sdr_db: float, **more: float) -> Quality:
    return records.quality(si_sdr_db=si_sdr_db, sdr_db=sdr_db, **more)


def report(
    encoded: float, cycles: float, flash_cycles: float, cpu: tuple[str, ...] = ()
) -> ResourceReport:
    return records.resource_report(
        target=TARGET,
        flash_bytes=encoded + 40_000,
        cycles=cycles,
        cycles_npu=163_000,
        cycles_sram=9_000,
        cycles_off_chip_flash=flash_cycles,
        cpu_operators=cpu,
        bound_by="off-chip flash" if flash_cycles > 163_000 else "NPU",
    )


def variant(
    name: str, cost: ResourceReport, result: Quality, sparsity: float = 0.0, frames: int = 1
) -> VariantSummary:
    tflite = records.tflite_artifact(f"{name}.tflite", frames=frames)
    return records.variant_summary(name, cost, sparsity=sparsity, quality=result, tflite=tflite)


@pytest.fixture
def summary() -> RunSummary:
    baseline = variant("baseline", report(860_000, 940_000, 900_000), quality(9.43, 10.12))
    sparse = variant("weight-0.95", report(80_000, 175_000, 124_000), quality(9.13, 10.17), 0.95)
    return records.run_summary(
        baseline, sparse, target=TARGET, hop_seconds=0.016, noisy=quality(1.5, 1.75), schema=1
    )


def lines(renderable) -> list[str]:
    return terminal.to_text(renderable).splitlines()


def cells(text: str) -> list[str]:
    return text.split()


def line(text: list[str], start: str, occurrence: int = 0) -> str:
    return [row for row in text if row.startswith(start)][occurrence]


def test_rows_compare_with_the_baseline(summary: RunSummary) -> None:
    base, row = summary_rows(summary)
    assert (base["variant"], row["variant"]) == ("baseline", "weight-0.95")
    assert (row["npu"], row["memory_mode"]) == (TARGET.npu, TARGET.memory_mode)
    assert row["system_config"] == TARGET.system_config
    assert row["si_sdr_db_change"] == pytest.approx(9.13 - 9.43)
    assert row["noisy_sdr_db"] == 1.75
    assert row["tflite_bytes_ratio"] == 1_000_000 / 1_000_000
    assert row["encoded_weight_bytes_ratio"] == 860_000 / 80_000
    assert row["flash_bytes_ratio"] == (860_000 + 40_000) / (80_000 + 40_000)
    assert row["cycles_ratio"] == 940_000 / 175_000
    assert row["float32_over_encoded_weights"] == 4 * 968_960 / 80_000
    assert row["float32_over_flash"] == 4 * 968_960 / (80_000 + 40_000)
    assert row["seconds_per_frame"] == 175_000 / 500e6
    assert row["hop_share"] == pytest.approx(175_000 / 500e6 / 0.016)
    assert [base[f"{cost}_ratio"] for cost in ("tflite_bytes", "flash_bytes", "cycles")] == [
        1,
        1,
        1,
    ]


def test_an_inference_over_many_frames_is_divided_among_them(summary: RunSummary) -> None:
    many = variant("long", report(80_000, 1_000_000, 0), quality(9, 10), frames=100)
    rows = summary_rows(replace(summary, variants=(*summary.variants, many)))
    assert rows[2]["seconds_per_frame"] == pytest.approx(1_000_000 / 500e6 / 100)


def test_nothing_to_divide_by_is_none(summary: RunSummary) -> None:
    empty = variant(
        "empty", replace(report(0, 100, 0), flash_bytes=0), Quality("streaming", "dev", 0, 48, {})
    )
    rows = summary_rows(replace(summary, hop_seconds=None, variants=(*summary.variants, empty)))
    assert (
        rows[2]["encoded_weight_bytes_ratio"]
        is rows[2]["si_sdr_db"]
        is rows[2]["si_sdr_db_change"]
        is None
    )
    assert rows[0]["hop_share"] is None
    assert (
        line(
            lines(table.format_table(replace(summary, variants=(*summary.variants, empty)))),
            "empty",
        ).split()[1]
        == "-"
    )


def test_the_headline_has_loss_gain_and_bound_on_one_line(summary: RunSummary) -> None:
    text = lines(table.format_table(summary))
    assert (
        text[0]
        == "ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram, estimated by Vela 5.2.0"
    )
    assert line(text, "noisy input").split() == [
        "noisy",
        "input",
        "1.50",
        "1.75",
        "-",
        "-",
        "-",
        "-",
        "-",
    ]
    # 940 k cycles at 500 MHz take 1.88 ms; 900 kB / 120 kB = 7.5; 940 / 175 = 5.4.
    assert line(text, "baseline").split() == cells(
        "baseline 9.43 10.12 0.00 900 kB 940 k 1.88 off-chip flash"
    )
    assert line(text, "weight-0.95").split() == (
        cells("weight-0.95 9.13 -0.30 10.17 +0.05 0.95 120 kB 7.5x 175 k 5.4x 0.35 NPU")
    )


def test_the_second_table_has_sizes_and_cycles(summary: RunSummary) -> None:
    text = lines(table.format_table(summary))
    # 860 / 80 = 10.75; 4 * 968,960 B / 120 kB = 32.3; 0.35 ms / 16 ms = 2.2 %; SRAM is never near
    # the total.
    assert line(text, "weight-0.95", 1).split() == (
        cells("weight-0.95 969 k 1.00 MB 80 kB 11x 32x 12 kB 163 k 124 k 2.2% 0")
    )
    assert "the flash of the variant" in " ".join(text)
    assert "3.88 MB" in " ".join(text)


def test_what_is_left_dense_is_named_with_its_share_of_bytes(summary: RunSummary) -> None:
    assert "leaves dense" not in terminal.to_text(table.format_table(summary))
    last = summary.variants[-1]
    tensors = (TensorSparsity("k/kernel", 300, 240, 250),)
    dense = (TensorSparsity("own", 60, 0, 0), TensorSparsity("own", 40, 0, 0))
    tflite = replace(last.tflite, tensors=tensors, dense=dense)
    variants = (*summary.variants[:-1], replace(last, tflite=tflite))
    text = lines(table.format_table(replace(summary, variants=variants)))
    assert f"{last.name} leaves dense 25% of its bytes of weights: own" in text  # 100 of 400


def test_layers_that_are_explicit_cells_are_named_with_their_variants(summary: RunSummary) -> None:
    assert "explicit cells" not in terminal.to_text(table.format_table(summary))
    variants = []
    for one in summary.variants:
        contexts = [
            state(layer) for layer in ("conv", "lstm_1/hidden", "lstm_1/cell", "gru/hidden")
        ]
        tflite = replace(one.tflite, contexts=tuple(contexts))
        variants.append(replace(one, tflite=tflite))
    fused, other = summary.variants[0], replace(variants[1], name="other")
    text = lines(table.format_table(replace(summary, variants=(fused, variants[1], other))))
    assert f"explicit cells: lstm_1, gru of {variants[1].name} and other" in text


def state(layer: str) -> ContextState:
    return ContextState(layer, "in", "out", 1, 1, (1, 1, 8), 1 / 128, 0)


def test_cpu_operators_are_named(summary: RunSummary) -> None:
    assert "CPU:" not in terminal.to_text(table.format_table(summary))
    fallen = variant("odd", report(80_000, 175_000, 124_000, ("ELU", "GATHER")), quality(9, 10))
    text = lines(table.format_table(replace(summary, variants=(*summary.variants, fallen))))
    assert line(text, "odd", 1).split()[-1] == "2"
    assert "odd leaves to the CPU: ELU GATHER" in text
    assert "Cycles and time leave out what runs on the CPU." in text


def test_more_metrics_get_their_own_table(summary: RunSummary) -> None:
    with_more = tuple(
        replace(one, quality=quality(9, 10, pesq=2.5, stoi=0.9)) for one in summary.variants
    )
    text = lines(
        table.format_table(replace(summary, variants=with_more, noisy=quality(1, 2, pesq=1.5)))
    )
    assert [row.split() for row in text if "PESQ" in row] == [["PESQ", "STOI"]]
    assert line(text, "noisy input", 1).split() == ["noisy", "input", "1.50", "-"]
    assert line(text, "weight-0.95", 1).split() == ["weight-0.95", "2.50", "0.900"]


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize(
    "name", ["weight-0.80", "a-name-that-somebody-made-far-too-long", "with[red]markup"]
)
def test_tables_fit_100_columns_and_lose_nothing(
    count: int, name: str, summary: RunSummary
) -> None:
    others = [
        variant(
            f"{name}{index}", report(223_456 + index, 234_567, 200_000), quality(-9.99, 10.99), 0.8
        )
        for index in range(count - 1)
    ]
    text = terminal.to_text(
        table.format_table(replace(summary, variants=(summary.variants[0], *others)))
    )
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert text.count("163 k") == count
    assert text.count("223 kB") == count - 1
    folded = "".join(text.split())
    assert all(one.name[:12] in folded for one in others)


def on_terminal(renderable, columns: int, monkeypatch) -> list[str]:
    """The lines that a terminal of so many columns shows."""
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = io.StringIO()
    screen.isatty = lambda: True
    terminal.show(renderable, screen)
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()


@pytest.mark.parametrize("name", ["sweep-10", "a-name-that-somebody-made-far-too-long"])
def test_a_terminal_of_80_columns_shows_whole_names_and_numbers(
    name: str, summary: RunSummary, monkeypatch
) -> None:
    other = variant(name, report(223_456, 234_567, 200_000), quality(-9.99, 10.99), 0.8)
    shown = replace(summary, variants=(summary.variants[0], other))
    text = on_terminal(table.format_table(shown), 80, monkeypatch)
    assert max(len(row.rstrip()) for row in text) <= 80
    said = " ".join(text)
    for words in ("223 kB", "off-chip", "-9.99", "10.99", "para-", "NPU"):
        assert words in said
    pieces = terminal.wrapped(name, 14).split("\n")  # behind - only
    assert "sweep-10" in pieces or len(pieces) == 3
    assert all(any(row.startswith(piece) for row in text) for piece in pieces)
    # Below, the terminal wraps lines, and names stay whole.
    assert on_terminal(table.format_table(shown), 60, monkeypatch) == text
    wide = on_terminal(table.format_table(shown), 100, monkeypatch)
    assert "off-chip flash" in " ".join(wide)
    assert max(len(row.rstrip()) for row in wide) <= 100


@pytest.fixture
def classes() -> RunSummary:
    """A task whose input alone is nothing, and that does not stream."""

    def found(accuracy: float, auc: float) -> Quality:
        return records.quality("int8", 1234, accuracy=accuracy, auc=auc)

    baseline = variant("baseline", report(860_000, 940_000, 900_000), found(0.934, 0.99))
    sparse = variant(
        "unit-0.50-weight-0.80", report(80_000, 175_000, 124_000), found(0.921, 0.99), 0.8
    )
    return records.run_summary(baseline, sparse, target=TARGET, schema=1)


def test_a_task_without_a_noisy_input_has_no_such_row_and_no_frames(classes: RunSummary) -> None:
    text = lines(table.format_table(classes))
    assert not any("noisy" in row or "frame" in row for row in text)
    assert line(text, "baseline").split()[:3] == ["baseline", "0.934", "0.990"]
    assert line(text, "unit-0.50-").split()[1:5] == cells(
        "0.921 -0.013 0.990 0.80"
    )  # 0.921 - 0.934
    assert text[text.index(line(text, "unit-0.50-")) + 1] == "weight-0.80"
    assert line(text, "dev split").startswith("dev split, 1234 examples, int8 model; ")
    assert text[2].split()[:2] == ["accuracy", "AUC"] or text[1].split()[:2] == ["accuracy", "AUC"]
    assert max(map(len, text)) <= 100


def test_rows_without_a_noisy_input_are_empty_there(classes: RunSummary) -> None:
    base, row = summary_rows(classes)
    assert base["noisy_accuracy"] is base["hop_share"] is base["hop_seconds"] is None
    assert row["accuracy_change"] == pytest.approx(0.921 - 0.934)
    assert row["seconds_per_frame"] == 175_000 / 500e6
    first, second = csv.DictReader(io.StringIO(table.to_csv(classes)))
    assert (first["noisy_accuracy"], second["accuracy"]) == ("", "0.921")


def test_plain_text_for_a_pipe_colour_for_a_terminal(summary: RunSummary, monkeypatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    red = "\x1b[31m"
    fallen = replace(summary, variants=(variant("odd", report(8, 9, 1, ("ELU",)), quality(9, 10)),))
    pipe, screen, colourless = io.StringIO(), Terminal(), Terminal()
    terminal.show(table.format_table(fallen), pipe)
    terminal.show(table.format_table(fallen), screen)
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.show(table.format_table(fallen), colourless)
    assert pipe.getvalue().isascii()
    assert "\x1b" not in pipe.getvalue()
    assert red in screen.getvalue()
    assert red not in colourless.getvalue()
    assert "…" not in screen.getvalue()


def test_csv_has_every_number_unrounded(summary: RunSummary) -> None:
    rows = list(csv.DictReader(io.StringIO(table.to_csv(summary))))
    assert [row["variant"] for row in rows] == ["baseline", "weight-0.95"]
    assert float(rows[1]["cycles_ratio"]) == 940_000 / 175_000
    assert list(rows[0]) == list(summary_rows(summary)[0])


def test_json_is_the_record(summary: RunSummary) -> None:
    record = json.loads(table.to_json(summary))
    assert record["target"] == vars(TARGET)
    assert record["variants"][1]["report"]["encoded_weight_bytes"] == 80_000
    assert record["variants"][1]["tflite"]["path"] == "weight-0.95.tflite"
