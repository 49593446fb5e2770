"""Targets side by side: the cost of every variant, and where another variant is the fastest."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.quantity import CPU_OPERATORS, DRAM, FLASH, SRAM, TOTAL_CYCLES, Quantity
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
class _Target:
    """One target with what the matrix needs of it.

    Attributes:
        name: of the target. memory_mode: its memory mode.
        variants: by their names.
        cycles: variant -> cycles per frame.
    """

    name: str
    memory_mode: str
    variants: dict[str, VariantSummary]
    cycles: dict[str, float]

    @classmethod
    def of(cls, summary: RunSummary) -> "_Target":
        """Return the target of a summary."""
        variants = {variant.name: variant for variant in summary.variants}
        cycles = {}
        for name, variant in variants.items():
            cycles[name] = variant.report.cycles / variant.tflite.frames
        return cls(summary.target.name, summary.target.memory_mode, variants, cycles)

    def rank(self, name: str) -> int:
        """Return the place of a variant by cycles, from 1."""
        faster = [count for count in self.cycles.values() if count < self.cycles[name]]
        return 1 + len(faster)

    def is_fastest(self, name: str) -> bool:
        """Return True for a variant that no other is clearly faster than."""
        return name in self.cycles and _is_near(self.cycles[name], min(self.cycles.values()))

    def order(self, first: str, second: str) -> tuple[str, str] | None:
        """Return (faster, slower); None for a near-tie, or if one is missing."""
        if first not in self.cycles or second not in self.cycles:
            return None
        faster, slower = sorted((first, second), key=self.cycles.__getitem__)
        return None if _is_near(self.cycles[slower], self.cycles[faster]) else (faster, slower)


@dataclass(frozen=True)
class _Flip:
    """Two variants in another order than on the first target that tells them apart.

    Attributes:
        faster, slower: their names.
        usual: place of that first target.
    """

    faster: str
    slower: str
    usual: int

    def text(self, target: _Target) -> str:
        """Return the cycles of both on a target, in words."""
        faster, slower = target.cycles[self.faster], target.cycles[self.slower]
        return f"{format_count(faster)} against {format_count(slower)}"


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
    targets = [_Target.of(summary) for summary in summaries]
    by_target: list[list[_Flip]] = [[] for _ in targets]
    for first, second in combinations(variant_names(summaries), 2):
        for place, flip in _flips_of_pair(targets, first, second):
            by_target[place].append(flip)

    places: dict[tuple[_Flip, ...], list[int]] = {}
    for place, here in enumerate(by_target):
        if here:
            places.setdefault(tuple(here), []).append(place)
    return [_line(targets, group, where) for group, where in places.items()]


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
    target, report = summary.target, variant.report
    return {
        "target": target.name,
        "npu": target.npu,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        "variant": variant.name,
        **{quantity.name: quantity.of(variant) for quantity in _QUANTITIES},
        "milliseconds_per_frame": 1000 * variant.seconds_per_frame,
        "bound_by": report.bound_by,
        "rank": _Target.of(summary).rank(variant.name),
        CPU_OPERATORS.name: report.cpu_operator_count,
        "cpu_operators": " ".join(report.cpu_operators),
    }


def _is_near(more: float, less: float) -> bool:
    return more == less or more - less < NEAR * less


def _flips_of_pair(
    targets: Sequence[_Target], first: str, second: str
) -> Iterator[tuple[int, _Flip]]:
    """Targets, by their place, where a pair is the other way round."""
    usual_place, usual = None, None
    for place, target in enumerate(targets):
        order = target.order(first, second)
        if order is None:
            continue
        if usual_place is None:
            usual_place, usual = place, order
        elif order != usual:
            faster, slower = order
            yield place, _Flip(faster, slower, usual_place)


def _line(targets: Sequence[_Target], group: Sequence[_Flip], places: Sequence[int]) -> str:
    """``TARGETS: A before B (CYCLES); on TARGET it is the other way round (CYCLES)``."""
    here = targets[places[0]]
    ordered = sorted(group, key=lambda flip: here.cycles[flip.faster] / here.cycles[flip.slower])
    shown = ordered[:_SHOWN_PAIRS]
    pairs = [f"{flip.faster} before {flip.slower} ({flip.text(here)} cycles)" for flip in shown]
    more = len(group) - len(shown)
    if more:
        pairs.append(f"{more} more {'pair' if more == 1 else 'pairs'}")

    usual = dict.fromkeys(flip.usual for flip in shown)
    turned = f"on {_listed([targets[place].name for place in usual])}"
    if len(group) == 1:
        turned += f" it is the other way round ({group[0].text(targets[group[0].usual])})"
    else:
        turned += " they are the other way round"
    return f"{_targets_text(targets, places)}: {', '.join(pairs)}; {turned}"


def _targets_text(targets: Sequence[_Target], places: Sequence[int]) -> str:
    """Names of targets.

    A memory mode stands in their place that is there with every accelerator that was compared.
    """
    compared = Counter(target.memory_mode for target in targets)
    here = Counter(targets[place].memory_mode for place in places)
    complete = [mode for mode, count in here.items() if count == compared[mode] > 1]
    texts = [f"all {compared[mode]} with {mode}" for mode in complete]

    others = [targets[place] for place in places]
    names = [target.name for target in others if target.memory_mode not in complete]
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
    targets = [_Target.of(summary) for summary in summaries]
    names = variant_names(summaries)
    unit = "ms per\nframe" if summaries[0].hop_seconds else "ms"
    yield [_time_column(targets, name, unit) for name in names]
    for quantity in (FLASH, SRAM):
        yield [_quantity_column(targets, name, quantity) for name in names]


def _time_column(targets: Sequence[_Target], name: str, unit: str) -> _Column:
    """Times with a star, or a blank so that the numbers stay in line."""
    cells = []
    for target in targets:
        variant = target.variants.get(name)
        time = shown_milliseconds(variant.seconds_per_frame) if variant else NONE
        star = "*" if target.is_fastest(name) else " "
        cells.append(f"{time} {star}")
    return _Column(f"{wrapped(name, _NAME_WIDTH)}\n{unit}", cells)


def _quantity_column(targets: Sequence[_Target], name: str, quantity: Quantity) -> _Column:
    cells = []
    for target in targets:
        variant = target.variants.get(name)
        cells.append(quantity.format(quantity.of(variant)) if variant else NONE)
    return _Column(f"{wrapped(name, _NAME_WIDTH)}\n{quantity.label}", cells)


def _notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    yield "* fastest variant on this target; variants that are less than 1 % slower share the star."
    yield from _cpu_notes([_Target.of(summary) for summary in summaries])
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


def _cpu_notes(targets: Sequence[_Target]) -> Iterator[str]:
    """Operators that variants leave to the CPU; targets where they are the same are one line."""
    on_cpu: dict[tuple[str, str], list[int]] = {}
    for place, target in enumerate(targets):
        for name, variant in target.variants.items():
            operators = " ".join(dict.fromkeys(variant.report.cpu_operators))
            if operators:
                on_cpu.setdefault((name, operators), []).append(place)
    for (name, operators), places in on_cpu.items():
        where = _targets_text(targets, places)
        yield f"{name} leaves to the CPU, which its time leaves out: {operators}; {where}"
