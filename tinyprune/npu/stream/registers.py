"""The registers of Ethos-U: their names by code, and their values as an operation finds them."""

from collections.abc import Mapping

from tinyprune.errors import TinypruneError

#: Operations, by the code of a command without a second word.
OPERATIONS: Mapping[int, str] = {
    0x000: "STOP",
    0x001: "IRQ",
    0x002: "CONV",
    0x003: "DEPTHWISE",
    0x005: "POOL",
    0x006: "ELEMENTWISE",
    0x007: "RESIZE",
    0x010: "DMA_START",
    0x011: "DMA_WAIT",
    0x012: "KERNEL_WAIT",
    0x013: "PMU_MASK",
}

#: Registers of 16 bit that are the same in every Ethos-U.
_SHORT = {
    0x100: "IFM_PAD_TOP",
    0x101: "IFM_PAD_LEFT",
    0x102: "IFM_PAD_RIGHT",
    0x103: "IFM_PAD_BOTTOM",
    0x104: "IFM_DEPTH_M1",
    0x105: "IFM_PRECISION",
    0x107: "IFM_UPSCALE",
    0x109: "IFM_ZERO_POINT",
    0x10A: "IFM_WIDTH0_M1",
    0x10B: "IFM_HEIGHT0_M1",
    0x10C: "IFM_HEIGHT1_M1",
    0x10D: "IFM_IB_END",
    0x10F: "IFM_REGION",
    0x111: "OFM_WIDTH_M1",
    0x112: "OFM_HEIGHT_M1",
    0x113: "OFM_DEPTH_M1",
    0x114: "OFM_PRECISION",
    0x115: "OFM_BLK_WIDTH_M1",
    0x116: "OFM_BLK_HEIGHT_M1",
    0x117: "OFM_BLK_DEPTH_M1",
    0x118: "OFM_ZERO_POINT",
    0x11A: "OFM_WIDTH0_M1",
    0x11B: "OFM_HEIGHT0_M1",
    0x11C: "OFM_HEIGHT1_M1",
    0x11F: "OFM_REGION",
    0x120: "KERNEL_WIDTH_M1",
    0x121: "KERNEL_HEIGHT_M1",
    0x122: "KERNEL_STRIDE",
    0x123: "PARALLEL_MODE",
    0x124: "ACC_FORMAT",
    0x125: "ACTIVATION",
    0x126: "ACTIVATION_MIN",
    0x127: "ACTIVATION_MAX",
    0x128: "WEIGHT_REGION",
    0x129: "SCALE_REGION",
    0x12D: "AB_START",
    0x12F: "BLOCKDEP",
    0x130: "DMA0_SRC_REGION",
    0x131: "DMA0_DST_REGION",
    0x132: "DMA0_SIZE0",
    0x133: "DMA0_SIZE1",
    0x180: "IFM2_BROADCAST",
    0x181: "IFM2_SCALAR",
    0x185: "IFM2_PRECISION",
    0x189: "IFM2_ZERO_POINT",
    0x18A: "IFM2_WIDTH0_M1",
    0x18B: "IFM2_HEIGHT0_M1",
    0x18C: "IFM2_HEIGHT1_M1",
    0x18D: "IFM2_IB_START",
    0x18F: "IFM2_REGION",
}
#: Registers of 32 and more bits that are the same in every Ethos-U.
_LONG = {
    0x000: "IFM_BASE0",
    0x001: "IFM_BASE1",
    0x002: "IFM_BASE2",
    0x003: "IFM_BASE3",
    0x004: "IFM_STRIDE_X",
    0x005: "IFM_STRIDE_Y",
    0x006: "IFM_STRIDE_C",
    0x010: "OFM_BASE0",
    0x011: "OFM_BASE1",
    0x012: "OFM_BASE2",
    0x013: "OFM_BASE3",
    0x014: "OFM_STRIDE_X",
    0x015: "OFM_STRIDE_Y",
    0x016: "OFM_STRIDE_C",
    0x020: "WEIGHT_BASE",
    0x021: "WEIGHT_LENGTH",
    0x022: "SCALE_BASE",
    0x023: "SCALE_LENGTH",
    0x024: "OFM_SCALE",
    0x025: "OPA_SCALE",
    0x026: "OPB_SCALE",
    0x030: "DMA0_SRC",
    0x031: "DMA0_DST",
    0x032: "DMA0_LEN",
    0x033: "DMA0_SKIP0",
    0x034: "DMA0_SKIP1",
    0x080: "IFM2_BASE0",
    0x081: "IFM2_BASE1",
    0x082: "IFM2_BASE2",
    0x083: "IFM2_BASE3",
    0x084: "IFM2_STRIDE_X",
    0x085: "IFM2_STRIDE_Y",
    0x086: "IFM2_STRIDE_C",
    0x090: "WEIGHT1_BASE",
    0x091: "WEIGHT1_LENGTH",
    0x092: "SCALE1_BASE",
    0x093: "SCALE1_LENGTH",
}
#: Registers of Ethos-U85 that others do not have, or have for something else.
_SHORT_U85 = {0x108: "IFM_BROADCAST", 0x12E: "WEIGHT_FORMAT", 0x134: "DMA0_IDX_REGION"}
_LONG_U85 = {
    0x025: "IFM_SCALE",
    0x026: "IFM2_SCALE",
    0x027: "OP_SCALAR",
    0x092: "WEIGHT2_BASE",
    0x093: "WEIGHT2_LENGTH",
    0x094: "WEIGHT3_BASE",
    0x095: "WEIGHT3_LENGTH",
}
U85 = "ethos-u85"


def short_names(family: str) -> Mapping[int, str]:
    """Return the registers of 16 bit of a family, by their codes."""
    return _SHORT | _SHORT_U85 if family == U85 else _SHORT


def long_names(family: str) -> Mapping[int, str]:
    """Return the registers of 32 and more bits of a family, by their codes."""
    return _LONG | _LONG_U85 if family == U85 else _LONG


class Registers:
    """The registers as they stand when an operation starts; one that was never set is 0."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def set(self, name: str, value: int) -> None:
        """Set a register to the bits of a command."""
        self._values[name] = value

    def bits(self, name: str, start: int = 0, width: int = 64) -> int:
        """Return ``width`` bits of a register from bit ``start`` as an unsigned number."""
        return (self._values.get(name, 0) >> start) & ((1 << width) - 1)

    def signed(self, name: str, width: int) -> int:
        """Return the low ``width`` bits of a register as a number in two's complement."""
        value = self.bits(name, 0, width)
        if value >> (width - 1):
            return value - (1 << width)
        return value

    def size(self, name: str) -> int:
        """Return a size that its register holds less one."""
        return self.bits(f"{name}_M1", 0, 16) + 1


class Unsupported(TinypruneError):
    """Something in a stream that is not understood, so that the stream is not executed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the simulator does not know {what}: the stream cannot be verified")
