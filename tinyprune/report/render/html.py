"""The report of a run as one HTML file: nothing is fetched, and no script is needed to read it."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from tinyprune import units
from tinyprune.artifacts.resources import LayerCost, NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model import budget_history, predictions
from tinyprune.report.model.advice import advice
from tinyprune.report.model.record import ManifestEntry, RunReport, VariantRecord
from tinyprune.report.model.summary import metric_names, summary_rows
from tinyprune.report.model.target_matrix import flips
from tinyprune.report.render import charts, patterns
from tinyprune.report.render.scatter import Point, pareto, scatter
from tinyprune.report.render.svg import HATCHES, hatches, marker, swatch
from tinyprune.report.render.terminal import shown_factor, shown_milliseconds
from tinyprune.storage.records import to_jsonable

#: Targets with charts and layer tables of their own; what more there are stand in one table.
CHARTED = 3

_NAMED_LAYERS = HATCHES - 1
_TINY = 0.03
_EPOCHS = 200


@dataclass(frozen=True)
class TargetView:
    """What the page shows of one target.

    Attributes:
        target: the target. rows: as :func:`summary_rows` makes them, with the ``shape`` of their
            markers.
        front: variants on a Pareto front.
        trades: charts of quality against flash and cycles. bars: where flash and cycles go.
        legend: (number of a hatch, what it stands for). variants: with their layers. advice:
            variant -> lines.
    """

    target: NpuTarget
    rows: list[dict[str, Any]]
    front: set[str]
    trades: tuple[Markup, ...]
    bars: tuple[Markup, ...]
    legend: list[tuple[int, str]]
    variants: tuple[VariantSummary, ...]
    advice: dict[str, tuple[str, ...]]


def page(report: RunReport, folder: Path) -> str:
    """The whole page, the same for the same record and files.

    Args:
        report: the run, or as much of it as there is.
        folder: the run folder: links are relative to it, and the ``.tflite`` of every variant is
            read from it for the pictures of its kernels.
    """
    summaries = [summary for summary in report.summaries if summary.variants]
    metric = _metric(report, summaries)
    order = {variant.name: index for index, variant in enumerate(report.variants)}
    views = [_target(summary, metric, order) for summary in summaries[:CHARTED]]
    return _template().render(
        report=report,
        metric=metric,
        hop_seconds=summaries[0].hop_seconds if summaries else None,
        noisy=summaries[0].noisy if summaries else None,
        views=views,
        best=_best(views[0].rows, metric) if views else [],
        matrix=_matrix(summaries) if len(summaries) > 1 else None,
        predicted=predictions.predicted_variants(summaries),
        predicted_notes=list(predictions.notes(summaries)),
        budgets=budget_history.budget_histories(report.variants),
        qualities=_quality_names(report.variants),
        curves=_curves(report.variants),
        gallery=patterns.gallery(report.variants, folder),
        picture_legend=patterns.legend(),
        configurations=[(v, dict(_flat(to_jsonable(v.configuration)))) for v in report.variants],
        files=_files(report.manifest),
    )


def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tinyprune.report.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breaks": lambda text: Markup("<wbr>").join(re.split(r"(?<=[/_])", text)),
        "bytes": units.format_bytes,
        "count": units.format_count,
        "factor": shown_factor,
        "label": lambda name: metric_of(name).heading,
        "link": _link,
        "milliseconds": shown_milliseconds,
        "said": lambda name, value: metric_of(name).in_words(value),
        "shapes": _shapes,
        "swatch": swatch,
        "target": _target_text,
        "value": lambda value, name: metric_of(name).format(value),
        "change": lambda value, name: metric_of(name).format(value, "+"),
    }
    environment.globals |= {"hatches": hatches, "marker": _marker, "remains": charts.remains}
    return environment.get_template("report.html")


def _metric(report: RunReport, summaries: Sequence[RunSummary]) -> str:
    """The metric of the headline: the task's own where it was measured."""
    names = [name for summary in summaries for name in metric_names(summary)] or _quality_names(
        report.variants
    )
    wanted = report.task.metric if report.task else ""
    return wanted if wanted in names or not names else names[0]


def _quality_names(variants: Sequence[VariantRecord]) -> list[str]:
    found = (
        name for variant in variants for quality in variant.qualities for name in quality.metrics
    )
    return list(dict.fromkeys(found))


def _best(rows: list[dict[str, Any]], metric: str) -> list[tuple[str, dict[str, Any]]]:
    """(what it is best at, row) among the variants beside the baseline; who is best at two things is named once."""
    pruned = rows[1:]
    if len(pruned) <= 1:
        return [("beside the baseline", row) for row in pruned]
    winners = [
        ("least flash", min(pruned, key=lambda row: row["flash_bytes"])),
        ("fewest cycles", min(pruned, key=lambda row: row["cycles"])),
    ]
    if scored := [row for row in pruned if _is_number(row.get(metric))]:
        winners.append(
            (f"best {metric_of(metric).heading}", max(scored, key=lambda row: row[metric]))
        )
    together: dict[str, list[str]] = {}
    for what, row in winners:
        together.setdefault(row["variant"], []).append(what)
    by_name = {row["variant"]: row for row in pruned}
    return [(", ".join(what), by_name[name]) for name, what in together.items()]


def _target(summary: RunSummary, metric: str, order: Mapping[str, int]) -> TargetView:
    # The same shape for a variant in every chart, whichever variants a target lacks.
    rows = [
        {**row, "shape": order.get(row["variant"], n)}
        for n, row in enumerate(summary_rows(summary))
    ]
    trades, front = [], set()
    for key, what, form in (
        ("flash_bytes", "flash", units.format_bytes),
        ("cycles", "cycles", units.format_count),
    ):
        points = [
            Point(row["variant"], row[key], row[metric], row["shape"])
            for row in rows
            if _is_number(row.get(metric))
        ]
        front |= pareto(points)
        title = f"{metric_of(metric).heading} against {what}, {_target_text(summary.target)}"
        label = f"{metric_of(metric).heading} (up is better)"
        trades.append(scatter(title, points, f"{what} (left is better)", label, form))
    named = _named_layers(summary.variants)
    legend = [(index, name) for index, name in enumerate(named)]
    bars = tuple(
        charts.stacks(title, [_bar(variant, kind, named) for variant in summary.variants])
        for kind, title in (("flash", "Where flash goes"), ("cycles", "Where cycles go"))
    )
    others = {
        name for v in summary.variants for name in _by_layer(v, "flash") | _by_layer(v, "cycles")
    } - set(named)
    if others:
        count = len(others)
        legend.append((HATCHES - 1, f"{count} others" if count > 1 else min(others)))
    return TargetView(
        summary.target, rows, front, tuple(trades), bars, legend, summary.variants, advice(summary)
    )


def _by_layer(variant: VariantSummary, kind: str) -> dict[str, float]:
    """Layer -> bytes of flash or cycles; what the layers do not account for comes last."""
    report = variant.report
    if kind == "flash":
        found = {
            layer.name: layer.encoded_weight_bytes + layer.scale_bytes for layer in report.layers
        }
    else:
        found = {layer.name: layer.cycles for layer in report.layers}
    total = report.flash_bytes if kind == "flash" else report.cycles
    rest = total - sum(found.values())
    if rest > 0.001 * total:
        found["in no layer" if report.layers else "not known per layer"] = rest
    return {name: amount for name, amount in found.items() if amount > 0}


def _named_layers(variants: Sequence[VariantSummary]) -> list[str]:
    """Layers with a hatch of their own, in order of execution: the heaviest, by their largest share of any bar."""
    shares: Counter[str] = Counter()
    for variant in variants:
        for kind in ("flash", "cycles"):
            found = _by_layer(variant, kind)
            total = sum(found.values())
            for name, amount in found.items():
                shares[name] = max(shares[name], amount / total)  # type: ignore[assignment]
    heavy = {name for name, share in shares.most_common(_NAMED_LAYERS) if share >= _TINY}
    return [name for name in shares if name in heavy]


def _bar(variant: VariantSummary, kind: str, named: list[str]) -> charts.Bar:
    found, report = _by_layer(variant, kind), variant.report
    parts = [(name, found.pop(name), index) for index, name in enumerate(named) if name in found]
    if found:
        text = f"{len(found)} others" if len(found) > 1 else min(found)
        parts.append((text, sum(found.values()), HATCHES - 1))
    if kind == "flash":
        note = f"{units.format_bytes(report.flash_bytes)}: {units.format_bytes(report.encoded_weight_bytes)} weights"
        note += f", {units.format_bytes(report.scale_bytes)} scales" if report.scale_bytes else ""
    else:
        note = f"{units.format_count(report.cycles)}, bound by {report.bound_by}"
    return charts.Bar(variant.name, note, tuple(parts))


def _matrix(summaries: Sequence[RunSummary]) -> dict[str, Any]:
    """Every target with the row of every variant and the name of the fastest, and where their order flips."""
    names = list(
        dict.fromkeys(variant.name for summary in summaries for variant in summary.variants)
    )
    rows = []
    for summary in summaries:
        found = {row["variant"]: row for row in summary_rows(summary)}
        least = min(found, key=lambda name: found[name]["seconds_per_frame"])
        rows.append((summary.target, [found.get(name) for name in names], least))
    return {"names": names, "rows": rows, "flips": flips(summaries)}


def _curves(variants: Sequence[VariantRecord]) -> list[tuple[str, Markup]]:
    """(variant, chart of its loss and of its metric on dev, beside the best of the first variant)."""
    dev = {variant.name: _dev_curve(variant) for variant in variants}
    best = (
        max((value for _, value in dev[variants[0].name].points), default=None)
        if variants
        else None
    )
    charted = []
    for variant in variants:
        reference = None if variant is variants[0] else best
        panels = [
            charts.Curve("loss", _series(variant, "loss")),
            replace(dev[variant.name], reference=reference),
        ]
        if chart := charts.curves(f"Training of {variant.name}", panels):
            charted.append((variant.name, chart))
    return charted


def _dev_curve(variant: VariantRecord) -> charts.Curve:
    column = next((name for row in variant.history for name in row if name.startswith("dev_")), "")
    return charts.Curve(
        f"{metric_of(column.removeprefix('dev_')).heading} on dev", _series(variant, column)
    )


def _series(variant: VariantRecord, column: str) -> tuple[tuple[float, float], ...]:
    points = [(row.get("epoch"), row.get(column)) for row in variant.history]
    known = [(float(x), float(y)) for x, y in points if _is_number(x) and _is_number(y)]  # type: ignore[arg-type]
    return tuple(known[:: -(-len(known) // _EPOCHS)]) if known else ()


def _files(
    manifest: Sequence[ManifestEntry],
) -> list[tuple[str, list[tuple[ManifestEntry, list[ManifestEntry]]]]]:
    """Files by the first word of their stage (a variant), then by stage and folder."""
    groups: dict[str, dict[tuple[str, ...], list[ManifestEntry]]] = {}
    for entry in manifest:
        key = (
            entry.stage,
            str(PurePosixPath(entry.path).parent),
            entry.command,
            entry.made,
            entry.tinyprune,
        )
        groups.setdefault(entry.stage.partition("/")[0] or "run", {}).setdefault(key, []).append(
            entry
        )
    return [
        (name, [(entries[0], entries) for entries in stages.values()])
        for name, stages in groups.items()
    ]


def _link(entry: ManifestEntry) -> str:
    """Where a file is, relative to the page; empty where it is not, or not in the run folder."""
    path = PurePosixPath(entry.path)
    inside = not path.is_absolute() and ".." not in path.parts
    return quote(entry.path, safe="/") if inside and entry.state != "missing" else ""


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested settings as (``train.epochs``, text)."""
    if isinstance(value, dict) and value:
        return [
            pair
            for key, inner in value.items()
            for pair in _flat(inner, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        return [
            pair for index, inner in enumerate(value) for pair in _flat(inner, f"{name}[{index}]")
        ]
    if isinstance(value, list):
        return [(name, ", ".join(map(str, value)))]
    return [(name, "" if value is None or value == {} else str(value))]


def _shapes(layer: LayerCost) -> str:
    """``4 x 256x128, 4 x 256x256``: the shapes of the kernels of a layer, in TFLite's order of axes."""
    texts = ["x".join(map(str, kernel.shape)) for kernel in layer.kernels]
    runs = [(text, len(list(same))) for text, same in groupby(texts)]
    return ", ".join(text if count == 1 else f"{count} × {text}" for text, count in runs)


def _target_text(target: NpuTarget) -> str:
    name = f"{target.npu}, {target.system_config}, {target.memory_mode}"
    return f"{target.label} ({name})" if target.label else name


def _marker(index: int, front: bool) -> Markup:
    shape = marker(index, 8, 8, "front" if front else "behind")
    return Markup(
        '<svg class="swatch" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">{}</svg>'
    ).format(shape)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
