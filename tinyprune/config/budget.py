"""What a network may cost: as people write it ("100KiB", "200k", "16ms"), and in numbers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tinyprune.artifacts.quantity import LIMITED, LimitedQuantity
from tinyprune.errors import UsageError


@dataclass(frozen=True)
class Budget:
    """The most that a network may cost; None: no limit.

    Attributes:
        flash_bytes: encoded weights, biases, scales (ResourceReport.flash_bytes).
        sram_bytes: peak SRAM.
        cycles: of one inference.
        seconds: of one inference; of one frame where the network streams.
        cpu_operators: number of operators left to the CPU.
        macs: multiply-accumulates of one inference.
    """

    flash_bytes: float | None = None
    sram_bytes: float | None = None
    cycles: float | None = None
    seconds: float | None = None
    cpu_operators: int | None = None
    macs: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is limited."""
        return all(limit is None for limit in vars(self).values())


@dataclass(frozen=True)
class BudgetConfig:
    """Limits that every compiled variant has to keep, as people write them; None: no limit.

    Attributes:
        max_flash, max_sram: sizes with their unit, e.g. "100KiB" or "100kB".
        max_cycles: of one inference, e.g. "200k" or 200000.
        max_latency: time of one inference, of one frame where the network streams, e.g. "16ms".
        max_cpu_ops: how many operators may be left to the CPU.
        max_macs: multiply-accumulates of one inference, e.g. "2M" or 2000000.
    """

    max_flash: str | None = None
    max_sram: str | None = None
    max_cycles: str | None = None
    max_latency: str | None = None
    max_cpu_ops: int | None = None
    max_macs: str | None = None

    @property
    def label(self) -> str:
        """What is limited, as a part of a name: ``flash-64KiB-macs-2M``."""
        return "-".join(
            f"{name.removeprefix('max_')}-{_plain(text)}" for name, text, _ in self._given()
        )

    def resolved(self) -> Budget:
        """The limits in numbers. Raises UsageError that starts with the name of the one that makes no sense."""
        for name, complaint in self.complaints():
            raise UsageError(f"{name}: {complaint}")
        numbers: dict[str, Any] = {
            limit.option.field: limit.parse(text) for _, text, limit in self._given()
        }
        return Budget(**numbers, cpu_operators=self.max_cpu_ops)

    def complaints(self) -> Iterator[tuple[str, str]]:
        """What makes no sense: (name, complaint) pairs."""
        for name, text, limit in self._given():
            try:
                if limit.parse(text) <= 0:
                    rule = f"expected more than 0, e.g. {limit.option.example}; leave it out for no limit"
                    yield name, f"nothing fits into '{text}': {rule}"
            except UsageError as error:
                yield name, str(error)
        if self.max_cpu_ops is not None and self.max_cpu_ops < 0:
            yield "max_cpu_ops", f"expected 0 or more, got {self.max_cpu_ops}"

    def _given(self) -> Iterator[tuple[str, str, LimitedQuantity]]:
        """Name, text and meaning of every limit with a unit that is given."""
        return (
            (name, getattr(self, name), limit)
            for name, limit in LIMITS.items()
            if getattr(self, name) is not None
        )


#: The limits that are written with a unit, by their names in BudgetConfig, in the order in which
#: they are shown.
LIMITS = {quantity.option.name: quantity for quantity in LIMITED.values()}


def as_texts(table: Any) -> Any:
    """A table of limits with the numbers of TOML as text, so that 200000 cycles need no quotes; else as it is."""
    if not isinstance(table, Mapping):
        return table
    return {key: _as_text(value) if key in LIMITS else value for key, value in table.items()}


def _as_text(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 2e5 is 200000, also in the name of a variant
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _plain(text: str) -> str:
    """A limit in the letters that a name may have; both signs for micro are a u."""
    return re.sub(r"[^A-Za-z0-9.]+", "", re.sub("[\u00b5\u03bc]", "u", text))
