"""The HTML report: what is on the page for a whole run and for half of one, and what a browser makes of it."""

import base64
import hashlib
import html as markup
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support import records
from tinyprune.artifacts.budget import BudgetLine, BudgetRecord, Expectation, Removal
from tinyprune.artifacts.cycles import Cycles
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.artifacts.resources import Kernel, LayerCost, NpuTarget, ResourceReport
from tinyprune.artifacts.stream_check import StreamCheck
from tinyprune.artifacts.stream_counts import LayerWork, StreamCounts
from tinyprune.artifacts.summary import RunSummary
from tinyprune.artifacts.sweep import Candidate, Shipped, SweepAnswer
from tinyprune.config.budget import Budget
from tinyprune.report.model import budget_gate
from tinyprune.report.model.listening import Clip, Example, Listening, to_wav
from tinyprune.report.model.record import ManifestEntry, RunReport, VariantRecord
from tinyprune.report.render import html

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PHONE = 390

SAMPLES = np.linspace(-0.5, 0.5, 8000, dtype=np.float32)
#: variant -> (density, units of each LSTM, SI-SDR)
VARIANTS = {
    "baseline": (1.0, 256, 8.47),
    "weight-0.80": (0.2, 256, 8.51),
    "weight-0.90": (0.1, 256, 8.39),
    "weight-0.95": (0.05, 256, 8.08),
    "block-0.80": (0.2, 256, 8.05),
    "unit-0.50": (1.0, 128, 8.22),
}
LAYERS = ("lstm", "lstm_1", "dense", "mask")
SHARED = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
BUDGET = BudgetRecord(
    target="ethos-u55-128-shared-sram",
    lines=(
        BudgetLine("flash", 512 * 1024, 943_000, 520_000, 524_000),
        BudgetLine("latency", 0.002, 0.004, 0.0019),
    ),
    sets=("lstm", "lstm_1"),
    whole=(256, 256),
    removals=(Removal(10, (160, 200)), Removal(12, (128, 128))),
    compilations=(Expectation((900_000.0, 0.003), (943_000.0, 0.004)),),
)


def cost(
    name: str, operator: str, shapes: list[tuple[int, int]], density: float, streams: bool
) -> LayerCost:
    kernels = tuple(Kernel(shape, round((1 - density) * shape[0] * shape[1])) for shape in shapes)
    weights, outputs = sum(kernel.size for kernel in kernels), sum(shape[0] for shape in shapes)
    encoded, scales = round(0.93 * weights * density), 10 * outputs
    npu, flash = weights // 6, (encoded + scales) * streams
    by_unit = dict.fromkeys(Cycles.PARTS.values(), 0) | {
        "cycles_npu": npu,
        "cycles_off_chip_flash": flash,
    }
    bound = "off-chip flash" if flash > npu else "NPU"
    sram, cycles = 600 + 4 * outputs, max(npu, flash)
    return LayerCost(
        name,
        (operator,),
        kernels,
        encoded,
        scales,
        weights,
        cycles=cycles,
        **by_unit,
        sram_bytes=sram,
        processor="NPU",
        bound_by=bound,
    )


def resources(target: NpuTarget, density: float, units: int) -> ResourceReport:
    streams = target.memory_mode != "Sram_Only"
    shapes = [
        [(units, 128)] * 4 + [(units, units)] * 4,
        [(units, units)] * 8,
        [(128, units)],
        [(128, 128)],
    ]
    operators = ["UNIDIRECTIONAL_SEQUENCE_LSTM"] * 2 + ["FULLY_CONNECTED"] * 2
    layers = tuple(
        cost(name, operator, kernels, density, streams)
        for name, operator, kernels in zip(LAYERS, operators, shapes, strict=True)
    )
    total = {field: sum(getattr(layer, field) for layer in layers)
             for field in ("encoded_weight_bytes", "scale_bytes", "macs", "cycles", *Cycles.PARTS.values())}  # fmt: skip
    return records.resource_report(
        target=target,
        sram_bytes=4608,
        flash_bytes=total["encoded_weight_bytes"] + total["scale_bytes"],
        layers=layers,
        bound_by=max(Cycles.PARTS, key=lambda unit: total[Cycles.PARTS[unit]]),
        **total,
    )


def quality(form: str, si_sdr: float) -> Quality:
    return records.quality(form, 40, si_sdr_db=si_sdr, sdr_db=si_sdr + 0.4)


def variant(name: str) -> VariantRecord:
    density, _, si_sdr = VARIANTS[name]
    return VariantRecord(
        name=name,
        state="export",
        configuration={"prune": {"sparsity": 1 - density, "layers": [{"match": "ls*"}]}, "seed": 7},
        parameters=968_960,
        sparsity=1 - density,
        qualities=(quality("noisy", 1.5), quality("float", si_sdr), quality("streaming", si_sdr)),
        history=tuple(
            {"epoch": n, "loss": 5.0 / n, "dev_si_sdr_db": si_sdr - 1 / n} for n in range(1, 41)
        ),
        tflite=records.tflite_artifact(
            "streaming.tflite", sha256="f" * 64, file_bytes=990_000, layers=("dense",)
        ),
        budget=BUDGET if name == "unit-0.50" else None,
    )


def summary(target: NpuTarget, variants: tuple[VariantRecord, ...]) -> RunSummary:
    rows = []
    for variant in variants:
        density, units, _ = VARIANTS[variant.name]
        row = records.variant_summary(
            variant.name,
            resources(target, density, units),
            parameters=variant.parameters,
            sparsity=variant.sparsity,
            quality=variant.qualities[-1],
            tflite=variant.tflite,
        )
        rows.append(row)
    return records.run_summary(
        *rows, target=target, hop_seconds=0.016, noisy=quality("noisy", 1.5), schema=2
    )


def targets(count: int) -> list[NpuTarget]:
    more = [
        NpuTarget(f"ethos-u{n}", "Some_System", "Sram_Only" if n % 2 else "Dedicated_Sram")
        for n in range(count - 1)
    ]
    return [SHARED, *more][:count]


def manifest(
    variants: tuple[VariantRecord, ...], chosen: list[NpuTarget]
) -> tuple[ManifestEntry, ...]:
    stages = [("train", "model.keras"), ("export", "streaming.tflite")]
    stages += [
        (f"compile-{each.name}", f"compiled/{each.name}/{file}")
        for each in chosen
        for file in "abcde"
    ]
    return tuple(
        ManifestEntry(
            f"variants/{v.name}/{file}",
            f"{n:064x}",
            1234,
            f"{v.name}/{stage}",
            "tinyprune run",
            "2026",
            "0.1",
        )
        for v in variants
        for n, (stage, file) in enumerate(stages)
    )


def whole(count: int = 1) -> RunReport:
    variants = tuple(variant(name) for name in VARIANTS)
    chosen = targets(count)
    return RunReport(
        schema=2,
        run="tinylstm",
        made="2026-11-21T12:00:00+00:00",
        versions={"tinyprune": "0.1.0", "keras": "3.15.0"},
        task=TaskRecord("speech", "si_sdr_db", ("streaming",), 0.016),
        variants=variants,
        summaries=tuple(summary(each, variants) for each in chosen),
        manifest=manifest(variants, chosen),
        notes=("block-0.90 was stopped: `tinyprune prune` goes on",),
    )


def tflite(path: Path, kernel: np.ndarray) -> None:
    """One FULLY_CONNECTED with this int8 kernel (outputs, inputs)."""
    graph, model, code, operator = (
        schema.SubGraphT(),
        schema.ModelT(),
        schema.OperatorCodeT(),
        schema.OperatorT(),
    )
    graph.tensors = [schema.TensorT() for _ in range(3)]
    for tensor, name, shape in zip(
        graph.tensors, ("x", "w", "net/dense/y"), ([1], kernel.shape, [1]), strict=True
    ):
        tensor.name, tensor.shape, tensor.type = name, list(shape), schema.TensorType.INT8
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.frombuffer(kernel.astype(np.int8).tobytes(), np.uint8)
    graph.tensors[1].buffer = 1
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    operator.inputs, operator.outputs, graph.operators = [0, 1], [2], [operator]
    graph.inputs, graph.outputs, model.subgraphs, model.operatorCodes = [0], [2], [graph], [code]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.parent.mkdir(parents=True)
    path.write_bytes(builder.Output())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the ``.tflite`` of every variant: pruned weight by weight, in blocks, and by units."""
    run, rng = tmp_path_factory.mktemp("run"), np.random.default_rng(0)
    for name, (density, units, _) in VARIANTS.items():
        kept = rng.random((256, 256)) < density
        if name.startswith("block"):
            kept = np.kron(rng.random((16, 16)) < density, np.ones((16, 16)))
        tflite(run / "variants" / name / "streaming.tflite", kept[:units, :units])
    return run


class Elements(HTMLParser):
    """The start tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text += "" if tag == "wbr" else " "

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def text(page: str) -> str:
    return " ".join(Elements(page.replace("<wbr>", "")).text.split())


def test_the_headline_says_what_was_won_and_lost(folder) -> None:
    said = text(html.page(whole(), folder))
    base, best = (resources(SHARED, *VARIANTS[name][:2]) for name in ("baseline", "weight-0.95"))
    assert "On ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram" in said
    assert f"least flash, fewest cycles weight-0.95 SI-SDR dB 8.08 ({8.08 - 8.47:.2f})" in said
    assert (
        f"flash {best.flash_bytes / 1000:.0f} kB ({base.flash_bytes / best.flash_bytes:.0f}x less)"
        in said
    )
    assert (
        f"{1000 * best.inference_seconds:.2f} ms, {100 * best.inference_seconds / 0.016:.1f} % of a frame"
        in said
    )
    assert "best SI-SDR dB weight-0.80" in said
    assert "block-0.90 was stopped" in said


def test_everything_is_on_the_page(folder) -> None:
    page = html.page(whole(2), folder)
    sections = re.findall(r'<section id="(\w+)">', page)
    assert (
        " ".join(sections)
        == "trade where targets layers budgets patterns training configuration files"  # no "predicted"
    )
    charts = [tag for tag in Elements(page).all("svg") if tag.get("class") == "chart"]
    assert (
        len(charts) == 2 * (2 + 2) + len(VARIANTS) + 1
    )  # per target 2 + 2, a training curve each, the units of one
    said = text(page)
    for words in (
        "4 × 256x128, 4 × 256x256",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "▲",
        "prune.layers[0].match",
        "3.15.0",
    ):
        assert words in said
    # lstm: weights of 4 matrices 256 x 128 and 4 of 256 x 256, encoded at 0.93 bytes each in the
    # baseline.
    weights = 4 * 256 * (128 + 256)
    assert (
        f"{weights / 1000:.0f} k {0.93 * weights / 1000:.0f} kB {10 * 8 * 256 / 1000:.0f} kB 1.1x"
        in said
    )


def test_nothing_comes_from_elsewhere(folder) -> None:
    page = html.page(whole(2), folder)
    for _, attributes in Elements(page).tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name) or ""
            assert not re.match(r"\s*(\w+:)?//", value), value
            assert ":" not in value or value.startswith("data:"), value
    assert "default-src 'none'" in page
    assert "@import" not in page and not re.search(r"url\((?!#h)", page)
    assert page.count("<script") == 1 and "http://" not in page and "https://" not in page
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page  # no other one runs


def test_the_answer_of_a_sweep_is_above_everything_that_was_tried(folder) -> None:
    found = sweep_answer()
    page = html.page(replace(whole(), sweep=found), folder)
    section = page.partition('<section id="sweep">')[2].partition("</section>")[0]
    assert "ship: sweep-2, the best accuracy" in section
    assert (
        'class="best ship"><th scope="row">sweep-2<td data-h="accuracy" data-v="0.9">0.900'
        in section
    )
    assert 'class="soft"><th scope="row">sweep-1' in section  # on no front
    assert 'id="sweep"' not in html.page(whole(), folder)


def test_the_answer_is_pictured_against_every_cost_with_its_limit(folder) -> None:
    found = replace(sweep_answer(), limits={"flash_bytes": 15e3})
    page = html.page(replace(whole(), sweep=found), folder)
    section = page.partition('<section id="sweep">')[2].partition("</section>")[0]
    assert section.count('class="chart"') == 1
    for words in ("ship: sweep-2", "limit 15 kB", 'class="ring"', "accuracy 0.900 ± 0.010"):
        assert words in section
    # The charts of the target of the sweep have them too.
    swept = replace(
        found, target=SHARED, metric="si_sdr_db", ship=replace(found.ship, variant="unit-0.50")
    )
    trade = html.page(replace(whole(), sweep=swept), folder).partition('<section id="trade">')[2]
    page = html.page(replace(whole(), sweep=swept), folder)
    assert '<span class="what">to ship</span> <b>unit-0.50</b>' in page
    assert '<tr class=" ship"><th scope="row">' in page.partition('<section id="sweep">')[0]
    flash, cycles = trade.split('class="chart"')[1:3]
    assert "ship: unit-0.50" in flash and "limit 15 kB" in flash
    assert "ship: unit-0.50" in cycles and "limit 15 kB" not in cycles


def test_budgets_are_lines_in_the_charts_of_their_target(folder) -> None:
    page = html.page(whole(2), folder)
    first, second = page.partition('<section id="trade">')[2].split('class="of t1"')[:2]
    assert "limit 524 kB" in first  # 512 KiB, of unit-0.50
    assert "limit" not in second.partition("</section>")[0]


def test_limits_of_a_recipe_are_lines_and_a_table(folder) -> None:
    run = replace(whole(), limits=Budget(flash_bytes=100e3, cpu_operators=0))
    page = html.page(run, folder)
    trade = page.partition('<section id="trade">')[2].partition("</section>")[0]
    flash, cycles = trade.split('class="chart"')[1:3]
    assert "limit 100 kB" in flash
    assert "limit" not in cycles.partition("</figure>")[0]
    assert "Dotted: a limit that was given" in trade
    table = page.partition("<th>limit<th>value")[2].partition("</table>")[0]
    for verdict in budget_gate.check_all(run.summaries, run.limits):
        assert f"{verdict.variant}<td" in table and verdict.in_words in table
    assert "OVER by" in table and "to spare" in table
    only_on_the_npu = html.page(replace(whole(), limits=Budget(cpu_operators=0)), folder)
    assert "<th>limit<th>value" not in only_on_the_npu  # nothing runs on the CPU


def test_variants_have_the_intervals_of_their_examples(folder) -> None:
    found = whole()
    rows = []
    for row in found.summaries[0].variants:
        rows.append(replace(row, quality=replace(row.quality, half_widths={"si_sdr_db": 0.25})))
    summaries = (replace(found.summaries[0], variants=tuple(rows)),)
    page = html.page(replace(found, summaries=summaries), folder)
    assert 'data-v="8.47"><span class="whole">8.47 <span class="soft small">± 0.25</span>' in page
    assert "half of the 95 % interval over the utterances." in text(page)
    trade = page.partition('<section id="trade">')[2].partition("</section>")[0]
    assert "8.51 ± 0.25</title>" in trade
    assert "±" not in html.page(whole(), folder).partition("<script")[0]  # records of before


def test_the_best_error_is_the_least(folder) -> None:
    rows = [
        compiled(replace(ONLY, name=name), resources(SHARED, density, 256), mse=mse).variants[0]
        for name, density, mse in (("a", 1.0, 0.2), ("b", 0.5, 0.4), ("c", 0.7, 0.1))
    ]
    variants = tuple(replace(ONLY, name=row.name) for row in rows)
    task = TaskRecord("reconstruction", "mse", ("int8",))
    run = half(variants=variants, task=task, summaries=(records.run_summary(*rows, target=SHARED),))
    page = html.page(run, folder)
    assert "best MSE c" in text(page)
    assert "MSE (down is better)" in page


def sweep_answer() -> SweepAnswer:
    """A baseline, and two variants of which one is to be shipped."""
    candidates = []
    for name, value, flash in (
        ("sweep-2", 0.9, 10e3),
        ("sweep-1", 0.8, 20e3),
        ("baseline", 0.95, 90e3),
    ):
        costs = {"flash_bytes": flash}
        front = () if name == "sweep-1" else ("flash_bytes",)
        candidates.append(
            Candidate(name, f"weight {flash}", value, costs, 0.01, 1, None, True, front)
        )
    ship = Shipped(
        "sweep-2", "the best accuracy of what keeps the limits", (), "", "nothing is better"
    )
    return SweepAnswer(
        1, records.U55, "accuracy", ("flash_bytes",), {}, tuple(candidates), (), ship
    )


HEARD = Listening(
    (
        Example("a+b", "babble", 5.0, 0.5, (Clip("noisy input", to_wav(SAMPLES, 16_000), 5.0),)),
        Example("a+c", "", math.inf, 0.5, (Clip("clean speech", to_wav(SAMPLES, 16_000)),)),
    ),
    ("small, int8: by TFLM",),
)


def test_recordings_are_in_the_page_and_nothing_else_may_play(folder) -> None:
    page = html.page(whole(), folder, HEARD)
    players = Elements(page).all("audio")
    assert [each["aria-label"] for each in players] == ["a+b: noisy input", "a+c: clean speech"]
    for each in players:
        head, _, content = each["src"].partition(",")
        assert head == "data:audio/wav;base64"
        assert base64.b64decode(content) == to_wav(SAMPLES, 16_000)
    said = text(page)
    for words in ("a+b, 0.5 s, 5 dB SNR, babble", "without noise", "SI-SDR 5.00 dB", "by TFLM"):
        assert words in said
    assert "media-src data:" in page
    assert "media-src" not in html.page(whole(), folder)
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "currentTime" in script


def test_names_are_text(folder) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    report = whole()
    first = replace(report.variants[1], name=evil, configuration={evil: evil})
    costs = report.summaries[0].variants
    layer = replace(costs[1].report.layers[0], name=evil, operators=(evil,))
    spoiled = replace(
        costs[1],
        name=evil,
        report=replace(costs[1].report, layers=(layer, *costs[1].report.layers[1:])),
    )
    report = replace(
        report,
        run=evil,
        variants=(report.variants[0], first, *report.variants[2:]),
        summaries=(replace(report.summaries[0], variants=(costs[0], spoiled, *costs[2:])),),
        manifest=(ManifestEntry(f"javascript:{evil}", "0", 1, evil, evil),),
        notes=(evil,),
    )
    page = html.page(report, folder)
    assert "<img src=x" not in page
    assert not any(
        name.startswith("on") for _, attributes in Elements(page).tags for name in attributes
    )
    assert evil in Elements(page).text
    [link] = [tag["href"] for tag in Elements(page).all("a")]
    assert link.startswith("javascript%3A%3Cimg")


def half(**changes) -> RunReport:
    return replace(RunReport(2, "r", "now", {}, None, (), ()), **changes)


ONLY = variant("baseline")
BEGUN = VariantRecord("weight-0.80", "", {})
OLD = replace(resources(SHARED, 1.0, 256), layers=(), scale_bytes=0)
CLASSES = TaskRecord("classification", "accuracy", ("int8",))


def compiled(record: VariantRecord, report: ResourceReport, **metrics: float) -> RunSummary:
    row = records.variant_summary(
        record.name,
        report,
        parameters=1,
        quality=records.quality("int8", 40, **metrics),
        tflite=record.tflite,
    )
    return records.run_summary(row, target=SHARED, schema=2)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (half(notes=("train first",)), "train first"),
        (half(variants=(BEGUN,)), "nothing yet"),
        (
            half(variants=(replace(BEGUN, state="train", history=({"epoch": 1, "loss": None},)),)),
            "Nothing is compiled yet",
        ),
        (half(variants=(ONLY, BEGUN)), "8.47"),
        (half(variants=(ONLY,), summaries=(summary(SHARED, (ONLY,)),)), "943 kB"),
        (half(variants=(ONLY,), summaries=(compiled(ONLY, OLD),)), "No quality is known"),
        (
            half(variants=(ONLY,), task=CLASSES, summaries=(compiled(ONLY, OLD, accuracy=0.9),)),
            "not known per layer",
        ),
        (half(variants=(ONLY,), summaries=(records.run_summary(target=SHARED, schema=2),)), "8.47"),
        (
            half(summaries=(summary(SHARED, (ONLY, variant("unit-0.50"))),)),
            "beside the baseline unit-0.50",
        ),
        (
            half(
                variants=(ONLY,),
                summaries=(
                    compiled(ONLY, replace(OLD, cycles=0, flash_bytes=0, inference_seconds=0)),
                ),
            ),
            "0 B",
        ),
        (
            half(
                variants=(ONLY,),
                summaries=(compiled(ONLY, replace(OLD, cpu_operators=("TOPK",), bound_by="")),),
            ),
            "TOPK",
        ),
    ],
)
def test_half_a_run_shows_what_is_there(report, words, tmp_path) -> None:
    page = html.page(report, tmp_path)
    assert words in text(page)
    assert "None" not in Elements(page.partition("</style>")[2]).text
    assert 'id="patterns"' not in page


def test_a_variant_that_a_target_lacks_is_left_out_there_and_keeps_its_marker(folder) -> None:
    report = whole(2)
    first, second = report.summaries
    fewer = replace(
        second, variants=(second.variants[0], second.variants[4])
    )  # the baseline and block-0.80
    page = html.page(replace(report, summaries=(fewer, first)), folder)
    matrix = page.partition('<table class="wide matrix">')[2].partition("</table>")[0]
    assert matrix.count("<th>") == 1 + len(VARIANTS)
    assert matrix.count("<td>–") == len(VARIANTS) - 2
    row = page.partition('<th scope="row"><svg')[2].partition("block-0.80")[0]
    assert 'points="0,6.5 6.5,-5 -6.5,-5"' in row  # shape 4, as in the charts


def test_kernels_are_pictured_and_removed_units_are_counted(folder) -> None:
    page = html.page(whole(), folder)
    pictures = [tag for tag in Elements(page).all("img") if tag.get("alt")]
    assert len(pictures) == len(VARIANTS) - 1
    assert all(tag["src"].startswith("data:image/png;base64,") for tag in pictures)
    assert any(
        tag["alt"].startswith("dense/kernel of block-0.80: 256 x 256 weights") for tag in pictures
    )
    assert "128 × 128 of 256 × 256" in text(page)


def test_files_are_linked_unless_they_are_gone(folder) -> None:
    entries = (
        ManifestEntry("variants/a b/ü#1.json", "1" * 64, 10, "a b/train"),
        ManifestEntry("variants/a b/gone.json", "2" * 64, 10, "a b/train", state="missing"),
        ManifestEntry("../outside", "3" * 64, 10, "a b/train"),
        ManifestEntry("/etc/passwd", "4" * 64, 10, "a b/train"),
        ManifestEntry("variants/a b/new.json", "5" * 64, 10, "a b/export", state="changed"),
    )
    page = html.page(replace(whole(), manifest=entries), folder)
    links = [tag["href"] for tag in Elements(page).all("a")]
    assert links == ["variants/a%20b/%C3%BC%231.json", "variants/a%20b/new.json"]
    assert all(str(n) * 64 in page for n in range(1, 6))
    assert re.search(r"gone\.json.*missing", text(page)) and "changed" in text(page)


def test_fifty_targets_are_one_table_and_three_charts_in_under_a_megabyte(folder) -> None:
    page = html.page(whole(50), folder)
    assert len(page.encode()) < 1_000_000
    assert page.count('type="radio"') == html.CHARTED
    table = page.partition('<table class="wide matrix">')[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 50


def test_the_page_is_the_same_every_time(folder) -> None:
    assert html.page(whole(2), folder) == html.page(whole(2), folder)


def stream(name: str, layer: str = "lstm") -> StreamCheck:
    """A stream that waits for weights in one layer and computes in another."""
    counts = StreamCounts({"convolution": 1}, 1000, 2000, 900, 1100, 950, 0, 0, 128, 34_000)
    work = (
        LayerWork(layer, counts, 30_000, "off-chip flash"),
        LayerWork("dense", replace(counts, cycles=9000, transfer_bytes=256), 9000, "SRAM"),
    )
    check = StreamCheck(name, SHARED.name, "dev", 20, "TFLM", "", 2560, 0, 0.0, None, 10.0)
    return replace(check, counts=counts, layers=work)


def test_the_work_of_a_stream_is_a_table_that_sorts_by_numbers(folder) -> None:
    streams = (stream("unit-0.50"), replace(stream("baseline"), target="another"))
    page = html.page(replace(whole(), streams=streams), folder)
    assert page.count("<h4>What the NPU is busy with</h4>") == 1
    assert '<th scope="row">lstm<td data-h="cycles" data-v="34000">34 k' in page
    assert '<td data-h="DMA" data-v="0">-' in page
    shown = text(page)
    # 1000 products in 34,000 cycles of 128; 1100 weights in them
    assert "The array makes 0.0 % of the 128 products" in shown
    assert "the decoder 0.03 weights a cycle; each is used 0.9 times" in shown
    assert "waiting for weights: fewer bytes of weights" in shown
    assert "moving in SRAM: fewer units or smaller inputs" in shown
    assert (
        f"Stream of unit-0.50 on {SHARED.name}, 20 inferences on dev: 0 of 2,560 output bytes "
        "differ from TFLM." in shown
    )


def test_a_stream_that_differs_too_much_is_marked(folder) -> None:
    off = replace(stream("baseline"), bytes_off=1280, largest=7.0, first_off=3, layers=())
    page = html.page(replace(whole(), streams=(off,)), folder)
    assert '<p class="small warn">Stream of baseline' in page
    assert "1,280 of 2,560 output bytes differ from TFLM, by up to 7." in text(page)
    assert "A head sorts" not in page


def test_small_layers_are_one_part_of_a_bar(folder) -> None:
    report = whole()
    row = report.summaries[0].variants[0]
    big, small = row.report.layers[0], row.report.layers[3]
    tiny = tuple(
        replace(small, name=f"tiny_{n}", encoded_weight_bytes=100, cycles=100) for n in range(40)
    )
    total = {
        "cycles": big.cycles + 40 * 100,
        "flash_bytes": big.encoded_weight_bytes + big.scale_bytes + 40 * 1380,
    }
    changed = replace(row, report=replace(row.report, layers=(big, *tiny), **total))
    page = html.page(
        replace(report, summaries=(replace(report.summaries[0], variants=(changed,)),)), folder
    )
    assert "40 others" in text(page)
    assert "tiny_39" in text(page)  # in the table


# --- a browser
# --------------------------------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="neither chromium nor google-chrome is on the PATH"
)

#: Opens pages in frames of a given width; looks at each closed, with everything open, and on every
#: target.
PROBE = """<!DOCTYPE html><body style="margin:0">{frames}<pre id="found"></pre><script>
function look(page) {{
  const root = page.documentElement, found = {{room: root.clientWidth, closed: root.scrollWidth}}
  for (const each of page.querySelectorAll("details")) each.open = true
  found.open = root.scrollWidth
  const visible = () => [...page.querySelectorAll("svg.chart")].filter(each => each.getBoundingClientRect().width > 0)
  const choose = each => {{ each.checked = true; return visible().length }}
  found.charts = [...page.querySelectorAll("input[type=radio]")].map(choose)
  found.chosen = root.scrollWidth
  found.images = [...page.images].map(each => each.naturalWidth)
  const letters = visible().flatMap(each => [...each.querySelectorAll("text")])
  found.letters = Math.min(...letters.map(each => each.getBoundingClientRect().height))
  found.requests = page.defaultView.performance.getEntriesByType("resource").map(each => each.name)
  found.text = page.body.innerText.length
  found.cut = [...page.querySelectorAll(".stacked")].filter(each => each.offsetWidth > each.parentElement.clientWidth).length
  return found
}}
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map(each => look(each.contentDocument))
  document.getElementById("found").textContent = JSON.stringify(found)
}})
</script></body>"""
FRAME = '<iframe style="width:{width}px;height:800px;border:0" srcdoc="{page}"></iframe>'


def opened(pages: list[tuple[str, int]], folder: Path) -> list[dict]:
    """What headless Chromium says about each page in a window of its width."""
    frames = "".join(FRAME.format(width=width, page=markup.escape(page)) for page, width in pages)
    probe = folder / "probe.html"
    probe.write_text(PROBE.format(frames=frames), encoding="utf-8")
    quiet = [
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        *quiet,
        "--disable-sync",
        f"--user-data-dir={folder / 'b'}",
    ]
    command = [str(BROWSER), *options, "--window-size=1200,900", "--dump-dom", probe.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r'<pre id="found">(\[.*?\])</pre>', done.stdout, re.DOTALL)
    assert match, done.stdout[-2000:]
    return json.loads(markup.unescape(match[1]))


def long_names(report: RunReport) -> RunReport:
    """The same run with a name of 136 letters wherever a name can be."""
    long = "a-very-long-name-" * 8
    first, *others = report.variants
    first = replace(
        first,
        name=long,
        configuration={long: long},
        budget=replace(BUDGET, sets=(long, "b"), target=long),
    )
    target = replace(SHARED, label=long)
    row, *rows = report.summaries[0].variants
    layer = replace(row.report.layers[0], name=long)
    row = replace(
        row, name=long, report=replace(row.report, layers=(layer, *row.report.layers[1:]))
    )
    summaries = (
        replace(report.summaries[0], target=target, variants=(row, *rows)),
        *report.summaries[1:],
    )
    files = (ManifestEntry(f"{long}/{long}.json", "0" * 64, 1, long, long),)
    return replace(
        report,
        run=long,
        variants=(first, *others),
        summaries=summaries,
        manifest=files,
        notes=(long,),
        streams=(replace(stream(long, long), target=target.name),),
    )


@needs_browser
def test_a_browser_shows_the_page_on_a_desk_and_on_a_phone(folder, tmp_path) -> None:
    swept = replace(whole(3), sweep=sweep_answer(), streams=(stream("baseline"),))
    page, long = html.page(swept, folder, HEARD), html.page(long_names(whole(2)), folder)
    shown = [(page, 1200), (page, PHONE), (long, PHONE)]
    counts = ((1, 1), (1, 1), (2, 0))  # of budgets, of costs of a sweep
    for found, (_, width), (budgets, sweeps) in zip(
        opened(shown, tmp_path), shown, counts, strict=True
    ):
        assert width - 20 <= found["room"] <= width  # less the scroll bar
        assert [found["closed"], found["open"], found["chosen"]] == [
            found["room"]
        ] * 3  # nothing scrolls sideways
        # Whichever target is chosen.
        assert set(found["charts"]) == {4 + len(VARIANTS) + budgets + sweeps}
        assert found["images"] and all(found["images"])
        assert found["letters"] >= 10  # pixels, of a line of text in a chart
        assert found["cut"] == 0  # tables that are wider than the page
        assert found["requests"] == []
        assert found["text"] > 5000
