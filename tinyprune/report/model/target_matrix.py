"""Targets side by side: what every variant costs on each of them, and where another variant is the fastest."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.summary import seconds_per_frame
from tinyprune.report.render.terminal import NONE, WIDTH, columns, shown_milliseconds, wrapped
from tinyprune.units import format_bytes, format_count

#: Two variants whose cycles differ by less than this fraction of the smaller are as fast as each
#: other.
NEAR = 0.01

FIELDS = (
    *(
        "target",
        "npu",
        "system_config",
        "memory_mode",
        "variant",
        "flash_bytes",
        "sram_bytes",
        "dram_bytes",
        "cycles",
    ),
    *("milliseconds_per_frame", "bound_by", "rank", "cpu_operator_count", "cpu_operators"),
)

_TARGET_WIDTH, _NAME_WIDTH = 36, 9
_SHOWN_PAIRS, _SHOWN_TARGETS, _SHOWN_FLIPS = 3, 3, 10


@dataclass(frozen=True)
class _Flip:
    """Two variants in another order than on the first target that tells them apart."""

    faster: str
    slower: str
    reference: int


def rows(summaries: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """One flat row per target and variant, with the keys FIELDS.

    ``rank`` is by cycles per frame among the variants on that target, from 1; the same cycles share
    a rank.
    """
    return [_row(summary, variant) for summary in summaries for variant in summary.variants]


def flips(summaries: Sequence[RunSummary]) -> list[str]:
    """Where another order of the variants by cycles holds: one line for all targets that differ in the same way.

    Each pair of variants is compared with the first target where they are at least 1 % apart
    (NEAR); a target where they are closer does not count. Example::

        all 11 with Sram_Only: unit-0.50 before weight-0.90 (163 k against 171 k cycles); on
        ethos-u55-128-shared-sram it is the other way round (190 k against 175 k)
    """
    cycles = [_cycles(summary) for summary in summaries]
    found: list[list[_Flip]] = [[] for _ in summaries]
    for one, other in combinations(_names(summaries), 2):
        for index, flip in _flips_of_pair(cycles, one, other):
            found[index].append(flip)
    groups: dict[tuple[_Flip, ...], list[int]] = {}
    for index, here in enumerate(found):
        if here:
            groups.setdefault(tuple(here), []).append(index)
    return [_line(summaries, group, indices) for group, indices in groups.items()]


def format_matrix(summaries: Sequence[RunSummary]) -> RenderableType:
    """One row per target: time, flash and SRAM of every variant, a star at the fastest; then the flips.

    What does not fit into 100 columns goes into further tables with the same rows.
    """
    if not summaries:
        return Text("no target is compiled for yet")
    parts: list[RenderableType] = [Text(_title(summaries), style="bold")]
    for block in _blocks(summaries):
        table = columns("", *(heading for heading, _ in block))
        for index, summary in enumerate(summaries):
            table.add_row(
                wrapped(summary.target.name, _TARGET_WIDTH), *(cells[index] for _, cells in block)
            )
        parts += [table, Text()]
    return Group(*parts, *(Text(note) for note in _notes(summaries)))


def to_csv(summaries: Sequence[RunSummary]) -> str:
    """:func:`rows` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(summaries))
    return text.getvalue()


def _row(summary: RunSummary, variant: VariantSummary) -> dict[str, Any]:
    report, cycles = variant.report, _cycles(summary)
    values = (
        *(
            summary.target.name,
            summary.target.npu,
            summary.target.system_config,
            summary.target.memory_mode,
        ),
        *(variant.name, report.flash_bytes, report.sram_bytes, report.dram_bytes, report.cycles),
        *(1000 * seconds_per_frame(variant), report.bound_by),
        1 + sum(other < cycles[variant.name] for other in cycles.values()),
        *(len(report.cpu_operators), " ".join(report.cpu_operators)),
    )
    return dict(zip(FIELDS, values, strict=True))


def _cycles(summary: RunSummary) -> dict[str, float]:
    """Variant -> cycles per frame."""
    return {
        variant.name: variant.report.cycles / variant.tflite.frames for variant in summary.variants
    }


def _names(summaries: Sequence[RunSummary]) -> list[str]:
    """Names of the variants of any target, in the order of the first one's."""
    return list(
        dict.fromkeys(variant.name for summary in summaries for variant in summary.variants)
    )


def _order(cycles: dict[str, float], one: str, other: str) -> tuple[str, str] | None:
    """(faster, slower); None for a near-tie, or if one is missing."""
    if one not in cycles or other not in cycles:
        return None
    faster, slower = sorted((one, other), key=cycles.__getitem__)
    return None if _near(cycles[slower], cycles[faster]) else (faster, slower)


def _near(more: float, less: float) -> bool:
    return more == less or more - less < NEAR * less


def _flips_of_pair(
    cycles: Sequence[dict[str, float]], one: str, other: str
) -> Iterator[tuple[int, _Flip]]:
    """Targets, by their place, where a pair is the other way round."""
    orders = [
        (index, order) for index, each in enumerate(cycles) if (order := _order(each, one, other))
    ]
    for index, order in orders:
        reference, first = orders[0]
        if order != first:
            yield index, _Flip(*order, reference)


def _line(summaries: Sequence[RunSummary], found: Sequence[_Flip], indices: Sequence[int]) -> str:
    """``TARGETS: A before B (CYCLES); on TARGET it is the other way round (CYCLES)``."""
    cycles = _cycles(summaries[indices[0]])
    ordered = sorted(found, key=lambda flip: cycles[flip.faster] / cycles[flip.slower])[
        :_SHOWN_PAIRS
    ]
    pairs = [
        f"{flip.faster} before {flip.slower} ({_against(cycles, flip)} cycles)" for flip in ordered
    ]
    if more := len(found) - len(ordered):
        pairs.append(f"{more} more {'pair' if more == 1 else 'pairs'}")
    references = dict.fromkeys(flip.reference for flip in ordered)
    there = _listed([summaries[index].target.name for index in references])
    if len(found) == 1:
        where = f"on {there} it is the other way round ({_against(_cycles(summaries[found[0].reference]), found[0])})"
    else:
        where = f"on {there} they are the other way round"
    return f"{_targets_text(summaries, indices)}: {', '.join(pairs)}; {where}"


def _against(cycles: dict[str, float], flip: _Flip) -> str:
    return f"{format_count(cycles[flip.faster])} against {format_count(cycles[flip.slower])}"


def _targets_text(summaries: Sequence[RunSummary], indices: Sequence[int]) -> str:
    """Names of targets; in their place, memory modes that are there with every accelerator that was compared."""
    modes = [summary.target.memory_mode for summary in summaries]
    here = [modes[index] for index in indices]
    whole = [mode for mode in dict.fromkeys(here) if here.count(mode) == modes.count(mode) > 1]
    texts = [f"all {modes.count(mode)} with {mode}" for mode in whole]
    names = [summaries[index].target.name for index in indices if modes[index] not in whole]
    if len(names) > _SHOWN_TARGETS + 1:
        names = [*names[:_SHOWN_TARGETS], f"{len(names) - _SHOWN_TARGETS} more"]
    return _listed([*texts, *names])


def _listed(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]


def _title(summaries: Sequence[RunSummary]) -> str:
    versions = dict.fromkeys(
        variant.report.vela_version for summary in summaries for variant in summary.variants
    )
    count = "1 target" if len(summaries) == 1 else f"{len(summaries)} targets"
    return f"{count} side by side, estimated by Vela {_listed([*versions] or ['?'])}"


_Column = tuple[str, list[str]]


def _blocks(summaries: Sequence[RunSummary]) -> Iterator[list[_Column]]:
    """Columns that fit side by side: all times, then flash, then SRAM, kept together if that is possible."""
    names = [
        line
        for summary in summaries
        for line in wrapped(summary.target.name, _TARGET_WIDTH).split("\n")
    ]
    room = WIDTH - max(map(len, names))
    block: list[_Column] = []
    for group in _column_groups(summaries):
        if block and sum(map(_width, [*block, *group])) > room:
            yield block
            block = []
        for column in group:
            if block and sum(map(_width, [*block, column])) > room:
                yield block
                block = []
            block.append(column)
    yield block


def _width(column: _Column) -> int:
    heading, cells = column
    return 2 + max(len(line) for text in (heading, *cells) for line in text.split("\n"))


def _column_groups(summaries: Sequence[RunSummary]) -> Iterator[list[_Column]]:
    time = "ms per\nframe" if summaries[0].hop_seconds else "ms"
    names = _names(summaries)
    found = [{variant.name: variant for variant in summary.variants} for summary in summaries]
    stars = [_fastest(summary) for summary in summaries]
    yield [(f"{_heading(name)}\n{time}", _times(name, found, stars)) for name in names]
    for label, field in (("flash", "flash_bytes"), ("SRAM", "sram_bytes")):
        yield [
            (
                f"{_heading(name)}\n{label}",
                [
                    format_bytes(getattr(each[name].report, field)) if name in each else NONE
                    for each in found
                ],
            )
            for name in names
        ]


def _times(name: str, found: list[dict[str, VariantSummary]], stars: list[set[str]]) -> list[str]:
    """Times with a star, or a blank so that the numbers stay in line."""
    texts = [
        shown_milliseconds(seconds_per_frame(each[name])) if name in each else NONE
        for each in found
    ]
    return [
        f"{text} {'*' if name in best else ' '}" for text, best in zip(texts, stars, strict=True)
    ]


def _fastest(summary: RunSummary) -> set[str]:
    cycles = _cycles(summary)
    return {name for name, count in cycles.items() if _near(count, min(cycles.values()))}


def _heading(name: str) -> str:
    return wrapped(name, _NAME_WIDTH)


def _notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    yield "* fastest variant on this target; variants that are less than 1 % slower share the star."
    on_cpu: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, summary in enumerate(summaries):
        for variant in summary.variants:
            if operators := tuple(dict.fromkeys(variant.report.cpu_operators)):
                on_cpu.setdefault((variant.name, operators), []).append(index)
    for (name, operators), indices in on_cpu.items():
        where = _targets_text(summaries, indices)
        yield f"{name} leaves to the CPU, which its time leaves out: {' '.join(operators)}; {where}"
    if len(_names(summaries)) < 2:
        return
    found = flips(summaries)
    if not found:
        yield "The order of the variants is the same on every target."
        return
    yield "Where the order of the variants turns round:"
    yield from (f"- {line}" for line in found[:_SHOWN_FLIPS])
    if len(found) > _SHOWN_FLIPS:
        yield f"- and in {len(found) - _SHOWN_FLIPS} more ways; the ranks in CSV and JSON have them all"
