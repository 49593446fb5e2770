"""Costs of networks that nobody compiled."""

from tinyprune.artifacts.cycles import Cycles


def cycles(
    total: float,
    npu: float = 0,
    sram: float = 0,
    dram: float = 0,
    on_chip_flash: float = 0,
    off_chip_flash: float = 0,
) -> dict[str, float]:
    """The cycles of a record, as its keyword arguments."""
    found = Cycles(
        cycles=total,
        cycles_npu=npu,
        cycles_sram=sram,
        cycles_dram=dram,
        cycles_on_chip_flash=on_chip_flash,
        cycles_off_chip_flash=off_chip_flash,
    )
    return found.as_fields()
