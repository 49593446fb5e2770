"""Targets side by side: the cost of every variant, and where another variant is the fastest."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.quantity import CPU_OPERATORS, DRAM, FLASH, SRAM, TOTAL_CYCLES, Quantity
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.summary import variant_names
from tinyprune.report.render.terminal import NONE, WIDTH, columns, shown_milliseconds, wrapped
from tinyprune.units import format_count

#: Two variants whose cycles differ by less than this fraction of the smaller are as fast as each
#: other.
NEAR = 0.01

_QUANTITIES = (FLASH, SRAM, DRAM, TOTAL_CYCLES)
FIELDS = (
    "target",
    "npu",
    "system_config",
    "memory_mode",
    "variant",
    *(quantity.name for quantity in _QUANTITIES),
    "milliseconds_per_frame",
    "bound_by",
    "rank",
    CPU_OPERATORS.name,
    "cpu_operators",
)

_TARGET_WIDTH, _NAME_WIDTH = 36, 9
_SHOWN_PAIRS, _SHOWN_TARGETS, _SHOWN_FLIPS = 3, 3, 10


@dataclass(frozen=True)
class _Flip:
    """Two variants in another order than on the first target that tells them apart."""

    faster: str
    slower: str
    reference: int


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


def rows(summaries: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Return one flat row per target and variant, with the keys FIELDS.

    ``rank`` is by cycles per frame among the variants on that target, from 1; the same cycles share
    a rank.
    """
    return [_row(summary, variant) for summary in summaries for variant in summary.variants]


def flips(summaries: Sequence[RunSummary]) -> list[str]:
    """Return where another order of the variants by cycles holds.

    One line stands for all targets that differ in the same way. Each pair of variants is compared
    with the first target where they are at least 1 % apart (NEAR); a target where they are closer
    does not count. Example::

        all 11 with Sram_Only: unit-0.50 before weight-0.90 (163 k against 171 k cycles); on
        ethos-u55-128-shared-sram it is the other way round (190 k against 175 k)
    """
    cycles = [_cycles(summary) for summary in summaries]
    by_target: list[list[_Flip]] = [[] for _ in summaries]
    for first, second in combinations(variant_names(summaries), 2):
        for index, flip in _flips_of_pair(cycles, first, second):
            by_target[index].append(flip)

    groups: dict[tuple[_Flip, ...], list[int]] = {}
    for index, here in enumerate(by_target):
        if here:
            groups.setdefault(tuple(here), []).append(index)
    return [_line(summaries, group, indices) for group, indices in groups.items()]


def format_matrix(summaries: Sequence[RunSummary]) -> RenderableType:
    """Return a row per target with time, flash and SRAM of every variant; then the flips.

    A star marks the fastest. What does not fit into 100 columns goes into further tables with the
    same rows.
    """
    if not summaries:
        return Text("no target is compiled for yet")
    parts: list[RenderableType] = [Text(_title(summaries), style="bold")]
    names = [wrapped(summary.target.name, _TARGET_WIDTH) for summary in summaries]
    for block in _blocks(summaries, WIDTH - _Column("", names).width + 2):
        table = columns("", *(column.heading for column in block))
        for index, name in enumerate(names):
            table.add_row(name, *(column.cells[index] for column in block))
        parts += [table, Text()]
    return Group(*parts, *map(Text, _notes(summaries)))


def to_csv(summaries: Sequence[RunSummary]) -> str:
    """Return :func:`rows` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(summaries))
    return text.getvalue()


def _row(summary: RunSummary, variant: VariantSummary) -> dict[str, Any]:
    target, report, cycles = summary.target, variant.report, _cycles(summary)
    faster = [name for name, count in cycles.items() if count < cycles[variant.name]]
    return {
        "target": target.name,
        "npu": target.npu,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        "variant": variant.name,
        **{quantity.name: quantity.of(variant) for quantity in _QUANTITIES},
        "milliseconds_per_frame": 1000 * variant.seconds_per_frame,
        "bound_by": report.bound_by,
        "rank": 1 + len(faster),
        CPU_OPERATORS.name: report.cpu_operator_count,
        "cpu_operators": " ".join(report.cpu_operators),
    }


def _cycles(summary: RunSummary) -> dict[str, float]:
    """Variant -> cycles per frame."""
    return {
        variant.name: variant.report.cycles / variant.tflite.frames for variant in summary.variants
    }


def _order(cycles: dict[str, float], first: str, second: str) -> tuple[str, str] | None:
    """(faster, slower); None for a near-tie, or if one is missing."""
    if first not in cycles or second not in cycles:
        return None
    faster, slower = sorted((first, second), key=cycles.__getitem__)
    return None if _is_near(cycles[slower], cycles[faster]) else (faster, slower)


def _is_near(more: float, less: float) -> bool:
    return more == less or more - less < NEAR * less


def _flips_of_pair(
    cycles: Sequence[dict[str, float]], first: str, second: str
) -> Iterator[tuple[int, _Flip]]:
    """Targets, by their place, where a pair is the other way round."""
    reference = None
    for index, here in enumerate(cycles):
        order = _order(here, first, second)
        if order is None:
            continue
        if reference is None:
            reference, usual = index, order
        elif order != usual:
            faster, slower = order
            yield index, _Flip(faster, slower, reference)


def _line(summaries: Sequence[RunSummary], group: Sequence[_Flip], indices: Sequence[int]) -> str:
    """``TARGETS: A before B (CYCLES); on TARGET it is the other way round (CYCLES)``."""
    cycles = _cycles(summaries[indices[0]])
    ordered = sorted(group, key=lambda flip: cycles[flip.faster] / cycles[flip.slower])
    shown = ordered[:_SHOWN_PAIRS]
    pairs = [
        f"{flip.faster} before {flip.slower} ({_against(cycles, flip)} cycles)" for flip in shown
    ]
    more = len(group) - len(shown)
    if more:
        pairs.append(f"{more} more {'pair' if more == 1 else 'pairs'}")

    references = dict.fromkeys(flip.reference for flip in shown)
    there = _listed([summaries[index].target.name for index in references])
    turned = f"on {there} they are the other way round"
    if len(group) == 1:
        usual = _against(_cycles(summaries[group[0].reference]), group[0])
        turned = f"on {there} it is the other way round ({usual})"
    return f"{_targets_text(summaries, indices)}: {', '.join(pairs)}; {turned}"


def _against(cycles: dict[str, float], flip: _Flip) -> str:
    return f"{format_count(cycles[flip.faster])} against {format_count(cycles[flip.slower])}"


def _targets_text(summaries: Sequence[RunSummary], indices: Sequence[int]) -> str:
    """Names of targets.

    A memory mode stands in their place that is there with every accelerator that was compared.
    """
    modes = [summary.target.memory_mode for summary in summaries]
    here = [modes[index] for index in indices]
    complete = [mode for mode in dict.fromkeys(here) if here.count(mode) == modes.count(mode) > 1]
    texts = [f"all {modes.count(mode)} with {mode}" for mode in complete]
    names = [summaries[index].target.name for index in indices if modes[index] not in complete]
    if len(names) > _SHOWN_TARGETS + 1:
        names = [*names[:_SHOWN_TARGETS], f"{len(names) - _SHOWN_TARGETS} more"]
    return _listed([*texts, *names])


def _listed(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]


def _title(summaries: Sequence[RunSummary]) -> str:
    versions: dict[str, None] = {}
    for summary in summaries:
        versions |= dict.fromkeys(variant.report.vela_version for variant in summary.variants)
    count = "1 target" if len(summaries) == 1 else f"{len(summaries)} targets"
    return f"{count} side by side, estimated by Vela {_listed([*versions] or ['?'])}"


def _blocks(summaries: Sequence[RunSummary], room: int) -> Iterator[list[_Column]]:
    """Columns that fit side by side: all times, then flash, then SRAM.

    Those of a kind are kept together if that is possible.
    """
    block: list[_Column] = []
    for group in _column_groups(summaries):
        if block and _width([*block, *group]) > room:
            yield block
            block = []
        for column in group:
            if block and _width([*block, column]) > room:
                yield block
                block = []
            block.append(column)
    yield block


def _width(block: Sequence[_Column]) -> int:
    return sum(column.width for column in block)


def _column_groups(summaries: Sequence[RunSummary]) -> Iterator[list[_Column]]:
    names = variant_names(summaries)
    yield [_time_column(summaries, name) for name in names]
    for quantity in (FLASH, SRAM):
        yield [_quantity_column(summaries, name, quantity) for name in names]


def _time_column(summaries: Sequence[RunSummary], name: str) -> _Column:
    """Times with a star, or a blank so that the numbers stay in line."""
    unit = "ms per\nframe" if summaries[0].hop_seconds else "ms"
    cells = []
    for summary in summaries:
        variant = _variant(summary, name)
        time = shown_milliseconds(variant.seconds_per_frame) if variant else NONE
        cells.append(f"{time} {'*' if name in _fastest(summary) else ' '}")
    return _Column(f"{wrapped(name, _NAME_WIDTH)}\n{unit}", cells)


def _quantity_column(summaries: Sequence[RunSummary], name: str, quantity: Quantity) -> _Column:
    cells = []
    for summary in summaries:
        variant = _variant(summary, name)
        cells.append(quantity.format(quantity.of(variant)) if variant else NONE)
    return _Column(f"{wrapped(name, _NAME_WIDTH)}\n{quantity.label}", cells)


def _variant(summary: RunSummary, name: str) -> VariantSummary | None:
    return {variant.name: variant for variant in summary.variants}.get(name)


def _fastest(summary: RunSummary) -> set[str]:
    cycles = _cycles(summary)
    return {name for name, count in cycles.items() if _is_near(count, min(cycles.values()))}


def _notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    yield "* fastest variant on this target; variants that are less than 1 % slower share the star."
    yield from _cpu_notes(summaries)
    if len(variant_names(summaries)) < 2:
        return
    lines = flips(summaries)
    if not lines:
        yield "The order of the variants is the same on every target."
        return
    yield "Where the order of the variants turns round:"
    yield from (f"- {line}" for line in lines[:_SHOWN_FLIPS])
    if len(lines) > _SHOWN_FLIPS:
        more = len(lines) - _SHOWN_FLIPS
        yield f"- and in {more} more ways; the ranks in CSV and JSON have them all"


def _cpu_notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    """What variants leave to the CPU; targets where it is the same are one line."""
    on_cpu: dict[tuple[str, str], list[int]] = {}
    for index, summary in enumerate(summaries):
        for variant in summary.variants:
            operators = _cpu_operators(variant.report)
            if operators:
                on_cpu.setdefault((variant.name, operators), []).append(index)
    for (name, operators), indices in on_cpu.items():
        where = _targets_text(summaries, indices)
        yield f"{name} leaves to the CPU, which its time leaves out: {operators}; {where}"


def _cpu_operators(report: ResourceReport) -> str:
    return " ".join(dict.fromkeys(report.cpu_operators))
