"""Cycles by what takes them: the base of what operators, layers and whole networks cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Cycles of an operator, a layer or a model, in all and by what takes them.

    Attributes:
        cycles: the total, roughly the largest of the others, which work at the same time.
        cycles_npu: of computing.
        cycles_sram, cycles_dram, cycles_on_chip_flash, cycles_off_chip_flash: of moving data to and
            from this memory.
    """

    #: The NPU and the memories, as ``bound_by`` calls them -> their field. The order decides a tie:
    #: what computes is named before what feeds it.
    PARTS: ClassVar[Mapping[str, str]] = {
        "NPU": "cycles_npu",
        "SRAM": "cycles_sram",
        "DRAM": "cycles_dram",
        "on-chip flash": "cycles_on_chip_flash",
        "off-chip flash": "cycles_off_chip_flash",
    }

    cycles: float
    cycles_npu: float
    cycles_sram: float
    cycles_dram: float
    cycles_on_chip_flash: float
    cycles_off_chip_flash: float

    @classmethod
    def total(cls, costs: Iterable["Cycles"]) -> "Cycles":
        """Return the sum of several, total by total and part by part."""
        several = list(costs)
        sums = {}
        for field in fields(Cycles):
            sums[field.name] = sum(getattr(cost, field.name) for cost in several)
        return Cycles(**sums)

    @property
    def parts(self) -> dict[str, float]:
        """Cycles by part, with the names of PARTS."""
        return {part: getattr(self, field) for part, field in self.PARTS.items()}

    @property
    def slowest_part(self) -> str:
        """The part with the most cycles."""
        parts = self.parts
        return max(parts, key=parts.__getitem__)

    @property
    def cycles_flash(self) -> float:
        """Cycles of both kinds of flash; no target has both."""
        return self.cycles_on_chip_flash + self.cycles_off_chip_flash

    def cycles_without(self, part: str) -> float:
        """Return the cycles of the slowest part but this one."""
        others = self.parts
        del others[part]
        return max(others.values())

    def as_fields(self) -> dict[str, float]:
        """Return field -> value, for a record that has these fields among others."""
        return {field.name: getattr(self, field.name) for field in fields(Cycles)}
