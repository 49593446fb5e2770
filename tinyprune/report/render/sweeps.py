"""Sweeps as tables for a terminal and for Markdown, and as rows for other programs."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.sweep import Limit, SweepReport, SweepRow, SweptFile
from tinyprune.report.model.number_text import NONE
from tinyprune.report.render.markdown import escape, pipe_table, prose
from tinyprune.report.render.plain_data import rounded_csv
from tinyprune.report.render.scores import short_name
from tinyprune.report.render.terminal import columns, wrapped

#: Name of a sweep -> its title. Of one that is not here it is its name.
_TITLES = {
    "level": "Speech at other levels",
    "snr": "Noise at other levels, and kinds of noise",
    "clean": "Speech without noise",
    "band": "Narrow bands and clipping",
    "room": "Simulated rooms",
}
_NOISY_COLUMNS = ("input", "output", "gain", "worst", "harmed")
_CLEAN_COLUMNS = ("mean", "worst", "harmed")
_MODEL = "model"
_LABEL_WIDTH = 22
_WIDTH = 80
_PAGE_WIDTH = 120
NOWHERE = "Under no condition that was measured."


@dataclass(frozen=True)
class SweepTable:
    """One table, as texts.

    Attributes:
        title: what was changed. header: of its columns. rows: of cells.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sweep_tables(report: SweepReport) -> list[SweepTable]:
    """A table per sweep: a row per condition and model; noisy and clean inputs apart."""
    tables = []
    for sweep in report.sweeps:
        for has_noise in (True, False):
            rows = []
            for row in report.rows:
                if (row.sweep, row.has_noise) == (sweep, has_noise):
                    rows.append(row)
            if rows:
                tables.append(_table(report, rows))
    return tables


def format_sweep(report: SweepReport) -> RenderableType:
    """Tables of at most 80 columns, where networks must not be used, and what the columns are."""
    title = "\n".join(_filled(_title(report), _WIDTH))
    parts: list[RenderableType] = [Text(title, style="bold")]
    for table in sweep_tables(report):
        numbers = [name for name in table.header[1:] if name != _MODEL]
        shown = columns(table.header[0], *numbers, left="" if _MODEL in table.header else None)
        for label, *cells in table.rows:
            shown.add_row(wrapped(label, _LABEL_WIDTH), *cells)
        parts += [Text(), Text(table.title, style="bold"), shown]
    for model in report.models:
        limits = limits_of(report, model)
        heading = f"Where {_name(report, model)} must not be used"
        parts += [Text(), Text(heading, style="bold")]
        texts = [f"- {limit.text}" for limit in limits]
        parts += map(_paragraph, texts or [NOWHERE])
    parts += [Text(), _paragraph(_legend(report))]
    return Group(*parts)


def _paragraph(text: str) -> Text:
    """A text in lines that a narrow terminal has."""
    return Text("\n".join(_filled(text, _WIDTH)))


def _filled(text: str, width: int = _PAGE_WIDTH) -> list[str]:
    """A text, or an entry of a list, as lines."""
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def sweep_markdown(report: SweepReport, level: int = 2) -> str:
    """The same as a page, or as a section of one, whose headings are of a level."""
    introduction = prose(f"{_title(report)}. {_legend(report)}")
    lines = [f"{'#' * level} Robustness", "", *_filled(introduction)]
    for table in sweep_tables(report):
        cells = [[escape(label), *numbers] for label, *numbers in table.rows]
        left = {0} | {number for number, name in enumerate(table.header) if name == _MODEL}
        lines += ["", f"**{table.title}**", "", *pipe_table(table.header, cells, left)]
    for model in report.models:
        heading = f"Where {_name(report, model)} must not be used"
        lines += ["", f"{'#' * (level + 1)} {escape(heading)}", ""]
        limits = [f"- {escape(limit.text)}" for limit in limits_of(report, model)]
        for text in limits or [NOWHERE]:
            lines += _filled(text)
    return "\n".join(lines) + "\n"


def sweep_csv(report: SweepReport) -> str:
    """A line per condition and model."""
    return rounded_csv([{**asdict(row), "gain_db": row.gain_db} for row in report.rows])


def swept_files_csv(files: Sequence[SweptFile]) -> str:
    """A line per file, condition and model."""
    return rounded_csv(list(map(asdict, files)))


def limits_of(report: SweepReport, model: tuple[str, str]) -> list[Limit]:
    """The limits of a model and form."""
    return [limit for limit in report.limits if (limit.model, limit.form) == model]


def in_one_line(report: SweepReport) -> str:
    """Each model with the sweeps that found limits of it; empty where there are none."""
    parts = []
    for model in report.models:
        sweeps = dict.fromkeys(limit.sweep for limit in limits_of(report, model))
        if sweeps:
            parts.append(f"{_name(report, model)} has limits, found by: {', '.join(sweeps)}")
    return "; ".join(parts)


# --- parts


def _table(report: SweepReport, rows: Sequence[SweepRow]) -> SweepTable:
    """The table of rows of one sweep with one kind of input."""
    has_noise = rows[0].has_noise
    header = ["condition", *(_NOISY_COLUMNS if has_noise else _CLEAN_COLUMNS)]
    is_compared = len(report.models) > 1
    if is_compared:
        header.append(_MODEL)
    cells = []
    before = ""
    for row in rows:
        label = row.condition if row.condition != before else ""
        before = row.condition
        line = [label, *(_noisy_cells(row) if has_noise else _clean_cells(row))]
        if is_compared:
            line.append(_name(report, (row.model, row.form)))
        cells.append(tuple(line))
    return SweepTable(_table_title(rows[0]), tuple(header), tuple(cells))


def _table_title(row: SweepRow) -> str:
    """The title of a table that a row is in."""
    title = f"{row.sweep}: {_TITLES.get(row.sweep, row.sweep)}"
    if row.has_noise or row.sweep == "clean":
        return title
    return f"{title}, without noise"


def _noisy_cells(row: SweepRow) -> list[str]:
    return [
        _db(row.input_db),
        _db(row.output_db),
        _db(row.gain_db, "+"),
        _db(row.worst_db, "+"),
        f"{row.harmed}/{row.files}",
    ]


def _clean_cells(row: SweepRow) -> list[str]:
    return [_db(row.output_db), _db(row.worst_db), f"{row.harmed}/{row.files}"]


def _db(value: float, sign: str = "") -> str:
    return metric_of("si_sdr_db").format(value, sign)


def _title(report: SweepReport) -> str:
    files = max((row.files for row in report.rows), default=0)
    heading = metric_of(report.metric).heading
    names = " and ".join(_name(report, model) for model in report.models)
    return f"{heading} of {names or NONE} on the {report.split} split, {files} files at most"


def _legend(report: SweepReport) -> str:
    """The meaning of the columns, with the thresholds."""
    values = report.thresholds
    texts = []
    if any(row.has_noise for row in report.rows):
        texts.append(
            "gain: output less input; worst: that of the worst file; "
            f"harmed: files that lose more than {values['harm_db']:g} dB, "
            f"too many from {values['harmed_share']:.0%} on."
        )
    if not all(row.has_noise for row in report.rows):
        texts.append(
            "Of speech without noise: output against input, in the mean and of the worst file; "
            f"wanted {values['clean_mean_db']:g} and {values['clean_worst_db']:g} dB; "
            "harmed: files below the latter."
        )
    return " ".join(texts)


def _name(report: SweepReport, model: tuple[str, str]) -> str:
    """``pretrained streaming``; files by no more of their path than tells them apart."""
    name, form = model
    short = short_name(name, [other for other, _ in report.models])
    return f"{short} {form}"
