"""Comparisons and reports as Markdown, for a pull request or a wiki."""

import re
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path

from tinyprune.artifacts.quality import Quality, by_engine
from tinyprune.artifacts.quantity import (
    ENCODED_WEIGHTS,
    FLASH,
    PREDICTED,
    SRAM,
    TFLITE,
    TOTAL_CYCLES,
    Quantity,
)
from tinyprune.artifacts.summary import RunSummary
from tinyprune.artifacts.sweep import SweepAnswer
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model import budget_history, predictions
from tinyprune.report.model.comparison import BETTER, Comparison, MetricChange, VariantChange
from tinyprune.report.model.number_text import NONE, shown_factor, shown_milliseconds
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.report.model.summary import Row, metric_names, summary_rows, variant_names
from tinyprune.report.render import sweep_answer
from tinyprune.report.render.table import cell_notes, cpu_notes, dense_notes, scored_items
from tinyprune.report.render.verdict import (
    matters,
    show_allowed,
    show_change,
    show_percent,
    show_value,
)

_CHANGE_HEADINGS = ("metric", "better", "A", "B", "change", "%", "allowed", "verdict")
_COST_HEADINGS = ("sparsity", "flash", "encoded weights", ".tflite", "SRAM", "cycles")
_PREDICTED_HEADINGS = ("predicted", "by Vela", "error")
_STATES = {
    "": "training was stopped",
    "train": "trained, not exported",
    "export": "exported, not compiled",
}

Lines = list[str]


# --- text


def escape(text: str) -> str:
    """A text that Markdown shows as it is, also in a cell of a table.

    It is on one line, and its marks are escaped.
    """
    return _escaped(" ".join(text.split()))


def _escaped(line: str) -> str:
    marked = re.sub(r"([\\`*\[\]<|~&]|^[>#+-])", r"\\\1", line)
    # An underscore inside a word is no mark.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", marked)


def prose(text: str) -> str:
    """A sentence of ours: escaped but for its `commands`, which Markdown shows as such."""
    pieces = re.split(r"(`[^`]+`)", " ".join(text.split()))
    pieces[::2] = map(_escaped, pieces[::2])
    return "".join(pieces)


def bullets(texts: Iterable[str]) -> Lines:
    """A list of sentences of ours."""
    return [f"- {prose(text)}" for text in texts]


def pipe_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: set[int]) -> Lines:
    """A Markdown table of cells that are escaped already; columns not in ``left`` to the right."""
    rule = [":--" if index in left else "--:" for index in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def _page(lines: Lines) -> str:
    return "\n".join(lines) + "\n"


# --- a comparison


def comparison(compared: Comparison) -> str:
    """A comparison for a pull request: the verdict, what matters, the rest to unfold."""
    before = escape(compared.before)
    after = escape(compared.after)
    lines = [
        _verdict(compared),
        "",
        f"A: {before}, B: {after}, policy: {escape(compared.policy)}",
    ]
    for variant in compared.variants:
        lines += ["", f"#### {escape(variant.title)}", "", *_changes(variant)]
    if compared.notes:
        lines += ["", *bullets(compared.notes)]
    return _page(lines)


def _verdict(compared: Comparison) -> str:
    failing = _listed(compared.failures)
    if failing:
        return f"**FAILED: worse than allowed:** {failing}"
    better: list[MetricChange] = []
    for variant in compared.variants:
        better += [change for change in variant.metrics if change.verdict == BETTER]

    verdict = "**OK:** nothing is worse than allowed"
    if better:
        verdict += f", better: {_listed(better)}"
    return verdict


def _listed(changes: Iterable[MetricChange]) -> str:
    """Names of metrics, each once."""
    names: dict[str, None] = {}
    for change in changes:
        names[escape(change.metric)] = None
    return ", ".join(names)


def _changes(variant: VariantChange) -> Lines:
    """A table of the limited and failed metrics, then one of all others, folded away."""
    limited: list[MetricChange] = []
    others: list[MetricChange] = []
    for change in filter(matters, variant.metrics):
        is_limited = change.failed or change.allowed is not None
        if is_limited:
            limited.append(change)
        else:
            others.append(change)

    lines = ["Nothing is limited by the policy."]
    if limited:
        lines = _change_table(limited)
    if others:
        summary = f"<summary>{len(others)} more metrics</summary>"
        lines += ["", "<details>", summary, "", *_change_table(others), "", "</details>"]
    if variant.notes:
        lines += ["", *bullets(variant.notes)]
    return lines


def _change_table(changes: Sequence[MetricChange]) -> Lines:
    return pipe_table(_CHANGE_HEADINGS, map(_change_cells, changes), left={0, 1, 7})


def _change_cells(change: MetricChange) -> list[str]:
    return [
        escape(change.metric),
        change.direction,
        show_value(change.metric, change.before),
        show_value(change.metric, change.after),
        show_change(change),
        show_percent(change),
        show_allowed(change),
        f"**{change.verdict}**" if change.failed else change.verdict,
    ]


# --- the report of a run


def report_markdown(report: RunReport, _: Path) -> str:
    """The report of a run, as one of FORMATS."""
    return run_report(report)


def run_report(report: RunReport) -> str:
    """A report of a run, finished or not."""
    lines = [f"# {escape(report.run)}", "", _made(report)]
    for summary in report.summaries:
        if summary.variants:
            lines += ["", *_target(summary)]
    lines += _predicted(report.summaries)
    lines += _budgets(report.variants)
    if report.sweep is not None:
        lines += _sweep(report.sweep)
    lines += _unfinished(report)
    if report.advice:
        lines += ["", "## What the figures suggest"]
    for name, texts in report.advice.items():
        lines += ["", f"**{escape(name)}**", "", *bullets(texts)]
    if report.notes:
        lines += ["", "## Notes", "", *bullets(report.notes)]
    return _page(lines)


def _made(report: RunReport) -> str:
    text = f"made {report.made}"
    if report.task:
        text = f"{report.task.name}, {text}"
    if report.versions:
        versions = ", ".join(map(" ".join, report.versions.items()))
        text += f" by {versions}"
    return escape(text)


def _target(summary: RunSummary) -> Lines:
    """The headline table of one target: what was lost, what was gained, what bounds it now."""
    rows = summary_rows(summary)
    metrics = metric_names(summary)
    time = "ms"
    if summary.hop_seconds:
        time = "ms per frame"
    headings = [metric_of(name).heading for name in metrics]
    header = ["variant", *headings, *_COST_HEADINGS, time, "bound by"]

    lines = []
    if summary.noisy:
        lines.append(_noisy(summary.noisy, metrics))
    for row in rows:
        lines.append(_cells(row, metrics, is_first=row is rows[0]))
    table = pipe_table(header, lines, left={0, len(header) - 1})
    versions = ", ".join(dict.fromkeys(map(itemgetter("vela_version"), rows)))
    place = f"{summary.target.description}, estimated by Vela {versions}"
    title = f"## {escape(summary.target.name)}"
    return [title, "", escape(place), "", *table, "", *bullets(_below(summary, rows))]


def _below(summary: RunSummary, rows: Sequence[Row]) -> list[str]:
    quality = summary.variants[0].quality
    engine = by_engine(quality.engine)
    return [
        f"{quality.split} split, {quality.utterances} {scored_items(summary)}, int8 model{engine}; "
        "changes and factors (x) are against the first variant.",
        "flash: encoded weights, biases and scales, without the command stream.",
        *dense_notes(summary),
        *cell_notes(summary),
        *cpu_notes(rows),
    ]


def _noisy(noisy: Quality, metrics: Sequence[str]) -> list[str]:
    """The row of the unprocessed input, which costs nothing."""
    cells = [show_value(name, noisy.metrics.get(name)) for name in metrics]
    nothing = [NONE] * (len(_COST_HEADINGS) + 2)
    return ["noisy input", *cells, *nothing]


def _cells(row: Row, metrics: Sequence[str], is_first: bool) -> list[str]:
    """The row of one variant; the first has no factors."""
    flash = _cell(row, FLASH)
    cycles = _cell(row, TOTAL_CYCLES)
    if not is_first:
        flash += _factor(row, FLASH)
        cycles += _factor(row, TOTAL_CYCLES)
    return [
        escape(row["variant"]),
        *(_metric_cell(row, name) for name in metrics),
        f"{row['sparsity']:.2f}",
        flash,
        _cell(row, ENCODED_WEIGHTS),
        _cell(row, TFLITE),
        _cell(row, SRAM),
        cycles,
        shown_milliseconds(row["seconds_per_frame"]),
        row["bound_by"],
    ]


def _cell(row: Row, quantity: Quantity) -> str:
    return quantity.format(row[quantity.name])


def _metric_cell(row: Row, name: str) -> str:
    """``9.31 (-0.12)``: the value and its change."""
    value = show_value(name, row[name])
    change = row[f"{name}_change"]
    if not change:
        return value
    return f"{value} ({metric_of(name).format(change, '+')})"


def _factor(row: Row, quantity: Quantity) -> str:
    ratio = row[f"{quantity.name}_ratio"]
    if ratio is None:
        return ""
    return f" ({shown_factor(ratio)})"


def _predicted(summaries: Sequence[RunSummary]) -> Lines:
    """Predictions against Vela's figures, a line per target and variant."""
    rows = []
    for variant in predictions.predicted_variants(summaries):
        cells = [escape(variant.target), escape(variant.variant)]
        for value in variant.values:
            cells += value.cells
        rows.append(cells)
    if not rows:
        return []
    header = ["target", "variant"]
    for quantity in PREDICTED:
        header += [f"{quantity.label} {heading}" for heading in _PREDICTED_HEADINGS]
    table = pipe_table(header, rows, left={0, 1})
    return ["", f"## {predictions.TITLE}", "", *table, "", *bullets(predictions.notes(summaries))]


def _budgets(variants: Sequence[VariantRecord]) -> Lines:
    """The way of every variant that was pruned to a budget."""
    histories = budget_history.budget_histories(variants)
    if not histories:
        return []
    lines = ["", f"## {budget_history.TITLE}"]
    for history in histories:
        limits = pipe_table(history.heads, history.rows, left={0})
        lines += ["", f"### {escape(history.variant)}", "", *limits]
        if history.sets:
            units = [list(map(escape, remaining.cells)) for remaining in history.sets]
            unit_table = pipe_table(budget_history.UNIT_HEADS, units, left={0})
            lines += ["", *unit_table]
        lines += ["", *bullets(history.notes)]
    return lines


def _sweep(found: SweepAnswer) -> Lines:
    """The variant to ship, and everything that was tried."""
    shown = sweep_answer.shown_candidates(found)
    head, *rows = sweep_answer.candidate_rows(found, shown)
    cells = [list(map(escape, row)) for row in rows]
    lines = bullets(sweep_answer.ship_lines(found))
    return ["", "## What to ship", "", *lines, "", *pipe_table(head, cells, left={0, 1})]


def _unfinished(report: RunReport) -> Lines:
    """The variants that no summary has, and how far they are."""
    if not report.variants:
        return ["", "No variant exists yet."]
    compiled = variant_names(report.summaries)
    rows = []
    for variant in report.variants:
        if variant.name not in compiled:
            state = _STATES.get(variant.state, variant.state)
            rows.append([escape(variant.name), escape(state)])
    if not rows:
        return []
    return ["", "## Not compiled", "", *pipe_table(["variant", "state"], rows, left={0, 1})]
