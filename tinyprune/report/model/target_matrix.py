"""Targets side by side: the cost of every variant, and where another variant is the fastest."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf, nan
from typing import Any

from tinyprune.artifacts.quantity import (
    CPU_OPERATORS,
    DRAM,
    FLASH,
    SRAM,
    TOTAL_CYCLES,
    Quantity,
)
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.summary import variant_names
from tinyprune.report.model.wording import listed
from tinyprune.storage.cells import harmless_record
from tinyprune.units import counted, format_count

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

_SHOWN_PAIRS, _SHOWN_TARGETS = 3, 3


@dataclass(frozen=True)
class ComparedTarget:
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
    def of(cls, summary: RunSummary) -> "ComparedTarget":
        """Return the target of a summary."""
        variants = {}
        cycles = {}
        for variant in summary.variants:
            variants[variant.name] = variant
            cycles[variant.name] = variant.report.cycles / variant.tflite.frames
        return cls(summary.target.name, summary.target.memory_mode, variants, cycles)

    def rank(self, name: str) -> int:
        """Return the place of a variant by cycles, from 1."""
        in_order = sorted(self.cycles.values())
        return 1 + in_order.index(self.cycles[name])

    def is_fastest(self, name: str) -> bool:
        """Return True for a variant that no other is clearly faster than."""
        fewest = min(self.cycles.values(), default=0.0)
        return not _is_apart(self.cycles.get(name, inf), fewest)

    def order(self, first: str, second: str) -> tuple[str, ...]:
        """Return (faster, slower); nothing for a near-tie, or if one is missing."""
        cycles = {first: self.cycles.get(first, nan), second: self.cycles.get(second, nan)}
        faster, slower = sorted(cycles, key=cycles.__getitem__)
        if _is_apart(cycles[slower], cycles[faster]):
            return (faster, slower)
        return ()

    def number(self, name: str, quantity: Quantity) -> float | None:
        """Return the number of a variant; None if it is missing."""
        variant = self.variants.get(name)
        if variant:
            return quantity.of(variant)
        return None


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

    def text(self, target: ComparedTarget) -> str:
        """Return the cycles of both on a target, in words."""
        faster = target.cycles[self.faster]
        slower = target.cycles[self.slower]
        return f"{format_count(faster)} against {format_count(slower)}"


def rows(summaries: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Return one flat row per target and variant, with the keys FIELDS.

    ``rank`` is by cycles per frame among the variants on that target, from 1; the same cycles share
    a rank.
    """
    found = []
    for summary in summaries:
        target = ComparedTarget.of(summary)
        for variant in summary.variants:
            found.append(_row(summary, variant, target.rank(variant.name)))
    return found


def compared_targets(summaries: Sequence[RunSummary]) -> list[ComparedTarget]:
    """Return what the matrix needs of every target."""
    return [ComparedTarget.of(summary) for summary in summaries]


def flips(summaries: Sequence[RunSummary]) -> list[str]:
    """Return where another order of the variants by cycles holds.

    One line stands for all targets that differ in the same way. Each pair of variants is compared
    with the first target where they are at least 1 % apart (NEAR); a target where they are closer
    does not count. Example::

        all 11 with Sram_Only: unit-0.50 before weight-0.90 (163 k against 171 k cycles); on
        ethos-u55-128-shared-sram it is the other way round (190 k against 175 k)
    """
    targets = compared_targets(summaries)
    flips_of_targets: list[list[_Flip]] = [[] for _ in targets]
    for first, second in combinations(variant_names(summaries), 2):
        for place, flip in _flips_of_pair(targets, first, second):
            flips_of_targets[place].append(flip)

    places: dict[tuple[_Flip, ...], list[int]] = defaultdict(list)
    for place, group in enumerate(flips_of_targets):
        places[tuple(group)].append(place)
    places.pop((), None)
    return [_line(targets, group, where) for group, where in places.items()]


def cpu_notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    """Yield the operators that variants leave to the CPU, a line for targets with the same."""
    targets = compared_targets(summaries)
    on_cpu: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, target in enumerate(targets):
        for name, variant in target.variants.items():
            operators = " ".join(dict.fromkeys(variant.report.cpu_operators))
            if operators:
                on_cpu[name, operators].append(place)

    for (name, operators), places in on_cpu.items():
        where = _targets_text(targets, places)
        yield f"{name} leaves to the CPU, which its time leaves out: {operators}; {where}"


def to_csv(summaries: Sequence[RunSummary]) -> str:
    """Return :func:`rows` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(harmless_record, rows(summaries)))
    return text.getvalue()


def _row(summary: RunSummary, variant: VariantSummary, rank: int) -> dict[str, Any]:
    target = summary.target
    report = variant.report
    row: dict[str, Any] = {
        "target": target.name,
        "npu": target.npu,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        "variant": variant.name,
    }
    for quantity in _QUANTITIES:
        row[quantity.name] = quantity.of(variant)

    row["milliseconds_per_frame"] = 1000 * variant.seconds_per_frame
    row["bound_by"] = report.bound_by
    row["rank"] = rank
    row[CPU_OPERATORS.name] = report.cpu_operator_count
    row["cpu_operators"] = " ".join(report.cpu_operators)
    return row


def _is_apart(more: float, less: float) -> bool:
    """True where the larger number is clearly larger; False where one is not a number."""
    return more > less and more - less >= NEAR * less


def _flips_of_pair(
    targets: Sequence[ComparedTarget], first: str, second: str
) -> Iterator[tuple[int, _Flip]]:
    """Targets, by their place, where a pair is the other way round."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, target in enumerate(targets):
        order = target.order(first, second)
        places[order].append(place)
    places.pop((), None)

    orders = list(places)
    for faster, slower in orders[1:]:
        usual_places = places[orders[0]]
        for place in places[faster, slower]:
            yield place, _Flip(faster, slower, usual_places[0])


def _line(targets: Sequence[ComparedTarget], group: Sequence[_Flip], places: Sequence[int]) -> str:
    """``TARGETS: A before B (CYCLES); on TARGET it is the other way round (CYCLES)``."""
    here = targets[places[0]]
    ordered = sorted(group, key=lambda flip: here.cycles[flip.faster] / here.cycles[flip.slower])
    shown = ordered[:_SHOWN_PAIRS]

    pairs: list[str] = []
    usual: dict[int, str] = {}
    for flip in shown:
        pairs.append(f"{flip.faster} before {flip.slower} ({flip.text(here)} cycles)")
        usual[flip.usual] = targets[flip.usual].name
    if len(group) > len(shown):
        pairs.append(counted(len(group) - len(shown), "more pair"))

    where = _targets_text(targets, places)
    elsewhere = listed([*usual.values()])
    if len(group) > 1:
        turned = f"on {elsewhere} they are the other way round"
    else:
        cycles = group[0].text(targets[group[0].usual])
        turned = f"on {elsewhere} it is the other way round ({cycles})"
    return f"{where}: {', '.join(pairs)}; {turned}"


def _targets_text(targets: Sequence[ComparedTarget], places: Sequence[int]) -> str:
    """Names of targets.

    A memory mode stands in their place that is there with every accelerator that was compared.
    """
    modes = [target.memory_mode for target in targets]
    compared = Counter(modes)
    here = Counter(modes[place] for place in places)

    complete: dict[str, str] = {}
    names: list[str] = []
    for place in places:
        mode = modes[place]
        if here[mode] == compared[mode] > 1:
            complete[mode] = f"all {compared[mode]} with {mode}"
        else:
            names.append(targets[place].name)

    more = len(names) - _SHOWN_TARGETS
    if more > 1:
        names[_SHOWN_TARGETS:] = [f"{more} more"]
    return listed([*complete.values(), *names])
