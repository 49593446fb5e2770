"""Parts of the registers that are the same in every Ethos-U."""

import numpy as np

from tinyprune.npu.stream.convolution import Constants
from tinyprune.npu.stream.memory import FeatureMap
from tinyprune.npu.stream.registers import Registers, Unsupported
from tinyprune.npu.stream.transfer import Transfer
from tinyprune.npu.stream.windows import Kernel, Upscaling

_DTYPES: dict[tuple[int, int], np.dtype] = {
    (0, 0): np.dtype(np.uint8),
    (1, 0): np.dtype(np.int8),
    (0, 1): np.dtype(np.uint16),
    (1, 1): np.dtype(np.int16),
    (1, 2): np.dtype(np.int32),
}
_INTERNAL = 1 << 8
_STRIDED = 0b11 << 9


def transfer_of(registers: Registers) -> Transfer:
    """Return a transfer of the DMA; the target in memory of the NPU is as the register has it."""
    source = registers.bits("DMA0_SRC_REGION", 0, 16)
    target = registers.bits("DMA0_DST_REGION", 0, 16)
    if source & _INTERNAL:
        raise Unsupported("a transfer out of memory of the NPU")
    if (source | target) & _STRIDED:
        raise Unsupported("a transfer of two or three axes, or by indices")
    return Transfer(
        source_region=source & 7,
        source=registers.bits("DMA0_SRC", 0, 48),
        target_region=target & 7,
        target=registers.bits("DMA0_DST", 0, 48),
        length=registers.bits("DMA0_LEN", 0, 48),
        is_to_tables=bool(target & _INTERNAL),
    )


def block_of(registers: Registers) -> tuple[int, int]:
    """Return rows and columns of the blocks of positions that an operation works on."""
    return registers.size("OFM_BLK_HEIGHT"), registers.size("OFM_BLK_WIDTH")


def kernel_of(registers: Registers) -> Kernel:
    """Return the kernel of an operation."""
    stride = "KERNEL_STRIDE"
    dilation_x = 1 + registers.bits(stride, 3, 1)
    dilation_y = 1 + registers.bits(stride, 4, 1)
    # The sizes are those of the dilated kernel.
    return Kernel(
        height=registers.bits("KERNEL_HEIGHT_M1", 0, 16) // dilation_y + 1,
        width=registers.bits("KERNEL_WIDTH_M1", 0, 16) // dilation_x + 1,
        stride_y=1 + registers.bits(stride, 1, 1) + 2 * registers.bits(stride, 9, 3),
        stride_x=1 + registers.bits(stride, 0, 1) + 2 * registers.bits(stride, 6, 3),
        dilation_y=dilation_y,
        dilation_x=dilation_x,
        top=registers.bits("IFM_PAD_TOP", 0, 7),
        left=registers.bits("IFM_PAD_LEFT", 0, 7),
        bottom=registers.bits("IFM_PAD_BOTTOM", 0, 8),
        right=registers.bits("IFM_PAD_RIGHT", 0, 8),
        upscaling=Upscaling(registers.bits("IFM_UPSCALE", 0, 2)),
    )


def dtype_of(is_signed: int, precision: int) -> np.dtype:
    """Return the type of elements. Raises Unsupported for one that is not known."""
    if (is_signed, precision) not in _DTYPES:
        raise Unsupported(f"elements of precision {precision}, signed {is_signed}")
    return _DTYPES[is_signed, precision]


def feature_map(
    name: str,
    registers: Registers,
    dtype: np.dtype,
    is_bricked: bool,
    shape: tuple[int, int, int],
    is_chained: bool = False,
) -> FeatureMap:
    """Return a feature map whose type is known."""
    bases = [registers.bits(f"{name}_BASE{number}", 0, 48) for number in range(4)]
    return FeatureMap(
        region=registers.bits(f"{name}_REGION", 0, 3),
        bases=(bases[0], bases[1], bases[2], bases[3]),
        height0=registers.size(f"{name}_HEIGHT0"),
        height1=registers.size(f"{name}_HEIGHT1"),
        width0=registers.size(f"{name}_WIDTH0"),
        stride_y=registers.signed(f"{name}_STRIDE_Y", 40),
        stride_x=registers.signed(f"{name}_STRIDE_X", 40),
        stride_c=registers.signed(f"{name}_STRIDE_C", 40),
        is_bricked=is_bricked,
        dtype=dtype,
        zero_point=number_of(registers, f"{name}_ZERO_POINT", dtype),
        shape=shape,
        is_chained=is_chained,
    )


def constants_of(name: str, core: int, registers: Registers) -> Constants:
    """Return the place where a core finds its weights (WEIGHT) or biases and scales (SCALE)."""
    own = f"{name}{core or ''}"
    return Constants(
        region=registers.bits(f"{name}_REGION", 0, 3),
        start=registers.bits(f"{own}_BASE", 0, 48),
        length=registers.bits(f"{own}_LENGTH", 0, 32),
    )


def range_of(registers: Registers, dtype: np.dtype, is_off: bool) -> tuple[int, int]:
    """Return the smallest and the largest result: where no range is set, those of the type."""
    if is_off:
        limits = np.iinfo(dtype)
        return int(limits.min), int(limits.max)
    return (
        number_of(registers, "ACTIVATION_MIN", dtype),
        number_of(registers, "ACTIVATION_MAX", dtype),
    )


def number_of(registers: Registers, name: str, dtype: np.dtype) -> int:
    """Return a register of 16 bit as a number of a type."""
    if np.issubdtype(dtype, np.signedinteger):
        return registers.signed(name, 16)
    return registers.bits(name, 0, 16)
