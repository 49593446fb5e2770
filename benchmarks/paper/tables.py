"""The tables of the page, as lines of Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.paper.record import RowRecord, Score
from benchmarks.paper.view import SHARED, SRAM_ONLY, TITLES, U85, View, best_within
from tinyprune.metrics.metric import metric_of
from tinyprune.units import format_bytes, format_count

NONE = "-"
SRAM = ("SRAM Shared", "SRAM Only", "SRAM U85")
METRICS = ("si_sdr_db", "sdr_db", "stoi", "pesq_wb")
CLASSES = ("accuracy", "auc")
WITHIN = (0.1, 0.59)  # dB


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, first column to the left."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def quality(view: View) -> list[str]:
    """Epochs, and every metric with its paired difference to float32; rows that failed say so."""
    metrics = [name for name in METRICS if any(view.score(found, name) for found in view.finished)]
    header = ["row", "epochs", *(metric_of(name).heading for name in metrics)]
    return table(header, [_quality(view, found, metrics) for found in view.ran])


def sizes(view: View) -> list[str]:
    """Bytes three ways, and SRAM."""
    header = ["row", "parameters", "zeros", "`.tflite`", "encoded", "flash", "x", *SRAM]
    return table(header, [_sizes(view, found) for found in view.finished])


def cycles(view: View) -> list[str]:
    """Cycles per inference, over those of dense int8, and what they wait for."""
    header = ["row"]
    for target in TITLES:
        header += [TITLES[target], "x"]
    header += ["bound by, in this order"]
    return table(header, [_cycles(view, found) for found in view.finished if found.costs])


def classes(view: View) -> list[str]:
    """A smaller table: quality, size and cycles in one."""
    header = [
        "row",
        "epochs",
        *CLASSES,
        "parameters",
        "flash",
        "x",
        *(f"x {TITLES[target]}" for target in TITLES),
    ]
    return table(header, [_classes(view, found) for found in view.ran])


def by_bottleneck(view: View) -> list[str]:
    """The best factor that each structure has within a loss, chosen on dev."""
    header = ["structure"]
    for limit in WITHIN:
        header += [f"flash, -{limit:g} dB", "Shared_Sram", "Sram_Only"]
    structures = dict.fromkeys(found.structure for found in view.finished if found.costs)
    return table(header, [_best(view, structure) for structure in structures])


def _best(view: View, structure: str) -> list[str]:
    found = [one for one in view.finished if one.structure == structure]
    cells = [structure]
    for limit in WITHIN:
        for ratio in (
            view.flash_ratio,
            lambda one: view.cycles_ratio(one, SHARED),
            lambda one: view.cycles_ratio(one, SRAM_ONLY),
        ):
            best = best_within(view, found, ratio, limit)
            cells.append(factor(ratio(best)) if best else NONE)
    return cells


def factor(value: float | None) -> str:
    """A ratio: ``6.7x``."""
    return NONE if value is None else f"{value:.1f}x"


def cell(name: str, score: Score | None) -> str:
    """``9.31 -0.12 ±0.05``: mean, difference to float32, half of its 95 % interval."""
    if score is None:
        return NONE
    metric = metric_of(name)
    text = metric.format(score.mean)
    if score.difference is not None:
        text += f" {metric.format(score.difference, '+')}"
    if score.low is not None and score.high is not None:
        text += f" ±{metric.format((score.high - score.low) / 2)}"
    return text


def _name(found: RowRecord) -> str:
    return f"`{found.row}`"


def _quality(view: View, found: RowRecord, metrics: Sequence[str]) -> list[str]:
    if not found.is_finished:
        return [_name(found), "**failed**", *[NONE] * len(metrics)]
    return [
        _name(found),
        str(view.epochs(found)),
        *(cell(name, view.score(found, name)) for name in metrics),
    ]


def _sizes(view: View, found: RowRecord) -> list[str]:
    zeros = f"{found.sparsity:.1%}" if found.costs else NONE
    start = [_name(found), f"{found.parameters:,}", zeros, format_bytes(found.file_bytes)]
    if not found.costs:
        return [*start, *[NONE] * 6]
    cost = found.costs[SHARED]
    sram = [format_bytes(found.costs[target].sram_bytes) for target in (SHARED, SRAM_ONLY, U85)]
    flash = [
        kilobytes(cost.encoded_weight_bytes),
        kilobytes(cost.flash_bytes),
        factor(view.flash_ratio(found)),
    ]
    return [*start, *flash, *sram]


def kilobytes(count: float) -> str:
    """A size with a tenth of a kB."""
    return f"{count / 1000:.1f} kB"


def _cycles(view: View, found: RowRecord) -> list[str]:
    cells = [_name(found)]
    for target in TITLES:
        cells += [
            format_count(found.costs[target].cycles),
            factor(view.cycles_ratio(found, target)),
        ]
    return [*cells, ", ".join(found.costs[target].bound_by for target in TITLES)]


def _classes(view: View, found: RowRecord) -> list[str]:
    if not found.is_finished:
        return [_name(found), "**failed**", *[NONE] * (len(CLASSES) + len(TITLES) + 3)]
    quality = [str(view.epochs(found)), *(cell(name, view.score(found, name)) for name in CLASSES)]
    cells = [_name(found), *quality, f"{found.parameters:,}"]
    flash = kilobytes(found.costs[SHARED].flash_bytes) if found.costs else NONE
    ratios = [factor(view.cycles_ratio(found, target)) for target in TITLES]
    return [*cells, flash, factor(view.flash_ratio(found)), *ratios]
