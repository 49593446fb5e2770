"""Operations of Ethos-U55 and U65, read off their registers."""

from dataclasses import replace

import numpy as np

from tinyprune.npu.stream.activations import Function
from tinyprune.npu.stream.convolution import Constants, Convolution, core_order, scale_bytes
from tinyprune.npu.stream.elementwise import Elementwise, ElementwiseMode, Operand
from tinyprune.npu.stream.memory import FeatureMap
from tinyprune.npu.stream.output import OutputStage
from tinyprune.npu.stream.payload import CommandStream
from tinyprune.npu.stream.pooling import Pooling, PoolingMode
from tinyprune.npu.stream.registers import Registers, Unsupported
from tinyprune.npu.stream.rescaling import Rounding
from tinyprune.npu.stream.transfer import Transfer
from tinyprune.npu.stream.weights import KernelOrder
from tinyprune.npu.stream.windows import Kernel, Upscaling

_DTYPES: dict[tuple[int, int], np.dtype] = {
    (0, 0): np.dtype(np.uint8),
    (1, 0): np.dtype(np.int8),
    (0, 1): np.dtype(np.uint16),
    (1, 1): np.dtype(np.int16),
    (1, 2): np.dtype(np.int32),
}
_FUNCTIONS = {0: Function.NONE, 3: Function.TANH, 4: Function.SIGMOID}
_FIRST_TABLE, _LAST_TABLE = 16, 23
_FORCED_RANGES = {2: (0, 255), 3: (-128, 127)}
_INPUT_GROUP = 8
_OUTPUT_GROUPS = {"ethos-u55-32": 4}
_MOST_CORE_MACS = 256
_INTERNAL = 1 << 8
# Of the two operands of a sum with different scales, one is rescaled and the other shifted left.
_LEFT_SHIFTS = {1: 19, 2: 14}  # by bytes of an element

OperationSettings = Convolution | Pooling | Elementwise | Transfer


class EthosU55:
    """The reading of registers for one stream."""

    def __init__(self, stream: CommandStream) -> None:
        self._cores = max(stream.macs // _MOST_CORE_MACS, 1)
        self._output_group = _OUTPUT_GROUPS.get(stream.npu, 8)

    def settings(self, operation: str, parameter: int, registers: Registers) -> OperationSettings:
        """Return what an operation does. Raises Unsupported for one that is not known."""
        if operation == "DMA_START":
            return _transfer(registers)
        if operation == "POOL":
            return _pooling(parameter, registers)
        if operation == "ELEMENTWISE":
            return _elementwise(parameter, registers)
        if operation in ("CONV", "DEPTHWISE"):
            return self._convolution(operation == "DEPTHWISE", registers)
        raise Unsupported(f"the operation {operation}")

    def _convolution(self, is_depthwise: bool, registers: Registers) -> Convolution:
        kernel = _kernel(registers)
        output = _output(registers)
        height, width, outputs = output.feature_map.shape
        rows, columns = kernel.input_size(height, width)
        inputs = outputs if is_depthwise else registers.size("IFM_DEPTH")
        source = _input("IFM", registers, (rows, columns, inputs))
        order = KernelOrder(
            outputs=outputs,
            height=kernel.height,
            width=kernel.width,
            inputs=1 if is_depthwise else inputs,
            is_depthwise=is_depthwise,
            is_part_kernel=bool(registers.bits("KERNEL_STRIDE", 2, 1)),
            input_bits=8 * source.dtype.itemsize,
            block_depth=registers.size("OFM_BLK_DEPTH"),
            dilation_y=kernel.dilation_y,
            dilation_x=kernel.dilation_x,
            input_group=_INPUT_GROUP,
            output_group=self._output_group,
        )
        cores = min(self._cores, outputs)
        weights = [_constants("WEIGHT", core, registers) for core in range(cores)]
        scales = []
        for core in range(cores):
            part = _constants("SCALE", core, registers)
            length = scale_bytes(core_order(order, core, cores).outputs)
            scales.append(Constants(part.region, part.start, length))
        return Convolution(source, kernel, order, tuple(weights), tuple(scales), output)


def _constants(name: str, core: int, registers: Registers) -> Constants:
    """Return the place where a core finds its weights (WEIGHT) or biases and scales (SCALE)."""
    own = f"{name}{core or ''}"
    return Constants(
        region=registers.bits(f"{name}_REGION", 0, 3),
        start=registers.bits(f"{own}_BASE", 0, 48),
        length=registers.bits(f"{own}_LENGTH", 0, 32),
    )


def _kernel(registers: Registers) -> Kernel:
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


def _dtype(is_signed: int, precision: int) -> np.dtype:
    if (is_signed, precision) not in _DTYPES:
        raise Unsupported(f"elements of precision {precision}, signed {is_signed}")
    return _DTYPES[is_signed, precision]


def _input(name: str, registers: Registers, shape: tuple[int, int, int]) -> FeatureMap:
    """Return the feature map IFM or IFM2."""
    precision = f"{name}_PRECISION"
    dtype = _dtype(registers.bits(precision, 0, 1), registers.bits(precision, 2, 2))
    is_bricked = bool(registers.bits(precision, 6, 2))
    return _feature_map(name, registers, dtype, is_bricked, shape)


def _feature_map(
    name: str,
    registers: Registers,
    dtype: np.dtype,
    is_bricked: bool,
    shape: tuple[int, int, int],
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
        zero_point=_number(registers, f"{name}_ZERO_POINT", dtype),
        shape=shape,
    )


def _number(registers: Registers, name: str, dtype: np.dtype) -> int:
    """Return a register of 16 bit as a number of a type."""
    if np.issubdtype(dtype, np.signedinteger):
        return registers.signed(name, 16)
    return registers.bits(name, 0, 16)


def _output(registers: Registers) -> OutputStage:
    precision = "OFM_PRECISION"
    dtype = _dtype(registers.bits(precision, 0, 1), registers.bits(precision, 1, 2))
    shape = registers.size("OFM_HEIGHT"), registers.size("OFM_WIDTH"), registers.size("OFM_DEPTH")
    is_bricked = bool(registers.bits(precision, 6, 2))
    feature_map = _feature_map("OFM", registers, dtype, is_bricked, shape)
    has_one_scale = bool(registers.bits(precision, 8, 1))
    code = registers.bits("ACTIVATION", 0, 12)
    is_table = _FIRST_TABLE <= code <= _LAST_TABLE
    if not is_table and code not in _FUNCTIONS:
        raise Unsupported(f"the activation {code}")
    lowest, highest = _range(registers, dtype, is_table)
    return OutputStage(
        feature_map=feature_map,
        scale=registers.bits("OFM_SCALE", 0, 32) if has_one_scale else None,
        shift=registers.bits("OFM_SCALE", 32, 6) if has_one_scale else 0,
        rounding=Rounding(registers.bits(precision, 14, 2)),
        function=Function.TABLE if is_table else _FUNCTIONS[code],
        table=code - _FIRST_TABLE if is_table else 0,
        first_place=_first_place(registers, dtype),
        lowest=lowest,
        highest=highest,
    )


def _range(registers: Registers, dtype: np.dtype, is_table: bool) -> tuple[int, int]:
    """Return the smallest and the largest result."""
    forced = registers.bits("ACTIVATION", 12, 3)
    if forced:
        if forced not in _FORCED_RANGES:
            raise Unsupported(f"the range {forced} of an activation")
        return _FORCED_RANGES[forced]
    if dtype.itemsize == 4:
        limits = np.iinfo(dtype)
        return int(limits.min), int(limits.max)
    return (
        _number(registers, "ACTIVATION_MIN", dtype),
        _number(registers, "ACTIVATION_MAX", dtype),
    )


def _first_place(registers: Registers, dtype: np.dtype) -> int:
    """Return the number whose entry is the first in a lookup table of 256."""
    forced = registers.bits("ACTIVATION", 12, 3)
    if forced:
        return _FORCED_RANGES[forced][0]
    return -128 if np.issubdtype(dtype, np.signedinteger) else 0


def _pooling(parameter: int, registers: Registers) -> Pooling:
    kernel = _kernel(registers)
    mode = PoolingMode(parameter)
    output = _output(registers)
    height, width, channels = output.feature_map.shape
    if mode is PoolingMode.SUM_OF_CHANNELS:
        channels = registers.size("IFM_DEPTH")
    rows, columns = kernel.input_size(height, width)
    return Pooling(mode, _input("IFM", registers, (rows, columns, channels)), kernel, output)


def _transfer(registers: Registers) -> Transfer:
    source = registers.bits("DMA0_SRC_REGION", 0, 16)
    target = registers.bits("DMA0_DST_REGION", 0, 16)
    if source & _INTERNAL:
        raise Unsupported("a transfer out of the shared buffer")
    return Transfer(
        source_region=source & 7,
        source=registers.bits("DMA0_SRC", 0, 48),
        target_region=target & 7,
        target=registers.bits("DMA0_DST", 0, 48),
        length=registers.bits("DMA0_LEN", 0, 48),
        is_to_tables=bool(target & _INTERNAL),
    )


def _elementwise(parameter: int, registers: Registers) -> Elementwise:
    mode = ElementwiseMode(parameter)
    output = _elementwise_output(mode, registers)
    shape = output.feature_map.shape
    first = Operand(_input("IFM", registers, shape))
    if mode.is_unary:
        return Elementwise(mode, first, None, output)
    second = _second_operand(registers, shape)
    if mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
        first, second = _scaled(first, second, registers)
    if registers.bits("IFM2_BROADCAST", 6, 1):
        first, second = second, first
    return Elementwise(mode, first, second, output)


def _elementwise_output(mode: ElementwiseMode, registers: Registers) -> OutputStage:
    """Return the output stage, which scales by OFM_SCALE whatever OFM_PRECISION says of it."""
    stage = _output(registers)
    scale, shift = registers.bits("OFM_SCALE", 0, 32), registers.bits("OFM_SCALE", 32, 6)
    if mode in (ElementwiseMode.SHR, ElementwiseMode.SHL):
        scale, shift = 1, 0
    is_wide = registers.bits("IFM_PRECISION", 2, 2) == 2
    if mode is ElementwiseMode.MUL and is_wide:
        scale = 1  # products of 32 bit are shifted only
    return replace(stage, scale=scale, shift=shift)


def _second_operand(registers: Registers, shape: tuple[int, int, int]) -> Operand:
    """Return IFM2: a number, or a feature map that may be repeated along its axes."""
    is_scalar = registers.bits("IFM2_BROADCAST", 7, 1)
    if is_scalar:
        scalar = registers.signed("IFM2_SCALAR", 16) - registers.signed("IFM2_ZERO_POINT", 16)
        return Operand(None, scalar)
    sizes = list(shape)
    for axis in range(3):
        if registers.bits("IFM2_BROADCAST", axis, 1):
            sizes[axis] = 1
    return Operand(_input("IFM2", registers, (sizes[0], sizes[1], sizes[2])))


def _scaled(first: Operand, second: Operand, registers: Registers) -> tuple[Operand, Operand]:
    """Return the operands of a sum with their scales."""
    which = registers.bits("IFM_PRECISION", 8, 2)
    if which == 0:
        return (
            replace(first, scale=registers.bits("OPA_SCALE", 0, 16)),
            replace(second, scale=registers.bits("OPB_SCALE", 0, 16)),
        )
    if first.feature_map is None or first.feature_map.dtype.itemsize not in _LEFT_SHIFTS:
        raise Unsupported("a sum of numbers of 32 bit with different scales")
    left = _LEFT_SHIFTS[first.feature_map.dtype.itemsize]
    scale, shift = registers.bits("OPA_SCALE", 0, 32), registers.bits("OPA_SCALE", 32, 6)
    if which == 1:
        return replace(first, scale=scale, shift=shift), replace(second, left=left)
    return replace(first, left=left), replace(second, scale=scale, shift=shift)
