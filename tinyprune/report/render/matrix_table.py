"""Targets side by side for a terminal: a row per target, columns for every variant, then notes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.quantity import FLASH, LATENCY, SRAM, Quantity
from tinyprune.artifacts.summary import RunSummary
from tinyprune.report.model.number_text import shown_milliseconds, shown_number
from tinyprune.report.model.summary import all_variants, variant_names
from tinyprune.report.model.target_matrix import (
    ComparedTarget,
    compared_targets,
    cpu_notes,
    flips,
)
from tinyprune.report.model.wording import listed
from tinyprune.report.render.terminal import WIDTH, columns, wrapped
from tinyprune.units import counted

_TARGET_WIDTH, _NAME_WIDTH = 36, 9
_SHOWN_FLIPS = 10


@dataclass(frozen=True)
class _Column:
    """A column of the matrix: one variant, one cell per target."""

    heading: str
    cells: list[str]

    @property
    def width(self) -> int:
        """Its characters, with the room between columns."""
        texts = "\n".join([self.heading, *self.cells])
        return 2 + max(map(len, texts.split("\n")))


def format_matrix(summaries: Sequence[RunSummary]) -> RenderableType:
    """Return a row per target with time, flash and SRAM of every variant; then the flips.

    A star marks the fastest. What does not fit into 100 columns goes into further tables with the
    same rows.
    """
    if not summaries:
        return Text("no target is compiled for yet")

    targets = compared_targets(summaries)
    names = [wrapped(target.name, _TARGET_WIDTH) for target in targets]
    room = WIDTH - _Column("", names).width + 2

    parts: list[RenderableType] = [Text(_title(summaries), style="bold")]
    for block in _blocks(_column_groups(summaries), room):
        table = columns("", *(column.heading for column in block))
        for cells in zip(names, *(column.cells for column in block), strict=True):
            table.add_row(*cells)
        parts.append(table)
        parts.append(Text())

    notes = map(Text, _notes(summaries))
    return Group(*parts, *notes)


def _title(summaries: Sequence[RunSummary]) -> str:
    versions = dict.fromkeys(variant.report.vela_version for variant in all_variants(summaries))
    targets = counted(len(summaries), "target")
    by = listed([*versions] or ["?"])
    return f"{targets} side by side, estimated by Vela {by}"


def _blocks(groups: Iterator[list[_Column]], room: int) -> Iterator[list[_Column]]:
    """Columns that fit side by side: all times, then flash, then SRAM.

    Those of a kind are kept together if that is possible.
    """
    block: list[_Column] = []
    for group in groups:
        if not _has_room(block, group, room):
            yield block
            block = []
        for column in group:
            if not _has_room(block, [column], room):
                yield block
                block = []
            block.append(column)
    yield block


def _has_room(block: list[_Column], more: list[_Column], room: int) -> bool:
    """True where more columns fit beside those of a block; an empty one takes any."""
    width = sum(column.width for column in block + more)
    return not block or width <= room


def _column_groups(summaries: Sequence[RunSummary]) -> Iterator[list[_Column]]:
    targets = compared_targets(summaries)
    names = variant_names(summaries)
    unit = "ms"
    if summaries[0].hop_seconds:
        unit = "ms per\nframe"
    yield _columns_of_variants(targets, names, unit, _time_text)
    for quantity in (FLASH, SRAM):
        text = partial(_quantity_text, quantity)
        yield _columns_of_variants(targets, names, quantity.label, text)


def _columns_of_variants(
    targets: Sequence[ComparedTarget],
    names: Sequence[str],
    label: str,
    text: Callable[[ComparedTarget, str], str],
) -> list[_Column]:
    """A column per variant with the text of every target."""
    found = []
    for name in names:
        heading = f"{wrapped(name, _NAME_WIDTH)}\n{label}"
        cells = [text(target, name) for target in targets]
        found.append(_Column(heading, cells))
    return found


def _time_text(target: ComparedTarget, name: str) -> str:
    """The time with a star, or a blank so that the numbers stay in line."""
    time = shown_number(target.number(name, LATENCY), shown_milliseconds)
    star = " "
    if target.is_fastest(name):
        star = "*"
    return f"{time} {star}"


def _quantity_text(quantity: Quantity, target: ComparedTarget, name: str) -> str:
    return shown_number(target.number(name, quantity), quantity.format)


def _notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    yield "* fastest variant on this target; variants that are less than 1 % slower share the star."
    yield from cpu_notes(summaries)
    if len(variant_names(summaries)) < 2:
        return

    lines = flips(summaries)
    if not lines:
        yield "The order of the variants is the same on every target."
        return
    yield "Where the order of the variants turns round:"
    for line in lines[:_SHOWN_FLIPS]:
        yield f"- {line}"
    more = len(lines) - _SHOWN_FLIPS
    if more > 0:
        yield f"- and in {more} more ways; the ranks in CSV and JSON have them all"
