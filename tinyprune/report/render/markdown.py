"""Comparisons and reports as Markdown, for a pull request or a wiki."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinyprune.artifacts.quantity import PREDICTED
from tinyprune.artifacts.summary import RunSummary
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model import budget_history, predictions
from tinyprune.report.model.comparison import BETTER, Comparison, MetricChange, VariantChange
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.report.model.summary import metric_names, summary_rows
from tinyprune.report.render.terminal import NONE, shown_factor, shown_milliseconds
from tinyprune.report.render.verdict import (
    matters,
    show_allowed,
    show_change,
    show_percent,
    show_value,
)
from tinyprune.units import format_bytes, format_count

_PREDICTED = ("predicted", "by Vela", "error")
_STATES = {
    "": "training was stopped",
    "train": "trained, not exported",
    "export": "exported, not compiled",
}


def escape(text: str) -> str:
    """A text that Markdown shows as it is, also in a cell of a table: on one line, its marks escaped."""
    return _escaped(" ".join(text.split()))


def _escaped(line: str) -> str:
    marked = re.sub(r"([\\`*\[\]<|~&]|^[>#+-])", r"\\\1", line)
    return re.sub(
        r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", marked
    )  # an underscore inside a word is no mark


def _prose(text: str) -> str:
    """A sentence of ours: escaped but for its `commands`, which Markdown shows as such."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def comparison(found: Comparison) -> str:
    """A comparison for a pull request: the verdict, what matters, the rest to unfold."""
    lines = [
        _verdict(found),
        "",
        f"A: {escape(found.before)}, B: {escape(found.after)}, policy: {escape(found.policy)}",
    ]
    for variant in found.variants:
        lines += ["", f"#### {escape(variant.title)}", "", *_changes(variant)]
    if found.notes:
        lines += ["", *_list(found.notes)]
    return "\n".join(lines) + "\n"


def _verdict(found: Comparison) -> str:
    failing = list(dict.fromkeys(metric.metric for metric in found.failures))
    if failing:
        return f"**FAILED: worse than allowed:** {', '.join(map(escape, failing))}"
    better = [
        metric
        for variant in found.variants
        for metric in variant.metrics
        if metric.verdict == BETTER
    ]
    gained = (
        f", better: {', '.join(dict.fromkeys(escape(metric.metric) for metric in better))}"
        if better
        else ""
    )
    return f"**OK:** nothing is worse than allowed{gained}"


def _changes(variant: VariantChange) -> list[str]:
    """What is limited or failed as a table, then everything else in one that is folded away."""
    shown = [change for change in variant.metrics if matters(change)]
    first = [change for change in shown if change.failed or change.allowed is not None]
    rest = [change for change in shown if change not in first]
    lines = _change_table(first) if first else ["Nothing is limited by the policy."]
    if rest:
        lines += [
            "",
            "<details>",
            f"<summary>{len(rest)} more metrics</summary>",
            "",
            *_change_table(rest),
        ]
        lines += ["", "</details>"]
    return [*lines, *(["", *_list(variant.notes)] if variant.notes else [])]


def _change_table(changes: Sequence[MetricChange]) -> list[str]:
    header = ["metric", "better", "A", "B", "change", "%", "allowed", "verdict"]
    return _table(header, [_change_cells(change) for change in changes], left={0, 1, 7})


def _change_cells(change: MetricChange) -> list[str]:
    values = [show_value(change.metric, value) for value in (change.before, change.after)]
    verdict = f"**{change.verdict}**" if change.failed else change.verdict
    changed = [show_change(change), show_percent(change), show_allowed(change)]
    return [escape(change.metric), change.direction, *values, *changed, verdict]


def run_report(report: RunReport) -> str:
    """A report of a run, finished or not."""
    lines = [f"# {escape(report.run)}", "", _made(report)]
    for summary in report.summaries:
        if summary.variants:
            lines += ["", *_target(summary)]
    lines += [*_predicted(report.summaries), *_budgets(report.variants), *_unfinished(report)]
    if report.advice:
        lines += ["", "## What the figures suggest"]
    for name, texts in report.advice.items():
        lines += ["", f"**{escape(name)}**", "", *_list(texts)]
    if report.notes:
        lines += ["", "## Notes", "", *_list(report.notes)]
    return "\n".join(lines) + "\n"


def _made(report: RunReport) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    task = f"{report.task.name}, " if report.task else ""
    return escape(
        f"{task}made {report.made} by {versions}" if versions else f"{task}made {report.made}"
    )


def _target(summary: RunSummary) -> list[str]:
    """The headline table of one target: what was lost, what was gained, what bounds it now."""
    rows, metrics, target = summary_rows(summary), metric_names(summary), summary.target
    unit = "ms per frame" if summary.hop_seconds else "ms"
    costs = ["sparsity", "flash", "encoded weights", ".tflite", "SRAM", "cycles", unit]
    header = ["variant", *(metric_of(name).heading for name in metrics), *costs, "bound by"]
    lines = [_noisy(summary, metrics)] if summary.noisy else []
    lines += [_cells(row, metrics, first=index == 0) for index, row in enumerate(rows)]
    place = f"{target.npu}, {target.system_config}, {target.memory_mode}, estimated by Vela"
    title = f"## {escape(target.name)}"
    versions = ", ".join(dict.fromkeys(row["vela_version"] for row in rows))
    table = _table(header, lines, left={0, len(header) - 1})
    return [title, "", escape(f"{place} {versions}"), "", *table, "", *_list(_below(summary, rows))]


def _below(summary: RunSummary, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    quality = summary.variants[0].quality
    counted = "utterances" if summary.noisy else "examples"
    notes = [
        f"{quality.split} split, {quality.utterances} {counted}, int8 model; "
        "changes and factors (x) are against the first variant.",
        "flash: encoded weights, biases and scales, without the command stream.",
    ]
    return notes + [
        f"{row['variant']} leaves to the CPU: {row['cpu_operators']}"
        for row in rows
        if row["cpu_operators"]
    ]


def _noisy(summary: RunSummary, metrics: Sequence[str]) -> list[str]:
    values = summary.noisy.metrics if summary.noisy else {}
    return ["noisy input", *(show_value(name, values.get(name)) for name in metrics), *[NONE] * 8]


def _cells(row: Mapping[str, Any], metrics: Sequence[str], first: bool) -> list[str]:
    """The row of one variant; the first has no changes."""
    factors = {
        cost: "" if first else _factor(row[f"{cost}_ratio"]) for cost in ("flash_bytes", "cycles")
    }
    return [
        escape(row["variant"]),
        *(_metric(row, name) for name in metrics),
        f"{row['sparsity']:.2f}",
        format_bytes(row["flash_bytes"]) + factors["flash_bytes"],
        format_bytes(row["encoded_weight_bytes"]),
        format_bytes(row["tflite_bytes"]),
        format_bytes(row["sram_bytes"]),
        format_count(row["cycles"]) + factors["cycles"],
        shown_milliseconds(row["seconds_per_frame"]),
        row["bound_by"],
    ]


def _metric(row: Mapping[str, Any], name: str) -> str:
    """``9.31 (-0.12)``: the value and its change."""
    value, change = row[name], row[f"{name}_change"]
    return show_value(name, value) + (f" ({metric_of(name).format(change, '+')})" if change else "")


def _factor(ratio: float | None) -> str:
    return "" if ratio is None else f" ({shown_factor(ratio)})"


def _predicted(summaries: Sequence[RunSummary]) -> list[str]:
    """What was predicted against what Vela says, a line per target and variant."""
    rows = [
        [
            escape(one.target),
            escape(one.variant),
            *(cell for value in one.values for cell in value.cells),
        ]
        for one in predictions.predicted_variants(summaries)
    ]
    if not rows:
        return []
    header = [
        "target",
        "variant",
        *(f"{quantity.label} {what}" for quantity in PREDICTED for what in _PREDICTED),
    ]
    table = _table(header, rows, left={0, 1})
    return ["", f"## {predictions.TITLE}", "", *table, "", *_list(predictions.notes(summaries))]


def _budgets(variants: Sequence[VariantRecord]) -> list[str]:
    """How every variant that was pruned to a budget keeps it."""
    histories = budget_history.budget_histories(variants)
    lines = ["", f"## {budget_history.TITLE}"] if histories else []
    for history in histories:
        limits = _table(history.heads, history.rows, left={0})
        lines += ["", f"### {escape(history.variant)}", "", *limits]
        units = [[escape(cell) for cell in units.cells] for units in history.sets]
        lines += ["", *_table(budget_history.UNIT_HEADS, units, left={0})] if units else []
        lines += ["", *_list(history.notes)]
    return lines


def _unfinished(report: RunReport) -> list[str]:
    """The variants that no summary has, and how far they are."""
    compiled = {variant.name for summary in report.summaries for variant in summary.variants}
    rows = [
        [escape(variant.name), escape(_STATES.get(variant.state, variant.state))]
        for variant in report.variants
        if variant.name not in compiled
    ]
    if not rows:
        return [] if report.variants else ["", "No variant exists yet."]
    return ["", "## Not compiled", "", *_table(["variant", "state"], rows, left={0, 1})]


def _list(texts: Iterable[str]) -> list[str]:
    return [f"- {_prose(text)}" for text in texts]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], left: set[int]) -> list[str]:
    """A Markdown table of cells that are escaped already; numbers to the right."""
    rule = [":--" if index in left else "--:" for index in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
