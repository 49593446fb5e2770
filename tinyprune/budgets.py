"""What a network may cost: as people write it ("100KiB", "200k", "16ms"), and in numbers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tinyprune.errors import UsageError
from tinyprune.units import parse_bytes, parse_count, parse_seconds


@dataclass(frozen=True)
class Budget:
    """The most that a network may cost; None: no limit.

    Attributes:
        flash_bytes: encoded weights, biases, scales (ResourceReport.flash_bytes).
        sram_bytes: peak SRAM.
        cycles: of one inference.
        seconds: of one inference; of one frame where the network streams.
        cpu_operators: number of operators left to the CPU.
    """

    flash_bytes: float | None = None
    sram_bytes: float | None = None
    cycles: float | None = None
    seconds: float | None = None
    cpu_operators: int | None = None

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
    """

    max_flash: str | None = None
    max_sram: str | None = None
    max_cycles: str | None = None
    max_latency: str | None = None
    max_cpu_ops: int | None = None

    def resolved(self) -> Budget:
        """The limits in numbers. Raises UsageError that starts with the name of the one that makes no sense."""
        for name, complaint in self.complaints():
            raise UsageError(f"{name}: {complaint}")
        flash, sram, cycles, seconds = (None if text is None else parse(text) for text, parse, _ in self._texts())
        return Budget(flash, sram, cycles, seconds, self.max_cpu_ops)

    def complaints(self) -> Iterator[tuple[str, str]]:
        """What makes no sense: (name, complaint) pairs."""
        for name, (text, parse, least) in zip(PARSERS, self._texts(), strict=True):
            try:
                if text is not None and parse(text) <= 0:
                    yield (
                        name,
                        f"nothing fits into '{text}': expected more than 0, e.g. {least}; leave it out for no limit",
                    )
            except UsageError as error:
                yield name, str(error)
        if self.max_cpu_ops is not None and self.max_cpu_ops < 0:
            yield "max_cpu_ops", f"expected 0 or more, got {self.max_cpu_ops}"

    def _texts(self) -> Iterator[tuple[str | None, Callable[[str], float], str]]:
        return ((getattr(self, name), parse, example) for name, (parse, example) in PARSERS.items())


#: The limits that are written with a unit: how they are read, and one that is right.
PARSERS: dict[str, tuple[Callable[[str], float], str]] = {
    "max_flash": (parse_bytes, "100KiB"),
    "max_sram": (parse_bytes, "64KiB"),
    "max_cycles": (parse_count, "200k"),
    "max_latency": (parse_seconds, "16ms"),
}


def as_texts(table: Any) -> Any:
    """A table of limits with the numbers of TOML as text, so that 200000 cycles need no quotes; else as it is."""
    if not isinstance(table, Mapping):
        return table
    return {key: _as_text(value) if key in PARSERS else value for key, value in table.items()}


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
