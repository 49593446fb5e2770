"""Quantities that networks cost: name, label, unit, direction, limit and source of each, once.

To add one, write it here; where a table has it, that table names it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from tinyprune.artifacts.cycles import Cycles
from tinyprune.units import (
    BYTES,
    CYCLES,
    FRACTION,
    MACS,
    OPERATORS,
    PARAMETERS,
    SECONDS,
    Unit,
    format_latency,
)

if TYPE_CHECKING:
    from tinyprune.artifacts.resources import LayerCost, Prediction, ResourceReport
    from tinyprune.artifacts.summary import VariantSummary

HIGHER, LOWER, NEITHER = "higher", "lower", "-"


@dataclass(frozen=True)
class Allowance:
    """An amount that a number may become worse by.

    Attributes:
        amount: in the unit of the number, or as a fraction of what it was before.
        relative: True for a fraction.
    """

    amount: float
    relative: bool = False

    def of(self, before: float) -> float:
        """Return the amount in the unit of the number, which was ``before``."""
        if self.relative:
            return self.amount * abs(before)
        return self.amount

    @property
    def percent(self) -> float | None:
        """The amount in percent of what the number was before; None where it is in its unit."""
        if self.relative:
            return 100 * self.amount
        return None


#: As much as it likes.
UNLIMITED = Allowance(math.inf)


@dataclass(frozen=True)
class BudgetOption:
    """The option of a budget that limits a quantity.

    Attributes:
        name: of the option and recipe key, e.g. "max_flash".
        field: of :class:`tinyprune.config.budget.Budget`.
        meaning: the limited thing, as a sentence begins.
        example: a text that is right.
    """

    name: str
    field: str
    meaning: str
    example: str


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number that a network costs on a target.

    Attributes:
        name: in run summaries, CSV and policies, with its unit, e.g. "flash_bytes".
        label: in tables and sentences, e.g. "flash".
        unit: of its numbers.
        source: where a variant has it: the path of attributes from a VariantSummary.
        direction: the better one: "higher", "lower", or "-" for what is only information.
        allowed: how much worse ``tinyprune compare`` lets it become unless a policy says otherwise;
            None: no limit.
        report_field: of ResourceReport, and of Prediction where it is predicted; empty: none.
        layer_field: of LayerCost, its share of one layer; empty: none.
        cell: a number of it for a table; default: as its unit has it.
    """

    name: str
    label: str
    unit: Unit
    source: str
    direction: str = LOWER
    allowed: Allowance | None = None
    report_field: str = ""
    layer_field: str = ""
    cell: Callable[[float], str] | None = None

    def of(self, variant: "VariantSummary") -> float:
        """Return the number of one variant."""
        return attrgetter(self.source)(variant)

    def of_report(self, report: "ResourceReport | Prediction") -> float:
        """Return the number of a compiled network, or the one that was predicted for it."""
        return getattr(report, self.report_field)

    def of_layer(self, layer: "LayerCost") -> float:
        """Return the share of one layer."""
        return getattr(layer, self.layer_field)

    def format(self, value: float) -> str:
        """Return a number of it for a table, e.g. ``124 kB``."""
        if self.cell:
            return self.cell(value)
        return self.unit.format(value)


@dataclass(frozen=True, kw_only=True)
class LimitedQuantity(Quantity):
    """A quantity that a budget can limit.

    Attributes:
        option: the option that limits it.
    """

    option: BudgetOption

    def parse(self, text: str) -> float:
        """Return the number of a text such as "100KiB". Raises UsageError."""
        assert self.unit.parse is not None
        return self.unit.parse(text)


_PERCENT = Allowance(0.01, relative=True)

FLASH = LimitedQuantity(
    name="flash_bytes",
    label="flash",
    unit=BYTES,
    source="report.flash_bytes",
    allowed=_PERCENT,
    report_field="flash_bytes",
    layer_field="flash_bytes",
    option=BudgetOption("max_flash", "flash_bytes", "Weights, biases and scales", "100KiB"),
)
ENCODED_WEIGHTS = Quantity(
    name="encoded_weight_bytes",
    label="encoded weights",
    unit=BYTES,
    source="report.encoded_weight_bytes",
    allowed=_PERCENT,
    report_field="encoded_weight_bytes",
    layer_field="encoded_weight_bytes",
)
TFLITE = Quantity(name="tflite_bytes", label=".tflite", unit=BYTES, source="tflite.file_bytes")
SRAM = LimitedQuantity(
    name="sram_bytes",
    label="SRAM",
    unit=BYTES,
    source="report.sram_bytes",
    allowed=_PERCENT,
    report_field="sram_bytes",
    layer_field="sram_bytes",
    option=BudgetOption("max_sram", "sram_bytes", "Peak SRAM", "64KiB"),
)
DRAM = Quantity(
    name="dram_bytes",
    label="DRAM",
    unit=BYTES,
    source="report.dram_bytes",
    report_field="dram_bytes",
)
TOTAL_CYCLES = LimitedQuantity(
    name="cycles",
    label="cycles",
    unit=CYCLES,
    source="report.cycles",
    allowed=_PERCENT,
    report_field="cycles",
    layer_field="cycles",
    option=BudgetOption("max_cycles", "cycles", "Cycles of one inference", "200k"),
)
#: Part of :class:`Cycles` -> its cycles.
CYCLES_OF_PART = {
    part: Quantity(
        name=field,
        label=f"{part} cycles",
        unit=CYCLES,
        source=f"report.{field}",
        report_field=field,
        layer_field=field,
    )
    for part, field in Cycles.PARTS.items()
}
LATENCY = LimitedQuantity(
    name="seconds_per_frame",
    label="latency",
    unit=SECONDS,
    source="seconds_per_frame",
    allowed=_PERCENT,
    report_field="inference_seconds",
    layer_field="cycles",
    option=BudgetOption(
        "max_latency",
        "seconds",
        "Time of one inference, of one frame where the network streams",
        "16ms",
    ),
    cell=format_latency,
)
CPU_OPERATORS = LimitedQuantity(
    name="cpu_operator_count",
    label="CPU operators",
    unit=OPERATORS,
    source="report.cpu_operator_count",
    allowed=Allowance(0),
    report_field="cpu_operator_count",
    option=BudgetOption("max_cpu_ops", "cpu_operators", "Operators left to the CPU", "0"),
)
MULTIPLY_ACCUMULATES = LimitedQuantity(
    name="macs",
    label="MACs",
    unit=MACS,
    source="report.macs",
    direction=NEITHER,
    report_field="macs",
    layer_field="macs",
    option=BudgetOption("max_macs", "macs", "Multiply-accumulates of one inference", "2M"),
)
NUMBER_OF_PARAMETERS = Quantity(
    name="parameters", label="parameters", unit=PARAMETERS, source="parameters"
)
SPARSITY = Quantity(
    name="sparsity", label="sparsity", unit=FRACTION, source="sparsity", direction=NEITHER
)

#: Every quantity by its name, in the order in which a comparison shows them.
QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        FLASH,
        ENCODED_WEIGHTS,
        TFLITE,
        SRAM,
        DRAM,
        TOTAL_CYCLES,
        *CYCLES_OF_PART.values(),
        LATENCY,
        CPU_OPERATORS,
        MULTIPLY_ACCUMULATES,
        NUMBER_OF_PARAMETERS,
        SPARSITY,
    )
}
#: Quantities that a pruning to a budget steers, by label, in the order in which they are shown.
LIMITED = {
    quantity.label: quantity
    for quantity in (FLASH, SRAM, MULTIPLY_ACCUMULATES, TOTAL_CYCLES, LATENCY)
}
#: Quantities that a compiled network can be held to.
GATED = (*LIMITED.values(), CPU_OPERATORS)
#: Quantities that the cost model predicts.
PREDICTED = (FLASH, SRAM, TOTAL_CYCLES)
