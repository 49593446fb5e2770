"""Limits on the costs of a network: as people write them ("100KiB", "16ms"), and in numbers."""

import re
from dataclasses import dataclass
from typing import Any

from tinyprune.artifacts.quantity import GATED, LIMITED, LimitedQuantity
from tinyprune.config.settings import Complaint, Config, Option, setting
from tinyprune.errors import UsageError

#: The quantities that are limited with a unit, by the name of their limit, as they are shown.
LIMITS = {quantity.option.name: quantity for quantity in LIMITED.values()}


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
        """True where nothing is limited."""
        return all(limit is None for limit in vars(self).values())

    def by_quantity(self) -> dict[str, float]:
        """Return name of a quantity -> the most of it, of those that are limited."""
        most = {}
        for quantity in GATED:
            limit = getattr(self, quantity.option.field)
            if limit is not None:
                most[quantity.name] = float(limit)
        return most


def _limit(name: str) -> Any:
    """Return the field of a limit that is written with a unit."""
    option = LIMITS[name].option
    meaning = option.meaning[0].lower() + option.meaning[1:]
    return setting(
        None,
        f"Limit of {meaning}, e.g. {option.example}. Exit code 3 above it.",
        option=Option(f"--{name.replace('_', '-')}", "limit"),
        is_text_of_number=True,
    )


@dataclass(frozen=True)
class BudgetConfig(Config):
    """Limits that every compiled variant has to keep, as people write them; None: no limit.

    Sizes are written with their unit, e.g. "100KiB" or "100kB", counts as "200k" or 200000.
    """

    max_flash: str | None = _limit("max_flash")
    max_sram: str | None = _limit("max_sram")
    max_macs: str | None = _limit("max_macs")
    max_cycles: str | None = _limit("max_cycles")
    max_latency: str | None = _limit("max_latency")
    max_cpu_ops: int | None = setting(
        None,
        "Limit of the number of operators that are left to the CPU.",
        option=Option("--max-cpu-ops", "limit of operators"),
    )

    @property
    def label(self) -> str:
        """The limits as a part of a name: ``flash-64KiB-macs-2M``."""
        parts = []
        for name, text in self.texts().items():
            parts.append(f"{name.removeprefix('max_')}-{_plain(text)}")
        return "-".join(parts)

    def texts(self) -> dict[str, str]:
        """Return the limits with a unit that are set, in the order in which they are shown."""
        texts = {}
        for name in LIMITS:
            text = getattr(self, name)
            if text is not None:
                texts[name] = text
        return texts

    def resolved(self) -> Budget:
        """Return the limits in numbers. Raises UsageError, which names the first wrong one."""
        for name, complaint in self.complaints():
            raise UsageError(f"{name}: {complaint}")
        numbers: dict[str, Any] = {}
        for name, text in self.texts().items():
            numbers[LIMITS[name].option.field] = LIMITS[name].parse(text)
        return Budget(**numbers, cpu_operators=self.max_cpu_ops)

    def complaints(self) -> list[Complaint]:
        """Return the limits that nothing can be measured against."""
        complaints = []
        for name, text in self.texts().items():
            complaint = _complaint(text, LIMITS[name])
            if complaint:
                complaints.append((name, complaint))
        if self.max_cpu_ops is not None and self.max_cpu_ops < 0:
            complaints.append(("max_cpu_ops", f"expected 0 or more, got {self.max_cpu_ops}"))
        return complaints


def _complaint(text: str, limit: LimitedQuantity) -> str:
    """Return what is wrong with the text of a limit; empty if nothing is."""
    try:
        is_possible = limit.parse(text) > 0
    except UsageError as error:
        return str(error)
    if is_possible:
        return ""
    rule = f"expected more than 0, e.g. {limit.option.example}; leave it out for no limit"
    return f"nothing fits into '{text}': {rule}"


def _plain(text: str) -> str:
    """Return a limit in the letters that a name may have; both signs for micro are a u."""
    return re.sub(r"[^A-Za-z0-9.]+", "", re.sub("[\u00b5\u03bc]", "u", text))
