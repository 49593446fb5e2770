"""The report of a run as one HTML file: nothing is fetched, and no script is needed to read it.

The one script, which sorts tables and lets one recording play at a time, is in the page and is
named by its digest to the browser.
"""

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from tinyprune import units
from tinyprune.artifacts.quantity import FLASH, TOTAL_CYCLES
from tinyprune.artifacts.resources import LayerCost, NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.artifacts.sweep import SweepAnswer
from tinyprune.metrics.metric import Metric, metric_of
from tinyprune.report.model import budget_gate, budget_history, predictions
from tinyprune.report.model.budget_gate import Verdict
from tinyprune.report.model.front import front_marks, shipped_name
from tinyprune.report.model.listening import Listening
from tinyprune.report.model.number_text import shown_factor, shown_milliseconds
from tinyprune.report.model.record import ManifestEntry, RunReport, VariantRecord
from tinyprune.report.model.summary import Row, metric_names, summary_rows, variant_names
from tinyprune.report.model.target_matrix import flips
from tinyprune.report.render import charts, patterns, sweep_answer
from tinyprune.report.render.front_chart import sweep_charts
from tinyprune.report.render.stream_tables import BUSY_HEAD, WORK_HEADS
from tinyprune.report.render.svg import hatches, marker, swatch
from tinyprune.report.render.target_view import TargetView, is_number, target_text, target_view
from tinyprune.storage.records import to_jsonable

#: Targets with charts and layer tables of their own; all others stand in one table.
CHARTED = 3

#: Points of a training curve, about.
_EPOCHS = 200
#: Files that one run of a stage made in one folder: the first, and all.
StageFiles = tuple[ManifestEntry, list[ManifestEntry]]


def page(report: RunReport, folder: Path, heard: Listening | None = None) -> str:
    """The whole page, the same for the same record and files.

    Args:
        report: the run, or as much of it as there is.
        folder: the run folder: links are relative to it, and the ``.tflite`` of every variant is
            read from it for the pictures of its kernels.
        heard: recordings to listen to, which go into the page.
    """
    summaries = [summary for summary in report.summaries if summary.variants]
    metric = _headline_metric(report, summaries)
    order = {variant.name: index for index, variant in enumerate(report.variants)}
    ship = shipped_name(report.sweep)
    views = []
    for summary in summaries[:CHARTED]:
        marks = front_marks(report, summary, metric)
        views.append(target_view(summary, metric, order, marks, report.streams))
    return _template().render(
        report=report,
        metric=metric,
        heard=heard,
        **_newest(summaries, views, metric, ship),
        shipped=ship,
        views=views,
        work_heads=WORK_HEADS,
        busy_head=BUSY_HEAD,
        intervals=any(any(view.half_widths.values()) for view in views),
        verdicts=_verdicts(report, summaries),
        matrix=_matrix(summaries),
        predicted=predictions.predicted_variants(summaries),
        predicted_notes=list(predictions.notes(summaries)),
        **_swept(report.sweep, order),
        **_script("sort.js", *(["listen.js"] if heard else [])),
        budgets=budget_history.budget_histories(report.variants),
        qualities=_quality_names(report.variants),
        curves=_curves(report.variants),
        gallery=patterns.gallery(report.variants, folder),
        picture_legend=patterns.legend(),
        configurations=_configurations(report.variants),
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
        "breaks": _breaks,
        "base64": lambda content: base64.b64encode(content).decode(),
        "bytes": units.format_bytes,
        "capitalized": lambda text: text[:1].upper() + text[1:],
        "count": units.format_count,
        "factor": shown_factor,
        "label": lambda name: metric_of(name).heading,
        "link": _link,
        "milliseconds": shown_milliseconds,
        "is_finite": math.isfinite,
        "in_words": lambda name, value: metric_of(name).in_words(value),
        "shapes": _shapes,
        "swatch": swatch,
        "target": target_text,
        "value": lambda value, name: metric_of(name).format(value),
        "change": lambda value, name: metric_of(name).format(value, "+"),
    }
    environment.globals |= {"hatches": hatches, "marker": _marker, "remains": charts.remains}
    return environment.get_template("report.html")


def _script(*names: str) -> dict[str, Any]:
    """The script of the page, and its digest as a Content-Security-Policy has it."""
    folder = Path(__file__).with_name("templates")
    script = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"script": Markup(script), "script_hash": f"sha256-{digest}"}


# --- the answer of a sweep


def _swept(found: SweepAnswer | None, order: Mapping[str, int]) -> dict[str, Any]:
    """Sentences and charts on what to ship, rows of what was tried; nothing without a sweep."""
    if found is None:
        return {}
    cells = sweep_answer.candidate_rows(found, found.candidates)
    rows = []
    for candidate, row in zip(found.candidates, cells[1:], strict=True):
        costs = [candidate.costs[name] for name in sweep_answer.columns(found)]
        rows.append((candidate, row, [candidate.value, None, *costs, None, None]))
    return {
        "ship": sweep_answer.ship_lines(found),
        "candidates": cells,
        "candidate_rows": rows,
        "swept_charts": sweep_charts(found, order),
    }


# --- headline


def _verdicts(report: RunReport, summaries: Sequence[RunSummary]) -> list[tuple[Verdict, str]]:
    """(verdict, its limit in words) of each limit that the run was held to, if one matters."""
    verdicts = budget_gate.check_all(summaries, report.limits)
    if not budget_gate.matter(verdicts):
        return []
    words = []
    for verdict in verdicts:
        limit = budget_gate.format_limit(verdict.limit, verdict.quantity.unit, "{} = {}")
        words.append((verdict, limit))
    return words


def _newest(
    summaries: Sequence[RunSummary], views: Sequence[TargetView], metric: str, ship: str
) -> dict[str, Any]:
    """Facts of the headline about the target that was compiled for last, if there is one."""
    if not summaries:
        return {"hop_seconds": None, "noisy": None, "best": []}
    newest = summaries[0]
    return {
        "hop_seconds": newest.hop_seconds,
        "noisy": newest.noisy,
        "best": _best(views[0].rows, metric, ship),
    }


def _headline_metric(report: RunReport, summaries: Sequence[RunSummary]) -> str:
    """The metric of the headline: the task's own where it was measured."""
    names: list[str] = []
    for summary in summaries:
        names += metric_names(summary)
    names = names or _quality_names(report.variants)
    own = ""
    if report.task:
        own = report.task.metric
    if own in names:
        return own
    candidates = [*names, own]
    return candidates[0]


def _quality_names(variants: Sequence[VariantRecord]) -> list[str]:
    """Names of the metrics of any form of any variant."""
    names: dict[str, None] = {}
    for variant in variants:
        for quality in variant.qualities:
            names |= dict.fromkeys(quality.metrics)
    return list(names)


def _best(rows: Sequence[Row], metric: str, ship: str) -> list[tuple[str, Row]]:
    """(what it is best at, row) among the variants beside the baseline, each named once.

    The one to ship is the first.
    """
    pruned = rows[1:]
    if len(pruned) <= 1:
        return [("beside the baseline", row) for row in pruned]
    winners = [("to ship", row) for row in pruned if row["variant"] == ship]
    winners += [
        ("least flash", min(pruned, key=itemgetter(FLASH.name))),
        ("fewest cycles", min(pruned, key=itemgetter(TOTAL_CYCLES.name))),
    ]
    scored = [row for row in pruned if is_number(row.get(metric))]
    if scored:
        known = metric_of(metric)
        best = min(scored, key=lambda row: known.loss_sign * row[metric])
        winners.append((f"best {known.heading}", best))

    titles: dict[str, list[str]] = {}
    row_of: dict[str, Row] = {}
    for title, row in winners:
        name = row["variant"]
        row_of[name] = row
        titles.setdefault(name, []).append(title)
    named = []
    for name, row in row_of.items():
        named.append((", ".join(titles[name]), row))
    return named


# --- targets side by side


@dataclass(frozen=True)
class _MatrixRow:
    """One target beside others.

    Attributes:
        target: the target.
        rows: of every variant, None where it was not compiled.
        fastest: name of the fastest variant.
    """

    target: NpuTarget
    rows: list[Row | None]
    fastest: str


def _matrix(summaries: Sequence[RunSummary]) -> dict[str, Any] | None:
    """Every target with the row of every variant, and where the order of variants flips.

    None where there is one target at most.
    """
    if len(summaries) <= 1:
        return None
    names = variant_names(summaries)
    rows = []
    for summary in summaries:
        variants = summary_rows(summary)
        fastest = min(variants, key=itemgetter("seconds_per_frame"))
        by_name = {row["variant"]: row for row in variants}
        cells = list(map(by_name.get, names))
        rows.append(_MatrixRow(summary.target, cells, fastest["variant"]))
    return {"names": names, "rows": rows, "flips": flips(summaries)}


# --- training


def _curves(variants: Sequence[VariantRecord]) -> list[tuple[str, Markup]]:
    """(variant, chart of its loss and of its metric on dev, beside the best of the first one)."""
    charted = []
    best = None
    for variant in variants:
        column = _dev_column(variant)
        metric = metric_of(column.removeprefix("dev_"))
        values = _series(variant, column)
        loss = charts.Curve("loss", _series(variant, "loss"))
        dev = charts.Curve(f"{metric.heading} on dev", values, best, _least_range(metric, values))
        if variant is variants[0]:
            reached = [value for _, value in values]
            best = min(reached, key=lambda value: metric.loss_sign * value, default=None)
        chart = charts.curves(f"Training of {variant.name}", [loss, dev])
        if chart:
            charted.append((variant.name, chart))
    return charted


def _least_range(metric: Metric, values: Sequence[tuple[float, float]]) -> float:
    """The least range of the axis of a metric that has these values, (epoch, value)."""
    return metric.least_range(max((abs(value) for _, value in values), default=0.0))


def _dev_column(variant: VariantRecord) -> str:
    """The column of a history with a metric on dev; empty where there is none."""
    for column in chain.from_iterable(variant.history):
        if column.startswith("dev_"):
            return column
    return ""


def _series(variant: VariantRecord, column: str) -> tuple[tuple[float, float], ...]:
    """(epoch, value) of a column of the history, thinned out if they are many."""
    points = []
    for row in variant.history:
        epoch = row.get("epoch")
        value = row.get(column)
        if is_number(epoch) and is_number(value):
            points.append((float(epoch), float(value)))
    step = max(1, -(-len(points) // _EPOCHS))
    return tuple(points[::step])


# --- configuration and files


def _configurations(
    variants: Sequence[VariantRecord],
) -> list[tuple[VariantRecord, dict[str, str]]]:
    configurations = []
    for variant in variants:
        settings = _flat(to_jsonable(variant.configuration))
        configurations.append((variant, settings))
    return configurations


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested settings as ``train.epochs`` or ``layers[0].match`` -> text."""
    parts = _parts(value, name)
    if not parts:
        return {name: _setting(value)}
    settings: dict[str, str] = {}
    for part_name, part in parts.items():
        settings |= _flat(part, part_name)
    return settings


def _parts(value: Any, name: str) -> dict[str, Any]:
    """The settings inside a value by their full names; empty where it is a setting itself."""
    if isinstance(value, dict):
        return {f"{name}.{key}".removeprefix("."): part for key, part in value.items()}
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return {f"{name}[{index}]": part for index, part in enumerate(value)}
    return {}


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value in (None, {}):
        return ""
    return str(value)


def _files(manifest: Sequence[ManifestEntry]) -> list[tuple[str, list[StageFiles]]]:
    """Files by the first word of their stage (a variant), then by stage and folder."""
    variants: dict[str, dict[tuple[str, ...], list[ManifestEntry]]] = {}
    for entry in manifest:
        variant, _, _ = entry.stage.partition("/")
        folder = str(PurePosixPath(entry.path).parent)
        stage = (entry.stage, folder, entry.command, entry.made, entry.tinyprune)
        variants.setdefault(variant or "run", {}).setdefault(stage, []).append(entry)
    groups = []
    for name, stages in variants.items():
        files = [(entries[0], entries) for entries in stages.values()]
        groups.append((name, files))
    return groups


# --- filters of the template


def _breaks(text: str) -> Markup:
    """A text that may be broken behind / and _."""
    return Markup("<wbr>").join(re.split(r"(?<=[/_])", text))


def _link(entry: ManifestEntry) -> str:
    """The address of a file relative to the page; empty for one that is missing or elsewhere."""
    path = PurePosixPath(entry.path)
    is_inside = not path.is_absolute() and ".." not in path.parts
    if entry.state == "missing" or not is_inside:
        return ""
    return quote(entry.path, safe="/")


def _shapes(layer: LayerCost) -> str:
    """``4 × 256x128, 4 × 256x256``: the kernels of a layer, in TFLite's order of axes."""
    texts = []
    for sizes, same in groupby(layer.kernels, key=attrgetter("shape")):
        shape = "x".join(map(str, sizes))
        count = len(list(same))
        texts.append(f"{count} × {shape}".removeprefix("1 × "))
    return ", ".join(texts)


def _marker(index: int, front: bool) -> Markup:
    shape = marker(index, 8, 8, front)
    return Markup(
        '<svg class="swatch" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">{}</svg>'
    ).format(shape)
